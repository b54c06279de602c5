"""An exported file in the place of a detector, of known answers."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from mmdet.structures import DetDataSample

from m2det_mmdet.export.detector import ExportedDetector
from m2det_mmdet.export.errors import ExportError

from .conftest import CLASSES


def _samples(
    *shapes: tuple[int, int], factor: tuple[float, float] = (2.0, 4.0)
) -> list:
    return [
        DetDataSample(metainfo={'img_shape': shape, 'scale_factor': factor})
        for shape in shapes
    ]


def _detector(file: Path, **options: Any) -> ExportedDetector:
    return ExportedDetector(str(file), CLASSES, device='cpu', **options)


def _pixels(*values: float, size: tuple[int, int] = (128, 128)) -> torch.Tensor:
    return torch.stack([torch.full((3, *size), value) for value in values])


def test_boxes_are_those_of_the_image(tiny_file: Callable[..., Path]) -> None:
    samples = _samples((128, 128), (128, 128))

    found = _detector(tiny_file()).predict(_pixels(0.5, 1.0), samples)

    first, second = (sample.pred_instances for sample in found)
    # Half as wide, a quarter as high; the third row is no box.
    assert first.bboxes.tolist() == [[4, 4, 20, 16], [32, 16, 64, 32]]
    assert first.labels.tolist() == [1, 0]
    torch.testing.assert_close(first.scores, torch.tensor([0.5, 0.25]))
    torch.testing.assert_close(second.scores, torch.tensor([1.0, 0.5]))


def test_boxes_can_stay_in_pixels_of_the_input(tiny_file: Callable[..., Path]) -> None:
    found = _detector(tiny_file()).predict(
        _pixels(0.5), _samples((128, 128)), rescale=False
    )

    assert found[0].pred_instances.bboxes[0].tolist() == [8, 16, 40, 64]


@pytest.mark.parametrize(('clip', 'right'), [(True, 100.0), (False, 128.0)])
def test_boxes_end_where_the_padding_begins(
    tiny_file: Callable[..., Path], clip: bool, right: float
) -> None:
    found = _detector(tiny_file(), clip_border=clip).predict(
        _pixels(0.5), _samples((128, 100)), rescale=False
    )

    assert found[0].pred_instances.bboxes[1].tolist() == [64, 64, right, 128]


def test_a_smaller_input_is_padded_to_the_size_of_the_graph(
    tiny_file: Callable[..., Path],
) -> None:
    preprocessor = {'type': 'DetDataPreprocessor', 'pad_value': 2}
    detector = _detector(tiny_file(), data_preprocessor=preprocessor)

    found = detector.predict(_pixels(1.0, size=(128, 64)), _samples((128, 64)))

    # Half of the pixels are 1, the others 2.
    assert found[0].pred_instances.scores[0].item() == pytest.approx(1.5)


@pytest.mark.parametrize('number', [1, 2, 3, 5])
def test_a_fixed_batch_takes_any_number_of_images(
    tiny_file: Callable[..., Path], number: int
) -> None:
    values = [(i + 1) / 8 for i in range(number)]

    found = _detector(tiny_file(batch=2)).predict(
        _pixels(*values), _samples(*[(128, 128)] * number)
    )

    assert [x.pred_instances.scores[0].item() for x in found] == values


def test_a_graph_that_prepares_images_gets_each_as_it_is(
    tiny_file: Callable[..., Path],
) -> None:
    # What the data preprocessor makes of two sizes: padded with 0 to the larger one.
    inputs = torch.zeros(2, 3, 200, 150)
    inputs[0, :, :100, :150], inputs[1, :, :200, :130] = 10, 20

    found = _detector(tiny_file(inside=True)).predict(
        inputs, _samples((100, 150), (200, 130))
    )

    assert [x.pred_instances.scores[0].item() for x in found] == [10, 20]
    # They are in pixels of the image already.
    assert found[0].pred_instances.bboxes[0].tolist() == [8, 16, 40, 64]


def test_a_graph_without_suppression_gets_that_of_the_config(
    tiny_file: Callable[..., Path],
) -> None:
    nms = {'type': 'nms', 'iou_threshold': 0.5}
    test_cfg = {'score_thr': 0.3, 'nms': nms, 'max_per_img': 5}

    found = _detector(tiny_file(raw=True), test_cfg=test_cfg).predict(
        _pixels(0.5, 1.0), _samples((128, 128), (128, 128))
    )

    first, second = (sample.pred_instances for sample in found)
    assert first.scores.tolist() == [0.5]
    assert second.scores.tolist() == [1.0, 0.5]
    assert second.labels.tolist() == [0, 1]
    assert second.bboxes.tolist() == [[4, 4, 20, 16], [32, 16, 64, 32]]


def test_the_file_is_opened_when_it_is_needed(tmp_path: Path) -> None:
    detector = _detector(tmp_path / 'gone.onnx')

    with pytest.raises(ExportError, match=r'There is no file .*gone\.onnx'):
        detector.predict(_pixels(0.5), _samples((128, 128)))


def test_it_cannot_be_trained(tiny_file: Callable[..., Path]) -> None:
    with pytest.raises(ExportError, match='predicts and does no more'):
        _detector(tiny_file())(_pixels(0.5), _samples((128, 128)), mode='loss')
