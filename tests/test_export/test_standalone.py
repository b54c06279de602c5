"""The script that runs exported files without PyTorch."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import onnx.parser
import pytest

from m2det_mmdet import Detector
from m2det_mmdet.datasets.scenes import write_scenes
from m2det_mmdet.export.metadata import KEY, Metadata, Preparation
from m2det_mmdet.export.standalone import check_standalone, write_standalone
from m2det_mmdet.utils.errors import M2DetError

# The script must not import what is missing where it runs.
WITHOUT_TORCH = """
import runpy, sys
for name in ('torch', 'mmdet', 'mmengine', 'mmcv', 'm2det_mmdet'):
    sys.modules[name] = None
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name='__main__')
"""
# Finds an object a channel, whose score is the mean of the channel: the whole input, a
# quarter of it, and what reaches beyond it. A row without an object follows.
MODEL = """
<ir_version: 10, opset_import: ["": 20]>
detector ({kind}{shape} images)
    => (float[n, 4, 4] boxes, float[n, 4] scores, int64[n, 4] labels)
    <float[1, 4, 4] parts = {{0, 0, 1, 1, 0, 0, 0.5, 0.5, 0, 0, 2, 2, 0, 0, 0, 0}},
     int64[4] turn = {{1, 0, 1, 0}}, int64[4] end = {{0, 0, 0, 1}},
     int64[1, 4] names = {{2, 0, 1, -1}}, int64[2] axes = {{{axes}}}>
{{
    pixels = Cast<to = 1>(images)
    means = ReduceMean<keepdims = 0>(pixels, axes)
    scores = Pad(means, end)
    shape = Shape(images)
    sides = Gather(shape, axes)
    corners = Gather(sides, turn)
    limits = Cast<to = 1>(corners)
    boxes = Mul(parts, limits)
    labels = Identity(names)
}}
"""
CLASSES = ('cat', 'dog', 'black bird')
# Of a pixel (b, g, r) it makes ((r - 10) / 2, (g - 20) / 4, (b - 30) / 8).
PREPARATION = Preparation(
    mean=(10.0, 20.0, 30.0), std=(2.0, 4.0, 8.0), resize=(4, 8), rgb=True
)
COLOR = (31, 23, 12)
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The script, a model and a picture, 16 pixels wide and 32 high."""
    write_standalone(tmp_path)
    write_model(tmp_path / 'model.onnx')
    cv2.imwrite(str(tmp_path / 'image.png'), np.full((32, 16, 3), COLOR, np.uint8))
    return tmp_path


@pytest.fixture
def run(folder: Path) -> Run:
    """Run the script in its folder, without PyTorch."""

    def call(*words: str) -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, '-c', WITHOUT_TORCH, str(folder / 'run.py'), *words]
        return subprocess.run(argv, cwd=folder, capture_output=True, text=True)

    return call


def write_model(
    path: Path,
    preparation: Preparation = PREPARATION,
    *,
    size: tuple[int, int] | None = (4, 8),
    batch: int = 1,
    **changes: Any,
) -> None:
    """Write a model; ``changes`` are of what it tells about itself."""
    height, width = size or ('h', 'w')
    kind, shape, axes = 'float', f'[{batch}, 3, {height}, {width}]', '2, 3'
    if preparation.inside:
        kind, shape, axes = 'uint8', f'[{batch}, h, w, 3]', '1, 2'
    model = onnx.parser.parse_model(MODEL.format(kind=kind, shape=shape, axes=axes))
    about = Metadata(
        name='detector',
        classes=CLASSES,
        size=size,
        batch=batch,
        preparation=preparation,
        suppression={'score_thr': 0.05},
        precision='fp32',
        config='',
        config_sha256='',
    )
    text = json.dumps({**json.loads(about.to_json()), **changes})
    onnx.helper.set_model_props(model, {KEY: text})
    onnx.save(model, path)


def test_prints_and_draws_what_it_finds(folder: Path, run: Run) -> None:
    done = run('image.png', '-o', 'out.png')

    assert (done.returncode, done.stderr) == (0, '')
    assert done.stdout.splitlines() == [
        'black bird\t1.0000\t0.0\t0.0\t16.0\t32.0',
        'cat\t0.7500\t0.0\t0.0\t8.0\t16.0',
    ]
    before, after = (cv2.imread(str(folder / x)) for x in ('image.png', 'out.png'))
    assert after.shape == before.shape
    changed = (after != before).any(axis=2)
    # The lower side of the first box, and what is in it and not in the second one.
    assert changed[-1].all()
    assert not changed[20:28, 4:12].any()
    assert {x.name for x in folder.iterdir()} == {
        'image.png',
        'model.onnx',
        'out.png',
        'run.py',
    }


def test_the_lowest_score_is_chosen(run: Run) -> None:
    done = run('image.png', '--score-thr', '0.1')

    assert done.stdout.splitlines()[2] == 'dog\t0.1250\t0.0\t0.0\t16.0\t32.0'


@pytest.mark.parametrize('size', [None, (8, 8)])
def test_the_ratio_of_sides_is_kept_and_the_rest_padded(
    folder: Path, run: Run, size: tuple[int, int] | None
) -> None:
    # 32 x 16 pixels become 8 x 4, and 8 x 8 by a padding of 0.25.
    how = replace(PREPARATION, keep_ratio=True, pad_divisor=8, pad_value=0.25)
    write_model(folder / 'model.onnx', how, size=size)

    done = run('image.png')

    assert done.stdout.splitlines() == [
        'black bird\t0.6250\t0.0\t0.0\t16.0\t32.0',
        'cat\t0.5000\t0.0\t0.0\t16.0\t16.0',
    ]


def test_a_graph_that_prepares_images_gets_them_as_they_are(
    folder: Path, run: Run
) -> None:
    write_model(folder / 'model.onnx', replace(PREPARATION, inside=True))

    done = run('image.png')

    assert [line.split('\t')[1] for line in done.stdout.splitlines()] == [
        '31.0000',
        '23.0000',
        '12.0000',
    ]


def test_a_model_for_several_images_gets_one(folder: Path, run: Run) -> None:
    one = run('image.png')
    write_model(folder / 'model.onnx', batch=3)

    assert run('image.png').stdout == one.stdout != ''


def _break(folder: Path, how: str) -> None:
    model = folder / 'model.onnx'
    if how == 'damaged':
        model.write_bytes(model.read_bytes()[:100])
    elif how == 'foreign':
        foreign = onnx.load(model)
        del foreign.metadata_props[:]
        onnx.save(foreign, model)
    elif how == 'two':
        (folder / 'other.onnx').write_bytes(model.read_bytes())
    elif how == 'raw':
        write_model(model, suppression=None)
    elif how == 'later':
        write_model(model, format=2)
    elif how == 'other size':
        write_model(model, size=(4, 8))
        loaded = onnx.load(model)
        loaded.graph.input[0].type.tensor_type.shape.dim[2].dim_value = 5
        onnx.save(loaded, model)
    elif how == 'no image':
        (folder / 'image.png').write_bytes(b'text')
    elif how == 'empty':
        (folder / 'image.png').write_bytes(b'')


@pytest.mark.parametrize(
    ('how', 'words', 'message'),
    [
        ('', ['none.png'], r'no image none\.png: check'),
        ('no image', ['image.png'], r'image\.png is no image .* JPEG'),
        ('empty', ['image.png'], r'image\.png (is no image|cannot be read)'),
        ('', ['image.png', '--model', 'none.onnx'], r'no file none\.onnx: give'),
        ('two', ['image.png'], r'has 2 \.onnx files: name one by --model'),
        ('damaged', ['image.png'], r'model\.onnx is damaged, or not of ONNX'),
        ('foreign', ['image.png'], r'model\.onnx was not written by `m2det export`'),
        ('raw', ['image.png'], r'export it with --nms soft or hard'),
        ('later', ['image.png'], r'is of format 2: take the run\.py beside it'),
        ('other size', ['image.png'], r'cannot run on the image \('),
        ('', ['image.png', '-o', 'image.png'], r'is the image itself'),
        ('', ['image.png', '-o', 'out.xyz'], r'out\.xyz cannot be written'),
        ('', ['image.png', '-o', 'none/out.png'], r'out\.png cannot be written'),
    ],
)
def test_bad_input_is_one_sentence(
    folder: Path, run: Run, how: str, words: list[str], message: str
) -> None:
    _break(folder, how)
    before = {path: path.read_bytes() for path in folder.iterdir()}

    done = run(*words)

    assert (done.returncode, done.stdout) == (2, '')
    assert re.search(message, done.stderr)
    assert len(done.stderr.splitlines()) == 1
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_a_missing_package_is_named(folder: Path) -> None:
    program = WITHOUT_TORCH.replace("'torch'", "'onnxruntime'")
    argv = [sys.executable, '-c', program, str(folder / 'run.py'), 'image.png']

    done = subprocess.run(argv, capture_output=True, text=True)

    assert done.returncode == 2
    assert re.fullmatch(r'.*onnxruntime.*: .*pip install onnxruntime .*\n', done.stderr)


def test_another_script_is_not_replaced_unasked(tmp_path: Path) -> None:
    script = write_standalone(tmp_path)
    check_standalone(tmp_path)
    ours = script.read_text()
    script.write_text('mine')

    with pytest.raises(M2DetError, match=r'run\.py exists'):
        check_standalone(tmp_path)
    check_standalone(tmp_path, force=True)
    write_standalone(tmp_path)

    assert script.read_text() == ours


@pytest.mark.slow
def test_finds_what_the_detector_finds_without_torch(
    tmp_path: Path, scenes_onnx: Path
) -> None:
    python = _python_without_torch(tmp_path / 'venv')
    write_standalone(tmp_path)
    shutil.copy(scenes_onnx, tmp_path)
    scenes = tmp_path / 'scenes'
    write_scenes(scenes, num_train=1, num_val=1, num_test=3, size=(320, 240), seed=5)
    detector = Detector('m2det_r18_scenes', device='cpu')
    for image in sorted((scenes / 'test').iterdir()):
        expected = [x for x in detector(image) if x.score >= 0.3]

        argv = [python, 'run.py', image, '-o', image.stem + '.png']
        done = subprocess.run(
            argv, cwd=tmp_path, capture_output=True, text=True, check=True
        )

        rows = [line.split('\t') for line in done.stdout.splitlines()]
        assert [row[0] for row in rows] == [x.name for x in expected]
        assert expected
        found = np.float64([row[1:] for row in rows])
        scores = np.float64([x.score for x in expected])
        np.testing.assert_allclose(found[:, 0], scores, atol=1e-3)
        boxes = np.float64([x.box for x in expected])
        np.testing.assert_allclose(found[:, 1:], boxes, atol=0.1)
        assert cv2.imread(str(tmp_path / f'{image.stem}.png')).shape == (240, 320, 3)


def _python_without_torch(folder: Path) -> Path:
    """Make an environment that has what the script needs alone."""
    subprocess.run([sys.executable, '-m', 'venv', folder], check=True)
    python = folder / ('Scripts' if os.name == 'nt' else 'bin') / 'python'
    packages = ('onnxruntime', 'numpy', 'opencv-python-headless')
    pip = [python, '-m', 'pip', 'install', '--quiet', *packages]
    done = subprocess.run(pip, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f'pip cannot install the packages: {done.stderr[-200:]}')
    lacks = subprocess.run([python, '-c', 'import torch'], capture_output=True)
    assert lacks.returncode
    return python
