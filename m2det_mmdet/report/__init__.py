"""The report on a detector: one page that tells what it can and cannot do."""

from .findings import EvaluatedDetector, Findings, find_out
from .writing import figures_of, page_of

__all__ = ['EvaluatedDetector', 'Findings', 'figures_of', 'find_out', 'page_of']
