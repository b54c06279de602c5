"""Each combination of keys that the page on losses names trains, and predicts."""

import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import ConfigDict
from mmengine.structures import InstanceData
from torch import nn

PAGE = Path(__file__).parents[3] / 'docs' / 'losses.md'
META = {'img_shape': (16, 16)}
ANCHORS = {
    'type': 'M2DetAnchorGenerator',
    'input_size': 16,
    'sizes': [0.25, 0.5, 0.5],
    'ratios': [[], []],
}


def rows(title: str) -> Iterator[tuple[dict, str]]:
    """Yield the settings of each row of a table of the page, and its last cell."""
    _, _, text = PAGE.read_text().partition(f'\n| {title} |')
    for line in text.partition('\n\n')[0].splitlines()[2:]:
        first, *_, last = line.strip('| ').split(' | ')
        (settings,) = re.findall(r'`(dict\(.*\))`', first)
        yield eval(settings), last


LOSSES_CLS = [settings for settings, _ in rows('`loss_cls`')]
LOSSES_BBOX = [settings for settings, _ in rows('`loss_bbox`')]
ASSIGNERS = list(rows('`train_cfg.assigner`'))
TOWERS = [settings for settings, _ in rows('keys of `bbox_head`')]
PAIRS = [
    pytest.param(loss, assigner, id=f'{loss["type"]}-{assigner["type"]}')
    for loss, (assigner, needs) in product(LOSSES_CLS, ASSIGNERS)
    if 'sigmoid' not in needs or loss['type'] != 'CrossEntropyLoss'
]


def test_the_page_names_keys() -> None:
    counts = map(len, (LOSSES_CLS, LOSSES_BBOX, ASSIGNERS, TOWERS))
    assert list(counts) == [4, 9, 5, 5]
    assert len(PAIRS) == 19


def build(kind: str, assigner: dict, **settings: dict) -> nn.Module:
    return MODELS.build(
        ConfigDict(
            type=kind,
            num_classes=2,
            in_channels=(3, 3),
            anchor_generator=ANCHORS,
            bbox_coder={'type': 'SSDBBoxCoder'},
            train_cfg={'assigner': assigner},
            test_cfg={'score_thr': 0.0, 'nms': None, 'objectness_thr': None},
            **settings,
        )
    )


def learns_and_predicts(head: nn.Module) -> None:
    """Train two steps on an image with objects and one without, and predict."""
    maps = [torch.randn(2, 3, side, side) for side in (2, 1)]
    if head.__class__.__name__ == 'ODMHead':
        arm = ([torch.randn(2, n, side, side) for side in (2, 1)] for n in (4, 8))
        maps = (maps, *arm)
    truths = [
        InstanceData(
            bboxes=torch.tensor([[2.0, 2, 6.4, 6.4], [5.0, 5, 14, 13]])[:count],
            labels=torch.tensor([0, 1])[:count],
        )
        for count in (2, 0)
    ]
    optimizer = torch.optim.SGD(head.parameters(), 1e-3)
    costs = []
    for _ in range(2):
        losses = head.loss_by_feat(*head(maps), truths, [META] * 2)
        optimizer.zero_grad()
        sum(losses.values()).backward()
        optimizer.step()
        costs.append(sum(losses.values()).item())
        assert all(x.grad.isfinite().all() for x in head.parameters())

    assert 0 < costs[1] < costs[0]
    with torch.no_grad():
        found, _ = head.predict_by_feat(*head(maps), batch_img_metas=[META] * 2)
    # Ten anchors of two classes.
    assert len(found) == 20
    assert ((found.scores > 0) & (found.scores < 1)).all()


@pytest.mark.parametrize(('loss_cls', 'assigner'), PAIRS)
@pytest.mark.parametrize('kind', ['M2DetHead', 'ODMHead'])
def test_losses_and_assigners(kind: str, loss_cls: dict, assigner: dict) -> None:
    for loss_bbox in LOSSES_BBOX:
        torch.manual_seed(1)
        learns_and_predicts(
            build(kind, assigner, loss_cls=loss_cls, loss_bbox=loss_bbox)
        )


@pytest.mark.parametrize('tower', TOWERS, ids=str)
@pytest.mark.parametrize('loss_cls', LOSSES_CLS, ids=lambda x: x['type'])
def test_towers(loss_cls: dict, tower: dict) -> None:
    norms = {'norm_cfg': {'type': 'BN'}, 'act_cfg': {'type': 'ReLU'}}
    head = build('M2DetHead', ASSIGNERS[0][0], loss_cls=loss_cls, **tower, **norms)
    learns_and_predicts(head)
