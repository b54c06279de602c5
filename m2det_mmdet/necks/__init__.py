"""Necks."""

from .ffm import FFMv1, FFMv2
from .mlfpn import MLFPN
from .sfam import SFAM
from .tum import TUM

__all__ = ['MLFPN', 'SFAM', 'TUM', 'FFMv1', 'FFMv2']
