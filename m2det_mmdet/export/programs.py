"""A detector as a program of torch.export, which all formats are made from."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor
from torch.export import Dim, ExportedProgram, export

from ..ops.failures import reason_of
from .errors import ExportError
from .graph import DetectionGraph
from .plan import Plan

INPUT = 'images'
# Of the images of an example: a graph of any number needs more than one to learn that.
_EXAMPLES = 2


def trace(graph: DetectionGraph, plan: Plan) -> ExportedProgram:
    """Trace a detector.

    Args:
        graph: The detector.
        plan: The sizes that it is to take.

    Raises:
        ExportError: If it does something that a graph cannot hold.
    """
    images = example_images(plan)
    axes = {}
    if plan.batch is None:
        axes[0] = Dim.DYNAMIC
    if plan.preparation.inside or plan.size is None:
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


def example_images(plan: Plan) -> Tensor:
    """Return images of random numbers that a graph of this plan takes."""
    batch = plan.batch or _EXAMPLES
    height, width = plan.example
    generator = torch.Generator().manual_seed(0)
    if plan.preparation.inside:
        # Sides of their own, so that no size is taken for another.
        shape = (batch, height + 31, width + 57, 3)
        return torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)
    if plan.size is None:
        # No square: the sides would be taken for one.
        height, width = height + 64, width + 128
    return torch.randn(batch, 3, height, width, generator=generator)


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
