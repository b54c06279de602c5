from collections.abc import Callable
from types import ModuleType

import pytest
import torch
from torch import Tensor, nn


@pytest.fixture(scope='module')
def script(benchmark_script: Callable[[str], ModuleType]) -> ModuleType:
    return benchmark_script('norm_statistics')


class Level(nn.Module):
    """Doubles its input; the smallest map is the last."""

    def forward(self, x: Tensor) -> list[Tensor]:
        return [x, 2 * x[..., :1, :1]]


class Detector(nn.Module):
    """Two levels behind a norm that learns and one that does not."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.frozen = nn.BatchNorm2d(1), nn.BatchNorm2d(1)
        self.neck = nn.Module()
        self.neck.tums = nn.ModuleList([Level(), Level()])

    def train(self, mode: bool = True) -> 'Detector':
        super().train(mode)
        self.frozen.eval()
        return self

    def data_preprocessor(self, batch: dict, training: bool) -> dict:
        return batch

    def forward(self, inputs: Tensor, mode: str = 'tensor') -> Tensor:
        x = self.frozen(inputs)
        normed = self.norm(x)
        for level in self.neck.tums:
            x = level(x)[-1]
        return normed.mean()

    def parse_losses(self, losses: Tensor) -> tuple[Tensor, dict]:
        return losses, {}


@pytest.fixture
def model() -> Detector:
    return Detector().eval()


def batch_of(*values: float) -> dict[str, Tensor]:
    return {'inputs': torch.tensor(values, dtype=torch.float32).reshape(-1, 1, 1, 1)}


def test_statistics_are_the_mean_over_the_batches(
    script: ModuleType, model: Detector
) -> None:
    script.recompute(model, [batch_of(1, 3), batch_of(4, 10)])

    eps = 1 / (1 + model.frozen.eps) ** 0.5
    assert float(model.norm.running_mean) == pytest.approx(4.5 * eps)
    assert float(model.norm.running_var) == pytest.approx((2 + 18) / 2 * eps**2)
    assert float(model.frozen.running_mean) == 0
    assert not model.training


def test_the_loss_is_by_the_batch_or_by_what_was_kept(
    script: ModuleType, model: Detector
) -> None:
    model.norm.running_mean.fill_(7)

    assert script.loss(model, [batch_of(1, 3)]) == pytest.approx(-5, abs=1e-3)
    with script.by_batch(model) as norms:
        assert norms == [model.norm]
        assert script.loss(model, [batch_of(1, 3)]) == pytest.approx(0, abs=1e-6)
    assert not model.training


def test_peaks_are_of_single_images(script: ModuleType, model: Detector) -> None:
    first, second = script.peaks(model, [batch_of(1, -3), batch_of(2)])

    assert first.tolist() == pytest.approx([2, 6, 4], rel=1e-4)
    assert second.tolist() == pytest.approx([4, 12, 8], rel=1e-4)
