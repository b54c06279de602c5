"""The runs of a comparison: folders, what is done in them, processes."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from mmengine.config import Config

from ..utils.child_processes import end_process, signal_name
from ..utils.errors import M2DetError
from ..utils.files import write_whole, writing
from ..utils.texts import one_line
from .settings import differences, leaves
from .worker import CONFIG, MACHINES, SAYS, STEPS, checkpoints

_SETTINGS, _RESULT, _FAILURE, _LOG = (
    'settings.json',
    'result.json',
    'failure.json',
    'log.txt',
)
_ERROR = re.compile(rf'[\w.]+(Error|Exception)(: |$)|{SAYS}')
_LISTED = 4  # differences that a sentence names


class RunError(M2DetError):
    """One sentence: why a run has no result."""


@dataclass(frozen=True)
class Run:
    """A config that is trained and evaluated with a seed.

    Args:
        name: Name of the config.
        seed: Of the random numbers.
        folder: Where all that belongs to the run lies.
    """

    name: str
    seed: int
    folder: Path

    @property
    def result(self) -> dict[str, Any] | None:
        """What the run found; ``None`` while it is not done."""
        return _read(self.folder / _RESULT)

    @property
    def failure(self) -> str | None:
        """Why the last attempt failed; ``None`` if it did not."""
        content = _read(self.folder / _FAILURE)
        return None if content is None else content['reason']

    @property
    def has_work(self) -> bool:
        """Whether there is a result to lose, or a training that has a checkpoint."""
        return self.result is not None or bool(checkpoints(self.folder))

    def changes(self, settings: dict[str, Any]) -> list[str]:
        """List what differs from the settings that the folder was begun with."""
        file = self.folder / _SETTINGS
        old = _read(file)
        if old is None:
            return [f'{_SETTINGS} cannot be read'] if file.exists() else []
        return differences(old, settings)

    def begin(self, cfg: Config, settings: dict[str, Any], remarks: list[str]) -> None:
        """Prepare the folder, emptied where it was begun with other settings.

        Args:
            cfg: The config that is trained.
            settings: What the result depends on.
            remarks: Lines for the log.

        Raises:
            RunError: If the config cannot be written as text.
        """
        self.clear(settings)
        self.forget_failure()
        _write(self.folder / _SETTINGS, settings)
        with writing(self.folder / CONFIG):
            _dump(cfg, self.folder / CONFIG)
        _append(self.folder / _LOG, ['--- schedule', *remarks])

    def clear(self, settings: dict[str, Any]) -> None:
        """Remove the folder if it was begun with other settings.

        It loses its name first: what a kill leaves of it belongs to no run.
        """
        aside = self.folder.with_name(f'.{self.folder.name}.old')
        shutil.rmtree(aside, ignore_errors=True)
        if self.changes(settings):
            with writing(self.folder, aside):
                self.folder.replace(aside)
                shutil.rmtree(aside)

    def fail(self, reason: str) -> None:
        """Keep why the attempt failed."""
        _write(self.folder / _FAILURE, {'reason': reason})

    def forget_failure(self) -> None:
        """Count the last attempt no longer as one that failed."""
        with writing(self.folder / _FAILURE):
            (self.folder / _FAILURE).unlink(missing_ok=True)

    def finish(self) -> dict[str, Any]:
        """Do the steps that are missing, and write the result.

        Raises:
            RunError: If a step fails.
        """
        steps = {}
        for step in STEPS:
            file = self.folder / f'{step}.json'
            if _read(file) is None:
                _run_step(step, self.folder)
            steps[step] = _read(file)
        machines = _read(self.folder / MACHINES)
        result = {
            'config': self.name,
            'seed': self.seed,
            **steps,
            **({'machines': machines} if machines else {}),
        }
        ap = result['test'].get('coco/bbox_mAP')
        if ap is None or ap < 0:
            raise RunError(
                'The evaluation gave no box AP (coco/bbox_mAP): are there objects in '
                'the test images?'
            )
        _write(self.folder / _RESULT, result)
        return result


def check_changes(runs: dict[Run, dict[str, Any]]) -> None:
    """Stop where other settings would lose a result, or what a training has done.

    Raises:
        M2DetError: One sentence that names the first of them, and what changed.
    """
    for run, settings in runs.items():
        changes = run.changes(settings)
        if changes and run.has_work:
            more = len(changes) - _LISTED
            listed = '; '.join(changes[:_LISTED])
            rest = f'; and {more} more' if more > 0 else ''
            raise M2DetError(
                f'{run.folder} was begun with other settings ({listed}{rest}): give '
                'the former ones, another --out, or --force to start such runs anew.'
            )


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other comparisons out of a folder, which is made.

    Raises:
        M2DetError: If one is at work there.
    """
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / '.lock', timeout=0)
        try:
            lock.acquire()
        except Timeout as error:
            raise M2DetError(
                f'Another comparison is at work in {folder}: wait, or give '
                'another --out.'
            ) from error
        except NotImplementedError as error:
            raise M2DetError(
                f'{folder} lies where files cannot be locked ({error}): give an --out '
                'on another disk.'
            ) from error
    try:
        yield
    finally:
        lock.release()


def _run_step(step: str, folder: Path) -> None:
    """Run a step in its own process; all that it prints goes to the log."""
    log = folder / _LOG
    start = _append(log, [f'--- {step}'])
    with open(log, 'ab') as file:
        status = _call([step, str(folder)], file)
    if status == 0 and (folder / f'{step}.json').is_file():
        return
    lines = log.read_bytes()[start:].decode(errors='replace').strip().splitlines()
    if status >= 0:
        reason = _reason(lines)
    else:
        name = signal_name(-status)
        memory = ', probably out of memory' if name == 'SIGKILL' else ''
        reason = f'ended by {name}{memory}; its last line was: {lines[-1].strip()}'
    raise RunError(f'{reason} (see {log})')


def _append(log: Path, lines: list[str]) -> int:
    """Add lines to a log; return where they begin, in bytes."""
    with writing(log), open(log, 'ab') as file:
        start = file.tell()
        file.write(''.join(f'{line}\n' for line in lines).encode())
    return start


def _dump(cfg: Config, file: Path) -> None:
    """Write a config.

    Raises:
        RunError: If it holds what has no text; names it.
    """
    try:
        cfg.dump(file)
    except OSError:
        raise
    except Exception as error:  # What the formatter says of text that is no Python.
        found = dict(leaves('', cfg.to_dict()))
        objects = [f'{key}={x}' for key, x in found.items() if not _is_plain(x)]
        reason = f'it holds {", ".join(objects[:_LISTED])}' if objects else str(error)
        raise RunError(
            'The config cannot be written to a file, from which processes read it '
            f'({type(error).__name__}: {one_line(reason, 300)}): '
            'give it numbers, texts, lists and dicts alone.'
        ) from error


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, str | int | float | list | dict | tuple)


def _call(argv: list[str], log: Any) -> int:
    """Run the worker and wait for it; end it when this process is to end.

    Raises:
        RunError: If the system gives no process.
    """
    try:
        process = subprocess.Popen(
            [sys.executable, '-m', 'm2det_mmdet.comparison.worker', *argv],
            # Never written to: the worker ends when it is closed.
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            # Ctrl-C reaches this process alone, which then ends the worker.
            start_new_session=True,
        )
    except OSError as error:
        raise RunError(
            f'No process can be started for it ({error}): end other programs.'
        ) from error
    try:
        return process.wait()
    finally:
        if process.poll() is None:
            end_process(process)
        process.stdin.close()


def _reason(lines: list[str]) -> str:
    """Return the last line with an error, or else the last of all.

    Advice and notes may follow the error, as PyTorch's of a GPU's.
    """
    found = [line.strip() for line in lines if _ERROR.match(line)]
    reason = found[-1] if found else lines[-1].strip()
    return reason.removeprefix(SAYS)


def _read(file: Path) -> Any:
    """Content of a JSON file; ``None`` without one, or where it cannot be read."""
    try:
        return json.loads(file.read_text(encoding='utf-8'))
    except (OSError, ValueError):
        return None


def _write(file: Path, content: Any) -> None:
    write_whole(file, json.dumps(content, indent=2) + '\n')
