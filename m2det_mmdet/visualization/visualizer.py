"""mmdet's visualizer, drawing boxes fast in images of any size."""

from pathlib import Path
from typing import Any

import numpy as np
from mmdet.registry import VISUALIZERS
from mmdet.structures import DetDataSample
from mmdet.visualization import DetLocalVisualizer

from ..utils.images import write_picture
from .boxes import draw_boxes
from .predictions import draw_predictions


@VISUALIZERS.register_module()
class BoxVisualizer(DetLocalVisualizer):
    """mmdet's ``DetLocalVisualizer`` with the boxes of :func:`.draw_boxes`.

    Lines and names can be seen in images of any size, and take a fraction of the time
    and memory. In a test by several processes each writes its own pictures; with the
    parent only the first does. What has masks or maps is drawn by the parent. Arguments
    are the parent's.
    """

    @property
    def dataset_meta(self) -> dict | None:
        """Classes of the data set; the parent gives them to the first process alone."""
        return self._dataset_meta

    @dataset_meta.setter
    def dataset_meta(self, dataset_meta: dict) -> None:
        self._dataset_meta = dataset_meta

    def add_datasample(
        self,
        name: str,
        image: np.ndarray,
        data_sample: DetDataSample | None = None,
        **options: Any,
    ) -> None:
        """Draw ground truth, left, and predictions; show, write or log the picture.

        Arguments are the parent's: ``image`` is RGB, ``(H, W, 3)``.

        Raises:
            M2DetError: If the picture cannot be written to ``out_file``.
        """
        if data_sample is None or _has_pixels(data_sample):
            super().add_datasample(name, image, data_sample, **options)
            return
        picture = self._picture(image[..., ::-1], data_sample.cpu(), **options)
        if options.get('show', False):
            wait_time = options.get('wait_time', 0)
            self.show(picture[..., ::-1], win_name=name, wait_time=wait_time)
        if options.get('out_file') is not None:
            write_picture(Path(options['out_file']), picture)
        else:
            self.add_image(name, picture[..., ::-1], options.get('step', 0))

    def _picture(
        self,
        image: np.ndarray,
        sample: DetDataSample,
        *,
        draw_gt: bool = True,
        draw_pred: bool = True,
        pred_score_thr: float = 0.3,
        **_: Any,
    ) -> np.ndarray:
        """Draw into a BGR image, once or twice."""
        classes = self.dataset_meta['classes']
        halves = []
        if draw_gt and 'gt_instances' in sample:
            truth = sample.gt_instances
            boxes = getattr(truth.bboxes, 'tensor', truth.bboxes)
            halves.append(draw_boxes(image, boxes, truth.labels, classes))
        if draw_pred and 'pred_instances' in sample:
            found = sample.pred_instances
            halves.append(
                draw_predictions(
                    image,
                    found.bboxes,
                    found.scores,
                    found.labels,
                    classes,
                    score_thr=pred_score_thr,
                )
            )
        return np.hstack(halves) if len(halves) > 1 else (halves or [image.copy()])[0]


def _has_pixels(sample: DetDataSample) -> bool:
    """Whether something of a sample is no box."""
    parts = ('gt_instances', 'pred_instances')
    masks = any('masks' in sample.get(part, ()) for part in parts)
    return masks or any('_seg' in key for key in sample.keys())  # noqa: SIM118
