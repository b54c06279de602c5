"""The report on a detector: one page that tells what it can and cannot do."""

from .findings import Evaluated, Findings, find_out
from .writing import figures_of, page_of

__all__ = ['Evaluated', 'Findings', 'figures_of', 'find_out', 'page_of']
