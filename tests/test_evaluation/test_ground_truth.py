import json
from pathlib import Path
from unittest.mock import MagicMock

import numpy as np
import pytest
import torch
from mmdet.datasets import CocoDataset
from mmdet.evaluation import CocoMetric

from m2det_mmdet.evaluation import FoundBoxes
from m2det_mmdet.evaluation.figures import SUMMARY, box_figures
from m2det_mmdet.evaluation.ground_truth import found_in, truth_of

# With an image and an object of the id 0, ids out of order, an object of a class that
# nobody asks for, a crowd, and an area that is not that of the box.
CONTENT = {
    'images': [
        {'id': 7, 'file_name': 'a.jpg', 'width': 100, 'height': 80},
        {'id': 0, 'file_name': 'b.jpg', 'width': 60, 'height': 60},
    ],
    'annotations': [
        {'id': 3, 'image_id': 0, 'category_id': 9, 'bbox': [1, 2, 20, 30], 'area': 5,
         'iscrowd': 0},
        {'id': 0, 'image_id': 7, 'category_id': 4, 'bbox': [10, 10, 40, 40],
         'area': 1600, 'iscrowd': 0},
        {'id': 5, 'image_id': 7, 'category_id': 4, 'bbox': [0, 0, 90, 70],
         'area': 6300, 'iscrowd': 1},
        {'id': 6, 'image_id': 7, 'category_id': 5, 'bbox': [0, 0, 9, 7], 'area': 63,
         'iscrowd': 0},
    ],
    'categories': [
        {'id': 4, 'name': 'cat'}, {'id': 5, 'name': 'cow'}, {'id': 9, 'name': 'dog'},
    ],
}  # fmt: skip
CLASSES = ('cat', 'dog')


def dataset_of(tmp_path: Path) -> CocoDataset:
    ann_file = tmp_path / 'annotations.json'
    ann_file.write_text(json.dumps(CONTENT))
    return CocoDataset(
        ann_file=str(ann_file),
        data_prefix={'img': str(tmp_path)},
        metainfo={'classes': CLASSES},
        pipeline=[],
        test_mode=True,
    )


def test_coco_files_are_numbered_anew(tmp_path: Path) -> None:
    truth = truth_of(dataset_of(tmp_path))

    assert [(x['id'], Path(x['file_name']).name) for x in truth.dataset['images']] == [
        (1, 'a.jpg'),
        (2, 'b.jpg'),
    ]
    assert truth.dataset['categories'] == [
        {'id': 1, 'name': 'cat'},
        {'id': 2, 'name': 'dog'},
    ]
    objects = [
        (x['id'], x['image_id'], x['category_id'], x['area'], x['iscrowd'])
        for x in truth.dataset['annotations']
    ]
    assert objects == [(1, 1, 1, 1600, 0), (2, 1, 1, 6300, 1), (3, 2, 2, 5, 0)]


def test_other_datasets_have_boxes_and_ignored_objects() -> None:
    infos = [
        {
            'img_path': '/a.jpg', 'height': 9, 'width': 8, 'instances': [
                {'bbox': [1, 2, 4, 6], 'bbox_label': 1, 'ignore_flag': 0},
                {'bbox': [0, 0, 2, 2], 'bbox_label': 0, 'ignore_flag': 1},
            ],
        }
    ]  # fmt: skip
    dataset = MagicMock(metainfo={'classes': CLASSES}, get_data_info=infos.__getitem__)
    dataset.__len__.return_value = 1

    truth = truth_of(dataset)

    assert truth.dataset['annotations'] == [
        {'id': 1, 'image_id': 1, 'category_id': 2, 'bbox': [1, 2, 3, 4], 'area': 12,
         'iscrowd': 0},
        {'id': 2, 'image_id': 1, 'category_id': 1, 'bbox': [0, 0, 2, 2], 'area': 4,
         'iscrowd': 1},
    ]  # fmt: skip


def test_nothing_found_is_an_empty_result(tmp_path: Path) -> None:
    truth = truth_of(dataset_of(tmp_path))

    found = found_in(truth, [no_boxes(), no_boxes()])

    assert found.anns == {}
    assert len(found.imgs) == 2


def test_figures_are_those_of_the_metric(tmp_path: Path) -> None:
    dataset = dataset_of(tmp_path)
    found = [
        boxes([[11, 11, 49, 52], [5, 5, 80, 70], [0, 0, 9, 9]], [0.9, 0.8, 0.3]),
        boxes([[2, 2, 21, 30], [1, 1, 50, 50]], [0.4, 0.6], label=1),
    ]
    metric = CocoMetric(ann_file=dataset.ann_file, metric='bbox')
    metric.dataset_meta = dataset.metainfo
    metric.process(
        {},
        [
            {
                'img_id': info['img_id'],
                'ori_shape': (info['height'], info['width']),
                'pred_instances': {
                    'bboxes': torch.from_numpy(x.boxes),
                    'scores': torch.from_numpy(x.scores),
                    'labels': torch.from_numpy(x.labels),
                },
            }
            for info, x in zip(map(dataset.get_data_info, (0, 1)), found, strict=True)
        ],
    )
    expected = metric.evaluate(2)

    truth = truth_of(dataset)
    summary = box_figures(truth, found_in(truth, found)).summary

    assert set(summary) == set(SUMMARY)
    for name, key in (('AP', 'mAP'), ('AP50', 'mAP_50'), ('APm', 'mAP_m')):
        # The metric rounds to three digits.
        assert summary[name] == pytest.approx(expected[f'coco/bbox_{key}'], abs=5e-4)
    # The object of the id 0 is found, too.
    assert summary['AP50'] > 0.7


def boxes(rows: list, scores: list[float], label: int = 0) -> FoundBoxes:
    return FoundBoxes(
        np.array(rows, np.float32),
        np.array(scores, np.float32),
        np.full(len(rows), label),
    )


def no_boxes() -> FoundBoxes:
    return FoundBoxes(np.zeros((0, 4)), np.zeros(0), np.zeros(0, int))
