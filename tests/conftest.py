"""What every test needs: the package registered, mmdet's registries in charge."""

import gc
import os
import pickle
import random
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import deepcopy
from functools import cache
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

# Without a GPU Triton's kernels run in its interpreter, which has to be chosen before
# the first import of Triton.
if not torch.cuda.is_available():
    os.environ.setdefault('TRITON_INTERPRET', '1')

# Processes that compile at the same time can mix up the files that numba keeps.
os.environ['NUMBA_CACHE_DIR'] = str(
    Path(__file__).parents[1]
    / '.pytest_cache'
    / 'numba'
    / os.environ.get('PYTEST_XDIST_WORKER', 'main')
)

import mmdet  # noqa: E402
from mmengine.config import Config  # noqa: E402
from mmengine.config import utils as config_utils  # noqa: E402
from mmengine.logging import MessageHub  # noqa: E402
from mmengine.registry import DefaultScope, init_default_scope  # noqa: E402
from mmengine.visualization import Visualizer  # noqa: E402
from yapf.yapflib import yapf_api  # noqa: E402

import m2det_mmdet  # noqa: E402, F401
from m2det_mmdet.apis import (
    export,  # noqa: E402
    train,  # noqa: E402
)
from m2det_mmdet.datasets.scenes import write_scenes  # noqa: E402
from m2det_mmdet.jobs import Event, Job, Told  # noqa: E402
from m2det_mmdet.jobs.events import JobQueue, Task, perform  # noqa: E402

from .browser import CHROMIUM, DRIVER, Browser, running_browser  # noqa: E402

CONFIG = """
_base_ = {base!r}

data = {scenes!r}
train_dataloader = dict(
    batch_size=2,
    num_workers=0,
    persistent_workers=False,
    dataset=dict(type='CheckedCocoDataset', data_root=data),
)
val_dataloader = dict(
    batch_size=2,
    num_workers=0,
    persistent_workers=False,
    dataset=dict(type='CheckedCocoDataset', data_root=data),
)
test_dataloader = val_dataloader
val_evaluator = dict(type='GradedCocoMetric', ann_file=data + 'annotations/val.json')
test_evaluator = val_evaluator
model = dict(neck=dict(num_levels=1), test_cfg=dict(score_thr=0.02, max_per_img=5))
train_cfg = dict(max_epochs=1, val_interval=1)
randomness = dict(seed=0)
default_hooks = dict(logger=dict(interval=1))
custom_hooks = [dict(type='ClassCheckHook'), dict(type='WeightsCheckHook')]
"""

ROOT = Path(__file__).parents[1]
# What :func:`small_config` divides.
_CHANNELS = {
    'base_channels',
    'stem_channels',
    'in_channels',
    'out_channels',
    'feat_channels',
    'fc_out_channels',
    'conv_out_channels',
    'ffm_channels',
    'tum_channels',
}

# Of torchvision, by what they take and return.
OPERATORS = {
    'nms': '(Tensor dets, Tensor scores, float iou_threshold) -> Tensor',
    'qnms': '(Tensor dets, Tensor scores, float iou_threshold) -> Tensor',
}

# The tensors of the tests are small, and processes share the cores.
torch.set_num_threads(1)


@pytest.fixture(scope='session', autouse=True)
def quick_host() -> Iterator[None]:
    """Spare what the host does again and again, to the same result."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Config, '_file2dict', _read_once(Config._file2dict))
        # It reads mmdet's hundred metafiles for each config that inherits from mmdet.
        patch.setattr(config_utils, 'load', cache(config_utils.load))
        # A run lays out the text of its config up to five times.
        patch.setattr(yapf_api, 'FormatCode', _format_once(yapf_api.FormatCode))
        # On the meta device both compute values for a long time, and there are none.
        patch.setattr(nn.init, 'kaiming_normal_', _of_values(nn.init.kaiming_normal_))
        patch.setattr(F, 'batch_norm', _of_values(F.batch_norm))
        # Seconds until a loader ends a worker that failed.
        patch.setattr('torch.utils.data._utils.MP_STATUS_CHECK_INTERVAL', 0.5)
        # Each data set collects garbage: what the imports left is none.
        gc.freeze()
        yield
        gc.unfreeze()


def _read_once(read: Callable) -> Callable:
    """Keep what the config files of the project and of mmdet hold: no test changes it.

    A config has about seven bases, most of them those of other configs.
    """
    folders = (Path(__file__).parents[1] / 'configs', Path(mmdet.__file__).parent)
    known = {}

    def once(filename: str | Path, *args: Any, **kwargs: Any) -> tuple:
        path = Path(filename).absolute()
        if not any(path.is_relative_to(folder) for folder in folders):
            return read(filename, *args, **kwargs)
        key = (path, args, *kwargs.items())
        if key not in known:
            known[key] = read(filename, *args, **kwargs)
        return deepcopy(known[key])

    return staticmethod(once)


def _format_once(format_code: Callable) -> Callable:
    """Keep what yapf makes of a text; one style, a dict, holds for all."""
    known = {}

    def once(text: str, **style: dict) -> tuple[str, bool]:
        if text not in known:
            known[text] = format_code(text, **style)
        return known[text]

    return once


def _of_values(function: Callable) -> Callable:
    """Let a function that changes values alone return what has none."""

    def run(tensor: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        return tensor if tensor.is_meta else function(tensor, *args, **kwargs)

    return run


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Give a test and its fixtures the same random numbers after any other tests."""
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)


@pytest.fixture(autouse=True)
def forget_runs() -> Iterator[None]:
    """Let no test see the visualizers and messages of another one's runs."""
    yield
    for manager in (MessageHub, Visualizer, *Visualizer.__subclasses__()):
        manager._instance_dict.clear()


@pytest.fixture(autouse=True)
def mmdet_scope() -> Iterator[None]:
    """Let configs name mmdet's modules without their scope, as its tools do.

    The scope that a test sets ends with it.
    """
    with DefaultScope.overwrite_default_scope('mmdet'):
        yield


@pytest.fixture(scope='session')
def split_rows() -> Callable[..., list[Tensor]]:
    """Split rows of anchors ``(N, A, C)`` into a head's square maps."""

    def split(rows: np.ndarray, sides: Sequence[int], num_anchors: int) -> list[Tensor]:
        lengths = [side * side * num_anchors for side in sides]
        parts = torch.from_numpy(rows).split(lengths, dim=1)
        return [
            part.reshape(len(rows), side, side, -1).permute(0, 3, 1, 2).contiguous()
            for side, part in zip(sides, parts, strict=True)
        ]

    return split


@pytest.fixture(scope='session')
def to_rows() -> Callable[[list[Tensor], int], Tensor]:
    """Join a head's maps to rows of anchors ``(N, A, channels)``."""

    def join(maps: list[Tensor], channels: int) -> Tensor:
        rows = [x.permute(0, 2, 3, 1).reshape(len(x), -1, channels) for x in maps]
        return torch.cat(rows, dim=1)

    return join


@pytest.fixture(scope='session')
def benchmark_script() -> Callable[[str], ModuleType]:
    """Load a script of ``benchmarks`` as a module, by its name."""

    def load(name: str) -> ModuleType:
        path = Path(__file__).parents[1] / 'benchmarks' / f'{name}.py'
        spec = spec_from_file_location(name, path)
        module = module_from_spec(spec)
        # Dataclasses look up their module.
        sys.modules[name] = module
        spec.loader.exec_module(module)
        return module

    return load


@pytest.fixture(scope='session')
def import_beside() -> Callable[[str], None]:
    """Import a package that `make setup` puts into a folder of its own, or skip.

    Those packages import torchvision. Wheels of that on PyPI are built for CUDA: with a
    PyTorch for the CPU their operators do not load, and the import fails where two of
    them are described. These are declared here; nothing calls them. No other test gets
    to see that torchvision.
    """
    if torch.version.cuda is None:
        for name, arguments in OPERATORS.items():
            torch.library.define(f'torchvision::{name}', arguments)
    # It describes its operators when it is imported, and may do so once.
    hidden: dict[str, ModuleType] = {}

    def load(package: str) -> None:
        sys.modules.update(hidden)
        with pytest.MonkeyPatch.context() as patch:
            patch.syspath_prepend(f'{sys.prefix}/timm')
            try:
                import_module(package)
            except (ImportError, RuntimeError) as error:
                pytest.skip(f'{package} cannot be imported: {error}')
            finally:
                for name in [x for x in sys.modules if x.startswith('torchvision')]:
                    hidden[name] = sys.modules.pop(name)

    return load


@pytest.fixture(scope='session')
def with_timm(import_beside: Callable[[str], None]) -> None:
    """Let tests import timm."""
    import_beside('timm')


@pytest.fixture(scope='session')
def with_grad_cam(import_beside: Callable[[str], None]) -> None:
    """Let tests import grad-cam."""
    import_beside('pytorch_grad_cam')


@pytest.fixture(scope='session')
def trained(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """A detector that was trained for one epoch on a few scenes, and where it lies."""
    root = tmp_path_factory.mktemp('trained')
    scenes = root / 'scenes'
    write_scenes(scenes, num_train=4, num_val=3, num_test=1, size=(128, 128))
    base = Path(__file__).parents[1] / 'configs' / 'm2det' / 'm2det_r18_scenes.py'
    config = root / 'small.py'
    config.write_text(CONFIG.format(base=str(base), scenes=f'{scenes}/'))
    work_dir = root / 'work'

    result = train(config, work_dir=work_dir)

    return SimpleNamespace(
        scenes=scenes,
        config=str(config),
        work_dir=work_dir,
        checkpoint=str(work_dir / 'epoch_1.pth'),
        result=result,
    )


@pytest.fixture(scope='session')
def scenes_onnx(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The detector of the package as a file of ONNX."""
    folder = tmp_path_factory.mktemp('onnx')
    return export('m2det_r18_scenes', out=folder / 'm2det_r18_scenes.onnx').path


@pytest.fixture(scope='session')
def write_video() -> Callable[..., Path]:
    """Write images as a video: its path, the images, frames a second, FFmpeg's code."""

    def write(
        path: Path, images: Iterable[np.ndarray], rate: float = 10.0, code: str = 'MJPG'
    ) -> Path:
        images = [*images]
        height, width = images[0].shape[:2]
        fourcc = cv2.VideoWriter_fourcc(*code)
        writer = cv2.VideoWriter(str(path), fourcc, rate, (width, height))
        for image in images:
            writer.write(image)
        writer.release()
        return path

    return write


@pytest.fixture(scope='session')
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Chromium without a window."""
    if not (CHROMIUM and DRIVER):
        pytest.skip('needs chromium and chromium-driver')
    with running_browser(tmp_path_factory.mktemp('driver') / 'log.txt') as found:
        yield found


class UnrulyEngine:
    """Does jobs here, the last one first; each dies once, behind its first message.

    What travels is pickled, as on the way to another machine.
    """

    shares_disk = False
    size = 2

    def __init__(self) -> None:
        self.dead: set[Job] = set()

    def run(
        self, task: Task, jobs: Iterable[Job], shared: Any = None
    ) -> Iterator[tuple[Job, Event]]:
        queue = JobQueue([*jobs][::-1])
        while (job := queue.take()) is not None:
            item, sent = _travelled((job.make(), shared))
            for event in perform(task, sent, item):
                yield job, _travelled(event)
                if isinstance(event, Told) and job not in self.dead:
                    self.dead.add(job)
                    yield job, queue.died(job, 'killed by a test')
                    break


def _travelled(value: Any) -> Any:
    return pickle.loads(pickle.dumps(value))


@pytest.fixture
def unruly_engine() -> UnrulyEngine:
    return UnrulyEngine()


@pytest.fixture(scope='session')
def small_config() -> Callable[[str, str, int, int], Config]:
    """Load a leaf with fewer channels and smaller images: family, stem, divisor, side.

    The side is the shorter one of its images, in pixels.
    """
    return _small


def _divide(config: Any, divisor: int) -> None:
    """Divide all channels of a model's config, but for the colours of its images."""
    items = config.items() if isinstance(config, dict) else enumerate(config)
    for key, value in list(items):
        # Necks that follow their backbone have none.
        if key in _CHANNELS and value is not None:
            many = isinstance(value, (list, tuple))
            config[key] = [n // divisor for n in value] if many else value // divisor
        elif isinstance(value, (dict, list)):
            _divide(value, divisor)


def _small(family: str, stem: str, divisor: int, side: int) -> Config:
    """The config of a leaf with fewer channels and smaller images."""
    config = Config.fromfile(ROOT / 'configs' / family / f'{stem}.py')
    init_default_scope(config.default_scope)
    backbone = config.model.backbone
    backbone.init_cfg = None
    backbone.pop('pretrained', None)
    if divisor > 1:
        if 'ResNet' in backbone.type:
            # What it has by default.
            backbone.setdefault('base_channels', 64)
            backbone.setdefault('stem_channels', 64)
        _divide(config.model, divisor)
    # It asks a run for its iteration.
    config.model.data_preprocessor.pop('batch_augments', None)
    # An untrained detector finds something too.
    for settings in (config.model.test_cfg, config.model.test_cfg.get('rcnn', {})):
        if 'score_thr' in settings:
            settings.update(score_thr=0.0, nms_pre=100)
    coder = config.model.get('bbox_head', {}).get('bbox_coder', {})
    if coder.get('type') == 'SSDBBoxCoder':
        # The released code clips no box.
        coder.clip_border = True
    for step in config.test_dataloader.dataset.pipeline:
        if step.type.endswith('Resize'):
            step.scale = (side * 3 // 2 if step.get('keep_ratio') else side, side)
    return config
