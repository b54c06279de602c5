"""Files of each format, beside the detector that they were made of."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from mmdet.apis import DetInferencer

from m2det_mmdet.apis import inspect_file
from m2det_mmdet.export.runtimes.opening import open_exported
from m2det_mmdet.models.utils.suppression import select

slow = pytest.mark.slow


@pytest.mark.parametrize(
    'suffix',
    ['onnx', pytest.param('xml', marks=slow), pytest.param('pt2', marks=slow)],
)
def test_a_file_finds_what_the_detector_finds(
    suffix: str, detector: DetInferencer, exported: Callable
) -> None:
    result = exported(f'scenes.{suffix}')
    images = torch.randn(3, 3, 128, 128, generator=torch.Generator().manual_seed(7))

    found = open_exported(result.path).run(images.numpy())

    model = detector.model
    with torch.no_grad():
        outputs = model.bbox_head(model.extract_feat(images))
        boxes, scores = model.bbox_head.decode(*outputs, (128, 128))
    boxes = boxes.clamp(min=0, max=128)
    for image, expected in enumerate(select(boxes, scores, model.test_cfg)):
        count = len(expected.labels)
        assert count > 10
        assert found['labels'][image, :count].tolist() == expected.labels.tolist()
        assert (found['labels'][image, count:] == -1).all()
        np.testing.assert_allclose(
            found['boxes'][image, :count], expected.bboxes, atol=1e-3
        )
        np.testing.assert_allclose(
            found['scores'][image, :count], expected.scores, atol=1e-5
        )


def test_what_was_compared_is_told(exported: Callable) -> None:
    compared = exported('scenes.onnx').compared

    assert [x.shape[0] for x in compared] == [1, 2, 5, 1]
    assert [x.what for x in compared][-1] == 'a blank image'
    assert all(0 < x.outputs < 1e-4 for x in compared[:3])
    assert all(x.scores <= 1e-5 for x in compared)
    assert compared[0].found > 10
    assert all(x.others == 0 for x in compared)


def test_a_file_tells_what_it_is(exported: Callable) -> None:
    metadata = inspect_file(exported('scenes.onnx').path)

    assert metadata == exported('scenes.onnx').metadata
    assert metadata.name == 'm2det_r18_scenes'
    assert metadata.classes[:2] == ('disc', 'square')
    assert (metadata.size, metadata.batch) == ((128, 128), None)
    assert metadata.preparation.rgb
    assert metadata.preparation.mean == pytest.approx((123.675, 116.28, 103.53))
    assert metadata.suppression['method'] == 'linear'
    assert metadata.suppression['score_thr'] == 0.05
    assert 'M2DetHead' in metadata.config


@slow
def test_hard_suppression_and_none(exported: Callable) -> None:
    hard = exported('hard.onnx', nms='hard', batch=1)
    none = exported('none.onnx', nms='none', batch=1)
    images = np.random.default_rng(0).normal(size=(1, 3, 128, 128)).astype('float32')

    kept = open_exported(hard.path).run(images)
    all_ = open_exported(none.path).run(images)

    assert hard.metadata.suppression['method'] == 'naive'
    assert none.metadata.suppression is None
    assert all_['all_scores'].shape == (1, 680, 10)
    # Hard suppression lowers no score: each is one of those of all anchors.
    count = int((kept['labels'] >= 0).sum())
    assert count > 5
    for score, label in zip(kept['scores'][0, :count], kept['labels'][0], strict=False):
        assert np.abs(all_['all_scores'][0, :, label] - score).min() < 1e-6


@slow
def test_a_graph_of_any_size_has_anchors_that_follow_the_maps(
    detector: DetInferencer, exported: Callable
) -> None:
    result = exported('any.onnx', size='dynamic', nms='none')
    model = detector.model

    for size in ((128, 128), (128, 192), (224, 160)):
        images = torch.randn(2, 3, *size)
        found = open_exported(result.path).run(images.numpy())
        with torch.no_grad():
            outputs = model.bbox_head(model.extract_feat(images))
            boxes, _ = model.bbox_head.decode(*outputs, size)
        limit = torch.tensor([size[1], size[0]] * 2)
        expected = boxes.clamp(min=0).minimum(limit)
        np.testing.assert_allclose(found['all_boxes'], expected, atol=1e-2)


@slow
def test_a_file_that_prepares_images_gives_boxes_in_their_pixels(
    detector: DetInferencer, exported: Callable
) -> None:
    result = exported('inside.onnx', preprocess=True)
    image = np.random.default_rng(1).integers(0, 256, (128, 128, 3), dtype=np.uint8)
    # Of the network's own size, so that nothing is resized, and twice as wide.
    wide = image.repeat(2, axis=1)

    found = open_exported(result.path).run(image[None])
    large = open_exported(result.path).run(wide[None])

    expected = detector(image, return_datasamples=True)['predictions'][0]
    count = len(expected.pred_instances)
    assert count > 5
    assert (
        found['labels'][0, :count].tolist() == expected.pred_instances.labels.tolist()
    )
    np.testing.assert_allclose(
        found['boxes'][0, :count], expected.pred_instances.bboxes, atol=0.01
    )
    assert large['boxes'][..., 2].max() > 128
    assert large['boxes'][..., 3].max() <= 128


@slow
def test_sizes_and_batches_may_be_fixed(exported: Callable) -> None:
    result = exported('fixed.onnx', size=(96, 160), batch=2, nms='none')
    images = np.zeros((2, 3, 96, 160), np.float32)

    assert open_exported(result.path).run(images)['all_boxes'].shape[0] == 2
    assert (result.metadata.size, result.metadata.batch) == ((96, 160), 2)
    assert [x.shape for x in result.compared] == [(2, 3, 96, 160)] * 2
