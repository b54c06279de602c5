"""Points a config at another data set, and finds the one that a config names."""

import io
import json
from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout, suppress
from pathlib import Path
from typing import Any, NamedTuple

from mmdet.evaluation import CocoMetric
from mmdet.registry import DATASETS, METRICS
from mmengine.config import Config, ConfigDict
from mmengine.registry import init_default_scope

from ..datasets.coco import load_content
from ..datasets.coco_form import check_annotations
from ..datasets.error import DatasetError
from ..datasets.layouts import DataLayout, Split
from ..evaluation.metrics import InclusiveCocoMetric
from ..utils.errors import explain
from ..utils.pipelines import kind_of, wrapped_in
from .error import RecipeError

# They say how often a config takes the images of its own data set: of several parts,
# many times, or rare classes more often. An epoch is one pass over the images.
_REPEATING = ('RepeatDataset', 'ClassBalancedDataset')
_PASSED_BY = (*_REPEATING, 'ConcatDataset')
# Their pipeline composes several images: part of the detector's training.
_KEPT = ('MultiImageMixDataset',)
# What a data set says of the training, not of the files.
_TRAINING_KEYS = (
    *('pipeline', 'filter_cfg', 'keep_crowds', 'inclusive_boxes'),
    *('unreadable', 'max_pixels'),
)
# Weights to start from and heads that know objects and background only.
_OTHER_CLASSES = ('backbone', 'rpn_head')


class DataFiles(NamedTuple):
    """Where annotations and the images that they name lie.

    Attributes:
        annotations: Absolute path.
        image_dir: Absolute path; ``None`` where the images do not matter.
    """

    annotations: str
    image_dir: str | None


def use_data(cfg: Config, layout: DataLayout) -> None:
    """Train, validate and test ``cfg`` on ``layout``; its pipelines are kept.

    Where ``layout`` has no test split, the validation split is tested, and a config
    without validation gets none.

    Raises:
        RecipeError: If the config wraps its data in a way that is not known, or
            its detector needs masks that the data do not have.
    """
    _check_masks(cfg, layout)
    splits = {'train': layout.train, 'val': layout.val, 'test': test_split(layout)}
    for key, split in splits.items():
        loader = cfg.get(f'{key}_dataloader')
        if loader is None:
            continue
        loader.dataset = _pointed(loader.dataset, split, layout.classes)
        if key != 'train':
            loader.dataset.test_mode = True
            cfg[f'{key}_evaluator'] = _evaluator(cfg, split)
    set_num_classes(cfg.model, len(layout.classes))


def test_on(cfg: Config, split: Split, classes: Sequence[str]) -> None:
    """Test ``cfg`` on ``split``; its test pipeline and its classes are kept.

    Args:
        cfg: The config; changed.
        split: The images.
        classes: Those of the detector, in its order.

    Raises:
        RecipeError: As :func:`use_data`.
    """
    loader = cfg.test_dataloader
    loader.dataset = _pointed(loader.dataset, split, classes)
    loader.dataset.test_mode = True
    cfg.test_evaluator = _evaluator(cfg, split)


def test_split(layout: DataLayout) -> Split:
    """Return the images to evaluate on."""
    return layout.val if layout.test is None else layout.test


def set_num_classes(settings: Any, number: int) -> None:
    """Set every ``num_classes`` of a model's settings, also in lists of heads.

    A backbone's, and an RPN's, which knows objects and background only, are left.
    """
    if isinstance(settings, dict):
        if 'num_classes' in settings:
            settings['num_classes'] = number
        for key, value in settings.items():
            if key not in _OTHER_CLASSES:
                set_num_classes(value, number)
    elif isinstance(settings, list | tuple):
        for value in settings:
            set_num_classes(value, number)


def annotation_files(cfg: Config, key: str) -> tuple[str, ...]:
    """Absolute paths of the annotations that a loader of ``cfg`` reads.

    Args:
        cfg: The config.
        key: ``train`` or ``test``.
    """
    return tuple(files.annotations for files in data_files(cfg, key))


def data_files(cfg: Config, key: str) -> list[DataFiles]:
    """List where the annotations and images lie that a loader of ``cfg`` reads.

    Args:
        cfg: The config.
        key: ``train`` or ``test``.
    """
    return [
        DataFiles(_absolute(base, base['ann_file']), _absolute(base, _image_dir(base)))
        for base in _bases(cfg[f'{key}_dataloader'].dataset)
        if base.get('ann_file')
    ]


def allowed_outside(cfg: Config, key: str) -> bool | tuple[Path, ...]:
    """Return where the images of a loader may lie besides their folder.

    Args:
        cfg: The config.
        key: ``train``, ``val`` or ``test``.

    Returns:
        ``True`` for anywhere, else folders.
    """
    folders: list[Path] = []
    for base in _bases(cfg[f'{key}_dataloader'].dataset):
        own = base.get('allow_outside') or ()
        if own is True:
            return True
        named = [*own, base.get('data_root')]
        folders += [Path(name).absolute() for name in named if name]
    return tuple(folders)


def image_files(cfg: Config, key: str) -> set[Path]:
    """Paths, without links, of the images that a loader of ``cfg`` reads.

    Those of files that are no COCO files, or not there, are left out.

    Args:
        cfg: The config.
        key: ``train``, ``val`` or ``test``.
    """
    if cfg.get(f'{key}_dataloader') is None:
        return set()
    found: set[Path] = set()
    for annotations, image_dir in data_files(cfg, key):
        with suppress(DatasetError):
            content, _ = load_content(annotations)
            check_annotations(content)
            names = (image['file_name'] for image in content['images'])
            found.update(Path(image_dir, name).resolve() for name in names)
    return found


def counts_last_pixel(cfg: Config) -> bool:
    """Whether the test of ``cfg`` takes ``x2, y2`` for the last pixel in a box."""
    kinds = (metric.get('type') for metric in _metrics(cfg))
    return any(
        (METRICS.get(kind) if isinstance(kind, str) else kind) is InclusiveCocoMetric
        for kind in kinds
    )


def metric_files(cfg: Config) -> list[str]:
    """Absolute paths of the annotations that the metrics of ``cfg`` read."""
    names = [metric.get('ann_file') for metric in _metrics(cfg)]
    return [str(Path(name).absolute()) for name in names if name]


def _absolute(base: dict, name: str) -> str:
    return str(Path(base.get('data_root') or '', name).absolute())


def _image_dir(base: dict) -> str:
    return (base.get('data_prefix') or {}).get('img') or ''


def repetitions(cfg: Config) -> tuple[str, ...]:
    """Wrappers by which an epoch takes images several times, with their numbers."""
    return tuple(_repetitions(cfg.train_dataloader.dataset))


def _repetitions(dataset: dict) -> Iterator[str]:
    if kind_of(dataset) in _REPEATING:
        number = dataset.get('times', dataset.get('oversample_thr'))
        yield f'{kind_of(dataset)} ({number})'
    for part in wrapped_in(dataset):
        yield from _repetitions(part)


def known_classes(cfg: Config, key: str) -> tuple[str, ...]:
    """Return the classes of a loader's data sets.

    Args:
        cfg: The config.
        key: ``train`` or ``test``.
    """
    found = []
    for base in _bases(cfg[f'{key}_dataloader'].dataset):
        named = (base.get('metainfo') or {}).get('classes')
        kind = DATASETS.get(str(base.get('type')))
        found += named or getattr(kind, 'METAINFO', {}).get('classes', ())
    return tuple(dict.fromkeys(found))


def _bases(dataset: dict) -> Iterator[dict]:
    """Yield the data sets within wrappers."""
    parts = wrapped_in(dataset)
    if not parts:
        yield dataset
    for part in parts:
        yield from _bases(part)


def _pointed(dataset: dict, split: Split, classes: Sequence[str]) -> ConfigDict:
    """Return a data set of the files of ``split`` in the place of ``dataset``."""
    name = kind_of(dataset)
    if name in _PASSED_BY:
        inner = wrapped_in(dataset)
        pipelines = {json.dumps(part, default=str) for part in _pipelines(dataset)}
        if len(pipelines) > 1:
            raise RecipeError(
                f'{name} joins {len(inner)} data sets with different pipelines: give '
                'them one pipeline.'
            )
        return _pointed(inner[0], split, classes)
    if name in _KEPT:
        return ConfigDict(
            {**dataset, 'dataset': _pointed(dataset['dataset'], split, classes)}
        )
    if 'dataset' in dataset or 'datasets' in dataset:
        known = ', '.join((*_PASSED_BY, *_KEPT))
        raise RecipeError(
            f'The data set is wrapped in {name}, and only {known} can be pointed at '
            'other data.'
        )
    return ConfigDict(
        type='CheckedCocoDataset',
        data_root='',
        ann_file=str(split.ann_file),
        data_prefix={'img': str(split.images)},
        metainfo={'classes': tuple(classes)},
        **{key: dataset[key] for key in _TRAINING_KEYS if key in dataset},
        **_further_folders(split),
    )


def _further_folders(split: Split) -> dict[str, bool | list[str]]:
    """Say where the images of a split may lie besides their folder, if anywhere."""
    if split.allow_outside is True:
        return {'allow_outside': True}
    folders = dict.fromkeys(split.allow_outside or ())
    others = [str(folder) for folder in folders if folder != split.images]
    return {'allow_outside': others} if others else {}


def _pipelines(dataset: dict) -> list:
    return [base.get('pipeline') for base in _bases(dataset)]


def count_images(cfg: Config, key: str) -> int:
    """Load the annotations of a loader of ``cfg`` and count its images.

    Args:
        cfg: The config.
        key: ``train`` or ``test``.

    Raises:
        RecipeError: If the data do not load.
    """
    init_default_scope(cfg.get('default_scope', 'mmdet'))
    # pycocotools prints how long it reads.
    with redirect_stdout(io.StringIO()):
        try:
            return len(DATASETS.build(cfg[f'{key}_dataloader'].dataset))
        except Exception as error:  # What data sets raise that do not fit their files.
            raise RecipeError(
                f'The data to {key} on cannot be loaded: {explain(error)}'
            ) from error


def check_metric(cfg: Config) -> None:
    """Stop where a config that keeps its own data is not evaluated as COCO is.

    Raises:
        RecipeError: If its metrics give no box AP, which is known before training.
    """
    metric = _coco_metric(cfg)
    if metric is None or 'bbox' not in _kinds(metric):
        raise RecipeError(
            'The test_evaluator gives no box AP of COCO: give --data, or a CocoMetric.'
        )
    items = metric.get('metric_items')
    hiding = {
        'format_only=True': metric.get('format_only'),
        'a prefix': (metric.get('prefix') or 'coco') != 'coco',
        'metric_items without mAP': items is not None and 'mAP' not in items,
    }
    found = [setting for setting, is_set in hiding.items() if is_set]
    if found:
        raise RecipeError(
            f'The test_evaluator has {" and ".join(found)}, with which it does not '
            'give coco/bbox_mAP: leave it out.'
        )


def _evaluator(cfg: Config, split: Split) -> ConfigDict:
    """Return COCO's metric, the config's own kind of it where it has one."""
    own = _coco_metric(cfg) or {}
    kinds = _kinds(own)
    if 'bbox' not in kinds:
        raise RecipeError(
            f'The config is evaluated by {", ".join(kinds)}, not by bbox: take one of '
            'a detector of boxes with a class.'
        )
    return ConfigDict(
        {
            'type': 'CocoMetric',
            **{key: own[key] for key in own if key in ('type', 'proposal_nums')},
            'metric': kinds,
            'ann_file': str(split.ann_file),
        }
    )


def _coco_metric(cfg: Config) -> dict | None:
    return next((metric for metric in _metrics(cfg) if _is_coco(metric)), None)


def _metrics(cfg: Config) -> list[dict]:
    settings = cfg.get('test_evaluator') or {}
    return list(settings) if isinstance(settings, list | tuple) else [settings]


def _kinds(metric: dict) -> list[str]:
    kinds = metric.get('metric', 'bbox')
    return [kinds] if isinstance(kinds, str) else list(kinds)


def _is_coco(metric: dict) -> bool:
    kind = metric.get('type')
    kind = METRICS.get(kind) if isinstance(kind, str) else kind
    return isinstance(kind, type) and issubclass(kind, CocoMetric)


def _check_masks(cfg: Config, layout: DataLayout) -> None:
    steps = json.dumps(_pipelines(cfg.train_dataloader.dataset), default=str)
    if '"with_seg": true' in steps:
        raise RecipeError(
            'The detector learns from semantic segmentations, which the data do not '
            'have: take a variant that learns from boxes.'
        )
    if '"with_mask": true' in steps and not _has_masks(layout.train.ann_file):
        raise RecipeError(
            'The detector learns from masks, and the annotations have boxes only: '
            'take a variant that learns from boxes.'
        )


def _has_masks(ann_file: Path) -> bool:
    """Whether all objects of an annotation file have a mask."""
    objects = json.loads(Path(ann_file).read_text(encoding='utf-8'))['annotations']
    return all(item.get('segmentation') for item in objects)
