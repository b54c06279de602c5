from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import pytest

from m2det_mmdet.analysis.structure import structure_of
from m2det_mmdet.apis import M2DetError, anchor_fitting, fit_anchors
from m2det_mmdet.datasets.faults import Faults
from m2det_mmdet.datasets.layouts.folder import DataFolder, Part
from m2det_mmdet.utils.configs import load_config

SCENES = 'm2det_r18_scenes'
PREFIX = 'model.bbox_head.anchor_generator'
SSD = 'mmdet::ssd/ssd300_coco.py'


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> SimpleNamespace:
    """Give thin objects in the place of those of a folder, and note what was asked."""
    asked = SimpleNamespace(calls=[])

    def read_folder(data: Path, faults: Faults, *, seed: int = 0) -> DataFolder:
        asked.calls.append((data, type(faults), seed))
        annotations = [
            {
                'id': number,
                'image_id': 1,
                'category_id': 1,
                'bbox': [4 * number, 3 * number, 20 + number, 10 + number],
                'area': 200,
            }
            for number in range(1, 21)
        ]
        images = [{'id': 1, 'file_name': '1.jpg', 'width': 128, 'height': 128}]
        content = {
            'images': images,
            'annotations': annotations,
            'categories': [{'id': 1, 'name': 'a'}],
        }
        return DataFolder(
            tmp_path / 'mine', 'coco', ('a',), {'train': Part(data, content)}
        )

    monkeypatch.setattr(anchor_fitting, 'read_folder', read_folder)
    return asked


def test_a_written_config_has_the_anchors_and_builds(
    read: SimpleNamespace, tmp_path: Path
) -> None:
    out = tmp_path / 'new' / 'fitted.py'

    fitted = fit_anchors(SCENES, 'mine', write=out, seed=3)

    assert read.calls == [(Path('mine'), Faults, 3)]
    assert (fitted.config, fitted.head, fitted.images) == (SCENES, 'bbox_head', 1)
    assert fitted.after.recall() > fitted.before.recall()
    assert fitted.written == out
    assert "_base_ = 'm2det::m2det/m2det_r18_scenes.py'" in out.read_text()
    assert max(map(len, out.read_text().splitlines())) <= 88
    cfg, base = load_config(out), load_config(SCENES)
    sizes = fitted.settings['sizes']
    assert cfg.model.bbox_head.anchor_generator.sizes == sizes
    assert sizes == sorted(sizes)
    assert len(sizes) == 5
    head = structure_of(cfg).bbox_head
    assert head.prior_generator.shapes == [[*level] for level in fitted.after.shapes]
    # Nothing else has changed.
    base.merge_from_dict(fitted.options)
    assert cfg.to_dict() == base.to_dict()


@pytest.mark.parametrize(
    ('config', 'base'),
    [
        (SSD, SSD),
        ('own', '../own.py'),
        ('configs/m2det/m2det_r18_scenes.py', 'm2det::m2det/m2det_r18_scenes.py'),
    ],
)
def test_a_written_config_names_its_base_as_any_folder_can(
    config: str,
    base: str,
    read: SimpleNamespace,
    tmp_path: Path,
) -> None:
    if config == 'own':
        config = str(tmp_path / 'own.py')
        Path(config).write_text("_base_ = 'm2det::m2det/m2det_r18_scenes.py'\n")
    out = tmp_path / 'new' / 'fitted.py'

    fitted = fit_anchors(config, 'mine', write=out)

    assert f'_base_ = {base!r}' in out.read_text().splitlines()
    cfg = load_config(out)
    for key, value in fitted.settings.items():
        assert cfg.model.bbox_head.anchor_generator[key] == value


def test_anchors_that_are_kept_write_a_config_without_settings(
    read: SimpleNamespace, tmp_path: Path
) -> None:
    first, second = tmp_path / 'first.py', tmp_path / 'second.py'
    fit_anchors(SCENES, 'mine', write=first)

    fitted = fit_anchors(first, 'mine', write=second)

    assert fitted.settings == fitted.options == {}
    assert fitted.as_config() == ''
    assert "_base_ = 'first.py'" in second.read_text()
    assert load_config(second).model == load_config(first).model


def test_the_table_has_figures_before_and_after(read: SimpleNamespace) -> None:
    fitted = fit_anchors('mmdet::rpn/rpn_r50_fpn_1x_coco.py', 'mine')

    rows = {
        cells[1].strip(): [cell.strip() for cell in cells[2:4]]
        for cells in (line.split('|') for line in fitted.table().splitlines())
    }
    fits = (fitted.before, fitted.after)
    # Both IoUs: of comparisons, and of training.
    assert rows['recall at IoU 0.5'] == [f'{fit.recall(0.5):.3f}' for fit in fits]
    assert rows['recall at IoU 0.7'] == [f'{fit.recall(0.7):.3f}' for fit in fits]
    assert rows['mean best IoU'] == [f'{fit.mean_iou:.3f}' for fit in fits]
    assert rows['small (20)'] == [f'{fit.recall(0.5):.3f}' for fit in fits]
    assert rows['large (0)'] == ['-', '-']


def test_a_picture_is_written(read: SimpleNamespace, tmp_path: Path) -> None:
    out = tmp_path / 'anchors.png'

    fitted = fit_anchors(load_config(SCENES), 'mine', picture=out)

    assert fitted.picture == out
    assert cv2.imread(str(out)).shape == (600, 1600, 3)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'write': 'fitted.txt'}, 'fitted.txt is no name of a config: let it end in'),
        ({'write': 'there.py'}, 'there.py exists: give another name, or --force'),
        ({'write': 'own.py', 'force': True}, 'own.py is the config to inherit from'),
        ({'picture': 'anchors.pdf'}, 'anchors.pdf cannot be a picture'),
        ({'picture': 'there.py/a.png'}, 'is no folder that takes files'),
        ({'seed': -1}, 'seed must be at least 0, got -1.'),
        ({'config': 'm2det_r18_scene'}, 'no config m2det_r18_scene: did you mean'),
    ],
)
def test_wrong_arguments_end_before_any_work(
    options: dict[str, Any],
    message: str,
    read: SimpleNamespace,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path('there.py').write_text('old')
    Path('own.py').write_text("_base_ = 'm2det::m2det/m2det_r18_scenes.py'\n")

    with pytest.raises(M2DetError, match=message):
        fit_anchors(**{'config': 'own.py', 'data': 'mine', **options})

    assert read.calls == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ['own.py', 'there.py']
    assert Path('there.py').read_text() == 'old'


def test_a_config_in_memory_cannot_be_inherited_from(
    read: SimpleNamespace, tmp_path: Path
) -> None:
    with pytest.raises(M2DetError, match='give its path or its name'):
        fit_anchors(load_config(SCENES), 'mine', write=tmp_path / 'fitted.py')


def test_a_detector_without_anchors_writes_nothing(
    read: SimpleNamespace, tmp_path: Path
) -> None:
    config = 'mmdet::fcos/fcos_r50-caffe_fpn_gn-head_1x_coco.py'

    with pytest.raises(M2DetError, match='has no anchors: neither'):
        fit_anchors(config, 'mine', write=tmp_path / 'fitted.py')

    assert list(tmp_path.iterdir()) == []
