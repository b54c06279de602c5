"""A detector as a program of torch.export, which all formats are made from."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch.export import Dim, ExportedProgram, export

from ..ops.failures import reason_of
from .errors import ExportError
from .examples import example_to_trace, takes_any_size
from .graph import DetectionGraph
from .plan import Plan

INPUT = 'images'


def trace(graph: DetectionGraph, plan: Plan) -> ExportedProgram:
    """Trace a detector.

    Args:
        graph: The detector.
        plan: The sizes that it is to take.

    Raises:
        ExportError: If it does something that a graph cannot hold.
    """
    images = example_to_trace(plan)
    axes = {}
    if plan.batch is None:
        axes[0] = Dim.DYNAMIC
    if takes_any_size(plan):
        height, width = (1, 2) if plan.preparation.inside else (2, 3)
        axes.update({height: Dim.DYNAMIC, width: Dim.DYNAMIC})
    # PyTorch would look whether the loop of an earlier graph fits this one, and fail
    # at a number that only the graph knows.
    torch.compiler.reset()
    try:
        with torch.no_grad(), quiet_exporter():
            return export(graph, (images,), dynamic_shapes=(axes,))
    except Exception as error:
        raise ExportError(
            f'{type(graph.model).__name__} cannot be exported: torch.export fails '
            f'({reason_of(error)}): try a fixed size and batch.'
        ) from error


@contextmanager
def quiet_exporter() -> Iterator[None]:
    """Keep PyTorch's exporter from telling what it does."""
    loggers = [logging.getLogger(x) for x in ('torch', 'torch.onnx', 'onnxscript')]
    before = [x.level for x in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)
