"""Images to trace a graph with, and to compare a file on."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from .plan import Plan, Size

# Images at a time that a file of any number is compared with.
_BATCHES = (1, 2, 5)
# Of a graph that is traced for any number: one would be taken for a fixed number.
_TRACED = 2
# Pixels of the height and the width by which the sides of an example differ from those
# of the config, so that no size is taken for another, nor a side for the other one.
_TRACED_GROWTH, _COMPARED_GROWTH = (64, 128), (64, -32)


def example_to_trace(plan: Plan) -> Tensor:
    """Return images of random numbers that a graph of this plan takes."""
    size = _grown(plan, _TRACED_GROWTH) if takes_any_size(plan) else plan.example
    return _random(plan, plan.batch or _TRACED, size)


def examples_to_compare(
    plan: Plan, real: Sequence[Tensor]
) -> Iterator[tuple[str, Tensor]]:
    """Yield images to compare a file on, with words for them.

    Args:
        plan: What the graph takes.
        real: Further images, one each.
    """
    batches = _BATCHES if plan.batch is None else (plan.batch,)
    sizes = [plan.example]
    if takes_any_size(plan):
        sizes.append(_grown(plan, _COMPARED_GROWTH))
    for size in sizes:
        for batch in batches:
            yield 'random images', _random(plan, batch, size)
        yield 'a blank image', _random(plan, batches[0], size) * 0
    for image in real:
        yield 'a real image', image.expand(batches[0], *image.shape[1:]).contiguous()


def takes_any_size(plan: Plan) -> bool:
    """Whether a graph takes images of any height and width."""
    return plan.preparation.inside or plan.size is None


def _grown(plan: Plan, growth: Size) -> Size:
    height, width = (
        max(side + more, 1) for side, more in zip(plan.example, growth, strict=True)
    )
    return height, width


def _random(plan: Plan, batch: int, size: Size) -> Tensor:
    generator = torch.Generator().manual_seed(batch)
    if plan.preparation.inside:
        shape = (batch, *size, 3)
        return torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)
    return torch.randn(batch, 3, *size, generator=generator)
