"""Mosaic and mixup of mmdet over our data sets, by the pipelines of the configs."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmdet.datasets import MultiImageMixDataset
from mmdet.registry import DATASETS
from mmdet.structures import DetDataSample

from m2det_mmdet.utils.configs import load_config

OBJECT, CROWD = 0, 1


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four images with an object and a crowd each, and one that is empty."""
    random = np.random.default_rng(0)
    names = [f'{index}.png' for index in range(5)]
    for name in names:
        image = random.integers(255, size=(120, 160, 3), dtype=np.uint8)
        cv2.imwrite(str(tmp_path / name), image)
    objects = [
        {
            'image_id': image,
            'category_id': kind,
            'bbox': [20 + 60 * kind, 20, 50, 80],
            'area': 4000,
            'iscrowd': int(kind == CROWD),
        }
        for image in range(4)
        for kind in (OBJECT, CROWD)
    ]
    content = {
        'images': [
            {'id': index, 'file_name': name, 'width': 160, 'height': 120}
            for index, name in enumerate(names)
        ],
        'annotations': [{'id': n + 1, **item} for n, item in enumerate(objects)],
        'categories': [{'id': 0, 'name': 'object'}, {'id': 1, 'name': 'crowd'}],
    }
    (tmp_path / 'train.json').write_text(json.dumps(content))
    return tmp_path


def mixed(folder: Path, **settings: object) -> MultiImageMixDataset:
    cfg = load_config('m2det_r18_scenes_modern')
    dataset = cfg.train_dataloader.dataset
    dataset.dataset.update(
        data_root=f'{folder}/',
        ann_file='train.json',
        data_prefix={'img': ''},
        metainfo={'classes': ('object', 'crowd')},
        filter_cfg={'filter_empty_gt': False},
        **settings,
    )
    return DATASETS.build(dataset)


def samples(dataset: MultiImageMixDataset) -> list[DetDataSample]:
    np.random.seed(0)
    items = [dataset[index] for _ in range(5) for index in range(len(dataset))]
    assert {tuple(item['inputs'].shape) for item in items} == {(3, 128, 128)}
    return [item['data_samples'] for item in items]


def test_crowds_stay_ignored_and_an_empty_image_is_one_too(folder: Path) -> None:
    found = samples(mixed(folder))

    assert len(found) == 25
    objects = [set(x.gt_instances.labels.tolist()) for x in found]
    crowds = [set(x.ignored_instances.labels.tolist()) for x in found]
    assert set.union(*objects) == {OBJECT}
    assert set.union(*crowds) == {CROWD}
    # Of more than one image.
    assert max(len(x.gt_instances) for x in found) > 2
    for sample in found:
        boxes = sample.gt_instances.bboxes.tensor
        assert (boxes >= 0).all()
        assert (boxes <= 128).all()


def test_an_image_that_cannot_be_read_gives_place_to_another(folder: Path) -> None:
    (folder / '2.png').write_bytes(b'no image')
    dataset = mixed(folder, unreadable='skip')

    assert len(samples(dataset)) == 25
    assert dataset.dataset.skipped == [str(folder / '2.png')]
