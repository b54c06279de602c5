"""The checkpoint from which a training in a folder goes on."""

import errno
import logging
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from mmengine.logging import print_log
from mmengine.runner import CheckpointLoader

from ..utils.texts import one_line
from .errors import CheckpointError

# A further name of the last checkpoint; what was written between two regular ones; and
# MMEngine's file that names the last one.
LAST, BETWEEN, NOTE = 'last.pth', 'resume.pth', 'last_checkpoint'
_NUMBERED = re.compile(r'(epoch|iter)_(\d+)\.pth')
_LONGEST = 4096  # bytes of a path
# Lacks of the system while it reads, which are no faults of a file.
_OF_THE_SYSTEM = (errno.ENOMEM, errno.EMFILE, errno.ENFILE)


def checkpoint_folder(work_dir: str | Path, out_dir: str | Path | None) -> Path:
    """Return where MMEngine's hook writes the checkpoints of a run.

    Args:
        work_dir: The work folder.
        out_dir: The hook's argument, in which each run has a folder of its own.
    """
    return Path(work_dir) if out_dir is None else Path(out_dir, Path(work_dir).name)


def states_in(folder: Path) -> list[Path]:
    """List the files in a folder from which a training may go on.

    Those whose names have a number come last, the highest number first.
    """
    numbered = _numbered(folder)
    states: list[Path] = []
    for path in _unnumbered(folder):
        if not any(path.samefile(x) for x in (*states, *numbered)):
            states.append(path)
    return states + numbered


def newest_state(folder: Path) -> Path | None:
    """Return the checkpoint of most iterations that can be read whole.

    The file ``last_checkpoint`` is only a hint: it may be missing, of another folder,
    or older than what was written last. A warning names what is passed over.

    Raises:
        CheckpointError: If there are checkpoints, and none can be read.
        OSError: If the system lacks memory or files to read them.
    """
    best: tuple[int, Path] | None = None
    passed: list[str] = []
    kinds_done: set[str] = set()
    for path in states_in(folder):
        match = _NUMBERED.fullmatch(path.name)
        kind = match[1] if match else ''
        if kind in kinds_done:
            continue
        try:
            iterations = _iterations(path)
        except (CheckpointError, OSError) as error:
            if getattr(error, 'errno', None) in _OF_THE_SYSTEM:
                raise
            passed.append(f'{path.name} ({one_line(str(error), 200)})')
            continue
        if match:
            # Lower numbers of its kind are older.
            kinds_done.add(kind)
        if best is None or iterations > best[0]:
            best = iterations, path
    if passed and best is None:
        raise CheckpointError(
            f'No checkpoint in {folder} can be read: {"; ".join(passed)}. Give another '
            'one by --resume CHECKPOINT, or begin anew by --force.'
        )
    if passed:
        print_log(
            f'Passed over in {folder}: {"; ".join(passed)}. The training goes on from '
            f'{best[1].name}.',
            logger='current',
            level=logging.WARNING,
        )
    return best[1] if best else None


def set_aside_newer(
    folder: Path, taken: Path, *, epoch: int, iterations: int
) -> list[Path]:
    """Rename what would be taken for newer than the checkpoint that was chosen.

    Somebody has gone back to an older checkpoint, or newer ones cannot be read. Nothing
    is replaced that was renamed before.

    Args:
        folder: Where the checkpoints are.
        taken: The checkpoint that a training goes on from.
        epoch: Its epochs that are done.
        iterations: Likewise.

    Returns:
        The new paths.
    """
    renamed = []
    done = {'epoch': epoch, 'iter': iterations}
    # Further names of numbered files, too: they stay where only these are renamed.
    found = dict.fromkeys([*_unnumbered(folder), *_numbered(folder)])
    for path in found:
        if taken.is_file() and path.samefile(taken):
            continue
        match = _NUMBERED.fullmatch(path.name)
        if int(match[2]) > done[match[1]] if match else _is_newer(path, iterations):
            renamed.append(path.rename(_free(f'superseded_{path.name}', folder)))
    return renamed


def _is_newer(path: Path, iterations: int) -> bool:
    """Whether a state is of more iterations, or cannot be read, so that it may be."""
    try:
        return _iterations(path) > iterations
    except (CheckpointError, OSError):
        return True


def _free(name: str, folder: Path) -> Path:
    """Return a path of a name, with a number in it where there is a file already."""
    path, number = folder / name, 1
    while path.exists():
        number += 1
        path = folder / f'{Path(name).stem}_{number}{Path(name).suffix}'
    return path


def _unnumbered(folder: Path) -> list[Path]:
    """List the files whose names tell nothing of their age."""
    found = [path for name in (BETWEEN, LAST) if (path := folder / name).is_file()]
    if (noted := _noted(folder)) is not None and not _NUMBERED.fullmatch(noted.name):
        found.append(noted)
    return found


def _numbered(folder: Path) -> list[Path]:
    def paths() -> Iterator[tuple[int, Path]]:
        with suppress(OSError):
            for path in folder.iterdir():
                match = _NUMBERED.fullmatch(path.name)
                if match and path.is_file():
                    yield int(match[2]), path

    return [path for _, path in sorted(paths(), reverse=True)]


def _noted(folder: Path) -> Path | None:
    """Return the file in the folder that ``last_checkpoint`` names, by its name alone.

    The folder may have been moved or copied since: a path in it is another's.
    """
    try:
        with open(folder / NOTE, 'rb') as file:
            text = file.read(_LONGEST).decode(errors='replace').strip()
        path = folder / Path(text).name
        return path if path.suffix == '.pth' and path.is_file() else None
    except (OSError, ValueError):
        return None


def _iterations(path: Path) -> int:
    """Return the iterations of a training state.

    Raises:
        CheckpointError: If it cannot be read, or is none.
    """
    checkpoint = CheckpointLoader.load_checkpoint(str(path), 'cpu')
    iterations = checkpoint.get('meta', {}).get('iter')
    if iterations is None or 'optimizer' not in checkpoint:
        raise CheckpointError('it holds weights, and no state of a training')
    return iterations
