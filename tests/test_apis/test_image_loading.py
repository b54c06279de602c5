from pathlib import Path

import cv2
import numpy as np
import pytest
from mmengine.config import Config

from m2det_mmdet.apis.image_loading import take_reader
from m2det_mmdet.datasets import LoadDeepImageFromFile

REST = {'type': 'Resize', 'scale': (8, 8)}


def _config(loader: dict) -> Config:
    return Config({'test_dataloader': {'dataset': {'pipeline': [loader, REST]}}})


@pytest.fixture
def deep(tmp_path: Path) -> Path:
    cv2.imwrite(str(tmp_path / 'a.png'), np.full((2, 3), 2048, np.uint16))
    return tmp_path / 'a.png'


@pytest.mark.parametrize(
    'kind',
    ['LoadDeepImageFromFile', 'mmdet.LoadDeepImageFromFile', LoadDeepImageFromFile],
)
def test_the_loader_of_deep_images_reads_them(kind: str | type, deep: Path) -> None:
    cfg = _config({'type': kind, 'bits': 12})

    read = take_reader(cfg)

    assert read(deep).tolist() == [[[128] * 3] * 3] * 2
    # mmdet's inferencer looks for this one.
    pipeline = cfg.test_dataloader.dataset.pipeline
    assert pipeline == [{'type': 'LoadImageFromFile'}, REST]


def test_other_loaders_stay(deep: Path) -> None:
    cfg = _config({'type': 'LoadImageFromFile', 'backend_args': None})

    read = take_reader(cfg)

    assert read(deep).max() == 8
    first = cfg.test_dataloader.dataset.pipeline[0]
    assert first == {'type': 'LoadImageFromFile', 'backend_args': None}
