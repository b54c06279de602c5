"""From the arguments of a prediction to how its detector is built."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from mmengine.config import Config

from ..utils.configs import describe
from ..utils.files import sha256_of
from .checks import acceleration_options
from .exported import use_runtime
from .model_source import find_model
from .prediction_look import DetectorPlan
from .tiling import check_tiling


class PlannedDetector(NamedTuple):
    """A detector that is not built yet.

    Attributes:
        plan: How it is built.
        facts: What tells it from others, as plain data.
    """

    plan: DetectorPlan
    facts: dict[str, Any]


def plan_detector(
    model: str | Path | Config,
    checkpoint: str | Path | None,
    options: Mapping[str, Any] | None,
    *,
    tile: int | None,
    tile_overlap: float,
    device: str | None,
    threads: int | None,
    provider: str | None,
    **faster: Any,
) -> PlannedDetector:
    """Find a detector; arguments as of :func:`.predict`.

    Raises:
        M2DetError: If there is no such model, or an argument does not fit.
    """
    if tile is not None:
        check_tiling(tile, tile_overlap)
    tiles = None if tile is None else (tile, tile_overlap)
    acceleration = acceleration_options(**faster)
    source = find_model(model, checkpoint, options)
    use_runtime(
        source.cfg,
        source.checkpoint,
        device=device,
        threads=threads,
        provider=provider,
        faster=acceleration,
    )
    file = Path(source.checkpoint)
    facts = {
        'model': describe(model) if isinstance(model, Config) else str(model),
        'checkpoint': source.checkpoint,
        # A checkpoint of the same name may be another one.
        'sha256': sha256_of(file) if file.is_file() else None,
        'options': {key: str(value) for key, value in (options or {}).items()},
        'tile': None if tiles is None else [*tiles],
        'acceleration': acceleration,
    }
    plan = DetectorPlan(source.cfg, source.checkpoint, device, acceleration, tiles)
    return PlannedDetector(plan, facts)
