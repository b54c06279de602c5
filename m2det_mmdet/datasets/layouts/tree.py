"""All files of a data folder, listed once."""

import os
import stat
from collections import defaultdict, deque
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from mmdet.apis.det_inferencer import IMG_EXTENSIONS

from ...utils.image_search import is_litter
from ...utils.predicted import FOLDERS, is_pictures, is_prediction
from ...utils.runs import is_run
from ...utils.texts import one_line
from ..faults import Faults, Level, new_kind

PATH_UNREADABLE = new_kind(
    'path-unreadable',
    Level.FAULT,
    'files or folders that cannot be opened by their name',
    'They are left out: change their rights, or their names to plain text.',
)


class Tree:
    """The files below a folder, which are listed when they are first asked for.

    Hidden files and what operating systems leave behind are left out, and so are the
    pictures of predictions, which have boxes drawn on them, folders of predictions
    alone, whose labels are no truth, and folders of runs. Links to folders are
    followed; a folder that can be reached in several ways is listed once.

    Args:
        root: The data folder, absolute.
        faults: Gets the folders that cannot be read.
    """

    def __init__(self, root: Path, faults: Faults) -> None:
        self.root = root
        self._faults = faults

    @cached_property
    def files(self) -> list[str]:
        """Paths relative to the folder, with ``/`` between the parts, sorted."""
        return sorted(self._walk())

    @cached_property
    def images(self) -> list[str]:
        """Those of the files that are images by their suffixes."""
        return [
            path for path in self.files if os.path.splitext(path)[1].lower() in _IMAGES
        ]

    @cached_property
    def images_by_name(self) -> dict[str, list[str]]:
        """The images by their names without folders, in lower case."""
        found = defaultdict(list)
        for path in self.images:
            found[path.rpartition('/')[2].lower()].append(path)
        return dict(found)

    @cached_property
    def unread_images(self) -> dict[str, str]:
        """Images of kinds that cannot be read, by names without folder and suffix."""
        stems = ((os.path.splitext(path), path) for path in self.files)
        return {
            stem.rpartition('/')[2]: path
            for (stem, suffix), path in stems
            if suffix.lower() in _UNREAD
        }

    def with_suffix(self, suffix: str) -> list[str]:
        """List the files with a suffix such as ``.xml``, in any case."""
        return [path for path in self.files if path.lower().endswith(suffix)]

    def _walk(self) -> Iterator[str]:
        # Links come last: a folder is listed at its own place if it has one here.
        folders = deque([''])
        seen = set()
        while folders:
            folder = folders.popleft()
            try:
                status = os.stat(self.root / folder)
                with os.scandir(self.root / folder) as found:
                    entries = [entry for entry in found if _is_seen(entry.name)]
            except OSError as error:
                self._report(folder, error.strerror or type(error).__name__)
                continue
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            if folder and _is_output(self.root / folder, entries):
                continue
            for entry in sorted(entries, key=lambda entry: entry.name, reverse=True):
                path = f'{folder}{entry.name}'
                if not _is_text(entry.name):
                    self._report(path, 'its name is no text')
                elif _is_endless(entry):
                    self._report(path, 'it is no regular file')
                elif not _is_folder(entry):
                    yield path
                elif is_pictures(self.root / path):
                    continue
                elif entry.is_symlink():
                    folders.append(f'{path}/')
                else:
                    folders.appendleft(f'{path}/')

    def _report(self, path: str, problem: str) -> None:
        self._faults.report(
            PATH_UNREADABLE,
            f'{one_line(self.root / path)} cannot be opened ({one_line(problem)}): '
            'change its rights or its name.',
        )


_IMAGES = frozenset(IMG_EXTENSIONS)
# As phones and cameras write them.
_UNREAD = frozenset(
    ('.heic', '.heif', '.avif', '.jxl', '.gif', '.dng', '.cr2', '.nef', '.arw')
)


def _is_output(folder: Path, entries: list[os.DirEntry]) -> bool:
    """Whether a folder is that of a run, or of a prediction and no image beside."""
    if is_run([entry.name for entry in entries]):
        return True
    return is_prediction(folder) and not any(
        entry.name not in FOLDERS
        if _is_folder(entry)
        else os.path.splitext(entry.name)[1].lower() in _IMAGES
        for entry in entries
    )


def _is_seen(name: str) -> bool:
    return not name.startswith('.') and not is_litter(name)


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_endless(entry: os.DirEntry) -> bool:
    """Whether reading would wait for ever, or never end: at a pipe or a device."""
    # Of ordinary files the system need not be asked again.
    if entry.is_file(follow_symlinks=False):
        return False
    try:
        mode = entry.stat().st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def _is_folder(entry: os.DirEntry) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # A link that leads to itself.
        return False
