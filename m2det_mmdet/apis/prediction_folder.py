"""The folder that predictions of images are written to."""

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from ..evaluation.results_file import write_results
from ..utils.images import picture_names
from ..utils.predicted import PICTURES
from .prediction_labels import PredictionLabels
from .prediction_output import OutputFolder
from .prediction_places import LOG
from .prediction_record import DONE

RESULTS = 'results.json'


class PredictionFolder(OutputFolder):
    """Keeps what is found, image by image; for one run at a time.

    At the end, also by an error or Ctrl-C, results and labels are made of the images
    that were done.

    Args:
        path: The folder.
        names: Of all images, relative paths with ``/``.
        labels: Writes the labels.
        facts: What the record tells from the beginning, as of :class:`OutputFolder`,
            without the images and files.
        force: Whether what an earlier run wrote may be replaced; what others wrote
            never is.
        resume: Whether to go on with an earlier run.
    """

    def __init__(
        self,
        path: Path,
        names: Sequence[str],
        labels: PredictionLabels,
        facts: Mapping[str, Any],
        *,
        force: bool = False,
        resume: bool = False,
    ) -> None:
        places = picture_names([PurePosixPath(name) for name in names])
        self._pictures = {str(x): f'{PICTURES}/{place}' for x, place in places.items()}
        files = [RESULTS, LOG, *sorted(labels.files), *self._pictures.values()]
        facts = {'images': len(names), **facts, 'files': files}
        super().__init__(path, LOG, facts, force=force, resume=resume)
        self.results = path / RESULTS
        self.problems: dict[str, str] = {}
        self.labels = labels
        self._names = names

    def picture(self, name: str) -> Path:
        """Path of the picture of an image."""
        return self.path / self._pictures[name]

    def _finish(self, state: str, **facts: Any) -> None:
        """Make results and labels of what was found; keep the log to go on with."""
        self._log.close()
        entries = self._log.in_order(self._names)
        write_results(self.results, entries())
        self.problems |= self.labels.write(self.path, entries)
        known = self.problems
        problems = {name: known[name] for name in self._names if name in known}
        super()._finish(state, problems=problems, **facts)
        if state == DONE:
            self._log.path.unlink(missing_ok=True)
