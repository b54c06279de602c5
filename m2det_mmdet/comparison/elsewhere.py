"""A run of a comparison as a job of another process, perhaps of another machine."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from socket import gethostname
from tempfile import TemporaryDirectory
from typing import Any

from ..analysis.machine import check_versions
from ..utils.configs import load_config
from ..utils.errors import M2DetError
from ..utils.files import write_whole, writing
from .identity import data_identity
from .run import Run, RunError
from .settings import settings_of
from .worker import CONFIG, checkpoints

_POLL = 1.0  # seconds between two looks at what a run has written

Files = dict[str, bytes]


@dataclass(frozen=True)
class RunAbroad:
    """What a run takes along to a machine that may not see its folder.

    Attributes:
        run: The run.
        settings: What its result depends on.
        files: What is in its folder, by names.
    """

    run: Run
    settings: dict[str, Any]
    files: Files


@dataclass(frozen=True)
class SharedData:
    """What all runs take along.

    Attributes:
        versions: Of what computes here.
        folder: Where annotations lie that were converted for the comparison.
        files: These annotations, by names.
    """

    versions: Mapping[str, str]
    folder: Path
    files: Files

    @classmethod
    def of(cls, folder: Path, versions: Mapping[str, str]) -> 'SharedData':
        """Read a folder, which need not exist."""
        return cls(versions, folder, _read(folder, '**/*'))


@dataclass(frozen=True)
class FolderChange:
    """What has changed in the folder of a run.

    Attributes:
        files: New content, by names.
        removed: Names of files that have gone.
    """

    files: Files = field(default_factory=dict)
    removed: tuple[str, ...] = ()

    def apply_to(self, folder: Path) -> None:
        """Change a folder likewise; what is new comes before what goes.

        Raises:
            M2DetError: If a file cannot be written.
        """
        # What names a checkpoint comes after it.
        for name in sorted(self.files, key=lambda name: not name.endswith('.pth')):
            content = self.files[name]
            write_whole(folder / name, lambda out, content=content: out.write(content))
        for name in self.removed:
            with writing(folder / name):
                (folder / name).unlink(missing_ok=True)


def take_along(run: Run, settings: dict[str, Any]) -> RunAbroad:
    """Read what a run needs to go on elsewhere: all but the logs of its training."""
    files = {**_read(run.folder, '*'), **_read(run.folder, 'train/*')}
    return RunAbroad(run, settings, files)


def finish_here(_: None, run: Run) -> Iterator[None]:
    """Do what is missing of a run whose folder this process sees.

    Raises:
        RunError: If a step fails.
    """
    run.finish()
    yield from ()


def finish_abroad(shared: SharedData, abroad: RunAbroad) -> Iterator[FolderChange]:
    """Do what is missing of a run in a folder of its own, and yield what is written.

    A checkpoint is yielded as soon as it is there, so that a machine that dies costs no
    more than a process that does.

    Raises:
        RunError: If a step fails, or if data or versions are others than where the
            comparison was started.
    """
    check_versions(shared.versions)
    with TemporaryDirectory(prefix='m2det-') as root:
        run = Run(abroad.run.name, abroad.run.seed, Path(root, abroad.run.folder.name))
        data = Path(root, 'data')
        FolderChange(shared.files).apply_to(data)
        FolderChange(abroad.files).apply_to(run.folder)
        _move_data(run.folder / CONFIG, shared.folder, data)
        _check_same(run, abroad)
        mirror = _Mirror(run.folder)
        with ThreadPoolExecutor(1) as pool:
            work = pool.submit(run.finish)
            while not work.done():
                wait([work], _POLL)
                if mirror.has_news():
                    yield mirror.change()
        yield mirror.change()
        try:
            work.result()
        except M2DetError as error:
            # It names the log.
            sentence = str(error).replace(str(run.folder), str(abroad.run.folder))
            raise RunError(sentence) from error


def _read(folder: Path, pattern: str) -> Files:
    """Read the files of a folder that fit a pattern, by their relative names."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.glob(pattern))
        if path.is_file() and not path.name.startswith('.')
    }


def _move_data(config: Path, former: Path, new: Path) -> None:
    """Let a config name annotations where they lie on this machine."""
    text = config.read_text(encoding='utf-8')
    quoted = [repr(str(folder))[1:-1] for folder in (former, new)]
    write_whole(config, text.replace(*quoted))


def _check_same(run: Run, abroad: RunAbroad) -> None:
    """Stop where a run would have another result here.

    Raises:
        RunError: One sentence that names what differs.
    """
    cfg = load_config(run.folder / CONFIG)
    changes = run.changes(settings_of(cfg, data_identity(cfg, {})))
    if changes:
        raise RunError(
            f'On {gethostname()} other data or weights are found ({"; ".join(changes)})'
            ': all machines need the same files under the same paths.'
        )


class _Mirror:
    """Notes what has changed in a folder since it was last asked.

    Args:
        folder: The folder of a run.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known = self._state()
        self._landmarks = self._own()

    def has_news(self) -> bool:
        """Whether there is a new checkpoint, or what a step has found."""
        former, self._landmarks = self._landmarks, self._own()
        return self._landmarks != former

    def change(self) -> FolderChange:
        """Return what has changed."""
        former, self._known = self._known, self._state()
        files = {}
        for name, state in self._known.items():
            if former.get(name) != state:
                with suppress(FileNotFoundError):  # The training has removed it since.
                    files[name] = (self._folder / name).read_bytes()
        return FolderChange(files, tuple(sorted(former.keys() - self._known.keys())))

    def _own(self) -> set[Path]:
        return {*checkpoints(self._folder), *self._folder.glob('*.json')}

    def _state(self) -> dict[str, tuple[int, int]]:
        """Time and size of each file, by names; not of those that are being written."""
        found = {}
        for path in sorted(self._folder.rglob('*')):
            name = path.relative_to(self._folder).as_posix()
            if path.is_file() and not path.name.startswith('.'):
                with suppress(FileNotFoundError):
                    status = path.stat()
                    found[name] = (status.st_mtime_ns, status.st_size)
        return found
