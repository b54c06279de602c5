"""Time a detector: network and suppression apart, and images a second by batch."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.runner import CheckpointLoader, load_checkpoint
from torch import nn

from ..analysis.attempts import Attempts
from ..analysis.complexity import measure, test_image_size
from ..analysis.machine import describe_machine, load_average, versions
from ..analysis.random_weights import build_random
from ..analysis.speed import (
    WARM_UP,
    Speed,
    cudnn_of,
    matmul_flops_per_second,
    measure_speed,
    splits,
)
from ..analysis.speed_report import SpeedReport
from ..analysis.structure import structure_of
from ..checkpoints.sources import check_checkpoint
from ..checkpoints.weights import check_weights
from ..export.detector import ExportedDetector
from ..models.dense_heads import M2DetHead
from ..models.detectors import drop_auxiliary
from ..ops.kernels import kernel_name
from ..utils.configs import config_name, describe, load_config
from ..utils.devices import find_device
from ..utils.errors import M2DetError, our_errors
from ..utils.exported import is_exported
from ..utils.image_search import find_images
from ..utils.images import ImageReader, image_problem, read_images
from ..utils.logs import quiet_log
from ..utils.pipelines import kind_of
from ..utils.processors import describe_instructions, slow_precision
from .checks import (
    acceleration_options,
    check_at_least,
    check_test_pipeline,
    make_faster,
)
from .exported import build_of_file, is_exported_config, use_runtime
from .image_loading import take_reader
from .model_source import find_model

SEED = 0
# Height, width, channels: a frequent size in COCO, which the pipeline resizes.
_RANDOM_SHAPE = (480, 640, 3)
_RANDOM_IMAGES = 16
# Calls on a CPU, and on anything faster: the paper's number of images.
IMAGES = (20, 1000)


@our_errors()
def benchmark(
    config: str | Path | Config,
    *,
    checkpoint: str | Path | None = None,
    image_dir: str | Path | None = None,
    images: int | None = None,
    warm_up: int | None = None,
    batch_sizes: Sequence[int] = (1,),
    device: str | None = None,
    fast: bool = False,
    compile: bool = False,
    autocast: str | None = None,
    threads: int | None = None,
    provider: str | None = None,
    options: Mapping[str, Any] | None = None,
    on_event: Callable[[Speed], None] | None = None,
) -> SpeedReport:
    """Time a detector.

    Images lie on the device, resized and normalised, before the clock starts; it stops
    when the device has finished. What fails, as a batch that is too large for the
    memory, leaves the rest: the report has both.

    Args:
        config: Path or name of a config, or the config; or an exported file, of which
            only the whole is timed.
        checkpoint: Path, URL or name of the zoo. Without one the weights are random:
            the network takes as long as with others, the suppression does not.
        image_dir: Folder or glob pattern of images; random ones by default.
        images: Images to time, those there are in turn; 20 on a CPU by default, else
            1000 as in the paper.
        warm_up: Batches before these: 3 on a CPU by default, else 20.
        batch_sizes: Images at a time; 1, the paper's, is always measured.
        device: ``'cpu'``, ``'cuda'``, ``'cuda:1'``, ...; the best there is by default.
        fast: Whether to fold batch norms and store weights channels last.
        compile: Whether to compile the network.
        autocast: ``'bfloat16'`` or ``'float16'`` inside the network.
        threads: Threads of a CPU that run an exported file.
        provider: What runs an exported file, as of :func:`.open_exported`.
        options: Settings of the config to override, by their dotted keys.
        on_event: Gets a :class:`.Speed` after each batch size.

    Raises:
        M2DetError: One sentence on what is wrong with an argument or a file, or why no
            batch size could be timed.
    """
    quiet_log()
    jobs = load_average()
    check_at_least('images', images, 1)
    check_at_least('warm_up', warm_up, 0)
    for size in batch_sizes:
        check_at_least('batch_sizes', size, 1)
    wanted, device = device, find_device(device)
    acceleration = acceleration_options(fast=fast, compile=compile, autocast=autocast)
    repeats, warm_up = _counts(images, warm_up, device)
    cfg, checkpoint = _source(config, checkpoint, options)
    use_runtime(
        cfg,
        checkpoint,
        device=wanted,
        threads=threads,
        provider=provider,
        faster=acceleration,
    )
    model = _build(cfg, checkpoint).to(device)
    inputs = _images(cfg, image_dir, repeats)
    if acceleration is not None:
        make_faster(model, acceleration)
    attempt = Attempts()
    speeds = _speeds(
        cfg, model, inputs, batch_sizes, repeats, warm_up, attempt, on_event
    )
    dtype = autocast or 'float32'
    return SpeedReport(
        config=_name(cfg, checkpoint),
        checkpoint=None if checkpoint is None else str(checkpoint),
        images=None if image_dir is None else str(image_dir),
        distinct_images=len(inputs),
        machine=describe_machine(device),
        instructions=describe_instructions() if device.type == 'cpu' else None,
        load=jobs,
        versions=versions(),
        acceleration=acceleration,
        suppression=_suppression(model, device),
        runtime=model.file.runtime if isinstance(model, ExportedDetector) else None,
        speeds=speeds,
        flops=attempt('count of operations', lambda: _flops(cfg, model, speeds[0])),
        product_dtype=dtype,
        product_flops_per_second=attempt(
            'product of matrices', partial(_product, device, dtype)
        ),
        failures=attempt.failures,
    )


def _counts(
    images: int | None, warm_up: int | None, device: torch.device
) -> tuple[int, int]:
    """Images to time and batches before them, by default those for ``device``."""
    kind = 0 if device.type == 'cpu' else 1
    images = IMAGES[kind] if images is None else images
    return images, WARM_UP[kind] if warm_up is None else warm_up


def _source(
    config: str | Path | Config,
    checkpoint: str | Path | None,
    options: Mapping[str, Any] | None,
) -> tuple[Config, str | Path | None]:
    """Return the config, and the checkpoint or the exported file, if there is one."""
    if isinstance(config, str | Path) and is_exported(config):
        return find_model(config, checkpoint, options)[:2]
    if checkpoint is not None:
        check_checkpoint(str(checkpoint))
    return load_config(config, options), checkpoint


def _name(cfg: Config, checkpoint: str | Path | None) -> str:
    is_file = is_exported_config(cfg)
    return Path(str(checkpoint)).stem if is_file else config_name(cfg)


def _build(cfg: Config, checkpoint: str | Path | None) -> nn.Module:
    """Build the detector with all weights of a checkpoint, or with random ones."""
    if is_exported_config(cfg):
        return build_of_file(cfg)
    structure = drop_auxiliary(structure_of(cfg))
    if checkpoint is not None:
        weights = CheckpointLoader.load_checkpoint(str(checkpoint), 'cpu')
        check_weights(weights, structure, complete=True)
    with torch.random.fork_rng():
        torch.manual_seed(SEED)
        model = drop_auxiliary(build_random(cfg))
    if checkpoint is not None:
        load_checkpoint(model, str(checkpoint), map_location='cpu')
    return model.eval()


def _images(cfg: Config, folder: str | Path | None, limit: int) -> list[dict]:
    """Return what the test pipeline makes of at most ``limit`` images."""
    pipeline = _pipeline(cfg)
    if folder is None:
        arrays = _random_images(limit)
    else:
        arrays = _read(folder, limit, take_reader(cfg))
    return [pipeline({'img': array, 'img_id': i}) for i, array in enumerate(arrays)]


def _pipeline(cfg: Config) -> Compose:
    """Test pipeline that begins with an array and reads nothing else."""
    check_test_pipeline(cfg)
    steps = cfg.test_dataloader.dataset.pipeline
    kept = [step for step in steps if not kind_of(step).startswith('Load')]
    return Compose([{'type': 'mmdet.LoadImageFromNDArray'}, *kept])


def _random_images(limit: int) -> Iterator[np.ndarray]:
    generator = np.random.default_rng(SEED)
    for _ in range(min(limit, _RANDOM_IMAGES)):
        yield generator.integers(0, 256, _RANDOM_SHAPE, dtype=np.uint8)


def _read(folder: str | Path, limit: int, read: ImageReader) -> Iterator[np.ndarray]:
    paths = find_images([str(folder)])
    for path, image in read_images(paths[:limit], read):
        if image is None:
            raise M2DetError(f'{path} {image_problem(path)}: take it out of {folder}.')
        yield image


def _speeds(
    cfg: Config,
    model: nn.Module,
    images: list[dict],
    batch_sizes: Sequence[int],
    repeats: int,
    warm_up: int,
    attempt: Attempts,
    on_event: Callable[[Speed], None] | None,
) -> list[Speed]:
    """Measure one image at a time, then each of ``batch_sizes``.

    Raises:
        M2DetError: If all fail.
    """

    def measure_size(size: int) -> Speed:
        return measure_speed(
            model,
            images,
            batch_size=size,
            repeats=math.ceil(repeats / size),
            warm_up=warm_up,
        )

    speeds = []
    with cudnn_of(cfg):
        for size in dict.fromkeys([1, *batch_sizes]):
            speed = attempt(f'batch size {size}', partial(measure_size, size))
            if speed is not None:
                speeds.append(speed)
                if on_event is not None:
                    on_event(speed)
    if not speeds:
        reasons = '; '.join(map(str, attempt.failures))
        raise M2DetError(f'{describe(cfg)} cannot be timed: {reasons}.')
    return speeds


def _product(device: torch.device, dtype: str) -> float | None:
    """Operations a second of a product; ``None`` where it would take minutes."""
    if slow_precision(device, dtype):
        return None
    return matmul_flops_per_second(device, getattr(torch, dtype))


def _suppression(model: nn.Module, device: torch.device) -> str | None:
    """Name the suppression of a dense head, and of ours the kernel that serves it."""
    if isinstance(model, ExportedDetector):
        is_within = model.file.metadata.suppression is not None
        return 'within the graph' if is_within else _by_kernel(model.test_cfg, device)
    if not splits(model):
        return None
    head = model.bbox_head
    test_cfg = getattr(head, 'test_cfg', None) or {}
    if isinstance(head, M2DetHead):
        return _by_kernel(test_cfg, device)
    return str((test_cfg.get('nms') or {}).get('type', 'none'))


def _by_kernel(test_cfg: Mapping[str, Any], device: torch.device) -> str:
    nms = test_cfg.get('nms') or {}
    return f'{nms["type"]}, {kernel_name(device)} kernel' if nms else 'none'


def _flops(cfg: Config, model: nn.Module, speed: Speed) -> int | None:
    """Operations of the network for an image, where they are those of ``speed``."""
    if not splits(model):
        return None
    try:
        size = test_image_size(cfg)
    except ValueError:
        # Without a Resize the size is unknown.
        return None
    return measure(cfg).flops if size == speed.input_size else None
