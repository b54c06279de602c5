"""Which images of which data a detector is evaluated on."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mmengine.config import Config, ConfigDict

from ..datasets.faults import Faults, Level
from ..datasets.layouts import Split, split_in_file
from ..datasets.layouts.folder import DataFolder, Part, read_folder
from ..datasets.layouts.outside import PATH_OUTSIDE
from ..recipes.data import (
    allowed_outside,
    count_images,
    data_files,
    known_classes,
    test_on,
)
from ..utils.builds import did_you_mean
from ..utils.configs import describe
from ..utils.errors import M2DetError
from ..utils.files import write_whole
from ..utils.texts import shown
from .class_names import classes_of_checkpoint

SPLITS = ('train', 'val', 'test')
# Of a folder that is not split.
ALL = 'all'


class ChosenImages(NamedTuple):
    """The images that a detector is evaluated on.

    Attributes:
        split: ``train``, ``val``, ``test``, or ``all`` for all images of a folder.
        problems: What of a folder was left out or repaired, a sentence each.
    """

    split: str
    problems: tuple[str, ...] = ()


def choose_images(
    cfg: Config,
    checkpoint: str,
    *,
    data: str | Path | None,
    split: str | None,
    default: str,
    out: Path,
    allow_outside: bool = False,
) -> ChosenImages:
    """Let a config test on what a caller names.

    Args:
        cfg: Changed, as :func:`use_split` and :func:`use_folder` do.
        checkpoint: It has the names of the classes.
        data: A folder of one's own; ``None`` for the config's data.
        split: As of :func:`use_folder`; ``None`` for ``default`` of the config's data.
        default: A split.
        out: Folder for annotations.
        allow_outside: As of :func:`use_folder`.

    Raises:
        M2DetError: As these two.
    """
    if data is not None:
        return use_folder(
            cfg,
            Path(data),
            split,
            classes_of_checkpoint(cfg, checkpoint),
            out,
            allow_outside=allow_outside,
        )
    if allow_outside:
        raise M2DetError(
            'allow_outside is for data of your own: give data, or set it in the data '
            'set of the config.'
        )
    use_split(cfg, split or default)
    return ChosenImages(split or default)


def use_split(cfg: Config, split: str) -> None:
    """Let a config test on another split of its own data.

    Training images are prepared as test images are, without augmentation.

    Args:
        cfg: Changed: ``test_dataloader`` and, for COCO files, ``test_evaluator``.
        split: ``train``, ``val`` or ``test``.

    Raises:
        M2DetError: If the config has no such data, several loaders of it, or training
            data that are no files of COCO's form.
    """
    source = cfg.get(f'{split}_dataloader')
    if source is None:
        have = [name for name in SPLITS if cfg.get(f'{name}_dataloader')]
        raise M2DetError(
            f'{describe(cfg)} has no {split} data: choose one of {", ".join(have)}.'
        )
    if not isinstance(source, dict):
        raise M2DetError(
            f'{split}_dataloader of {describe(cfg)} is {shown(source)}: give one, with '
            'a ConcatDataset for several data sets.'
        )
    if split == 'train':
        _use_training_files(cfg)
    elif split == 'val':
        _use_validation(cfg)
    _use_loop(cfg)


def use_folder(
    cfg: Config,
    data: Path,
    split: str | None,
    classes: Sequence[str],
    out: Path,
    *,
    allow_outside: bool = False,
) -> ChosenImages:
    """Let a config test on a folder of one's own.

    Args:
        cfg: Changed: ``test_dataloader`` and ``test_evaluator``.
        data: The folder, in a form that ``m2det check`` knows.
        split: ``train``, ``val`` or ``test``. By default all images of a folder that is
            not split; else those to test on, or without such those to validate on.
        classes: What the detector knows. The folder may have some of them, in any
            order.
        out: Folder for the annotations in COCO's form.
        allow_outside: Whether images may lie outside of the folder.

    Raises:
        M2DetError: If the data cannot be read, have images outside of the folder, have
            no such split or objects in it, or a class that the detector does not know.
    """
    # All images of a folder that is not split: be it a single one.
    faults = Faults(shown=1)
    folder = read_folder(
        data, faults, divide=split is not None, allow_outside=allow_outside
    )
    if PATH_OUTSIDE.name in faults.findings:
        raise M2DetError(faults.findings[PATH_OUTSIDE.name].examples[0])
    split, part = _choose(folder, data, split)
    if not part.has_objects():
        raise M2DetError(
            f'{data} has no object to find among its images ({split}): choose another '
            'split, or label them.'
        )
    ann_file = out / f'{split}.json'
    write_whole(ann_file, json.dumps(_content(folder, part, data, classes)))
    _test_on(cfg, split_in_file(folder, part, ann_file), classes)
    _use_loop(cfg)
    problems = (
        f'{finding.count:,} {finding.kind.what}: {finding.examples[0]}'
        for finding in faults.findings.values()
        if finding.kind.level > Level.NOTE
    )
    return ChosenImages(split, tuple(problems))


def _use_loop(cfg: Config) -> None:
    if cfg.get('test_cfg') is None:
        cfg.test_cfg = ConfigDict(type='TestLoop')


def _choose(folder: DataFolder, data: Path, split: str | None) -> tuple[str, Part]:
    """Return the images to evaluate on, and what they are called."""
    parts = folder.parts
    if split is None and [*parts] == ['train']:
        return ALL, parts['train']
    if split is None:
        split = 'test' if 'test' in parts else 'val'
    if split not in parts:
        raise M2DetError(
            f'{data} has no split {split}: choose one of {", ".join(parts)}.'
        )
    return split, parts[split]


def _content(
    folder: DataFolder, part: Part, data: Path, classes: Sequence[str]
) -> dict[str, Any]:
    """Return the annotations of a part, with the categories of a detector."""
    names = {x['id']: x['name'] for x in part.content['categories']}
    used = {names[x['category_id']] for x in part.content['annotations']}
    foreign = [name for name in folder.classes if name in used - {*classes}]
    if foreign:
        hint = did_you_mean(foreign[0], list(classes))
        raise M2DetError(
            f'{data} has objects of the class {foreign[0]}, which the detector does '
            f'not know; {hint or "it knows " + _listed(classes) + "."}'
        )
    ids = {name: id_ for id_, name in enumerate(classes, start=1)}
    groups = {
        x['name']: {'supercategory': x['supercategory']}
        for x in part.content['categories']
        if x.get('supercategory')
    }
    return {
        'images': part.content['images'],
        'annotations': [
            {**item, 'category_id': ids[names[item['category_id']]]}
            for item in part.content['annotations']
        ],
        'categories': [
            {**groups.get(name, {}), 'id': id_, 'name': name}
            for name, id_ in ids.items()
        ],
    }


def _listed(classes: Sequence[str], most: int = 10) -> str:
    rest = f' and {len(classes) - most} more' if len(classes) > most else ''
    return ', '.join(classes[:most]) + rest


def _use_training_files(cfg: Config) -> None:
    files = data_files(cfg, 'train')
    if len(files) != 1 or not files[0].annotations.endswith('.json'):
        raise M2DetError(
            f'The training data of {describe(cfg)} are no single file of COCO form: '
            'give the split val or test.'
        )
    ann_file, image_dir = map(Path, files[0])
    number, allowed = count_images(cfg, 'train'), allowed_outside(cfg, 'train')
    split = Split(ann_file, image_dir, number, allowed)
    _test_on(cfg, split, known_classes(cfg, 'train'))


def _test_on(cfg: Config, split: Split, classes: Sequence[str]) -> None:
    """Let a config test on a file, with the pipeline of its test or validation."""
    if cfg.get('test_dataloader') is None:
        _use_validation(cfg)
    test_on(cfg, split, classes)


def _use_validation(cfg: Config) -> None:
    if cfg.get('val_dataloader') is None:
        raise M2DetError(
            f'{describe(cfg)} has no test_dataloader, whose pipeline prepares the '
            'images: add it.'
        )
    cfg.test_dataloader = ConfigDict(cfg.val_dataloader)
    cfg.test_evaluator = cfg.get('val_evaluator')
