from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample
from mmdet.visualization import DetLocalVisualizer
from mmengine.structures import InstanceData

from m2det_mmdet.visualization import BoxVisualizer

GRAY = 90
# RGB.
IMAGE = np.full((100, 200, 3), (60, GRAY, 30), np.uint8)


@pytest.fixture
def visualizer() -> BoxVisualizer:
    visualizer = BoxVisualizer(name='boxes')
    visualizer.dataset_meta = {'classes': ('cell',)}
    return visualizer


def _sample(*, scores: tuple[float, ...] = (0.9,)) -> DetDataSample:
    box, label = torch.tensor([[40.0, 30.0, 90.0, 80.0]]), torch.tensor([0])
    count = len(scores)
    return DetDataSample(
        gt_instances=InstanceData(bboxes=box, labels=label),
        pred_instances=InstanceData(
            bboxes=box.repeat(count, 1) + 5,
            labels=label.repeat(count),
            scores=torch.tensor(scores),
        ),
    )


def _draw(
    visualizer: BoxVisualizer, folder: Path, sample: DetDataSample, **options: object
) -> np.ndarray:
    out = folder / 'out' / 'x.png'
    visualizer.add_datasample('x', IMAGE, sample, out_file=str(out), **options)
    return cv2.imread(str(out))


def test_ground_truth_is_left_and_predictions_right(
    visualizer: BoxVisualizer, tmp_path: Path
) -> None:
    picture = _draw(visualizer, tmp_path, _sample())

    assert picture.shape == (100, 400, 3)
    # The left sides of the boxes, and nothing beside them.
    drawn = (picture[60] != (30, GRAY, 60)).any(axis=1)
    assert drawn.nonzero()[0].tolist() == [40, 89, 245, 294]
    # The first colour of all is more red than blue, which is first here.
    assert picture[60, 40, 2] > 200 > picture[60, 40, 0]


def test_scores_below_the_threshold_are_not_drawn(
    visualizer: BoxVisualizer, tmp_path: Path
) -> None:
    picture = _draw(
        visualizer, tmp_path, _sample(scores=(0.2,)), draw_gt=False, pred_score_thr=0.3
    )

    assert (picture[..., ::-1] == IMAGE).all()


def test_masks_are_drawn_by_the_parent(
    visualizer: BoxVisualizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = []
    monkeypatch.setattr(
        DetLocalVisualizer, 'add_datasample', lambda *args, **_: drawn.append(args[3])
    )
    sample = _sample()
    sample.pred_instances.masks = torch.zeros(1, 100, 200, dtype=torch.bool)

    visualizer.add_datasample('x', IMAGE, sample)
    visualizer.add_datasample('x', IMAGE, None)

    assert drawn == [sample, None]


def test_a_picture_without_a_file_is_shown_and_logged(
    visualizer: BoxVisualizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown, logged = [], []
    monkeypatch.setattr(
        visualizer, 'show', lambda image, **options: shown.append((image, options))
    )
    monkeypatch.setattr(visualizer, 'add_image', lambda *args: logged.append(args))

    visualizer.add_datasample('x', IMAGE, _sample(), show=True, wait_time=2, step=3)

    ((image, options),) = shown
    assert options == {'win_name': 'x', 'wait_time': 2}
    # RGB: red is first.
    assert image[60, 40, 0] > 200
    assert logged[0][0] == 'x'
    assert logged[0][2] == 3
    assert (logged[0][1] == image).all()
