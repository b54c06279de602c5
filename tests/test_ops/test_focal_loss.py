import math

import mmcv.ops
import pytest
import torch

from m2det_mmdet.ops import sigmoid_focal_loss_forward

LOGITS = torch.tensor([[0.0, 2.0], [-1.0, 0.5], [3.0, -4.0]], dtype=torch.float64)
# The last sample is background: its target is the number of classes.
TARGET = torch.tensor([1, 0, 2])
WEIGHT = torch.tensor([0.5, 3.0], dtype=torch.float64)


def slow_focal_loss(weight: list[float] | None) -> torch.Tensor:
    loss = torch.zeros(3, 2, dtype=torch.float64)
    for n, target in enumerate(TARGET.tolist()):
        for c in range(2):
            p = 1 / (1 + math.exp(-LOGITS[n, c].item()))
            if target == c:
                loss[n, c] = -0.25 * (1 - p) ** 2 * math.log(p)
            else:
                loss[n, c] = -0.75 * p**2 * math.log(1 - p)
            if weight and target < 2:
                loss[n, c] *= weight[target]
    return loss


@pytest.mark.parametrize('weight', [None, WEIGHT])
def test_focal_loss_equals_its_formula(weight: torch.Tensor | None) -> None:
    loss = sigmoid_focal_loss_forward(LOGITS, TARGET, weight, gamma=2.0, alpha=0.25)

    expected = slow_focal_loss(None if weight is None else weight.tolist())
    torch.testing.assert_close(loss, expected)


@pytest.mark.parametrize('weight', [None, WEIGHT])
@pytest.mark.parametrize('reduction', ['none', 'mean', 'sum'])
def test_mmcv_focal_loss_has_the_right_gradient(
    weight: torch.Tensor | None, reduction: str
) -> None:
    def loss(logits: torch.Tensor) -> torch.Tensor:
        return mmcv.ops.sigmoid_focal_loss(logits, TARGET, 2.0, 0.25, weight, reduction)

    assert torch.autograd.gradcheck(loss, (LOGITS.clone().requires_grad_(),))


def test_mmcv_focal_loss_module_takes_the_mean_over_samples() -> None:
    loss = mmcv.ops.SigmoidFocalLoss(2.0, 0.25)(LOGITS, TARGET)

    torch.testing.assert_close(loss, slow_focal_loss(None).sum() / 3)


def test_extreme_logits_stay_finite() -> None:
    logits = torch.tensor([[200.0, -200.0]], requires_grad=True)
    loss = mmcv.ops.sigmoid_focal_loss(logits, torch.tensor([1]), 2.0, 0.25)
    loss.backward()

    # Both are wrong by 200: 0.75 * 200 and 0.25 * 200.
    torch.testing.assert_close(loss.item(), 200.0)
    torch.testing.assert_close(logits.grad, torch.tensor([[0.75, -0.25]]))


def test_no_samples_give_an_empty_loss() -> None:
    loss = sigmoid_focal_loss_forward(LOGITS[:0], TARGET[:0], gamma=2.0, alpha=0.25)

    assert loss.shape == (0, 2)
