import json
from pathlib import Path

import pytest
import torch
from mmdet.registry import METRICS


def _metrics(path: Path, categories: list[dict]) -> dict[str, float]:
    """Evaluate one image with an object of each of the first three classes.

    Detections: class 0 exact, class 1 none, class 2 exact.
    """
    boxes = [[0, 0, 40, 40], [50, 50, 40, 40], [0, 50, 40, 40]]
    annotations = [
        {
            'id': index + 1,
            'image_id': 5,
            'category_id': index,
            'bbox': box,
            'area': 1600,
            'iscrowd': 0,
        }
        for index, box in enumerate(boxes)
    ]
    images = [{'id': 5, 'file_name': 'a.jpg', 'width': 100, 'height': 100}]
    path.write_text(
        json.dumps(
            {'images': images, 'categories': categories, 'annotations': annotations}
        )
    )
    metric = METRICS.build({'type': 'mmdet.GradedCocoMetric', 'ann_file': str(path)})
    metric.dataset_meta = {'classes': tuple(item['name'] for item in categories)}
    predictions = {
        'bboxes': torch.tensor([[0.0, 0.0, 40.0, 40.0], [0.0, 50.0, 40.0, 90.0]]),
        'scores': torch.tensor([0.9, 0.8]),
        'labels': torch.tensor([0, 2]),
    }
    sample = {'img_id': 5, 'ori_shape': (100, 100), 'pred_instances': predictions}

    metric.process({}, [sample])
    return metric.evaluate(size=1)


def test_each_supercategory_has_its_ap(tmp_path: Path) -> None:
    # Three classes in two groups, and one without objects: group means (1 + 0) / 2
    # and 1.
    groups = ('plain', 'plain', 'composed', 'composed')
    categories = [
        {'id': index, 'name': f'class{index}', 'supercategory': group}
        for index, group in enumerate(groups)
    ]

    metrics = _metrics(tmp_path / 'ann.json', categories)

    assert metrics['coco/bbox_mAP_plain'] == pytest.approx(0.5)
    assert metrics['coco/bbox_mAP_composed'] == pytest.approx(1)
    assert metrics['coco/bbox_mAP'] == pytest.approx(2 / 3, abs=5e-4)


def test_categories_without_a_group_give_cocos_figures_alone(tmp_path: Path) -> None:
    categories = [{'id': index, 'name': f'class{index}'} for index in range(3)]

    metrics = _metrics(tmp_path / 'ann.json', categories)

    assert metrics['coco/bbox_mAP'] == pytest.approx(2 / 3, abs=5e-4)
    cocos = {'', '_50', '_75', '_s', '_m', '_l', '_copypaste'}
    groups = {name.removeprefix('coco/bbox_mAP') for name in metrics if 'bbox' in name}
    assert groups <= cocos
