"""Transforms that one of mmdet's two lines lacks."""

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from mmdet.registry import TRANSFORMS


@TRANSFORMS.register_module()
class SSDPhotometricDistortion(BaseTransform):
    """Distort brightness, contrast, hue and saturation, each in half of the images.

    As in M2Det's release: in this order, on bytes, clipped after each change. mmdet's
    ``PhotoMetricDistortion`` does not clip, and it swaps channels, which cannot be
    turned off in its open-mmlab line.

    Args:
        brightness_delta: Largest shift of all values.
        contrast_range: Range of the factor of all values.
        saturation_range: Range of the factor of the saturation.
        hue_delta: Largest shift of the hue, in OpenCV's units (180 for a full circle).

    Required keys:
        - ``img``: BGR bytes ``(H, W, 3)``.

    Modified keys:
        - ``img``

    Raises:
        ValueError: In use, if the image does not consist of bytes.
    """

    def __init__(
        self,
        *,
        brightness_delta: float = 32,
        contrast_range: tuple[float, float] = (0.5, 1.5),
        saturation_range: tuple[float, float] = (0.5, 1.5),
        hue_delta: int = 18,
    ) -> None:
        self.brightness_delta = brightness_delta
        self.contrast_range = contrast_range
        self.saturation_range = saturation_range
        self.hue_delta = hue_delta

    def transform(self, results: dict) -> dict:
        """Distort the image of ``results``."""
        image = results['img']
        if image.dtype != np.uint8:
            raise ValueError(
                f'SSDPhotometricDistortion needs bytes, got {image.dtype}: load images '
                'without to_float32 and distort them before other transforms.'
            )
        if _chance():
            delta = self.brightness_delta
            image = _clipped(image + np.random.uniform(-delta, delta))
        if _chance():
            image = _clipped(image * np.random.uniform(*self.contrast_range))
        hue, saturation, value = cv2.split(cv2.cvtColor(image, cv2.COLOR_BGR2HSV))
        if _chance():
            shift = np.random.randint(-self.hue_delta, self.hue_delta + 1)
            hue = ((hue.astype(int) + shift) % 180).astype(np.uint8)
        if _chance():
            saturation = _clipped(
                saturation * np.random.uniform(*self.saturation_range)
            )
        merged = cv2.merge((hue, saturation, value))
        results['img'] = cv2.cvtColor(merged, cv2.COLOR_HSV2BGR)
        return results

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(brightness_delta={self.brightness_delta}, '
            f'contrast_range={self.contrast_range}, '
            f'saturation_range={self.saturation_range}, hue_delta={self.hue_delta})'
        )


def _chance() -> bool:
    return np.random.randint(2) == 1


def _clipped(values: np.ndarray) -> np.ndarray:
    return values.clip(0, 255).astype(np.uint8)
