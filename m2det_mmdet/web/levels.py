"""What the levels of an MLFPN see in a picture."""

from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor

from ..apis import Detector, M2DetError
from ..models.necks import MLFPN
from ..visualization.grids import scaled
from ..visualization.overlays import grayed, spread

_LONGEST = 220  # pixels of the longer side of a picture
_STRENGTH = 0.6  # of the colours over the picture


class LabelledPicture(NamedTuple):
    """A picture and what it shows.

    Attributes:
        label: A few words.
        picture: BGR, ``(H, W, 3)``, uint8.
    """

    label: str
    picture: np.ndarray


def level_pictures(
    detector: Detector, image: np.ndarray
) -> list[list[LabelledPicture]]:
    """Return how strongly each level answers to an image, at each scale.

    Args:
        detector: The detector; its backbone and its neck run once.
        image: BGR, ``(H, W, 3)``, uint8.

    Returns:
        A row for each scale, the largest map first, with a picture for each level: the
        mean of its channels, from the lowest to the highest value of the map, over the
        image in gray.

    Raises:
        M2DetError: If the detector has no MLFPN.
    """
    model = detector.inferencer.model
    neck = getattr(model, 'neck', None)
    if not isinstance(neck, MLFPN):
        raise M2DetError(
            'This detector has no MLFPN of its own whose levels could be shown: choose '
            'another model.'
        )
    _, (inputs, metas) = detector.network_input(image)
    with torch.no_grad():
        _, levels = neck.forward_with_levels(model.backbone(inputs))
    height, width = metas[0]['img_shape'][:2]
    covered = (height / inputs.shape[-2], width / inputs.shape[-1])
    gray = grayed(scaled(image, _LONGEST / max(image.shape[:2])))
    return [
        [
            LabelledPicture(
                f'level {level}, {maps.shape[-1]} × {maps.shape[-2]} cells',
                _over(gray, maps[0].mean(dim=0), covered),
            )
            for level, maps in enumerate(scale, start=1)
        ]
        for scale in zip(*levels, strict=True)
    ]


def _over(
    picture: np.ndarray, values: Tensor, covered: tuple[float, float]
) -> np.ndarray:
    """Lay the colours of a map over the picture that it was computed from."""
    low, high = values.aminmax()
    shades = (values - low) / (high - low).clamp(min=1e-12) * 255
    shades = shades.byte().cpu().numpy()
    shades = spread(shades, picture.shape[:2], covered)
    colors = cv2.applyColorMap(shades, cv2.COLORMAP_VIRIDIS)
    return cv2.addWeighted(colors, _STRENGTH, picture, 1 - _STRENGTH, 0)
