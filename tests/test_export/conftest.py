"""The embedded detector, and files that were made of it."""

from collections.abc import Callable
from pathlib import Path

import pytest
from mmdet.apis import DetInferencer

from m2det_mmdet.apis import ExportResult, export
from m2det_mmdet.apis.inferencer import build_inferencer
from m2det_mmdet.apis.model_source import find_model

MODEL = 'm2det_r18_scenes'


@pytest.fixture(scope='session')
def detector() -> DetInferencer:
    """The detector that the files are made of."""
    source = find_model(MODEL)
    return build_inferencer(source.cfg, source.checkpoint, 'cpu')


@pytest.fixture(scope='session')
def exported(
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[..., ExportResult]:
    """Export the detector, once for each name of a file."""
    folder = tmp_path_factory.mktemp('exported')
    made: dict[str, ExportResult] = {}

    def make(name: str, **options: object) -> ExportResult:
        if name not in made:
            made[name] = export(MODEL, out=Path(folder, name), **options)
        return made[name]

    return make
