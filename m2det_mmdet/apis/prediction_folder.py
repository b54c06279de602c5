"""The folder that predictions are written to."""

import os
from collections.abc import Sequence
from pathlib import Path

from mmdet.visualization import DetLocalVisualizer

from ..evaluation.coco_records import CocoIds, to_records
from ..evaluation.results_file import ResultsFile
from ..utils.errors import clause_of
from ..utils.files import check_output
from ..utils.images import common_folder, picture_paths, write_picture
from ..visualization import draw_predictions
from .detection import Detected

PICTURES = 'pictures'


class PredictionFolder:
    """Writes ``results.json`` and ``pictures``, image by image.

    Args:
        path: The folder.
        images: All images, as absolute paths.
        score_thr: Lowest score that is drawn.
    """

    def __init__(self, path: Path, images: Sequence[Path], score_thr: float) -> None:
        self.results = ResultsFile(path / 'results.json')
        self.pictures = path / PICTURES
        self.score_thr = score_thr
        self._root = common_folder(images)
        self._paths = picture_paths(images, self.pictures)

    def check(self, *, force: bool) -> None:
        """Stop before any work where a file would be replaced without ``force``.

        Raises:
            M2DetError: One sentence that names it.
        """
        self.results.check(force=force)
        paths = self._paths.values()
        present = next(filter(os.path.lexists, paths), next(iter(paths)))
        check_output(present, force=force)

    def write(
        self,
        detected: Detected,
        image_id: int,
        ids: CocoIds,
        visualizer: DetLocalVisualizer,
    ) -> str | None:
        """Write what was found in an image.

        Returns:
            Why there is no picture; ``None`` if there is one.

        Raises:
            M2DetError: If the results cannot be written.
        """
        path, sample = detected.path, detected.sample
        name = path.relative_to(self._root).as_posix()
        records = to_records(sample.pred_instances, image_id, name, ids)
        self.results.add(records)
        try:
            found, classes = sample.pred_instances, visualizer.dataset_meta['classes']
            picture = draw_predictions(
                detected.image,
                found.bboxes,
                found.scores,
                found.labels,
                classes,
                score_thr=self.score_thr,
            )
            write_picture(self._paths[path], picture)
        except Exception as error:
            return f'{path} has no picture: drawing it fails ({clause_of(error)}).'
        return None
