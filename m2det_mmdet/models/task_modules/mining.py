"""Hard negative mining."""

import torch
from torch import Tensor


def hard_negatives(hardness: Tensor, positive: Tensor, limits: Tensor) -> Tensor:
    """Select each image's hardest negatives.

    Args:
        hardness: Losses to rank by, ``(N, anchors)``.
        positive: Whether an anchor is positive, ``(N, anchors)``.
        limits: Number of negatives of each image, ``(N,)``.

    Returns:
        Whether an anchor is selected, ``(N, anchors)``: as many as the limits, or all
        negatives if there are fewer.
    """
    # As in SSD, positives rank after negatives with a loss and before those without.
    ranked = hardness.masked_fill(positive, 0).argsort(
        dim=1, descending=True, stable=True
    )
    order = torch.arange(hardness.shape[1], device=hardness.device)
    first = order < limits[:, None]
    return torch.zeros_like(positive).scatter(1, ranked, first) & ~positive


def shifted_cross_entropy(scores: Tensor, labels: Tensor) -> Tensor:
    """Cross entropy with a log-sum-exp shifted by the largest of all scores.

    Args:
        scores: ``(N, anchors, classes)``.
        labels: ``(N, anchors)``.

    Returns:
        ``(N, anchors)``; minus infinity where every exponential underflows.
    """
    largest = scores.max()
    log_sum = (scores - largest).exp().sum(dim=2).log() + largest
    return log_sum - scores.gather(2, labels[..., None])[..., 0]
