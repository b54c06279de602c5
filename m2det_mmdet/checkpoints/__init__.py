"""Checkpoints: loaded safely, and compared with a model."""
