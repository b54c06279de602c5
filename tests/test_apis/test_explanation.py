import json
import sys
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from mmdet.registry import MODELS
from mmengine.registry import init_default_scope

from m2det_mmdet.apis import LevelsError, M2DetError, explain, explain_data
from m2det_mmdet.compat.environment import PackagesError
from m2det_mmdet.datasets.scenes import write_scenes
from m2det_mmdet.utils.configs import load_config

MODEL = 'm2det_r18_scenes'


@pytest.fixture(scope='module')
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('scenes')
    write_scenes(folder, num_train=1, num_val=1, num_test=4, size=(128, 128))
    return folder


@pytest.fixture
def image(scenes: Path) -> Path:
    return next((scenes / 'test').glob('*.jpg'))


def test_an_image_has_a_page_and_its_figures(image: Path, tmp_path: Path) -> None:
    page = tmp_path / 'new' / 'page.html'
    found = explain(MODEL, image, out=page, device='cpu')
    figures = json.loads(page.with_suffix('.json').read_text())

    assert found.page == page
    first, written = found.objects[0], figures['objects'][0]
    assert written['name'] == found.classes[first.label]
    assert written['levels'] == pytest.approx(first.levels)
    assert sum(written['levels']) + written['constant'] == pytest.approx(
        written['logit'], abs=1e-4
    )
    assert figures['maps'].keys() == found.maps.keys()
    assert found.weights.shape == (2, 4)
    text = page.read_text()
    assert text.count('<img') == 1 + min(4, len(found.maps))
    assert all(f'{part:+.2f}' in text for part in first.evidence)


def test_a_class_is_looked_for_where_nothing_was_found(image: Path) -> None:
    with pytest.raises(M2DetError, match=r'Nothing .* 0\.9999999 or more: lower'):
        explain(MODEL, image, score_thr=0.9999999)
    found = explain(MODEL, image, score_thr=0.9999999, classes=['robot'])

    assert not found.objects
    assert [x.shape for x in found.maps['robot']] == [
        (2, 16, 16),
        (2, 8, 8),
        (2, 4, 4),
        (2, 2, 2),
    ]


def test_figures_of_data_are_means_over_the_objects(
    scenes: Path, tmp_path: Path
) -> None:
    done = []
    result = explain_data(
        MODEL,
        data=scenes,
        split='test',
        out=tmp_path / 'page.html',
        device='cpu',
        on_event=lambda step: done.append((step.batch, step.batches)),
    )
    groups = result.groups
    whole = groups['all']['all']

    assert (result.split, result.images, done[-1]) == ('test', 4, (4, 4))
    assert 0 < whole.objects <= result.objects
    for kind in ('size', 'class', 'supercategory'):
        own = groups[kind].values()
        assert sum(x.objects for x in own) == whole.objects
        mean = sum(np.array(x.evidence) * x.objects for x in own) / whole.objects
        assert mean == pytest.approx(whole.evidence)
        assert np.sum([x.scales for x in own], axis=0) == pytest.approx(whole.scales)
    assert {*groups['supercategory']} <= {'plain', 'textured', 'composed'}
    assert sum(whole.shares) == pytest.approx(1)
    text = (tmp_path / 'page.html').read_text()
    assert f'>{whole.objects:,}</b><span>objects found' in text


def test_an_exported_file_is_named(image: Path) -> None:
    with pytest.raises(LevelsError, match='mine.onnx is an exported file'):
        explain('mine.onnx', image)


@pytest.fixture(scope='module')
def without_levels(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """A detector with an FPN, of random weights: its config and checkpoint."""
    name = 'necks_fpn_r18_scenes'
    init_default_scope('mmdet')
    model = MODELS.build(load_config(name).model)
    path = tmp_path_factory.mktemp('fpn') / 'fpn.pth'
    torch.save({'state_dict': model.state_dict()}, path)
    return name, path


@pytest.mark.slow
@pytest.mark.usefixtures('with_grad_cam')
def test_a_detector_without_levels_is_explained_by_eigencam(
    without_levels: tuple[str, Path], tmp_path: Path
) -> None:
    model, checkpoint = without_levels
    image, page = np.full((60, 120, 3), 90, np.uint8), tmp_path / 'page.html'
    cv2.circle(image, (30, 30), 15, (0, 0, 200), -1)
    found = explain(model, image, checkpoint, out=page, device='cpu')
    figures = json.loads(page.with_suffix('.json').read_text())

    assert (found.method, figures['method']) == ('eigencam', 'eigencam')
    assert 'FPN has no levels' in found.note
    assert figures['note'] == found.note
    assert found.note in page.read_text()
    heat = found.heat['all']
    assert heat.ndim == 2
    assert 0 <= heat.min() < heat.max() <= 1


@pytest.mark.slow
@pytest.mark.usefixtures('with_grad_cam')
def test_classes_have_heat_maps_of_their_own(image: Path, tmp_path: Path) -> None:
    page, classes = tmp_path / 'page.html', ['robot', 'disc']
    found = explain(MODEL, image, method='gradcam', classes=classes, out=page)

    assert (found.method, found.note, [*found.heat]) == ('gradcam', None, classes)
    assert not np.allclose(*found.heat.values())
    # Both, and the image with the boxes.
    assert page.read_text().count('<img') == 3
    with pytest.raises(M2DetError, match='EigenCAM shows no single classes .* robot'):
        explain(MODEL, image, method='eigencam', classes=classes)


def test_levels_that_are_not_there_are_told_of(
    without_levels: tuple[str, Path], image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, checkpoint = without_levels
    # As if grad-cam was not installed.
    for name in [x for x in sys.modules if x.startswith('pytorch_grad_cam')]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, 'pytorch_grad_cam', None)

    with pytest.raises(LevelsError, match='FPN has no levels'):
        explain(model, image, checkpoint, method='levels')
    with pytest.raises(PackagesError, match='FPN has no levels.* EigenCAM needs gra'):
        explain(model, image, checkpoint)


def test_bad_arguments_cost_nothing(image: Path, tmp_path: Path) -> None:
    page = tmp_path / 'page.html'
    page.write_text('mine')
    for options, message in (
        ({'classes': ['robots']}, 'has no class robots: .*robot'),
        ({'out': tmp_path / 'page.png'}, r'page\.png must end in \.html'),
        ({'out': page}, r'page\.html exists'),
        ({'score_thr': 2}, 'score_thr'),
        ({'method': 'cam'}, 'method must be one of levels, gradcam, eigencam, got'),
    ):
        with pytest.raises(M2DetError, match=message):
            explain(MODEL, image, **options)
    assert [*tmp_path.iterdir()] == [page]
    assert page.read_text() == 'mine'


def test_objects_that_nobody_found_explain_nothing(
    trained: SimpleNamespace, scenes: Path
) -> None:
    # After one epoch it finds none with so high a score.
    options = {'model.test_cfg.score_thr': 0.999}
    with pytest.raises(M2DetError, match='found none of the objects'):
        explain_data(
            trained.config,
            trained.checkpoint,
            data=scenes,
            split='test',
            options=options,
        )
