"""Tells which images a training did without."""

import logging
from pathlib import Path

from mmdet.registry import HOOKS
from mmengine.dist import all_gather_object, is_main_process
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import Runner

from ...utils.files import write_whole
from ...utils.texts import printable
from ..data_workers import checked_datasets

LISTING = 'skipped_images.txt'


@HOOKS.register_module()
class SkippedImagesHook(Hook):
    """Counts the images that ``CheckedCocoDataset(unreadable='skip')`` has skipped.

    After an epoch with further ones, and at the end of the training, a warning counts
    them over all processes, and ``skipped_images.txt`` in the work folder lists them. A
    training that was resumed lists those that it met since.
    """

    def __init__(self) -> None:
        self._told = 0

    def after_train_epoch(self, runner: Runner) -> None:
        """Tell of further images."""
        self._tell(runner, at_end=False)

    def after_train(self, runner: Runner) -> None:
        """Tell of all."""
        self._tell(runner, at_end=True)

    def _tell(self, runner: Runner, *, at_end: bool) -> None:
        datasets = checked_datasets(runner.train_dataloader.dataset)
        own = [path for dataset in datasets for path in dataset.skipped]
        everywhere = all_gather_object(own)
        paths = sorted({path for part in everywhere for path in part})
        if (
            not is_main_process()
            or not paths
            or len(paths) == self._told * (not at_end)
        ):
            return
        self._told = len(paths)
        listing = Path(runner.work_dir, LISTING)
        write_whole(listing, ''.join(f'{printable(path)}\n' for path in paths))
        print_log(
            f'Images that could not be read and were skipped: {len(paths)}, as '
            f'{paths[0]}; {listing} lists them.',
            logger='current',
            level=logging.WARNING,
        )
