import json
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from m2det_mmdet.apis.evaluation_data import use_folder, use_split
from m2det_mmdet.utils.configs import load_config
from m2det_mmdet.utils.errors import M2DetError


def write_voc(folder: Path, objects: dict[str, str]) -> Path:
    """Write images with one object each, the labels beside them."""
    folder.mkdir()
    for name, kind in objects.items():
        image = np.random.default_rng(len(name)).integers(0, 255, (40, 40, 3))
        cv2.imwrite(str(folder / f'{name}.png'), image)
        (folder / f'{name}.xml').write_text(
            f'<annotation><filename>{name}.png</filename><size><width>40</width>'
            '<height>40</height><depth>3</depth></size><object>'
            f'<name>{kind}</name><bndbox><xmin>5</xmin><ymin>5</ymin><xmax>25</xmax>'
            '<ymax>25</ymax></bndbox></object></annotation>'
        )
    return folder


def test_another_split_is_tested_as_test_images_are(trained: SimpleNamespace) -> None:
    cfg = load_config(trained.config)
    pipeline = cfg.test_dataloader.dataset.pipeline

    use_split(cfg, 'train')

    dataset = cfg.test_dataloader.dataset
    assert dataset.ann_file == str(trained.scenes / 'annotations' / 'train.json')
    assert dataset.pipeline == pipeline
    assert cfg.test_evaluator.ann_file == dataset.ann_file


def test_a_split_that_is_missing_is_told(trained: SimpleNamespace) -> None:
    cfg = load_config(trained.config)
    cfg.pop('val_dataloader')

    with pytest.raises(M2DetError, match='has no val data: choose one of train, test'):
        use_split(cfg, 'val')


def test_all_images_of_a_folder_without_splits_are_used(
    trained: SimpleNamespace, tmp_path: Path
) -> None:
    kinds = {f'{"x" * number}': 'robot' for number in range(1, 8)} | {'y' * 9: 'disc'}
    data = write_voc(tmp_path / 'data', kinds)
    cfg = load_config(trained.config)
    classes = ('disc', 'square', 'robot')

    split, problems = use_folder(cfg, data, None, classes, tmp_path / 'out')

    assert (split, problems) == ('all', ())
    content = json.loads((tmp_path / 'out' / 'all.json').read_text())
    assert len(content['images']) == 8
    # Classes are those of the detector, in its order.
    assert [x['name'] for x in content['categories']] == list(classes)
    names = {x['id']: x['file_name'] for x in content['images']}
    found = {names[x['image_id']]: x['category_id'] for x in content['annotations']}
    assert found['x.png'] == 3
    assert found[f'{"y" * 9}.png'] == 1
    assert cfg.test_dataloader.dataset.metainfo.classes == classes


def test_a_folder_of_a_single_image_is_used(
    trained: SimpleNamespace, tmp_path: Path
) -> None:
    data = write_voc(tmp_path / 'data', {'x': 'robot'})

    split, _ = use_folder(
        load_config(trained.config), data, None, ('robot',), tmp_path / 'out'
    )

    assert split == 'all'
    content = json.loads((tmp_path / 'out' / 'all.json').read_text())
    assert [image['file_name'] for image in content['images']] == ['x.png']


def test_a_class_that_the_detector_does_not_know_is_told(
    trained: SimpleNamespace, tmp_path: Path
) -> None:
    kinds = {'a': 'robott', 'bb': 'disc', 'ccc': 'disc'}
    data = write_voc(tmp_path / 'data', kinds)
    cfg = load_config(trained.config)

    with pytest.raises(M2DetError, match=r'the class robott.*did you mean robot'):
        use_folder(cfg, data, None, ('disc', 'robot'), tmp_path / 'out')
    assert not (tmp_path / 'out').exists()


def test_a_split_that_a_folder_lacks_is_told(
    trained: SimpleNamespace, tmp_path: Path
) -> None:
    data = write_voc(tmp_path / 'data', {'a': 'disc', 'bb': 'disc', 'ccc': 'disc'})
    cfg = load_config(trained.config)

    with pytest.raises(M2DetError, match='no split test: choose one of train, val'):
        use_folder(cfg, data, 'test', ('disc',), tmp_path / 'out')


def test_several_loaders_are_told(trained: SimpleNamespace) -> None:
    cfg = load_config(trained.config)
    cfg.val_dataloader = [cfg.val_dataloader, cfg.val_dataloader]

    with pytest.raises(
        M2DetError, match='val_dataloader of .* give one, with a Concat'
    ):
        use_split(cfg, 'val')


def test_images_that_are_left_out_are_told(
    trained: SimpleNamespace, tmp_path: Path
) -> None:
    kinds = {'a': 'disc', 'bb': 'disc', 'ccc': 'disc', 'dddd': 'disc'}
    data = write_voc(tmp_path / 'data', kinds)
    (data / 'bb.png').unlink()
    cfg = load_config(trained.config)

    split, problems = use_folder(cfg, data, None, ('disc',), tmp_path / 'out')

    assert len(json.loads((tmp_path / 'out' / 'all.json').read_text())['images']) == 3
    (problem,) = problems
    assert problem.startswith('1 ')
    assert 'bb' in problem
