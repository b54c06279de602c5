"""How good exported graphs are on data, and images to calibrate them with."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from mmengine.runner import Runner

from ..engine.runner import logged
from ..export.metadata import Metadata
from ..export.precision.calibration import Run
from ..utils.errors import M2DetError
from ..utils.logs import prints_to, quiet_log
from .evaluation import EvaluationResult, build_test
from .evaluation_data import choose_images
from .model_source import find_model

# Images to calibrate with.
CALIBRATION = 100


@dataclass(frozen=True)
class _Running:
    """A graph that is in memory, as an :class:`.ExportedFile`."""

    path: Path
    metadata: Metadata
    function: Run
    runtime: str = 'memory'

    def run(self, images: np.ndarray) -> Mapping[str, np.ndarray]:
        """Run the graph."""
        return self.function(images)


class ScoreOnData:
    """Tells the AP of graphs that take and give what an exported file does.

    Args:
        file: The file, of whatever precision.
        metadata: What it tells about itself.
        data: A folder with annotations.
        work_dir: Folder for logs and the data's annotations.

    Raises:
        M2DetError: One sentence on what is wrong with the data.
    """

    def __init__(
        self, file: Path, metadata: Metadata, data: str | Path, work_dir: Path
    ) -> None:
        self._file, self._metadata, self._data = file, metadata, data
        self._work_dir = work_dir
        self._runner = self._build('val')

    def __call__(self, run: Run) -> float:
        """Return the box AP on the validation images, 0..1."""
        model = self._runner.model
        model.file = _Running(self._file, self._metadata, run)
        try:
            with logged(self._runner) as log:
                metrics = self._runner.test() or {}
        finally:
            # MMEngine keeps runners; OpenVINO must not end with the process.
            del model.file
        result = EvaluationResult(metrics, self._work_dir, log)
        if result.ap is None or not result.ap >= 0:
            raise M2DetError(
                f'{self._data} has no annotated objects to compute an AP on: give '
                'other data.'
            )
        return result.ap

    def calibration(self) -> Iterator[np.ndarray]:
        """Yield inputs of the graph, one image each, of the training images."""
        runner = self._build('train')
        with prints_to(quiet_log()):
            loader = runner.test_dataloader
        for batch in islice(loader, CALIBRATION):
            data = runner.model.data_preprocessor(batch, False)
            metas = [sample.metainfo for sample in data['data_samples']]
            for images in runner.model.inputs_of(data['inputs'], metas):
                yield from (image[None] for image in images)

    def _build(self, split: str) -> Runner:
        """Build what tests the file on a split of the data."""
        cfg = find_model(self._file).cfg
        cfg.work_dir = str(self._work_dir / split)
        with prints_to(quiet_log()):
            choose_images(
                cfg,
                str(self._file),
                data=self._data,
                split=split,
                default=split,
                out=Path(cfg.work_dir, 'data'),
            )
            return build_test(cfg, str(self._file))
