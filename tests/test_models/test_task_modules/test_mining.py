import torch
from torch.nn import functional as F

from m2det_mmdet.models.task_modules.mining import hard_negatives, shifted_cross_entropy


def test_the_hardest_negatives_of_an_image_are_taken() -> None:
    losses = torch.tensor([[0.1, 9.0, 0.3, 0.2, 0.5], [7.0, 6.0, 5.0, 4.0, 3.0]])
    positive = torch.zeros(2, 5, dtype=torch.bool)
    positive[0, 1] = True
    hard = hard_negatives(losses, positive, limits=3 * positive.sum(dim=1))

    assert hard.tolist() == [[False, False, True, True, True], [False] * 5]


def test_all_negatives_are_taken_where_they_are_few() -> None:
    positive = torch.tensor([[True, False, True]])
    hard = hard_negatives(torch.tensor([[5.0, 0.0, 4.0]]), positive, torch.tensor([6]))

    assert hard.tolist() == [[False, True, False]]


def test_negatives_without_loss_come_after_positives() -> None:
    # As in SSD the positive takes one of the two places.
    positive = torch.tensor([[True, False, False]])
    hard = hard_negatives(torch.tensor([[5.0, 1.0, 0.0]]), positive, torch.tensor([2]))

    assert hard.tolist() == [[False, True, False]]


def test_the_shift_changes_the_scores_far_below_the_largest_alone() -> None:
    # The last anchor's exponentials underflow.
    scores = torch.tensor([[[50.0, 48.0], [-5.0, 2.0], [-99.0, -98.0]]])
    losses = shifted_cross_entropy(scores, torch.tensor([[1, 0, 0]]))

    exact = F.cross_entropy(scores[0, :2], torch.tensor([1, 0]), reduction='none')
    torch.testing.assert_close(losses[0, :2], exact)
    assert losses[0, 2] == -torch.inf
