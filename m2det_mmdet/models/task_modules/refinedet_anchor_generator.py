"""Anchors of RefineDet: one size for each scale, in strides."""

from collections.abc import Sequence

from mmdet.registry import TASK_UTILS

from .anchor_generator import M2DetAnchorGenerator


@TASK_UTILS.register_module()
class RefineDetAnchorGenerator(M2DetAnchorGenerator):
    """Generate RefineDet's anchors.

    Scale ``i`` has, in each cell and in this order, a square of side
    ``scale * strides[i]`` pixels, and for each ratio a wide and a tall box of the same
    area. `RefineDet <https://arxiv.org/abs/1711.06897>`_, section 3.1. The rest is as
    in :class:`M2DetAnchorGenerator`, except that the strides are used for images of any
    size: RefineDet's maps come from convolutions with these strides.

    Args:
        input_size: Side of the training image, in pixels.
        strides: Pixels between the centres of each scale.
        scale: Side of the squares, in strides.
        ratios: Ratios of width and height; each gives two boxes.
        clip: Whether to clip ``(cx, cy, w, h)`` to the image. The PyTorch port does so,
            the authors' code does not. At 320 pixels the largest anchors of the last
            scale lose an eighth of a side; at 512 nothing changes.
    """

    _NAME = 'strides'
    _ADVICE = ''

    def __init__(
        self,
        input_size: int,
        *,
        strides: Sequence[float] = (8, 16, 32, 64),
        scale: float = 4,
        ratios: Sequence[float] = (2,),
        clip: bool = True,
    ) -> None:
        sizes = [scale * stride / input_size for stride in strides]
        super().__init__(
            input_size,
            [*sizes, sizes[-1]],
            steps=strides,
            fixed_steps=True,
            ratios=ratios,
            clip=clip,
        )

    @staticmethod
    def _shapes(
        small: float, large: float, ratios: Sequence[float]
    ) -> list[tuple[float, float]]:
        """Return ``(width, height)`` in pixels of all anchors in a cell."""
        square, _, *boxes = M2DetAnchorGenerator._shapes(small, large, ratios)
        return [square, *boxes]
