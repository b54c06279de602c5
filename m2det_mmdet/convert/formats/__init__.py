"""Networks of other code, with a table of names for each."""

from .m2det import M2DET
from .refinedet import REFINEDET
from .release import COUNTER, Entry, Names, Release, Settings

__all__ = ['COUNTER', 'M2DET', 'REFINEDET', 'Entry', 'Names', 'Release', 'Settings']
