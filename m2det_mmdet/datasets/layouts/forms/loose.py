"""Images and files of labels as labelling tools leave them, without lists."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from pathlib import Path

from mmdet.apis.det_inferencer import IMG_EXTENSIONS

from ....utils.texts import shown
from ...faults import Faults, Level, new_kind
from ..labels import IMAGE_UNLABELLED, LABEL_ORPHAN, LABELS_SHARED, Source
from ..pairing import Pairs, pair
from ..places import PATH_FOREIGN, is_upload, locate
from ..splits import NAMES, split_of
from ..tree import Tree
from . import yolo_labels

SPLIT_UNKNOWN = new_kind(
    'split-unknown',
    Level.FAULT,
    'labelled images outside of the folders of the splits',
    'They are left out: move them into the folder of a split.',
)
LABELS_MIXED = new_kind(
    'labels-mixed',
    Level.FAULT,
    'images whose labels are in another form than those that are read',
    'They are left out: export all labels in one form.',
)


def pair_loose(
    tree: Tree,
    suffix: str,
    faults: Faults,
    *,
    is_label: Callable[[Path], bool],
    names_in: Callable[[Path], Iterable[str]] = lambda _: (),
    keep_unlabelled: bool = False,
) -> dict[str, list[Source]]:
    """Pair all images and labels of a folder, and find their splits.

    Args:
        tree: The folder.
        suffix: That of the files of labels.
        faults: Gets what has no partner.
        is_label: Whether a file without an image holds labels at all.
        names_in: Names of the image, in the order to try them, that a file of labels
            gives.
        keep_unlabelled: Whether images without labels are images without objects.

    Returns:
        The images of each split, if there are folders of splits with a ``train`` among
        them; else all for ``train``.
    """
    pairs = pair(tree.images, tree.with_suffix(suffix))
    found, orphans = _pair_by_content(tree, pairs, faults, names_in)
    unlabelled = [image for image in pairs.unlabelled if image not in found]
    _report(tree, pairs, [x for x in orphans if is_label(tree.root / x)], faults)
    if not keep_unlabelled:
        unlabelled = _without_other_labels(tree, unlabelled, faults)
    if unlabelled:
        faults.report(
            IMAGE_UNLABELLED,
            f'The image {tree.root / unlabelled[0]} has no file of labels: label it '
            'or remove it.',
            len(unlabelled),
        )
    if keep_unlabelled:
        found |= {image: f'{image.rpartition(".")[0]}{suffix}' for image in unlabelled}
    return _by_split(tree, sorted(found.items()), faults)


def report_orphans(
    faults: Faults,
    *,
    tree: Tree,
    sources: Mapping[str, Sequence[Source]],
    suffix: str,
    is_label: Callable[[Path], bool],
) -> None:
    """Report the labels without an image, in a folder that lists its images.

    Labels of images that belong to no split are not meant.
    """
    used = {str(source.label) for entries in sources.values() for source in entries}
    labels = tree.with_suffix(suffix)
    rest = [label for label in labels if f'{tree.root}/{label}' not in used]
    for label in pair(tree.images, rest).orphans:
        if is_label(tree.root / label):
            _report_orphan(tree, label, faults)


def _pair_by_content(
    tree: Tree,
    pairs: Pairs,
    faults: Faults,
    names_in: Callable[[Path], Iterable[str]],
) -> tuple[dict[str, str], list[str]]:
    """Pair labels without an image of their name with the one that they name.

    Label Studio puts digits in front of the names of labels, too, even where images
    have their own ones.
    """
    found = dict(pairs.found)
    free = set(pairs.unlabelled)
    orphans = []
    for label in pairs.orphans:
        options = (
            locate(tree, name, split=split_of(label))
            for name in (*names_in(tree.root / label), *_own_names(label))
        )
        image = next((x[0] for x in options if len(x) == 1 and x[0] in free), None)
        if image is None:
            orphans.append(label)
            continue
        found[image] = label
        free.remove(image)
        faults.report(
            PATH_FOREIGN,
            f'{tree.root / label} has no image of its name: {shown(image)}, which fits '
            'what it says or the end of its name, is taken.',
        )
    return found, orphans


def _without_other_labels(
    tree: Tree, images: Sequence[str], faults: Faults
) -> list[str]:
    """Return the images that have no labels in YOLO's form; report the others."""
    pairs = pair(images, tree.with_suffix('.txt')).found
    others = {image: x for image, x in pairs if yolo_labels.is_label(tree.root / x)}
    for image, label in others.items():
        faults.report(
            LABELS_MIXED,
            f'The image {tree.root / image} has labels in the form of YOLO ({label}), '
            'and others have them in the form of VOC: export all in one form.',
        )
    return [image for image in images if image not in others]


def _own_names(label: str) -> list[str]:
    """Return the names of the image that belongs to the labels of an upload."""
    stem = label.rpartition('.')[0]
    is_meant = is_upload(stem.rpartition('/')[2])
    return [f'{stem}{suffix}' for suffix in IMG_EXTENSIONS] if is_meant else []


def _report(tree: Tree, pairs: Pairs, orphans: list[str], faults: Faults) -> None:
    for label in orphans:
        _report_orphan(tree, label, faults)
    for first, image in pairs.doubles:
        faults.report(
            LABELS_SHARED,
            f'The images {tree.root / first} and {tree.root / image} share their '
            'labels: rename or remove one.',
        )


def _report_orphan(tree: Tree, label: str, faults: Faults) -> None:
    problem = 'have no image: add it, or remove them'
    if image := tree.unread_images.get(Path(label).stem):
        problem = f'belong to {image}, which cannot be read: convert it to JPEG'
    faults.report(LABEL_ORPHAN, f'The labels {tree.root / label} {problem}.')


def _by_split(
    tree: Tree, found: list[tuple[str, str]], faults: Faults
) -> dict[str, list[Source]]:
    sources: dict[str | None, list[Source]] = {split: [] for split in (*NAMES, None)}
    for image, label in found:
        source = Source(tree.root / image, tree.root / label)
        sources[split_of(image) or split_of(label)].append(source)
    if not sources['train']:
        # Without a train among them, other names are those of any folders.
        whole = sorted(chain.from_iterable(sources.values()))
        return {'train': whole} if whole else {}
    if left := sources.pop(None):
        faults.report(
            SPLIT_UNKNOWN,
            f'The image {left[0].image} is in no folder of a split, as others are: '
            'move it into one.',
            len(left),
        )
    return {split: entries for split, entries in sources.items() if entries}
