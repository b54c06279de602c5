"""Pictures, a detector, and the page."""

from pathlib import Path

import pytest

from m2det_mmdet.datasets.scenes import write_scenes
from m2det_mmdet.web.looking import Looker


@pytest.fixture(scope='session')
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Pictures in which there is something to be found."""
    folder = tmp_path_factory.mktemp('pictures') / 'scenes'
    write_scenes(folder, num_train=1, num_val=1, num_test=3, size=(320, 240), seed=5)
    return sorted((folder / 'test').iterdir())


@pytest.fixture(scope='session')
def looker() -> Looker:
    return Looker('m2det_r18_scenes', device='cpu')
