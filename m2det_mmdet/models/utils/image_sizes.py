"""Boxes and the sizes of the images that they are in."""

from torch import Tensor

from .suppression import row_per_image


def padded_size(batch_img_metas: list[dict]) -> tuple[int, int]:
    """Return the pixels ``(height, width)`` of the network's input."""
    meta = batch_img_metas[0]
    return tuple(meta.get('batch_input_shape', meta['img_shape'])[:2])


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
