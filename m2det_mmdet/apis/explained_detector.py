"""A detector that is looked into."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config

from ..analysis.levels import LevelsError, check_levels
from ..utils.exported import is_exported
from .detector import Detector


def looked_into(
    model: str | Path | Config,
    checkpoint: str | Path | None,
    device: str | None,
    options: Mapping[str, Any] | None,
) -> Detector:
    """Build a detector whose layers are there to be looked into."""
    if isinstance(model, str | Path) and is_exported(model):
        raise LevelsError(
            f'{model} is an exported file, whose layers cannot be looked into: give '
            'the checkpoint that it was made of.'
        )
    return Detector(model, checkpoint, device=device, options=options)


def check_its_levels(detector: Detector) -> None:
    """Raise where the scores of a detector are no sum over levels."""
    try:
        check_levels(detector.inferencer.model)
    except LevelsError as error:
        raise LevelsError(
            f'{detector.checkpoint} cannot be explained by levels. {error}'
        ) from error
