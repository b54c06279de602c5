import subprocess
import sys
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
import torch
from mmdet.models import DetDataPreprocessor
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.structures import InstanceData
from torch import Tensor, nn

from m2det_mmdet.analysis import speed as benchmark
from m2det_mmdet.analysis.random_weights import build_random
from m2det_mmdet.analysis.speed import (
    Speed,
    Timing,
    matmul_flops_per_second,
    measure_speed,
    splits,
    stages_of,
    time_calls,
    time_stages,
)
from m2det_mmdet.analysis.structure import build_structure
from m2det_mmdet.utils.devices import peak_memory, synchronize

CPU = torch.device('cpu')
CONFIG = Path(__file__).parents[2] / 'configs' / 'm2det' / 'm2det_r18_scenes.py'


class Clock:
    """Stands still but where a test lets time pass."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def perf_counter(self) -> float:
        return self.seconds

    def lasting(self, seconds: float) -> Callable[[object], object]:
        """A stage that takes so long and returns its input."""

        def stage(value: object) -> object:
            self.seconds += seconds
            return value

        return stage


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(benchmark, 'time', clock)
    return clock


class Unsplit(nn.Module):
    """A detector that only predicts: as many boxes as the image's first pixel tells."""

    def __init__(self) -> None:
        super().__init__()
        self.data_preprocessor = DetDataPreprocessor()
        self.weight = nn.Parameter(torch.ones(()))
        self.batches: list[list[int]] = []

    def forward(
        self, inputs: Tensor, data_samples: list[DetDataSample], mode: str
    ) -> list[DetDataSample]:
        assert mode == 'predict'
        assert not torch.is_grad_enabled()
        pixels = inputs[:, 0, 0, 0].int().tolist()
        self.batches.append(pixels)
        for sample, boxes in zip(data_samples, pixels, strict=True):
            sample.pred_instances = InstanceData(scores=torch.zeros(boxes))
        return data_samples


def _image(value: int, *, side: int = 4) -> dict:
    sample = DetDataSample(metainfo={'img_shape': (side, side), 'scale_factor': (1, 2)})
    pixels = torch.full((3, side, side), value, dtype=torch.uint8)
    return {'inputs': pixels, 'data_samples': sample}


def test_a_timing_is_the_median_and_the_tenths_around_it() -> None:
    durations = [float(seconds) for seconds in (11, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9)]

    assert Timing.of(durations) == Timing(median=6, low=2, high=10, calls=11)
    with pytest.raises(ValueError, match='no durations to summarise'):
        Timing.of([])


def test_only_the_stages_are_timed(clock: Clock) -> None:
    seen = []

    timings = time_stages(
        [clock.lasting(2), clock.lasting(3)],
        clock.lasting(100),
        repeats=4,
        warm_up=1,
        device=CPU,
        observe=lambda value: seen.append(clock.lasting(100)(value)),
    )

    assert [timing.median for timing in timings] == [2, 3, 5]
    assert {timing.calls for timing in timings} == {4}
    # The number of the call went through all of them; that of the warm-up is left out.
    assert seen == [1, 2, 3, 4]


def test_warm_up_calls_do_not_count(clock: Clock) -> None:
    durations = iter([50, 50, 1, 1, 1])

    timing = time_calls(
        lambda: clock.lasting(next(durations))(None), repeats=3, warm_up=2, device=CPU
    )

    assert timing == Timing(median=1, low=1, high=1, calls=3)
    assert next(durations, None) is None


@pytest.mark.parametrize(('repeats', 'warm_up'), [(0, 1), (1, -1)])
def test_numbers_of_calls_are_checked(repeats: int, warm_up: int) -> None:
    with pytest.raises(ValueError, match=f'got {repeats} and {warm_up}'):
        time_calls(lambda: None, repeats=repeats, warm_up=warm_up, device=CPU)


def test_the_device_is_synchronised_around_each_stage(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = []
    monkeypatch.setattr(benchmark, 'synchronize', lambda device: order.append('sync'))
    stages = [lambda x: order.append('first'), lambda x: order.append('second')]

    time_stages(stages, clock.lasting(0), repeats=1, warm_up=0, device=CPU)

    assert order == ['sync', 'first', 'sync', 'sync', 'second', 'sync']


def test_a_product_counts_two_operations_a_multiply_add(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    multiply = time_calls

    def time_four_seconds(function: Callable, **kwargs) -> Timing:  # noqa: ANN003
        multiply(function, **kwargs)
        return Timing(median=4, low=4, high=4, calls=1)

    monkeypatch.setattr(benchmark, 'time_calls', time_four_seconds)

    assert matmul_flops_per_second(CPU, torch.bfloat16, size=8) == 2 * 8**3 / 4
    assert torch.get_float32_matmul_precision() == 'highest'


def test_network_and_suppression_are_what_the_detector_predicts() -> None:
    torch.manual_seed(0)
    model = build_random(Config.fromfile(CONFIG)).eval()
    batch = model.data_preprocessor(
        {
            'inputs': [torch.randint(256, (3, 128, 128), dtype=torch.uint8)] * 2,
            'data_samples': [_image(0, side=128)['data_samples'] for _ in range(2)],
        },
        False,
    )
    network, suppression = stages_of(model)

    with torch.no_grad():
        found = suppression(network(batch))
        expected = model(**batch, mode='predict')

    assert len(found) == 2
    assert len(found[0]) > 0
    for instances, sample in zip(found, expected, strict=True):
        torch.testing.assert_close(instances.bboxes, sample.pred_instances.bboxes)
        torch.testing.assert_close(instances.scores, sample.pred_instances.scores)


def test_a_single_stage_detector_tells_all_columns() -> None:
    model = build_random(Config.fromfile(CONFIG)).eval()
    # Other numbers of boxes for other images.
    model.bbox_head.test_cfg.update(score_thr=0.3)
    images = [_image(value, side=128) for value in (0, 100, 200)]
    first, second, third = (
        len(model.test_step(pseudo_collate([deepcopy(image)]))[0].pred_instances)
        for image in images
    )
    memory = peak_memory(CPU)

    speed = measure_speed(model, images, batch_size=2, repeats=2, warm_up=1)

    assert (speed.batch_size, speed.input_size) == (2, (128, 128))
    for timing in (speed.network, speed.suppression, speed.total):
        assert timing.calls == 2
        assert 0 < timing.low <= timing.median <= timing.high
    assert len({first, second, third}) == 3
    assert speed.boxes == (third + first + second + third) / 4
    assert memory <= speed.peak_memory <= peak_memory(CPU)


def test_only_detectors_that_predict_as_usual_are_split() -> None:
    model = build_structure(Config.fromfile(CONFIG))
    assert splits(model)
    assert not splits(Unsplit())

    class Head(type(model.bbox_head)):
        def predict(self, *args: object) -> None:
            """Do something else."""

    model.bbox_head.__class__ = Head
    assert not splits(model)


def test_another_detector_tells_the_total_and_takes_images_in_turn() -> None:
    model = Unsplit().eval()
    images = [_image(value) for value in (1, 2, 3)]

    speed = measure_speed(model, images, batch_size=2, repeats=2, warm_up=1)

    assert speed.network is None
    assert speed.suppression is None
    assert speed.total.calls == 2
    assert model.batches == [[1, 2], [3, 1], [2, 3]]
    assert speed.boxes == (3 + 1 + 2 + 3) / 4


def test_throughput_follows_from_the_median() -> None:
    total = Timing(median=0.5, low=0.1, high=9, calls=3)

    assert Speed(4, (2, 2), None, None, total, 0, None).images_per_second == 8


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != 'linux', reason='others tell only their own')
def test_memory_is_that_of_the_process_and_not_of_its_parent() -> None:
    parent = np.ones(2**27)  # 1 GiB
    del parent
    program = (
        'import torch; from m2det_mmdet.analysis.speed import peak_memory; '
        "print(peak_memory(torch.device('cpu')))"
    )
    command = [sys.executable, '-c', program]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert 50 * 2**20 < int(told.splitlines()[-1]) < 2**30


def test_memory_and_waiting_are_for_every_device() -> None:
    assert peak_memory(CPU) > 2**20
    assert peak_memory(torch.device('meta')) is None
    synchronize(CPU)
