"""Whether the anchors of a config fit the objects of a data set, and which would."""

from .fit import AnchorFit, ObjectGroup, check_fit, fit_of
from .improvement import Improvement, improve

__all__ = ['AnchorFit', 'Improvement', 'ObjectGroup', 'check_fit', 'fit_of', 'improve']
