"""Schedules of the learning rate."""

from .warmup_step_lr import WarmupStepLR

__all__ = ['WarmupStepLR']
