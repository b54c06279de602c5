"""Twenty steps of training equal those of the released code.

``PlainTraining`` is that code's step written down plainly: its priors, matching,
mining, losses, momentum and learning rate, and its order of classes, background first.
It shares the network alone with ours.
"""

from collections.abc import Callable
from copy import deepcopy
from itertools import pairwise

import pytest
import torch
from mmdet.models import BaseDetector
from mmdet.registry import MODELS, PARAM_SCHEDULERS
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.structures import InstanceData
from torch import Tensor
from torch.nn import functional as F

SIZE, EPOCH_LENGTH, STEPS = 128, 2, 20
SIDES = (16, 8, 4, 2)
FRACTIONS = (0.1, 0.2, 0.4, 0.65, 1.05)
MEAN = torch.tensor([104.0, 117.0, 123.0]).view(3, 1, 1)
Batch = list[tuple[Tensor, Tensor]]


class PlainTraining:
    """Train a copy of a detector's network as the release does."""

    def __init__(self, detector: BaseDetector) -> None:
        self.network = deepcopy(detector)
        self.velocity = [torch.zeros_like(p) for p in self.network.parameters()]
        self.priors = plain_priors()

    def step(self, batch: Batch, iteration: int) -> tuple[float, float]:
        """Losses of the boxes and of the classes before the update."""
        images = torch.stack([image.double() - MEAN for image, _ in batch])
        scores, deltas = self.network(images)
        num_classes = self.network.bbox_head.num_classes + 1
        losses = plain_losses(
            rows(deltas, 4),
            rows(scores, num_classes).roll(1, dims=2),
            [truth for _, truth in batch],
            self.priors,
        )
        self.network.zero_grad()
        sum(losses).backward()
        rate = 0.004
        if iteration < 5 * EPOCH_LENGTH:
            rate = 1e-6 + (0.004 - 1e-6) * iteration / (5 * EPOCH_LENGTH)
        with torch.no_grad():
            parameters = self.network.parameters()
            for weight, velocity in zip(parameters, self.velocity, strict=True):
                velocity.mul_(0.9).add_(weight.grad + 5e-4 * weight)
                weight -= rate * velocity
        return tuple(loss.item() for loss in losses)


def rows(maps: tuple[Tensor, ...], channels: int) -> Tensor:
    """``(N, priors, channels)`` of the head's maps."""
    parts = [x.permute(0, 2, 3, 1).reshape(len(x), -1, channels) for x in maps]
    return torch.cat(parts, dim=1)


def plain_priors() -> Tensor:
    """``(P, 4)``: cx, cy, w, h as fractions of the image."""
    priors = []
    for side, (low, high) in zip(SIDES, pairwise(FRACTIONS), strict=True):
        for y in range(side):
            for x in range(side):
                centre = [(x + 0.5) / side, (y + 0.5) / side]
                middle = (low * high) ** 0.5
                priors += [[*centre, low, low], [*centre, middle, middle]]
                for root in (2**0.5, 3**0.5):
                    priors += [[*centre, low * root, low / root]]
                    priors += [[*centre, low / root, low * root]]
    return torch.tensor(priors, dtype=torch.float64).clamp(0, 1)


def plain_losses(
    deltas: Tensor, scores: Tensor, truths: list[Tensor], priors: Tensor
) -> tuple[Tensor, Tensor]:
    """Losses of the boxes and of the classes.

    Args:
        deltas: ``(N, P, 4)``.
        scores: ``(N, P, C)``, background first.
        truths: For each image ``(n, 5)``: xyxy as fractions, label from 1.
        priors: ``(P, 4)``.
    """
    matches = [plain_match(truth, priors) for truth in truths]
    targets = torch.stack([target for target, _ in matches])
    labels = torch.stack([label for _, label in matches])
    positive = labels > 0
    loss_boxes = F.smooth_l1_loss(deltas[positive], targets[positive], reduction='sum')

    highest = scores.detach().max()
    log_sum = (scores.detach() - highest).exp().sum(dim=2).log() + highest
    hardness = log_sum - scores.detach().gather(2, labels[:, :, None])[:, :, 0]
    hardness[positive] = 0
    rank = hardness.argsort(dim=1, descending=True).argsort(dim=1)
    wanted = (3 * positive.sum(dim=1, keepdim=True)).clamp(max=len(priors) - 1)
    chosen = positive | (rank < wanted)
    loss_classes = F.cross_entropy(scores[chosen], labels[chosen], reduction='sum')
    count = max(int(positive.sum()), 1)
    return loss_boxes / count, loss_classes / count


def plain_match(truth: Tensor, priors: Tensor) -> tuple[Tensor, Tensor]:
    """Encoded boxes ``(P, 4)`` and labels ``(P,)`` of one image, 0 for background."""
    if not len(truth):
        return torch.zeros_like(priors), torch.zeros(len(priors), dtype=torch.long)
    corners = torch.cat(
        [priors[:, :2] - priors[:, 2:] / 2, priors[:, :2] + priors[:, 2:] / 2], dim=1
    )
    boxes = truth[:, None, :4]
    shared = torch.minimum(boxes[..., 2:], corners[:, 2:])
    shared = (shared - torch.maximum(boxes[..., :2], corners[:, :2])).clamp(min=0)
    inter = shared.prod(dim=2)
    areas = [(x[..., 2:] - x[..., :2]).prod(dim=-1) for x in (boxes, corners)]
    overlaps = inter / (areas[0] + areas[1] - inter)

    best_overlap, owner = overlaps.max(dim=0)
    for index, prior in enumerate(overlaps.argmax(dim=1)):
        best_overlap[prior] = 2
        owner[prior] = index
    label = truth[owner, 4].long()
    label[best_overlap < 0.5] = 0
    mine = truth[owner, :4]
    centre = ((mine[:, :2] + mine[:, 2:]) / 2 - priors[:, :2]) / (0.1 * priors[:, 2:])
    size = ((mine[:, 2:] - mine[:, :2]) / priors[:, 2:]).log() / 0.2
    return torch.cat([centre, size], dim=1), label


def random_batch(generator: torch.Generator) -> Batch:
    """Four images; the last one has no object."""
    batch = []
    for count in (3, 1, 5, 0):
        image = torch.randint(0, 256, (3, SIZE, SIZE), generator=generator)
        low = torch.rand(count, 2, generator=generator, dtype=torch.float64) * 0.6
        side = torch.rand(count, 2, generator=generator, dtype=torch.float64)
        label = torch.randint(1, 11, (count, 1), generator=generator)
        batch.append((image, torch.cat([low, low + 0.1 + 0.3 * side, label], dim=1)))
    return batch


def as_data(batch: Batch) -> dict[str, list]:
    """The batch as MMDetection's loaders give it."""
    samples = []
    for _, truth in batch:
        sample = DetDataSample(metainfo={'img_shape': (SIZE, SIZE)})
        sample.gt_instances = InstanceData(
            bboxes=truth[:, :4] * SIZE, labels=truth[:, 4].long() - 1
        )
        samples.append(sample)
    return {'inputs': [image for image, _ in batch], 'data_samples': samples}


@pytest.fixture
def config(release_config: Callable[[str], Config]) -> Config:
    """The release's settings around a small network."""
    config = release_config('r101_320')
    config.model.backbone.update(
        depth=18, base_channels=8, stem_channels=8, num_stages=3, out_indices=(1, 2)
    )
    config.model.backbone.update(strides=(1, 2, 2), dilations=(1, 1, 1))
    config.model.neck.update(
        in_channels=(16, 32),
        ffm_channels=(16, 16),
        num_levels=2,
        num_scales=4,
        tum_channels=16,
    )
    config.model.bbox_head.num_classes = 10
    config.model.bbox_head.anchor_generator.update(
        input_size=SIZE, sizes=FRACTIONS, steps=(8, 16, 32, 64)
    )
    return config


def test_twenty_steps_equal_those_of_the_release(config: Config) -> None:
    torch.manual_seed(0)
    detector = MODELS.build(config.model).double().train()
    detector.init_weights()
    # The preprocessor gives float32, in which bytes minus whole numbers are exact.
    detector.backbone.register_forward_pre_hook(lambda _, inputs: (inputs[0].double(),))
    wrapper = build_optim_wrapper(detector, config.optim_wrapper)
    (settings,) = config.param_scheduler
    scheduler = PARAM_SCHEDULERS.build(
        {**settings, 'end': config.train_cfg.max_epochs},
        default_args={'optimizer': wrapper, 'epoch_length': EPOCH_LENGTH},
    )
    plain = PlainTraining(detector)
    generator = torch.Generator().manual_seed(1)
    history = []
    for iteration in range(STEPS):
        batch = random_batch(generator)
        expected = plain.step(batch, iteration)
        losses = detector.train_step(as_data(batch), wrapper)
        scheduler.step()
        ours = (losses['loss_bbox'].item(), losses['loss_cls'].item())
        assert ours == pytest.approx(expected, rel=1e-9), iteration
        history.append(sum(ours))

    # It has learnt something, and both networks the same.
    assert sum(history[-5:]) < 0.9 * sum(history[:5])
    reached = dict(plain.network.named_parameters())
    for name, weight in detector.named_parameters():
        torch.testing.assert_close(weight, reached[name], rtol=1e-5, atol=1e-7)
