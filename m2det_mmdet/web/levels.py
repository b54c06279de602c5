"""What the levels of an MLFPN see in a picture."""

from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor

from ..apis import Detector, M2DetError
from ..models.necks import MLFPN
from ..visualization.grids import scaled

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
    ((_, data),) = detector.inferencer.preprocess([image])
    data = model.data_preprocessor(data, False)
    inputs, meta = data['inputs'], data['data_samples'][0].metainfo
    with torch.no_grad():
        _, levels = neck.forward_with_levels(model.backbone(inputs))
    # Without what was added to the right and below.
    parts = [
        own / whole
        for own, whole in zip(meta['img_shape'][:2], inputs.shape[-2:], strict=True)
    ]
    small = scaled(image, _LONGEST / max(image.shape[:2]))
    # Gray, so that all colours are those of the map.
    small = cv2.cvtColor(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    return [
        [
            LabelledPicture(
                f'level {level}, {maps.shape[-1]} × {maps.shape[-2]} cells',
                _over(small, maps[0].mean(dim=0), parts),
            )
            for level, maps in enumerate(scale, start=1)
        ]
        for scale in zip(*levels, strict=True)
    ]


def _over(picture: np.ndarray, values: Tensor, parts: list[float]) -> np.ndarray:
    """Lay the colours of a map over the picture that it was computed from."""
    low, high = values.aminmax()
    shades = (values - low) / (high - low).clamp(min=1e-12) * 255
    shades = shades.byte().cpu().numpy()
    height, width = picture.shape[:2]
    whole = (round(width / parts[1]), round(height / parts[0]))
    shades = cv2.resize(shades, whole, interpolation=cv2.INTER_NEAREST)
    colors = cv2.applyColorMap(shades[:height, :width], cv2.COLORMAP_VIRIDIS)
    return cv2.addWeighted(colors, _STRENGTH, picture, 1 - _STRENGTH, 0)
