"""The record of a prediction: what was asked for, what came of it, what was written."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..utils.errors import M2DetError
from ..utils.files import remove_leftovers, write_whole
from ..utils.predicted import RECORD, is_prediction
from ..utils.texts import shown

RUNNING, INTERRUPTED, DONE = 'running', 'interrupted', 'done'


class PredictionRecord:
    """The content of ``predict.json``.

    Args:
        folder: The folder of the prediction.
        content: What the file holds.
    """

    def __init__(self, folder: Path, content: Mapping[str, Any]) -> None:
        self.folder = folder
        self.content = dict(content)

    @property
    def is_done(self) -> bool:
        """Whether all images were done."""
        return self.content.get('state') == DONE

    @property
    def num_images(self) -> int:
        """How many images were to be done; 0 of a video."""
        return self.content['images']

    @property
    def video(self) -> str | None:
        """The video; ``None`` if it was a prediction of images."""
        return self.content.get('video')

    @property
    def subject(self) -> str:
        """What was looked at, in words."""
        return f'{self.num_images} images' if self.video is None else self.video

    def write(self, **changes: Any) -> None:
        """Write the file, with changes of its content.

        Raises:
            M2DetError: If it cannot be written.
        """
        self.content.update(changes)
        text = json.dumps(self.content, indent=1, allow_nan=False)
        write_whole(self.folder / RECORD, f'{text}\n')

    def check_same(self, arguments: Mapping[str, Any]) -> None:
        """Stop where a prediction cannot go on, since it would be another one.

        Raises:
            M2DetError: One sentence that names the argument that differs.
        """
        former = self.content.get('arguments', {})
        for name, value in arguments.items():
            if former.get(name) != value:
                raise M2DetError(
                    f'The prediction in {self.folder} cannot go on, for {name} was '
                    f'{shown(former.get(name))} and is {shown(value)}: give the same '
                    'arguments, or another output folder.'
                )

    def remove_files(self) -> None:
        """Remove what the prediction wrote, and the folders that are empty then.

        Nothing else is touched, and nothing outside the folder.

        Raises:
            M2DetError: If the record cannot be written; nothing is removed then.
        """
        # A process that is killed here leaves no record that says that all is done.
        self.write(state=INTERRUPTED)
        self.remove_leftovers()
        folders = set()
        for path in self._own_files():
            with suppress(OSError):
                path.unlink()
            inner = path.relative_to(self.folder).parents
            folders |= {self.folder / parent for parent in inner if parent.name}
        for path in sorted(folders, reverse=True):
            with suppress(OSError):  # It holds files of others.
                path.rmdir()
        (self.folder / RECORD).unlink(missing_ok=True)

    def remove_leftovers(self) -> None:
        """Remove what a run that was killed left of files that it was writing."""
        remove_leftovers([*self._own_files(), self.folder / RECORD])

    def files(self) -> set[Path]:
        """Return what the prediction wrote or was to write, inside its folder."""
        return {*self._own_files()}

    def _own_files(self) -> Iterator[Path]:
        root = self.folder.resolve()
        for name in self.content['files']:
            path = self.folder / str(name)
            if '..' not in path.parts and path.parent.resolve().is_relative_to(root):
                yield path


def read_record(folder: Path) -> PredictionRecord | None:
    """Read the record of a folder; ``None`` if nothing was predicted there.

    Raises:
        M2DetError: If the record cannot be read.
    """
    if not is_prediction(folder):
        return None
    path = folder / RECORD
    try:
        content = json.loads(path.read_text(encoding='utf-8'))
        is_whole = isinstance(content['images'], int) and _is_list(content['files'])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        is_whole = False
    if not is_whole:
        raise M2DetError(
            f'{path} is the record of a prediction, and was changed: give another '
            'output folder.'
        )
    return PredictionRecord(folder, content)


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)
