"""What the pages show is tried: whole configs, and programs."""

import inspect
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import mmcv.ops
import numpy as np
import pytest
import torch
from mmdet.registry import DATASETS, HOOKS, MODELS, TRANSFORMS
from mmengine.runner import Runner

from m2det_mmdet import Detector, Prediction
from m2det_mmdet.analysis.structure import structure_of
from m2det_mmdet.convert import to_release
from m2det_mmdet.utils.configs import load_config
from m2det_mmdet.utils.video_files import VideoFile

ROOT = Path(__file__).parents[1]
PAGES = [
    ROOT / 'README.md',
    *sorted((ROOT / 'docs').glob('*.md')),
    *sorted((ROOT / 'configs').rglob('README.md')),
]
OWN_NECK = 'docs/own_neck.md'
# A network of the authors' release that is quick to build.
SMALL_RELEASE = """
_base_ = 'm2det::m2det/release/m2det_vgg_320_release.py'
model = dict(neck=dict(num_levels=1), bbox_head=dict(num_classes=2))
"""


def blocks() -> Iterator[tuple[str, str]]:
    """Yield the place of each block of Python in the pages, and its text."""
    for page in PAGES:
        text = page.read_text()
        for match in re.finditer(r'^```python\n(.*?)^```$', text, re.S | re.M):
            line = text[: match.start()].count('\n') + 1
            yield f'{page.relative_to(ROOT).as_posix()}:{line}', match[1]


# Blocks of `py` are of other packages.
PYTHON = dict(blocks())
CONFIGS = {place: text for place, text in PYTHON.items() if '_base_ = ' in text}
PROGRAMS = {place: text for place, text in PYTHON.items() if place not in CONFIGS}


def write(folder: Path, text: str) -> Path:
    """Write a config to a folder of its own."""
    path = folder / 'mine.py'
    path.write_text(text)
    return path


@pytest.fixture(autouse=True)
def nms_of_mmcv() -> Iterator[None]:
    """Give back mmcv's soft-NMS, which a config of the pages replaces."""
    places = (mmcv.ops, import_module('mmcv.ops.nms'))
    originals = [place.soft_nms for place in places]
    yield
    for place, original in zip(places, originals, strict=True):
        place.soft_nms = original
    for package in ('ops', 'compat'):
        sys.modules.pop(f'm2det_mmdet.{package}.fast_nms', None)


@pytest.fixture
def own_neck(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Write the neck and the config of the page on them, as its reader does."""
    neck, config, *_ = (
        text for place, text in PYTHON.items() if place.startswith(OWN_NECK)
    )
    (tmp_path / 'my_neck.py').write_text(neck)
    write(tmp_path, config)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    MODELS.module_dict.pop('AddDown', None)
    sys.modules.pop('my_neck', None)


@pytest.mark.parametrize('place', CONFIGS)
def test_a_config_builds_and_its_parts_fit(
    place: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if 'TimmBackbone' in CONFIGS[place]:
        request.getfixturevalue('with_timm')
    if place.startswith(OWN_NECK):
        request.getfixturevalue('own_neck')
    cfg = load_config(write(tmp_path, CONFIGS[place]))

    model = structure_of(cfg).eval()
    with torch.no_grad():
        maps = model.extract_feat(torch.empty(1, 3, 320, 320, device='meta'))

    strides = [320 / x.shape[-1] for x in maps]
    # Of two stages the first has the anchors.
    head = getattr(model, 'rpn_head', None) or model.bbox_head
    generator = head.prior_generator
    # Without steps the anchors follow the maps.
    expected = getattr(generator, 'strides', None) or generator.steps or ()
    assert generator.num_levels == len(strides)
    for stride, steps in zip(strides, expected, strict=bool(expected)):
        step = steps[0] if isinstance(steps, tuple) else steps
        assert abs(320 / step - 320 / stride) < 1
    for hook in cfg.get('custom_hooks', []):
        assert HOOKS.build(hook)


def test_the_config_of_a_reader_is_that_of_the_blood_cells(tmp_path: Path) -> None:
    (text,) = (CONFIGS[place] for place in CONFIGS if place.startswith('docs/data.md'))
    first = "_base_ = 'm2det::m2det/m2det_vgg_320.py'\n"
    assert text.startswith(first)
    page = (ROOT / 'docs' / 'release.md').read_text()
    other = "_base_ = 'm2det::m2det/release/m2det_vgg_320_release_bccd.py'"
    assert f'`{other}`' in page

    for line, name in (
        (first, 'm2det_vgg_320_bccd'),
        (other, 'm2det_vgg_320_release_bccd'),
    ):
        mine = load_config(write(tmp_path, text.replace(first, f'{line}\n')))
        ours = load_config(name)
        for key in inspect.signature(Runner).parameters:
            assert mine.get(key) == ours.get(key), key
    assert DATASETS.get(mine.train_dataloader.dataset.type)


def _program(
    text: str, folder: Path, names: dict[str, Any], replaced: dict[str, str]
) -> dict[str, Any]:
    """Run a program in a folder, and return what it defines."""
    for former, new in replaced.items():
        assert former in text
        text = text.replace(former, new)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        exec(text, names)
    return names


def _run_readme(text: str, folder: Path, trained: SimpleNamespace) -> None:
    if 'Detector' in text:
        _run_python(text, folder, trained)
        return
    images = str(trained.scenes / 'val')
    replaced = {'m2det_r18_scenes': trained.config, 'IMAGES': images}

    found = _program(text, folder, {}, replaced)

    assert found['trained'].checkpoint == folder / 'OUT' / 'epoch_1.pth'
    assert found['tested'].metrics.keys() == trained.result.metrics.keys()
    assert len(found['found'].predictions) == 3


def _run_release(text: str, folder: Path, trained: SimpleNamespace) -> None:
    config = write(folder, SMALL_RELEASE)
    cfg = load_config(config)
    cfg.model.backbone.init_cfg = None
    released = to_release((model := MODELS.build(cfg.model)).state_dict(), model)
    torch.save(released, folder / 'released.pth')

    found = _program(text, folder, {}, {'m2det_vgg_512_release': str(config)})

    assert found['back'].keys() == released.keys()
    assert all(torch.equal(found['back'][key], released[key]) for key in released)


def _run_speed(text: str, folder: Path, trained: SimpleNamespace) -> None:
    cfg = load_config(trained.config)
    dataset = DATASETS.build(cfg.test_dataloader.dataset)
    names = {
        'model': MODELS.build(cfg.model),
        'images': [dataset[0], dataset[1]],
        'function': lambda: None,
    }
    replaced = {'repeats=100': 'repeats=2', 'warm_up=10': 'warm_up=0', 'cuda': 'cpu'}

    found = _program(text, folder, names, replaced)

    assert found['speed'].images_per_second > 0


def _run_prediction(text: str, folder: Path, trained: SimpleNamespace) -> None:
    images = str(trained.scenes / 'val')

    found = _program(text, folder, {}, {'IMAGES': images})

    assert found['result'].tally.num_images == 3
    assert found['result'].predictions == []


def _run_video(text: str, folder: Path, trained: SimpleNamespace) -> None:
    video = VideoFile(folder / 'clip.mp4', 10.0)
    for index, path in enumerate(sorted((trained.scenes / 'val').iterdir())):
        video.add(cv2.imread(str(path)), index / 10)
    video.close()

    found = _program(text, folder, {}, {'VIDEO': str(video.path)})

    assert found['result'].tally.num_images == 3


def _run_python(text: str, folder: Path, trained: SimpleNamespace) -> None:
    """Run a part of the page on Python, whose parts follow each other."""
    image = sorted((trained.scenes / 'val').iterdir())[0]
    words = {
        'IMAGE': str(image),
        'FOLDER': str(image.parent),
        'DATA': str(trained.scenes),
        "split='val'": "split='val', work_dir='test'",
    }
    short = f'epochs=1, config={trained.config!r}, device="cpu"'
    text = re.sub(r'epochs=\d+', lambda _: short, text)
    replaced = {old: new for old, new in words.items() if old in text}
    detector = Detector('m2det_r18_scenes', device='cpu')
    names = {'Detector': Detector, 'detector': detector, 'found': detector(image)}

    found = _program(text, folder, names, replaced)

    assert isinstance(found['detector'], Detector)
    assert isinstance(found['found'], Prediction)


def _run_own_neck(text: str, folder: Path, trained: SimpleNamespace) -> None:
    found = _program(text, folder, {}, {})

    if 'maps' in found:
        sizes = [tuple(x.shape) for x in found['maps']]
        assert sizes == [(2, 64, side, side) for side in (40, 20, 10, 5)]
        assert all(x.grad is not None for x in found['model'].neck.parameters())
        return
    neck = found['AddDown']((4, 8), out_channels=6, num_outs=3)
    fine, coarse = torch.rand(1, 4, 7, 5), torch.rand(1, 8, 4, 3)
    sizes = [tuple(x.shape) for x in neck((fine, coarse))]
    assert sizes == [(1, 6, 7, 5), (1, 6, 4, 3), (1, 6, 2, 2)]
    with pytest.raises(ValueError, match='num_outs is 1, but there are 2 inputs'):
        found['AddDown']((4, 8), num_outs=1)


def _run_detectron2(text: str, folder: Path, trained: SimpleNamespace) -> None:
    words = {
        "'mine.py'": repr(trained.config),
        'IMAGE': str(sorted((trained.scenes / 'val').iterdir())[0]),
    }
    if 'train(' not in text:
        words["'work_dirs/mine'"] = repr(str(trained.work_dir))
    replaced = {old: new for old, new in words.items() if old in text}

    found = _program(text, folder, {}, replaced)

    if 'trained' in found:
        assert found['trained'].checkpoint.is_file()
    elif 'tested' in found:
        assert found['tested'].metrics.keys() == trained.result.metrics.keys()
    elif 'RandomBrightness' in found:
        TRANSFORMS.module_dict.pop('RandomBrightness')
        step = found['RandomBrightness'](low=2, high=2)
        pixels = step({'img': np.array([[3, 200]], np.uint8)})['img']
        assert pixels.tolist() == [[6, 255]]
    else:
        assert (folder / 'found.jpg').is_file()


def _run_reliability(text: str, folder: Path, trained: SimpleNamespace) -> None:
    for run in ('run_a', 'run_b'):
        (folder / run).mkdir()
        shutil.copy(trained.checkpoint, folder / run / 'last.pth')

    found = _program(text, folder, {}, {})

    assert found['differences'](found['one'], found['other']) == []


# What each program needs is prepared; one that nobody prepares for fails.
RUN: dict[str, Callable[[str, Path, SimpleNamespace], None]] = {
    'README.md': _run_readme,
    'docs/explain.md': _run_python,
    'docs/first_run.md': _run_python,
    'docs/from_detectron2.md': _run_detectron2,
    'docs/from_ultralytics.md': _run_python,
    OWN_NECK: _run_own_neck,
    'docs/prediction.md': _run_prediction,
    'docs/python.md': _run_python,
    'docs/release.md': _run_release,
    'docs/reliability.md': _run_reliability,
    'docs/speed.md': _run_speed,
    'docs/video.md': _run_video,
}


def _param(place: str) -> Any:
    """Leave to `make test-all` what trains as a program of another page does."""
    again = place.startswith('docs/from_') and 'train(' in PROGRAMS[place]
    return pytest.param(place, marks=[pytest.mark.slow] if again else [])


@pytest.mark.parametrize('place', [_param(place) for place in PROGRAMS])
def test_a_program_runs(
    place: str,
    tmp_path: Path,
    trained: SimpleNamespace,
    capsys: pytest.CaptureFixture,
    request: pytest.FixtureRequest,
) -> None:
    if place.startswith(OWN_NECK):
        request.getfixturevalue('own_neck')
    RUN[place.partition(':')[0]](PROGRAMS[place], tmp_path, trained)


def test_there_are_examples_of_every_kind() -> None:
    assert len(CONFIGS) >= 8
    assert len(PROGRAMS) >= 3
