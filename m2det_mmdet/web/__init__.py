"""A page on which a detector looks at pictures (extra ``web``)."""

from .serving import serving

__all__ = ['serving']
