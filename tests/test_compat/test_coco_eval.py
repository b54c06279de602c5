"""Figures of boxes by faster-coco-eval are those of pycocotools."""

import io
import json
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmdet.evaluation import CocoMetric
from mmdet.evaluation.metrics import coco_metric
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from m2det_mmdet.compat.coco_eval import evaluation_of
from m2det_mmdet.datasets.scenes import write_scenes

pytest.importorskip('faster_coco_eval')

SHARED = Path(__file__).parents[3] / 'shared' / 'data'
FILES = {
    'bccd': SHARED / 'bccd' / 'annotations_coco' / 'test.json',
    'coco_tiny': SHARED / 'coco_tiny' / 'annotations' / 'instances_val2017.json',
}


@pytest.mark.parametrize('name', ['scenes', *FILES])
@pytest.mark.parametrize('limits', [(100, 300, 1000), (1, 10, 100)])
def test_all_figures_agree(name: str, limits: tuple[int, ...], tmp_path: Path) -> None:
    if name == 'scenes':
        write_scenes(tmp_path, num_train=1, num_val=6, num_test=1, size=(128, 128))
        file = tmp_path / 'annotations' / 'val.json'
    else:
        file = FILES[name]
    if not file.is_file():
        pytest.skip(f'{name} is not beside the project')
    with redirect_stdout(io.StringIO()):
        truth = COCO(str(file))
        # Crowds are passed over in a way of their own.
        for annotation in list(truth.anns.values())[::7]:
            annotation['iscrowd'] = 1
        found = truth.loadRes(_detections(truth))
        slow, fast = (
            _evaluated(kind(truth, found, 'bbox'), limits)
            for kind in (COCOeval, evaluation_of)
        )

    assert type(fast).__name__ == 'BoxEvaluation'
    assert fast.stats[0] > 0.05
    np.testing.assert_allclose(fast.stats, slow.stats, atol=1e-6, rtol=0)
    for key in ('precision', 'recall'):
        np.testing.assert_allclose(fast.eval[key], slow.eval[key], atol=1e-6, rtol=0)


def test_mmdet_evaluates_boxes_by_it_and_masks_as_before() -> None:
    assert coco_metric.COCOeval is evaluation_of
    empty = COCO()
    empty.dataset = {'images': [], 'annotations': [], 'categories': []}
    empty.createIndex()
    assert type(evaluation_of(empty, empty, 'segm')) is COCOeval


def _detections(truth: COCO) -> list[dict]:
    """Make up detections: near the objects, often of their class, with equal scores.

    Some images get more than a hundred.
    """
    generator = np.random.default_rng(0)
    classes = truth.getCatIds()
    found = []
    for place, (image_id, image) in enumerate(sorted(truth.imgs.items())):
        boxes = [
            (np.array(item['bbox']) + generator.normal(0, 3, 4), item['category_id'])
            for item in truth.imgToAnns[image_id] * 3
        ]
        for _ in range(120 if place < 3 else 5):
            corner = generator.random(2) * (image['width'], image['height'])
            box = np.concatenate((corner, generator.random(2) * 60))
            boxes.append((box, int(generator.choice(classes))))
        for box, label in boxes:
            box[2:] = box[2:].clip(1)
            wrong = generator.random() < 0.2
            found.append(
                {
                    'image_id': image_id,
                    'category_id': int(generator.choice(classes)) if wrong else label,
                    'bbox': box.tolist(),
                    'score': round(generator.random(), 2),
                }
            )
    return found


def _evaluated(evaluation: COCOeval, limits: tuple[int, ...]) -> COCOeval:
    evaluation.params.maxDets = list(limits)
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    return evaluation


@pytest.mark.parametrize('installed', [True, False])
@pytest.mark.parametrize('id_', [0, 1])
def test_objects_without_iscrowd_or_of_the_id_0_are_found(
    id_: int, installed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not installed:
        monkeypatch.setattr('m2det_mmdet.compat.coco_eval.find_spec', lambda name: None)
    boxes = [
        {'image_id': 1, 'category_id': 1, 'bbox': [2, top, 40, 50]} for top in (3, 90)
    ]
    truth = COCO()
    truth.dataset = {
        'images': [{'id': 1}],
        'annotations': [
            {**box, 'id': id_ + place, 'area': 2000} for place, box in enumerate(boxes)
        ],
        'categories': [{'id': 1}],
    }
    truth.createIndex()
    found = truth.loadRes([{**box, 'score': 0.5} for box in boxes])
    evaluation = _evaluated(evaluation_of(truth, found, 'bbox'), (1, 10, 100))

    assert isinstance(evaluation, COCOeval) is not installed
    assert evaluation.stats[0] == pytest.approx(1)


@pytest.mark.parametrize('installed', [True, False])
@pytest.mark.parametrize('area', [0, None, -7, 'missing'])
def test_objects_without_an_area_count_by_that_of_their_box(
    area: Any, installed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not installed:
        monkeypatch.setattr('m2det_mmdet.compat.coco_eval.find_spec', lambda name: None)
    # 40 x 50 = 2000 pixels: COCO's medium objects have from 1024 to 9216.
    box = {'image_id': 1, 'category_id': 1, 'bbox': [2, 3, 40, 50]}
    given = {} if area == 'missing' else {'area': area}
    truth = COCO()
    truth.dataset = {
        'images': [{'id': 1}],
        'annotations': [{**box, **given, 'id': 1}],
        'categories': [{'id': 1}],
    }
    truth.createIndex()
    found = truth.loadRes([{**box, 'score': 0.5}])
    evaluation = _evaluated(evaluation_of(truth, found, 'bbox'), (1, 10, 100))

    assert isinstance(evaluation, COCOeval) is not installed
    all_sizes, small, medium = evaluation.stats[[0, 3, 4]]
    assert (all_sizes, small, medium) == pytest.approx((1, -1, 1))


@pytest.mark.parametrize('fault', ['id 0', 'no area', 'area 0'])
def test_a_perfect_detector_has_an_ap_of_1(fault: str, tmp_path: Path) -> None:
    truth = {'id': 1, 'image_id': 1, 'category_id': 1, 'bbox': [2, 3, 40, 50]}
    truth |= {'id 0': {'id': 0, 'area': 2000}, 'no area': {}, 'area 0': {'area': 0}}[
        fault
    ]
    image = {'id': 1, 'file_name': 'a.jpg', 'width': 64, 'height': 64}
    categories = [{'id': 1, 'name': 'cat'}]
    ann_file = tmp_path / 'ann.json'
    ann_file.write_text(
        json.dumps(
            {'images': [image], 'annotations': [truth], 'categories': categories}
        )
    )
    metric = CocoMetric(ann_file=str(ann_file), metric='bbox')
    metric.dataset_meta = {'classes': ('cat',)}
    found = {
        'bboxes': torch.tensor([[2.0, 3.0, 42.0, 53.0]]),
        'scores': torch.tensor([0.9]),
        'labels': torch.tensor([0]),
    }
    sample = {'img_id': 1, 'ori_shape': (64, 64), 'pred_instances': found}

    metric.process({}, [sample])

    metrics = metric.evaluate(1)
    assert metrics['coco/bbox_mAP'] == pytest.approx(1)
    # 40 x 50 pixels are a medium object.
    assert metrics['coco/bbox_mAP_m'] == pytest.approx(1)
