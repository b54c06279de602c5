"""Large images in tiles, by SAHI, which this module alone imports.

`SAHI <https://github.com/obss/sahi>`_ cuts an image, lets the detector look at each
tile and at the whole image, and joins what was found.
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from numbers import Integral, Real
from typing import Any

import numpy as np
import torch
from mmdet.apis import DetInferencer
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData
from PIL import Image

from ..utils.errors import M2DetError
from ..utils.texts import shown


def check_tiling(size: int, overlap: float) -> None:
    """Stop where images cannot be cut into tiles.

    Raises:
        M2DetError: If SAHI is missing, or an argument is out of its range.
    """
    if not isinstance(size, Integral) or isinstance(size, bool) or size < 1:
        raise M2DetError(
            f'tile must be a whole number of at least 1 pixel, got {shown(size)}.'
        )
    if not (isinstance(overlap, Real) and 0 <= overlap < 1):
        raise M2DetError(
            f'tile_overlap must be from 0 to below 1, got {shown(overlap)}.'
        )
    if find_spec('sahi') is None:
        raise M2DetError(
            'Tiles need SAHI, which is not installed: pip install "sahi>=0.12".'
        )


class TiledInferencer:
    """Finds objects in tiles of images; called as mmdet's ``DetInferencer``.

    Args:
        inferencer: Looks at tiles and at whole images.
        size: Width and height of a tile, pixels. An image that is no larger is one.
        overlap: Part of a tile that the next one has, too, from 0 to below 1.
    """

    def __init__(self, inferencer: DetInferencer, size: int, overlap: float) -> None:
        self._tiles = {
            'slice_height': size,
            'slice_width': size,
            'overlap_height_ratio': overlap,
            'overlap_width_ratio': overlap,
        }
        self._inferencer = inferencer
        self._model = _adapt(inferencer)

    def __call__(
        self, images: Sequence[np.ndarray], **_: Any
    ) -> dict[str, list[DetDataSample]]:
        """Find objects.

        Args:
            images: BGR, ``(H, W, 3)``.

        Returns:
            ``predictions``, one an image, in its pixels.
        """
        return {'predictions': [self._look_at(image) for image in images]}

    def _look_at(self, image: np.ndarray) -> DetDataSample:
        from sahi.predict import get_sliced_prediction

        if max(image.shape[:2]) <= self._tiles['slice_height']:
            # Nothing is to be joined, and nothing to be lost.
            return self._inferencer([image], return_datasamples=True, no_save_vis=True)[
                'predictions'
            ][0]
        with _kept_limit():
            found = get_sliced_prediction(
                # SAHI takes arrays for RGB.
                np.ascontiguousarray(image[..., ::-1]),
                self._model,
                **self._tiles,
                # An object at the border of a tile is in two: the part lies in the
                # whole. What merges boxes would grow them, with the low scores that
                # are kept.
                postprocess_type='NMS',
                postprocess_match_metric='IOS',
                verbose=0,
            ).object_prediction_list
        found.sort(key=lambda item: -item.score.value)
        boxes = [item.bbox.to_xyxy() for item in found]
        return DetDataSample(
            ori_shape=image.shape[:2],
            pred_instances=InstanceData(
                bboxes=torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
                scores=torch.tensor([float(item.score.value) for item in found]),
                labels=torch.tensor(
                    [item.category.id for item in found], dtype=torch.long
                ),
            ),
        )


@contextmanager
def _kept_limit() -> Iterator[None]:
    """Keep the number of pixels that Pillow opens, which SAHI lifts for all images."""
    limit = Image.MAX_IMAGE_PIXELS
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS = limit


def _adapt(inferencer: DetInferencer) -> Any:
    """Return a detector as SAHI calls it."""
    from sahi.models.base import DetectionModel
    from sahi.prediction import ObjectPrediction

    # It tells of each call.
    logging.getLogger('sahi').setLevel(logging.ERROR)
    names = inferencer.model.dataset_meta['classes']

    class Adapted(DetectionModel):
        """Looks at one tile, in RGB, with mmdet's inferencer."""

        def set_model(self, model: DetInferencer, **_: Any) -> None:
            self.model = model

        def perform_inference(self, image: np.ndarray) -> None:
            found = self.model(
                [image[..., ::-1]], return_datasamples=True, no_save_vis=True
            )['predictions'][0]
            self._original_predictions = found.cpu().numpy().pred_instances

        def _create_object_prediction_list_from_original_predictions(
            self,
            shift_amount_list: Sequence = ((0, 0),),
            full_shape_list: Sequence | None = None,
        ) -> None:
            # One image gives one pair of each, not a list of pairs.
            shift = np.reshape(shift_amount_list, -1).tolist()
            shape = np.reshape(full_shape_list, -1).tolist()
            found = self._original_predictions
            self._object_prediction_list_per_image = [
                [
                    ObjectPrediction(
                        bbox=[max(0.0, side) for side in box],
                        category_id=label,
                        category_name=names[label],
                        score=score,
                        shift_amount=shift,
                        full_shape=shape,
                    )
                    for box, label, score in zip(
                        found.bboxes.tolist(),
                        found.labels.tolist(),
                        found.scores.tolist(),
                        strict=True,
                    )
                    if box[2] > max(0.0, box[0]) and box[3] > max(0.0, box[1])
                ]
            ]

    device = next(inferencer.model.parameters()).device
    return Adapted(model=inferencer, device=str(device))
