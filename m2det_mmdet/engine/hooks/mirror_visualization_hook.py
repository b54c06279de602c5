"""Draws what a test finds, each image on a picture of its own."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import mmcv
from mmdet.engine.hooks import DetVisualizationHook
from mmdet.registry import HOOKS
from mmdet.structures import DetDataSample
from mmengine.fileio import get
from mmengine.runner import Runner

from ...utils.errors import M2DetError, clause_of
from ...utils.images import picture_paths


@HOOKS.register_module()
class MirrorVisualizationHook(DetVisualizationHook):
    """mmdet's ``DetVisualizationHook`` with pictures that mirror the images' folders.

    The parent gives a picture the base name of its image, so that ``a/x.jpg`` and
    ``b/x.jpg`` share one, and stops at a name that is not that of a coloured picture
    (``x.pgm``, ``x``). Here such a name gets ``.jpg`` at its end, and a picture that
    cannot be drawn is a warning in the log. Arguments are the parent's.
    """

    def before_test_epoch(self, runner: Runner) -> None:
        """Name the pictures of the test data.

        Raises:
            M2DetError: If a picture would replace an image.
        """
        if self.test_out_dir is None:
            return
        folder = Path(runner.work_dir, runner.timestamp, self.test_out_dir)
        dataset = runner.test_dataloader.dataset
        names = [dataset.get_data_info(i)['img_path'] for i in range(len(dataset))]
        images = {name: Path(os.path.abspath(name)) for name in names}
        pictures = picture_paths(list(images.values()), folder)
        replaced = set(images.values()).intersection(pictures.values())
        if replaced:
            raise M2DetError(
                f'The picture {min(replaced)} would replace the image that it shows: '
                'give another folder for pictures.'
            )
        self._pictures = {name: pictures[image] for name, image in images.items()}

    def after_test_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any,
        outputs: Sequence[DetDataSample],
    ) -> None:
        """Draw what was found in a batch."""
        if not self.draw or self.test_out_dir is None:
            super().after_test_iter(runner, batch_idx, data_batch, outputs)
            return
        for sample in outputs:
            self._test_index += 1
            try:
                self._draw(sample)
            except Exception as error:
                runner.logger.warning(
                    f'{sample.img_path} has no picture: drawing it fails '
                    f'({clause_of(error)}).'
                )

    def _draw(self, sample: DetDataSample) -> None:
        content = get(sample.img_path, backend_args=self.backend_args)
        self._visualizer.add_datasample(
            sample.img_path,
            mmcv.imfrombytes(content, channel_order='rgb'),
            data_sample=sample,
            show=self.show,
            wait_time=self.wait_time,
            pred_score_thr=self.score_thr,
            out_file=str(self._pictures[sample.img_path]),
            step=self._test_index,
        )
