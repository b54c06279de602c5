"""Another precision of a graph, as long as the AP on data bears it."""

from pathlib import Path
from typing import Any

from ..export.formats import FORMATS
from ..export.graph import DetectionGraph
from ..export.metadata import Metadata
from ..export.plan import Plan
from ..utils.errors import M2DetError
from .checks import check_fraction, check_one_of
from .exported_scores import ScoreOnData

FP32, FP16, INT8 = PRECISIONS = ('fp32', 'fp16', 'int8')


class PrecisionChange:
    """Changes the precision of a model, and keeps what that has cost.

    Args:
        precision: ``fp16`` or ``int8``; ``fp32`` changes nothing.
        form: The format of the model.
        data: A folder with annotations, which int8 needs.
        max_drop: What the box AP on ``data`` may lose, 0..1.

    Attributes:
        ap: The box AP on ``data`` before and after; ``None`` where it was not measured.
        kept: Layers that stay float32 in int8.

    Raises:
        M2DetError: If an argument is none of its values, the format has no other
            precision, or int8 has no data.
    """

    def __init__(
        self, precision: str, form: str, data: str | Path | None, max_drop: float
    ) -> None:
        check_one_of('precision', precision, PRECISIONS)
        check_fraction('max_drop', max_drop)
        self._tools = FORMATS[form].precisions
        if precision != FP32 and self._tools is None:
            raise M2DetError(
                f'A {form} file is of precision {FP32}: take the format onnx or '
                'openvino.'
            )
        if precision == INT8 and data is None:
            raise M2DetError(
                f'{INT8} needs images like those that the detector is for: give a '
                'folder with annotations as data.'
            )
        self._precision, self._data, self._max_drop = precision, data, max_drop
        self._score: ScoreOnData | None = None
        self.ap: tuple[float, float] | None = None
        self.kept: tuple[str, ...] = ()

    @property
    def changes(self) -> bool:
        """Whether there is something to change."""
        return self._precision != FP32

    def read_data(
        self, graph: DetectionGraph, plan: Plan, metadata: Metadata, folder: Path
    ) -> None:
        """Read the data that judge the change, where there are some.

        Args:
            graph: The detector in float32.
            plan: What the graph takes.
            metadata: What the file tells about itself.
            folder: For files that are no longer needed afterwards.

        Raises:
            M2DetError: If they cannot be read, or do not fit the detector.
        """
        if not self.changes or self._data is None:
            return
        # Any file of the detector tells what the data are for.
        file = folder / 'fp32.onnx'
        model = FORMATS['onnx'].translate(graph, plan).final
        FORMATS['onnx'].write(model, file, metadata)
        self._score = ScoreOnData(file, metadata, self._data, folder / 'data')

    def apply(self, model: Any) -> Any:
        """Return a model of ONNX as one of the format, in the precision.

        Raises:
            M2DetError: If the AP drops by more than it may.
        """
        return self._to_fp16(model) if self._precision == FP16 else self._to_int8(model)

    def _to_fp16(self, model: Any) -> Any:
        changed = self._tools.to_fp16(model)
        if self._score is None:
            return changed
        before = self._score(FORMATS['onnx'].precisions.run(model))
        after = self._score(self._tools.run(changed))
        self.ap = before, after
        if not before - after <= self._max_drop:
            raise M2DetError(
                f'{FP16} takes the AP from {before:.3f} to {after:.3f}: take {FP32}, '
                'or a larger max_drop.'
            )
        return changed

    def _to_int8(self, model: Any) -> Any:
        found = self._tools.to_int8(
            model,
            self._score.calibration(),
            score=self._score,
            max_drop=self._max_drop,
        )
        self.ap, self.kept = (found.before, found.after), found.kept
        return found.model
