"""Labels of what was found, in the forms that the caller asks for."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..datasets.values import is_text
from ..evaluation.coco_records import CocoIds
from ..evaluation.label_formats import FORMATS, LabelledImage, to_labels
from ..evaluation.label_formats.labels import check_names
from ..evaluation.prediction_log import Entry
from ..utils.arguments import texts_of
from ..utils.errors import M2DetError

NONE = 'none'


class PredictionLabels:
    """Writes labels, from the lowest scores of the classes on.

    Args:
        formats: Keys of ``FORMATS``.
        names: Of all images, relative paths with ``/``.
    """

    def __init__(self, formats: Sequence[str], names: Sequence[str]) -> None:
        self._names = [name for name in names if is_text(name)]
        self._paths = {name: FORMATS[name].paths(self._names) for name in formats}
        own = (path for paths in self._paths.values() for path in paths.values())
        others = (path for name in formats for path in FORMATS[name].others)
        self.files = frozenset([*others, *own])
        self._categories: Mapping[int, str] = {}
        self._lowest: Mapping[str, float] = {}

    def set_classes(self, ids: CocoIds, lowest: Mapping[str, float]) -> None:
        """Tell the classes, which are known when the detector is loaded.

        Args:
            ids: Ids and names of the classes.
            lowest: Lowest score of each class, by its name.

        Raises:
            M2DetError: If the name of a class cannot be written.
        """
        if self._paths.keys() - {'csv'}:
            check_names(ids.names)
        self._categories = dict(zip(ids.categories, ids.names, strict=True))
        self._lowest = lowest

    def _is_counted(self, record: Mapping[str, Any]) -> bool:
        return record['score'] >= self._lowest[record['category_name']]

    def write(
        self, folder: Path, entries: Callable[[], Iterator[Entry]]
    ) -> dict[str, str]:
        """Write the labels of what was found.

        Args:
            folder: Where to.
            entries: Reads what was found, each time that it is called.

        Returns:
            A sentence for each image that cannot have labels, by its name.

        Raises:
            M2DetError: If a file cannot be written.
        """
        if not self._paths:
            return {}

        def images() -> Iterator[LabelledImage]:
            for entry in entries():
                if is_text(entry['file_name']):
                    yield to_labels(entry, self._is_counted)

        for name in self._paths:
            FORMATS[name].write(folder, self._names, images, self._categories)
        return {
            entry['file_name']: problem
            for entry in entries()
            if (problem := self._problem(entry['file_name']))
        }

    def _problem(self, name: str) -> str | None:
        if not is_text(name):
            return (
                f'{name} has no labels, for its name is no text of one line: rename it.'
            )
        lacking = [form for form, paths in self._paths.items() if name not in paths]
        if lacking:
            return (
                f'{name} has no labels as {" and ".join(lacking)}, for another image '
                'differs in the suffix alone: rename one.'
            )
        return None


def check_formats(formats: str | Sequence[str]) -> tuple[str, ...]:
    """Return the formats to write, each once; none for ``'none'``.

    Raises:
        M2DetError: If one is unknown, or ``'none'`` is among others.
    """
    names = dict.fromkeys(texts_of('formats', formats))
    unknown = [name for name in names if name not in FORMATS and name != NONE]
    if unknown:
        raise M2DetError(
            f'There is no format {unknown[0]} of labels: give {", ".join(FORMATS)} or '
            f'{NONE}.'
        )
    if NONE in names and len(names) > 1:
        raise M2DetError(f'The format {NONE} of labels leaves none beside it.')
    return tuple(name for name in names if name != NONE)
