"""Boxes and the sizes of the images that they are in."""

from torch import Tensor

from .suppression import row_per_image


def padded_size(batch_img_metas: list[dict]) -> tuple[int, int]:
    """Return the pixels ``(height, width)`` of the network's input."""
    meta = batch_img_metas[0]
    return tuple(meta.get('batch_input_shape', meta['img_shape'])[:2])


def covered_part(metas: list[dict]) -> tuple[float, float]:
    """Return which part of the network's input an image takes, in height and width.

    Below the image and to its right the input was filled up.

    Args:
        metas: ``ori_shape`` and ``scale_factor`` of one image. Its ``img_shape`` would
            have what a step ``Pad`` of the pipeline filled up, too.
    """
    ((height, width), factors) = (metas[0][x] for x in ('ori_shape', 'scale_factor'))
    whole_height, whole_width = padded_size(metas)
    return (
        min(1.0, height * factors[1] / whole_height),
        min(1.0, width * factors[0] / whole_width),
    )


def in_images(
    boxes: Tensor, batch_img_metas: list[dict], *, clip: bool, rescale: bool
) -> Tensor:
    """Fit boxes to their images.

    Args:
        boxes: ``(N, A, 4)``, xyxy in input pixels.
        batch_img_metas: ``img_shape`` of each image, and with ``rescale`` its
            ``scale_factor``.
        clip: Whether boxes end at the border of their image.
        rescale: Whether to return boxes in pixels of the original image.
    """
    if clip:
        sides = [tuple(meta['img_shape'][1::-1]) * 2 for meta in batch_img_metas]
        boxes = boxes.clamp(min=0).minimum(row_per_image(sides, boxes))
    if rescale:
        shrink = [
            [1 / factor for factor in meta['scale_factor']] * 2
            for meta in batch_img_metas
        ]
        boxes = boxes * row_per_image(shrink, boxes)
    return boxes
