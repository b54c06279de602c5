"""Recognise the form of a data folder."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, Protocol

from ...utils.builds import did_you_mean_file
from ...utils.files import is_archive
from ...utils.predicted import is_prediction
from ..error import DatasetError
from ..faults import Faults, Level, new_kind
from .forms import coco, voc, yolo
from .forms.unread import describe, has_only_images
from .parts import Part
from .tree import Tree

FORMS_SEVERAL = new_kind(
    'forms-several',
    Level.NOTE,
    'data folders that hold labels in several forms',
    "COCO's is read before VOC's, and VOC's before YOLO's.",
)
_DESCRIPTIONS = ('.yaml', '.yml')


class Found(Protocol):
    """What was found of a data folder.

    Attributes:
        named: Folders outside of it that belong to it all the same.
    """

    named: tuple[Path, ...]

    def place(self, split: str) -> str:
        """Name the file or folder of a split, at the start of a sentence."""

    def digest(self) -> str:
        """Return a fingerprint of the files that decide what is read."""

    def read(self, faults: Faults) -> dict[str, Part]:
        """Read all splits, as far as they can be read."""

    def report_rest(self, faults: Faults) -> None:
        """Report the labels in the folder that belong to nothing that is read."""


class _Form(NamedTuple):
    recognise: Callable[[Tree], bool]
    recognise_export: Callable[[Tree], bool]
    find: Callable[[Tree, Faults], Found]
    places: str


# If a folder has several forms, the first is used: COCO's needs no conversion.
_FORMS = {
    name: _Form(form.recognise, form.recognise_export, form.find, form.PLACES)
    for name, form in (('coco', coco), ('voc', voc), ('yolo', yolo))
}


def find_data(data: Path, faults: Faults) -> tuple[Path, str, Found]:
    """Find the form of a data folder, and the files of its splits.

    Args:
        data: The folder, or the ``data.yaml`` of one in YOLO's form.
        faults: Gets what is wrong.

    Returns:
        The folder, its form, and what was found.

    Raises:
        DatasetError: If there is no folder, or none of the known forms in it.
    """
    data = Path(data).expanduser().resolve()
    if data.suffix.lower() in _DESCRIPTIONS and data.is_file():
        tree = Tree(data.parent, faults)
        return data.parent, 'yolo', yolo.find(tree, faults, description=data)
    if not data.is_dir():
        raise _no_folder(data)
    tree = Tree(data, faults)
    if is_prediction(data) and not tree.images:
        raise DatasetError(
            f'{data} is a prediction, whose pictures have boxes drawn on them: copy '
            'its labels beside the images themselves, and give their folder.'
        )
    kinds = _kinds(tree)
    if len(kinds) > 1:
        faults.report(
            FORMS_SEVERAL,
            f'{data} holds data in the forms {", ".join(kinds)}: {kinds[0]} is read.',
        )
    return data, kinds[0], _FORMS[kinds[0]].find(tree, faults)


def _no_folder(data: Path) -> DatasetError:
    if not data.exists():
        hint = did_you_mean_file(data) or 'check the path.'
        return DatasetError(f'The data folder {data} does not exist: {hint}')
    if is_archive(data):
        fix = 'unpack it, and give the folder.'
    else:
        fix = 'give the folder of images and labels, or its data.yaml.'
    return DatasetError(f'The data {data} are a file: {fix}')


def _kinds(tree: Tree) -> list[str]:
    """Return the forms of a folder: by the usual places, else by files anywhere."""
    kinds = [name for name, form in _FORMS.items() if form.recognise(tree)]
    if not kinds:
        exports = (name for name, form in _FORMS.items() if form.recognise_export(tree))
        kinds = [*exports]
    if not kinds:
        raise _unknown(tree)
    return kinds


def _unknown(tree: Tree) -> DatasetError:
    if has_only_images(tree):
        return DatasetError(
            f'The data folder {tree.root} holds {len(tree.images)} images and no '
            'labels: label them first, with any tool that exports COCO, VOC or YOLO. '
            'If labels are in another folder, give the folder that holds both.'
        )
    if (labels := describe(tree)) is not None:
        return DatasetError(
            f'The data folder {tree.root} holds {labels}: export them as COCO, VOC or '
            'YOLO.'
        )
    packed = next(filter(is_archive, sorted(tree.root.iterdir())), None)
    if packed is not None:
        return DatasetError(
            f'The data folder {tree.root} holds {packed.name}, which is packed: unpack '
            'it.'
        )
    places = '; '.join(f'{name}: {form.places}' for name, form in _FORMS.items())
    return DatasetError(
        f'The data folder {tree.root} holds {_listing(tree.root)}, which is no form of '
        f'data known here: arrange it as one of them ({places}), or put images beside '
        'XML files or text files of the same names.'
    )


def _listing(root: Path, most: int = 8) -> str:
    names = sorted(path.name for path in root.iterdir())
    more = f' and {len(names) - most} more' if names[most:] else ''
    return (', '.join(names[:most]) or 'nothing') + more
