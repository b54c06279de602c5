"""Which names the labels of a detector have."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from mmdet.registry import DATASETS
from mmengine.config import Config
from mmengine.runner import CheckpointLoader
from torch import nn

from ..analysis.structure import structure_of
from ..datasets.coco import load_annotations
from ..datasets.error import DatasetError
from ..engine.hooks.class_check_hook import check_classes
from ..utils.configs import describe
from ..utils.errors import M2DetError, clause_of
from ..utils.exported import is_exported
from ..utils.logs import prints_to, quiet_log


def class_names(
    model: nn.Module, checkpoint: Mapping[str, Any], cfg: Config
) -> tuple[str, ...]:
    """Names of the classes that a detector predicts, in the order of its labels.

    They are those of the checkpoint, else of the config's test data: its ``metainfo``,
    those of its type, or the categories of its annotation file. The first that are as
    many as the head predicts are taken.

    Args:
        model: The detector.
        checkpoint: What its checkpoint holds.
        cfg: Its config.

    Raises:
        M2DetError: If none of them has names, or none the right number.
    """
    reason = 'neither has any'
    for names in _candidates(checkpoint.get('meta') or {}, cfg):
        try:
            check_classes(model, SimpleNamespace(metainfo={'classes': names}))
        except DatasetError as error:
            reason = clause_of(error)
        else:
            return tuple(names)
    raise M2DetError(
        f'The names of the classes are neither in the checkpoint nor in the test data '
        f'of {describe(cfg)} ({reason}): set test_dataloader.dataset.metainfo.classes.'
    )


def classes_of_checkpoint(cfg: Config, checkpoint: str) -> tuple[str, ...]:
    """Names of the classes that a checkpoint predicts; see :func:`class_names`.

    Of an exported file those that it tells.
    """
    if is_exported(checkpoint):
        return tuple(cfg.model.classes)
    with prints_to(quiet_log()):
        weights = CheckpointLoader.load_checkpoint(checkpoint, 'cpu')
        return class_names(structure_of(cfg), weights, cfg)


def _candidates(meta: Mapping[str, Any], cfg: Config) -> Iterator[Sequence[str]]:
    """Names of classes that are somewhere, the most reliable ones first."""
    # Before version 3 mmdet wrote CLASSES.
    recorded = {'classes': meta.get('CLASSES'), **meta.get('dataset_meta', {})}
    recorded = {key.lower(): value for key, value in recorded.items()}
    dataset = DATASETS.build({**cfg.test_dataloader.dataset, 'lazy_init': True})
    for names in (recorded['classes'], dataset.metainfo.get('classes')):
        if names:
            yield names
    ann_file = Path(getattr(dataset, 'ann_file', ''))
    if ann_file.suffix == '.json' and ann_file.is_file():
        categories = load_annotations(ann_file).dataset['categories']
        yield [category['name'] for category in categories]
