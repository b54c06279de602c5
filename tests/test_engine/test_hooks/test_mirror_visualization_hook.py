import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from m2det_mmdet import apis
from m2det_mmdet.visualization import BoxVisualizer

NAMES = ('a/x.jpg', 'b/x.jpg', 'b/x')


@pytest.fixture
def options(trained: SimpleNamespace, tmp_path: Path) -> dict:
    """Settings for test data in two folders."""
    content = json.loads((trained.scenes / 'annotations' / 'val.json').read_text())
    for image, name in zip(content['images'], NAMES, strict=True):
        path = tmp_path / 'images' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(trained.scenes / 'val' / image['file_name'], path)
        image['file_name'] = name
    ann_file = tmp_path / 'ann.json'
    ann_file.write_text(json.dumps(content))
    return {
        'test_dataloader.dataset.data_root': None,
        'test_dataloader.dataset.ann_file': str(ann_file),
        'test_dataloader.dataset.data_prefix.img': str(tmp_path / 'images'),
        'test_evaluator.ann_file': str(ann_file),
    }


@pytest.mark.parametrize('kind', ['DetVisualizationHook', 'mmdet.DetVisualizationHook'])
def test_each_image_of_a_test_has_a_picture_of_its_own(
    kind: str, trained: SimpleNamespace, options: dict, tmp_path: Path
) -> None:
    options['default_hooks.visualization.type'] = kind

    apis.evaluate(
        trained.config,
        trained.checkpoint,
        work_dir=tmp_path / 'work',
        show_dir='shown',
        options=options,
    )

    (folder,) = (tmp_path / 'work').glob('*/shown')
    shown = [x.relative_to(folder).as_posix() for x in folder.rglob('*') if x.is_file()]
    assert sorted(shown) == ['a/x.jpg', 'b/x.jpg', 'b/x.jpg.jpg']
    for name, picture in zip(NAMES, ('a/x.jpg', 'b/x.jpg', 'b/x.jpg.jpg'), strict=True):
        image = cv2.imread(str(tmp_path / 'images' / name)).astype(int)
        drawn = cv2.imread(str(folder / picture)).astype(int)
        # Ground truth is left; most of an image is not drawn over.
        assert drawn.shape == (128, 256, 3)
        assert np.median(abs(drawn[:, :128] - image)) < 5


def test_a_picture_does_not_replace_its_image(
    trained: SimpleNamespace, options: dict, tmp_path: Path
) -> None:
    images = tmp_path / 'images'
    before = {name: (images / name).read_bytes() for name in NAMES}

    with pytest.raises(
        apis.M2DetError, match=r'picture .*a/x\.jpg would replace the image that it'
    ):
        apis.evaluate(
            trained.config,
            trained.checkpoint,
            work_dir=tmp_path / 'work',
            show_dir=images,
            options=options,
        )

    assert {name: (images / name).read_bytes() for name in NAMES} == before


def test_a_picture_that_fails_costs_itself_alone(
    trained: SimpleNamespace,
    options: dict,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    draw = BoxVisualizer.add_datasample

    def fail(self: BoxVisualizer, name: str, *args: Any, **kwargs: Any) -> None:
        if name.endswith('a/x.jpg'):
            raise ValueError('too large')
        draw(self, name, *args, **kwargs)

    monkeypatch.setattr(BoxVisualizer, 'add_datasample', fail)

    result = apis.evaluate(
        trained.config,
        trained.checkpoint,
        work_dir=tmp_path / 'work',
        show_dir='shown',
        options=options,
    )

    assert len(list((tmp_path / 'work').glob('*/shown/b/*'))) == 2
    assert result.metrics
    warning = 'a/x.jpg has no picture: drawing it fails (ValueError: too large ('
    assert warning in capsys.readouterr().err
