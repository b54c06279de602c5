"""An exported file in the place of a detector, so that all of MMDetection runs it."""

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
import torch
from mmdet.models.detectors import BaseDetector
from mmdet.registry import MODELS
from mmdet.structures import SampleList
from mmdet.utils import OptConfigType
from mmengine.structures import InstanceData
from torch import Tensor, nn
from torch.nn import functional as F

from ..models.utils.suppression import row_per_image, select
from .errors import ExportError

if TYPE_CHECKING:
    from .runtimes.exported import ExportedFile

_Outputs = dict[str, Tensor]


@MODELS.register_module()
class ExportedDetector(BaseDetector):
    """Predicts by an exported file.

    The file is opened when it is needed first.

    Args:
        file: The file, as of :func:`.open_exported`.
        classes: Names of the classes.
        test_cfg: How boxes are selected where the graph does not.
        clip_border: Whether boxes end at the border of their image.
        device: As of :func:`.open_exported`.
        threads: Likewise.
        provider: Likewise.
        data_preprocessor: That of the detector; where the graph prepares the images
            one that leaves them as they are.

    Attributes:
        classes: Names of the classes.

    Note:
        It has no weights that could be loaded, and cannot be trained.
    """

    def __init__(
        self,
        file: str,
        classes: Sequence[str],
        *,
        test_cfg: OptConfigType = None,
        clip_border: bool = True,
        device: str | None = None,
        threads: int | None = None,
        provider: str | None = None,
        data_preprocessor: OptConfigType = None,
    ) -> None:
        super().__init__(data_preprocessor=data_preprocessor)
        self.classes = tuple(classes)
        self.test_cfg = dict(test_cfg or {})
        self.clip_border = clip_border
        self._file = file
        self._how = {'device': device, 'threads': threads, 'provider': provider}
        # Tells the device of the images, and lets several processes wrap it.
        self.place = nn.Parameter(torch.zeros(0))

    @cached_property
    def file(self) -> 'ExportedFile':
        """The file, open."""
        from .runtimes.opening import open_exported

        return open_exported(self._file, **self._how)

    def predict(
        self, batch_inputs: Tensor, batch_data_samples: SampleList, rescale: bool = True
    ) -> SampleList:
        """Find objects.

        Args:
            batch_inputs: What the data preprocessor returns, ``(N, 3, H, W)``.
            batch_data_samples: One an image, with its meta information.
            rescale: Whether to return boxes in pixels of the original image.

        Returns:
            The data samples with ``pred_instances``, the boxes by descending score
            where they were suppressed.

        Raises:
            ExportError: If the file cannot be read, or does not take the images.
        """
        metas = [sample.metainfo for sample in batch_data_samples]
        found = []
        for images in self.inputs_of(batch_inputs, metas):
            outputs = self._run(images, batch_inputs.device)
            part = metas[len(found) : len(found) + len(images)]
            found += self._selected(outputs, part, rescale)
        return self.add_pred_to_datasample(batch_data_samples, found)

    def inputs_of(self, inputs: Tensor, metas: Sequence[dict]) -> Iterator[np.ndarray]:
        """Yield the images as the graph takes them, those of one size together."""
        if self.file.metadata.preparation.inside:
            # Without the padding that made them equal, which would be resized, too.
            shapes = [tuple(meta['img_shape'][:2]) for meta in metas]
            step = len(shapes) if len({*shapes}) == 1 else 1
            pixels = inputs.permute(0, 2, 3, 1).byte().cpu().numpy()
            for start in range(0, len(shapes), step):
                height, width = shapes[start]
                part = pixels[start : start + step, :height, :width]
                yield np.ascontiguousarray(part)
            return
        yield self._padded(inputs).cpu().numpy()

    def _padded(self, inputs: Tensor) -> Tensor:
        """Pad smaller images, as those that keep their ratio, to the graph's size."""
        size = self.file.metadata.size or inputs.shape[-2:]
        below, right = (
            max(side - own, 0)
            for side, own in zip(size, inputs.shape[-2:], strict=True)
        )
        if not (below or right):
            return inputs
        value = float(getattr(self.data_preprocessor, 'pad_value', 0))
        return F.pad(inputs, (0, right, 0, below), value=value)

    def _run(self, images: np.ndarray, device: torch.device) -> _Outputs:
        """Run the graph on any number of images, also where it takes a fixed one."""
        step = self.file.metadata.batch or len(images)
        runs = []
        for start in range(0, len(images), step):
            part = images[start : start + step]
            lacking = step - len(part)
            if lacking:
                part = np.concatenate([part, part[-1:].repeat(lacking, axis=0)])
            runs.append(self.file.run(part))
        return {
            name: torch.cat([torch.from_numpy(run[name]) for run in runs])[
                : len(images)
            ].to(device)
            for name in runs[0]
        }

    def _selected(
        self, outputs: _Outputs, metas: Sequence[dict], rescale: bool
    ) -> list[InstanceData]:
        """Return the boxes of each image."""
        if 'boxes' not in outputs:
            boxes = self._in_image(outputs['all_boxes'], metas, rescale)
            return select(boxes, outputs['all_scores'], self.test_cfg)
        boxes = self._in_image(outputs['boxes'], metas, rescale)
        scores, labels = outputs['scores'], outputs['labels'].long()
        counts = (labels >= 0).sum(dim=1).tolist()
        return [
            InstanceData(bboxes=box[:k], scores=score[:k], labels=label[:k])
            for box, score, label, k in zip(boxes, scores, labels, counts, strict=True)
        ]

    def _in_image(self, boxes: Tensor, metas: Sequence[dict], rescale: bool) -> Tensor:
        """Clip boxes ``(N, K, 4)`` to their images, and scale them with these."""
        if self.clip_border:
            sides = [tuple(meta['img_shape'][1::-1]) * 2 for meta in metas]
            boxes = boxes.clamp(min=0).minimum(row_per_image(sides, boxes))
        if rescale and not self.file.metadata.preparation.inside:
            shrink = [[1 / x for x in meta['scale_factor']] * 2 for meta in metas]
            boxes = boxes * row_per_image(shrink, boxes)
        return boxes

    def _refuse(self, *args: Any) -> NoReturn:
        raise ExportError(
            f'{self._file} is an exported detector, which predicts and does no more: '
            'take the checkpoint that it was made of.'
        )

    loss = _forward = extract_feat = _refuse
