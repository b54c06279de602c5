"""Necks."""

from .augfpn import AugFPN
from .bifpn import BiFPN
from .dssd import DSSDNeck
from .ffm import FFMv1, FFMv2
from .mlfpn import MLFPN
from .sfam import SFAM
from .tcb import TCB
from .tum import TUM

__all__ = [
    'MLFPN',
    'SFAM',
    'TCB',
    'TUM',
    'AugFPN',
    'BiFPN',
    'DSSDNeck',
    'FFMv1',
    'FFMv2',
]
