import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample
from mmdet.visualization import DetLocalVisualizer
from mmengine.structures import InstanceData

from m2det_mmdet.visualization import draw_predictions, predictions


@pytest.fixture
def sample() -> DetDataSample:
    found = InstanceData(
        bboxes=torch.tensor([[40.0, 20.0, 160.0, 80.0]]),
        scores=torch.tensor([0.9]),
        labels=torch.tensor([0]),
    )
    return DetDataSample(pred_instances=found)


def _draw(sample: DetDataSample) -> np.ndarray:
    visualizer = DetLocalVisualizer(name='predictions', line_width=1)
    visualizer.dataset_meta = {'classes': ('cell',), 'palette': [(255, 0, 0)]}
    image = np.full((100, 200, 3), 255, np.uint8)
    return draw_predictions(visualizer, image, sample, score_thr=0.3)


def _frame(picture: np.ndarray) -> tuple[int, ...]:
    """Return the last row and columns where red is drawn."""
    rows, columns = np.nonzero(picture[..., 0] < 200)
    return rows.max(), columns.min(), columns.max()


def test_a_picture_has_the_size_of_its_image(sample: DetDataSample) -> None:
    picture = _draw(sample)

    assert picture.shape == (100, 200, 3)
    np.testing.assert_allclose(_frame(picture), (80, 40, 160), atol=1.5)


def test_a_picture_of_a_huge_image_is_smaller(
    sample: DetDataSample, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A quarter of the pixels: half of the width and height.
    monkeypatch.setattr(predictions, '_MOST_PIXELS', 5000)

    picture = _draw(sample)

    assert picture.shape == (50, 100, 3)
    np.testing.assert_allclose(_frame(picture), (40, 20, 80), atol=1.5)
    # What was found stays in pixels of the image.
    assert sample.pred_instances.bboxes.tolist() == [[40, 20, 160, 80]]
