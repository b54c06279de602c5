"""A folder that one prediction at a time writes to, and goes on in."""

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime, timezone
from pathlib import Path
from types import TracebackType
from typing import Any

from ..evaluation.prediction_log import Entry, PredictionLog
from ..utils.errors import M2DetError
from ..utils.files import check_output, writing
from ..utils.predicted import RECORD
from .prediction_places import locked, unfinished
from .prediction_record import DONE, INTERRUPTED, RUNNING, PredictionRecord, read_record


class OutputFolder:
    """Keeps what is found, in a log with a line for each image or frame that is done.

    What an earlier run wrote is removed before anything is written, so that it stays
    where nothing can be done.

    Args:
        path: The folder.
        log: Name of the file of lines.
        facts: What the record tells from the beginning: ``versions``, how many
            ``images`` there are, ``files``, by their names, and ``arguments``, which
            have to be the same where a prediction goes on.
        force: Whether what an earlier run wrote may be replaced; what others wrote
            never is.
        resume: Whether to go on with an earlier run.
    """

    def __init__(
        self,
        path: Path,
        log: str,
        facts: Mapping[str, Any],
        *,
        force: bool = False,
        resume: bool = False,
    ) -> None:
        self.path = path
        self._force, self._resume = force, resume
        self._log = PredictionLog(path / log)
        self._former: PredictionRecord | None = None
        self._record = PredictionRecord(
            path,
            {
                'written_by': f'm2det predict {facts["versions"]["m2det"]}',
                'state': RUNNING,
                'began': _now(),
                **facts,
            },
        )
        self._open = ExitStack()

    def __enter__(self) -> 'OutputFolder':
        """Stop before any work where files would be replaced without ``force``.

        Raises:
            M2DetError: One sentence that names what is there.
        """
        with ExitStack() as opened:
            opened.enter_context(_made(self.path))
            opened.enter_context(locked(self.path))
            self._former = read_record(self.path)
            if self._resume and self._former is not None:
                self._check_former(self._former)
            else:
                self._check_free()
            self._open = opened.pop_all()
        return self

    def begin(self) -> None:
        """Remove what an earlier run wrote, and begin; or go on with it.

        Raises:
            M2DetError: If the folder cannot be written to.
        """
        if self._log.is_open:
            return
        if self._former is not None and not self._resume:
            self._former.remove_files()
        self._record.remove_leftovers()
        self._record.write()
        self._log.open()

    def entries(self) -> Iterator[Entry]:
        """Read what an earlier run has found, if this one goes on with it."""
        if self._former is not None and self._resume:
            yield from self._log.entries()

    def add(self, entry: Entry) -> None:
        """Write what was found in an image.

        Raises:
            M2DetError: If it cannot be written.
        """
        self.begin()
        self._log.add(entry)

    def written(self) -> tuple[str, ...]:
        """Names of the files and folders that were written, without those in them."""
        names = (name.partition('/')[0] for name in self._record.content['files'])
        return tuple(
            f'{name}/' if (self.path / name).is_dir() else name
            for name in dict.fromkeys(names)
            if (self.path / name).exists()
        )

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._open:
            if kind is None:
                self.begin()
                self._finish(DONE)
            elif self._log.is_open:
                # What cannot be written then is no news.
                with suppress(M2DetError):
                    self._finish(INTERRUPTED)

    def _finish(self, state: str, **facts: Any) -> None:
        """Write the record, with what it tells at the end."""
        self._log.close()
        done = self._log.count()
        self._record.write(state=state, ended=_now(), done=done, **facts)

    def _check_former(self, former: PredictionRecord) -> None:
        """Stop where an earlier run does not allow to go on with it."""
        if former.is_done:
            raise M2DetError(
                f'The prediction in {self.path} is complete: give another output '
                'folder, or --force to replace it.'
            )
        former.check_same(self._record.content['arguments'])
        self._record.content['began'] = former.content.get('began')

    def _check_free(self) -> None:
        """Stop where files would be replaced without ``force``, or that are not ours.

        Those of others may be anything: ``force`` does not replace them either.
        """
        if self._former is not None and not self._force:
            raise M2DetError(
                unfinished(self.path, self._former)
                or f'{self.path} holds the prediction of {self._former.subject}: give '
                'another output folder, or --force to replace it.'
            )
        own = set() if self._former is None else self._former.files()
        if self._former is not None:
            own.add(self.path / RECORD)
        for name in (RECORD, *self._record.content['files']):
            path = self.path / name
            if os.path.lexists(path) and path not in own:
                raise M2DetError(
                    f'{path} exists, and is not of an earlier prediction: give another '
                    'output folder.'
                )


@contextmanager
def _made(path: Path) -> Iterator[None]:
    """Make a folder, and remove what was made of it where it stays empty."""
    check_output(path / RECORD, force=True)
    new = [folder for folder in (path, *path.parents) if not folder.exists()]
    with writing(path):
        path.mkdir(parents=True, exist_ok=True)
    try:
        yield
    finally:
        with suppress(OSError):  # What holds files stays.
            for folder in new:
                folder.rmdir()


def _now() -> str:
    return datetime.now(timezone.utc).astimezone().isoformat(timespec='seconds')
