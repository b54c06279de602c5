"""How long a detector takes, stage by stage, and how fast its machine multiplies."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from mmdet.models.dense_heads.base_dense_head import BaseDenseHead
from mmdet.models.detectors import SingleStageDetector
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from torch import nn

from ..utils.devices import peak_memory, reset_peak_memory, synchronize

Stage = Callable[[Any], Any]

# Calls before those that are timed, on a CPU and on anything faster.
WARM_UP = (3, 20)
# Products in a row, where the start of one would else be a good part of its time.
_PRODUCTS = 20


@dataclass(frozen=True)
class Timing:
    """How long calls took.

    Args:
        median: Seconds.
        low: Seconds that a tenth of the calls did not reach.
        high: Seconds that a tenth of the calls passed.
        calls: How many calls were timed.
    """

    median: float
    low: float
    high: float
    calls: int

    @classmethod
    def of(cls, durations: Sequence[float]) -> 'Timing':
        """Summarise durations in seconds.

        Raises:
            ValueError: If there are none.
        """
        if not durations:
            raise ValueError('There are no durations to summarise: time a call.')
        low, median, high = np.percentile(durations, (10, 50, 90)).tolist()
        return cls(median=median, low=low, high=high, calls=len(durations))


@dataclass(frozen=True)
class Speed:
    """How fast a detector takes batches of one size.

    Args:
        batch_size: Images a batch.
        input_size: Pixels ``(height, width)`` of the first batch, padding included.
        network: Backbone, neck and head, a batch; ``None`` where it cannot be
            timed apart from what follows.
        suppression: Decoding, threshold and suppression, a batch; or ``None``.
        total: Both, a batch.
        boxes: Detections an image, the mean.
        peak_memory: Bytes, as :func:`peak_memory` counts them.
    """

    batch_size: int
    input_size: tuple[int, int]
    network: Timing | None
    suppression: Timing | None
    total: Timing
    boxes: float
    peak_memory: int | None

    @property
    def images_per_second(self) -> float:
        """Images a second, from the median of ``total``."""
        return self.batch_size / self.total.median


def measure_speed(
    model: nn.Module,
    images: Sequence[dict],
    *,
    batch_size: int = 1,
    repeats: int,
    warm_up: int,
) -> Speed:
    """Time a detector on batches that lie on its device, preprocessed.

    Reading, resizing, copying to the device and normalising are not timed.

    Args:
        model: A detector in eval mode.
        images: What the test pipeline returns for each image; taken in turn, again
            from the first after the last.
        batch_size: Images a batch.
        repeats: How many batches are timed.
        warm_up: How many batches come before, which are not.
    """
    device = next(model.parameters()).device
    stages = stages_of(model)
    boxes: list[int] = []
    reset_peak_memory(device)
    with torch.no_grad():
        *parts, total = time_stages(
            stages,
            lambda index: _batch(model, images, index, batch_size),
            repeats=repeats,
            warm_up=warm_up,
            device=device,
            observe=lambda found: boxes.extend(map(_count, found)),
        )
    network, suppression = parts if len(stages) == 2 else (None, None)
    first = _batch(model, images, 0, batch_size)
    return Speed(
        batch_size=batch_size,
        input_size=tuple(first['inputs'].shape[-2:]),
        network=network,
        suppression=suppression,
        total=total,
        boxes=sum(boxes) / len(boxes),
        peak_memory=peak_memory(device),
    )


@contextmanager
def cudnn_of(cfg: Config) -> Iterator[bool]:
    """Let cuDNN choose algorithms as a test of ``cfg`` does, while the block runs.

    Yields:
        Whether it tries them for each size of input (``env_cfg.cudnn_benchmark``).
    """
    cudnn = torch.backends.cudnn
    former = cudnn.benchmark
    cudnn.benchmark = bool((cfg.get('env_cfg') or {}).get('cudnn_benchmark', False))
    try:
        yield cudnn.benchmark
    finally:
        cudnn.benchmark = former


def splits(model: nn.Module) -> bool:
    """Whether the network of a detector can be timed apart from its suppression.

    Those do that predict as mmdet's single-stage detectors and dense heads do.
    """
    head = getattr(model, 'bbox_head', None)
    return (
        getattr(type(model), 'predict', None) is SingleStageDetector.predict
        and getattr(type(head), 'predict', None) is BaseDenseHead.predict
    )


def stages_of(model: nn.Module) -> tuple[Stage, ...]:
    """Return what a detector does with a batch, one call after the other.

    Returns:
        Network and suppression, the second of which takes what the first returns; or
        one call that does both. The last returns one result an image.
    """
    if not splits(model):
        return (lambda batch: model(**batch, mode='predict'),)

    def network(batch: dict) -> tuple[tuple, list[dict]]:
        metas = [sample.metainfo for sample in batch['data_samples']]
        # As in prediction; mode='tensor' would pass by a head that is compiled.
        return model.bbox_head(model.extract_feat(batch['inputs'])), metas

    def suppression(result: tuple[tuple, list[dict]]) -> list:
        outputs, metas = result
        return model.bbox_head.predict_by_feat(
            *outputs, batch_img_metas=metas, rescale=True
        )

    return network, suppression


def time_calls(
    function: Callable[[], Any], *, repeats: int, warm_up: int, device: torch.device
) -> Timing:
    """Time calls of ``function``, the device synchronised before and after each.

    Args:
        function: What is timed.
        repeats: How many calls are timed.
        warm_up: How many calls come before, which are not.
        device: Where ``function`` computes.
    """
    timing, _ = time_stages(
        [lambda _: function()],
        lambda index: None,
        repeats=repeats,
        warm_up=warm_up,
        device=device,
    )
    return timing


def time_stages(
    stages: Sequence[Stage],
    make_input: Callable[[int], Any],
    *,
    repeats: int,
    warm_up: int,
    device: torch.device,
    observe: Callable[[Any], None] | None = None,
) -> list[Timing]:
    """Time stages that each take what the one before returned.

    Args:
        stages: What is timed, the device synchronised before and after each.
        make_input: Makes the first stage's input of the number of the call, from 0;
            not timed.
        repeats: How many calls are timed.
        warm_up: How many calls come before, which are not.
        device: Where the stages compute.
        observe: Gets what the last stage returned of each timed call; not timed.

    Returns:
        One timing a stage, then that of all together.

    Raises:
        ValueError: If no call would be timed.
    """
    if repeats < 1 or warm_up < 0:
        raise ValueError(
            'repeats must be at least 1 and warm_up at least 0, got '
            f'{repeats} and {warm_up}.'
        )
    rows = []
    for index in range(warm_up + repeats):
        value = make_input(index)
        row = []
        for stage in stages:
            value, seconds = _timed(stage, value, device)
            row.append(seconds)
        if index >= warm_up:
            rows.append([*row, sum(row)])
            if observe is not None:
                observe(value)
    return [Timing.of(durations) for durations in zip(*rows, strict=True)]


def matmul_flops_per_second(
    device: torch.device, dtype: torch.dtype = torch.float32, *, size: int = 2048
) -> float:
    """Floating point operations a second of a product of two square matrices.

    A multiply-add counts as two. On CUDA products in float32 are computed as
    convolutions are, in TF32 where PyTorch allows that.

    Args:
        device: Where to multiply.
        dtype: Of the matrices.
        size: Rows and columns of the matrices.
    """
    products = 1 if device.type == 'cpu' else _PRODUCTS
    left, right = torch.rand(2, size, size, device=device, dtype=dtype)

    def multiply() -> None:
        for _ in range(products):
            left @ right

    precision = torch.get_float32_matmul_precision()
    if device.type == 'cuda' and torch.backends.cudnn.allow_tf32:
        torch.set_float32_matmul_precision('high')
    try:
        timing = time_calls(multiply, repeats=10, warm_up=3, device=device)
    finally:
        torch.set_float32_matmul_precision(precision)
    return 2 * size**3 * products / timing.median


def _batch(
    model: nn.Module, images: Sequence[dict], index: int, batch_size: int
) -> dict:
    """Return batch number ``index`` on the device of ``model``, preprocessed."""
    first = index * batch_size
    chosen = [images[(first + i) % len(images)] for i in range(batch_size)]
    return model.data_preprocessor(pseudo_collate(chosen), False)


def _timed(stage: Stage, value: Any, device: torch.device) -> tuple[Any, float]:
    synchronize(device)
    start = time.perf_counter()
    result = stage(value)
    synchronize(device)
    return result, time.perf_counter() - start


def _count(found: Any) -> int:
    """Count the detections of an image: of a data sample, or the instances."""
    return len(getattr(found, 'pred_instances', found))
