"""What MMEngine's runner makes of a model for several processes without a GPU."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch import Tensor, nn
from torch.distributed.fsdp import FullyShardedDataParallel

from m2det_mmdet.apis.checks import start_processes
from m2det_mmdet.utils.errors import M2DetError
from m2det_mmdet.utils.processes import among_processes


class _Model(BaseModel):
    """Two convolutions and, if asked for, a batch norm."""

    def __init__(self, norm: bool = False) -> None:
        super().__init__()
        middle = nn.BatchNorm2d(8) if norm else nn.ReLU()
        self.layers = nn.Sequential(nn.Conv2d(3, 8, 3), middle, nn.Conv2d(8, 4, 3))

    def forward(self, inputs: Tensor, mode: str) -> dict[str, Tensor]:
        return {'loss': self.layers(inputs).square().mean()}


def _step(model: nn.Module, inputs: Tensor) -> None:
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    model(inputs, mode='loss')['loss'].backward()
    optimizer.step()


def _runner(model: BaseModel, work_dir: Path, **settings: Any) -> Runner:
    start_processes(Config(), 'pytorch')
    return Runner(
        model=model,
        work_dir=str(work_dir),
        launcher='pytorch',
        default_scope='mmengine',
        cfg=settings,
        experiment_name='wrapping',
    )


@pytest.mark.parametrize('kind', [None, 'MMFullyShardedDataParallel'])
def test_a_step_of_two_processes_is_that_of_one(
    kind: str | None, run_processes: Callable, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    model, inputs = _Model(), torch.rand(2, 3, 8, 8)
    settings = {} if kind is None else {'model_wrapper_cfg': {'type': kind}}

    def step(rank: int) -> tuple[int, list[Tensor]]:
        with among_processes():
            wrapped = _runner(model, tmp_path, **settings).model
            own = sum(x.numel() for x in wrapped.parameters())
            _step(wrapped, inputs[rank : rank + 1])
            if kind is None:
                return own, [x.detach() for x in wrapped.parameters()]
            with FullyShardedDataParallel.summon_full_params(wrapped):
                return own, [x.detach().clone() for x in wrapped.parameters()]

    ended = run_processes(step)

    assert [x.code for x in ended] == [0, 0], ended
    whole = sum(x.numel() for x in model.parameters())
    _step(model, inputs)
    for own, weights in (x.result for x in ended):
        # A process keeps a part of the weights alone, or all.
        assert own == whole if kind is None else own < 0.6 * whole
        torch.testing.assert_close(weights, list(model.parameters()))


def test_batch_norms_over_all_processes_need_a_gpu(
    run_processes: Callable, tmp_path: Path
) -> None:
    def build(_: int) -> str:
        with among_processes():
            try:
                _runner(_Model(norm=True), tmp_path, sync_bn='torch')
            except M2DetError as error:
                return str(error)
        return ''

    ended = run_processes(build)

    expected = "sync_bn='torch' needs GPUs, and these processes compute on CPU"
    assert ended[0].result.startswith(expected), ended
