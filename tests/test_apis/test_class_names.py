import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from mmengine.config import Config

from m2det_mmdet import apis
from m2det_mmdet.analysis.structure import structure_of
from m2det_mmdet.apis.class_names import class_names

PETS = ('cat', 'dog', 'fish')


@pytest.fixture
def names_of(trained: SimpleNamespace) -> Callable[..., tuple[str, ...]]:
    """The names for a head of three classes."""

    def names(dataset: dict, **meta: Any) -> tuple[str, ...]:
        cfg = Config.fromfile(trained.config)
        cfg.model.bbox_head.num_classes = 3
        cfg.test_dataloader = {
            'dataset': {'test_mode': True, 'pipeline': [], **dataset}
        }
        return class_names(structure_of(cfg), {'meta': meta} if meta else {}, cfg)

    return names


@pytest.mark.parametrize(
    'meta',
    [
        {'dataset_meta': {'classes': PETS}},
        {'dataset_meta': {'CLASSES': list(PETS)}},
        {'CLASSES': PETS},
    ],
    ids=['now', 'in capitals', 'before mmdet 3'],
)
def test_those_of_the_checkpoint_come_first(meta: dict, names_of: Callable) -> None:
    dataset = {'type': 'CocoDataset', 'metainfo': {'classes': ('a', 'b', 'c')}}

    assert names_of(dataset, **meta) == PETS


@pytest.mark.parametrize(
    'meta', [{}, {'epoch': 3}, {'dataset_meta': {'classes': 'ab'}}]
)
def test_those_of_the_config_come_next(meta: dict, names_of: Callable) -> None:
    dataset = {'type': 'CocoDataset', 'metainfo': {'classes': PETS}}

    assert names_of(dataset, **meta) == PETS


def test_a_type_of_data_has_names(trained: SimpleNamespace) -> None:
    cfg = Config.fromfile(trained.config)
    cfg.model.bbox_head.num_classes = 20
    cfg.test_dataloader = {
        'dataset': {'type': 'VOCDataset', 'data_root': '/VOC2007', 'pipeline': []}
    }

    names = class_names(structure_of(cfg), {}, cfg)

    assert names[0] == 'aeroplane'
    assert len(names) == 20


def test_annotations_have_names(names_of: Callable, tmp_path: Path) -> None:
    categories = [{'id': 9 - i, 'name': name} for i, name in enumerate(PETS)]
    content = {'images': [], 'annotations': [], 'categories': categories}
    (tmp_path / 'ann.json').write_text(json.dumps(content))

    # Those of the type are COCO's 80.
    for kind in ('BaseDetDataset', 'CocoDataset'):
        dataset = {'type': kind, 'data_root': str(tmp_path), 'ann_file': 'ann.json'}
        assert names_of(dataset) == PETS


def test_names_of_another_number_are_refused(names_of: Callable) -> None:
    with pytest.raises(
        apis.M2DetError,
        match=r'neither in the checkpoint nor .*small\.py \(model\.bbox_head predicts '
        r'3 classes, but .* 80 .*\): set test_dataloader\.dataset\.metainfo\.classes',
    ):
        names_of({'type': 'CocoDataset', 'ann_file': 'absent.json'})
    with pytest.raises(apis.M2DetError, match='neither has any'):
        names_of({'type': 'BaseDetDataset'})


def test_weights_alone_are_predicted_with_the_names_of_the_config(
    trained: SimpleNamespace, tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    bare = tmp_path / 'bare.pth'
    whole = torch.load(trained.checkpoint, weights_only=False)
    torch.save(whole['state_dict'], bare)
    image = trained.scenes / 'val' / '000001.jpg'

    found, expected = (
        apis.predict(trained.config, image, checkpoint=weights).predictions[0]
        for weights in (bare, trained.checkpoint)
    )

    classes = Config.fromfile(trained.config).classes
    assert found.names == expected.names == tuple(classes[x] for x in found.labels)
    assert len(found.names) == 5
    assert not [x for x in recwarn if 'COCO classes' in str(x.message)]


def test_a_config_without_test_data_is_named(trained: SimpleNamespace) -> None:
    cfg = Config.fromfile(trained.config)
    cfg.pop('test_dataloader')

    with pytest.raises(apis.M2DetError, match=r'small\.py has no test_dataloader'):
        apis.predict(cfg, trained.scenes / 'val', checkpoint=trained.checkpoint)


def test_a_config_needs_no_visualizer(trained: SimpleNamespace, tmp_path: Path) -> None:
    cfg = Config.fromfile(trained.config)
    cfg.pop('visualizer')

    images = trained.scenes / 'val'
    result = apis.predict(cfg, images, tmp_path, checkpoint=trained.checkpoint)

    assert len(list(result.pictures.iterdir())) == 3
