"""Matches, filtered anchors, mined negatives, losses and gradients are the port's."""

import json
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from mmdet.models import BaseDetector
from mmengine.structures import InstanceData
from torch import Tensor

from m2det_mmdet.models.dense_heads import M2DetHead, ODMHead

DATA = Path(__file__).parents[1] / 'data/refinedet'
SIZE, NUM_PRIORS, MAPS = 320, 6375, [(side, side) for side in (40, 20, 10, 5)]
META = {'img_shape': (SIZE, SIZE)}
CLASSES = {'arm': 2, 'odm': 21}
Expected = dict[str, np.ndarray]
Rows = Callable[[list[Tensor], int], Tensor]
Build = Callable[..., BaseDetector]


def truth(rows: np.ndarray) -> InstanceData:
    """Objects of reference rows: xyxy as fractions, label from 1."""
    rows = torch.from_numpy(rows)
    return InstanceData(bboxes=rows[:, :4] * SIZE, labels=rows[:, 4].long() - 1)


@pytest.fixture(scope='module')
def expected() -> Expected:
    return dict(np.load(DATA / 'loss.npz'))


@pytest.fixture
def truths(expected: Expected) -> list[InstanceData]:
    return [truth(expected[f'gt_{image}']) for image in range(3)]


@pytest.fixture
def predictions(
    expected: Expected, to_maps: Callable[[np.ndarray], list[Tensor]]
) -> dict[str, list[Tensor]]:
    """Maps of both heads, background last, which require gradients."""
    random = np.random.default_rng(int(expected['prediction_seed']))
    rows = {}
    for stage, scale in (('arm', 2), ('odm', 1.5)):
        shape = (3, NUM_PRIORS, 4)
        rows[f'{stage}_loc'] = random.standard_normal(shape).astype('f4')
        shape = (3, NUM_PRIORS, CLASSES[stage])
        rows[f'{stage}_conf'] = (scale * random.standard_normal(shape)).astype('f4')
        rows[f'{stage}_conf'][:, :, 0] += np.float32(3)
    crcs = [zlib.crc32(x.tobytes()) for x in rows.values()]
    assert crcs == expected['prediction_crc32'].tolist()
    maps = {
        name: to_maps(np.roll(x, -1, axis=2) if 'conf' in name else x)
        for name, x in rows.items()
    }
    return {name: [x.requires_grad_() for x in level] for name, level in maps.items()}


def losses_of(
    model: BaseDetector, maps: dict[str, list[Tensor]], truths: list[InstanceData]
) -> dict[str, Tensor]:
    """Losses under the names of the reference values."""
    arm = maps['arm_conf'], maps['arm_loc']
    metas = [META] * len(truths)
    first = model.arm_head.loss_by_feat(*arm, truths, metas)
    second = model.bbox_head.loss_by_feat(
        maps['odm_conf'], maps['odm_loc'], *arm, truths, metas
    )
    names = {'l': 'loss_bbox', 'c': 'loss_cls'}
    return {
        f'{stage}_loss_{letter}': losses[name]
        for stage, losses in (('arm', first), ('odm', second))
        for letter, name in names.items()
    }


def assigned(head: M2DetHead, truths: list[InstanceData]) -> Tensor:
    """Labels of the anchors ``(N, anchors)``, 0 for background."""
    metas = [META] * len(truths)
    anchors, flags = head.get_anchors(MAPS, metas, device='cpu')
    labels, *_ = head._match(anchors, flags, truths, metas, None)
    return torch.where(labels == head.num_classes, 0, labels + 1)


def chosen(gradient: np.ndarray) -> set[tuple[int, int]]:
    """Rows ``(image, anchor)`` with a gradient."""
    return {tuple(row) for row in np.argwhere(gradient.any(axis=2))}


def test_matches_and_targets_of_the_first_head(
    build: Build, truths: list[InstanceData], expected: Expected
) -> None:
    head = build().arm_head
    objects = [
        InstanceData(bboxes=x.bboxes, labels=torch.zeros_like(x.labels)) for x in truths
    ]
    assert np.array_equal(assigned(head, objects), expected['arm_conf_t'])


def test_losses_negatives_and_gradients_by_the_rule_of_the_port(
    build: Build,
    predictions: dict[str, list[Tensor]],
    truths: list[InstanceData],
    expected: Expected,
    to_rows: Rows,
) -> None:
    losses = losses_of(build(filter_rule='positives'), predictions, truths)
    sum(losses.values()).backward()

    assert len(losses) == 4
    for name, value in losses.items():
        assert value.item() == pytest.approx(expected[name], rel=1e-6), name
    for stage, classes in CLASSES.items():
        by_box = to_rows([x.grad for x in predictions[f'{stage}_loc']], 4).numpy()
        positives = expected[f'{stage}_pos_idx']
        assert chosen(by_box) == {tuple(row) for row in positives}
        np.testing.assert_allclose(
            by_box[tuple(positives.T)],
            expected[f'{stage}_grad_loc_pos'],
            rtol=0,
            atol=1e-6,
        )
        gradients = [x.grad for x in predictions[f'{stage}_conf']]
        by_class = to_rows(gradients, classes).roll(1, dims=2).numpy()
        negatives = expected[f'{stage}_neg_idx']
        assert chosen(by_class) == {tuple(r) for r in [*positives, *negatives]}
        rows = tuple(expected[f'{stage}_grad_conf_rows_idx'].T)
        np.testing.assert_allclose(
            by_class[rows], expected[f'{stage}_grad_conf_rows'], rtol=0, atol=1e-6
        )


def test_losses_and_negatives_by_the_rule_of_the_paper(
    build: Build,
    predictions: dict[str, list[Tensor]],
    truths: list[InstanceData],
    expected: Expected,
    to_rows: Rows,
) -> None:
    model = build()
    assert model.train_cfg.filter_rule == 'drop'
    losses = losses_of(model, predictions, truths)
    (losses['odm_loss_l'] + losses['odm_loss_c']).backward()

    for letter in 'lc':
        value = losses[f'odm_loss_{letter}'].item()
        assert value == pytest.approx(expected[f'drop_odm_loss_{letter}'], rel=1e-6)
    gradients = [x.grad for x in predictions['odm_conf']]
    by_class = to_rows(gradients, CLASSES['odm']).numpy()
    rows = chosen(by_class)
    positives = {tuple(row) for row in expected['odm_pos_idx']}
    assert positives < rows
    assert len(rows - positives) == expected['drop_num_neg']
    norm = expected['drop_grad_norm_odm_conf']
    assert np.linalg.norm(by_class) == pytest.approx(norm, rel=1e-6)
    # None of them is filtered.
    bits = np.unpackbits(expected['theta_filtered_packed'], axis=1)[:, :NUM_PRIORS]
    assert bits.any(axis=1).all()
    assert not any(bits[row] for row in rows)


def test_the_second_head_teaches_the_first_nothing(
    build: Build, predictions: dict[str, list[Tensor]], truths: list[InstanceData]
) -> None:
    losses = losses_of(build(), predictions, truths)
    (losses['odm_loss_l'] + losses['odm_loss_c']).backward()

    assert all(x.grad is None for x in predictions['arm_loc'] + predictions['arm_conf'])


@pytest.mark.parametrize('rule', ['drop', 'positives'])
def test_losses_are_zero_where_all_positives_are_filtered(
    rule: str,
    build: Build,
    predictions: dict[str, list[Tensor]],
    truths: list[InstanceData],
) -> None:
    with torch.no_grad():
        for level in predictions['arm_conf']:
            # Background is the second of the two classes of each anchor.
            level[:, 1::2] += 100
    losses = losses_of(build(filter_rule=rule), predictions, truths)
    sum(losses.values()).backward()

    assert losses['odm_loss_l'].item() == losses['odm_loss_c'].item() == 0
    assert losses['arm_loss_l'].item() > 0
    assert not any(x.grad.any() for x in predictions['odm_conf'])


def test_images_without_objects_cost_nothing_in_a_batch(
    build: Build,
    predictions: dict[str, list[Tensor]],
    truths: list[InstanceData],
) -> None:
    model = build()
    empty = truth(np.zeros((0, 5), 'f4'))
    full = losses_of(model, predictions, [truths[0], truths[0], truths[0]])
    mixed = losses_of(model, predictions, [empty, truths[0], empty])
    none = losses_of(model, predictions, [empty] * 3)

    assert all(value.item() == 0 for value in none.values())
    assert all(torch.isfinite(value) for value in mixed.values())
    assert 0 < mixed['arm_loss_l'].item() != full['arm_loss_l'].item()


def test_a_tiny_object_takes_one_of_its_equal_best_priors(build: Build) -> None:
    head = build().arm_head
    examples = json.loads((DATA / 'tiny_boxes.json').read_text())
    assert len(examples) == 4
    for example in examples:
        labels = assigned(head, [truth(np.array([[*example['gt'], 1]], 'f4'))])
        (prior,) = labels[0].nonzero().flatten().tolist()
        assert prior in example['equivalent_priors']


def test_targets_of_the_second_head_are_relative_to_refined_anchors(
    build: Build,
    predictions: dict[str, list[Tensor]],
    truths: list[InstanceData],
    expected: Expected,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    head = build(filter_rule='positives').bbox_head
    found = {}

    def record(_: ODMHead, *arguments: Tensor) -> dict[str, Tensor]:
        names = ('scores', 'deltas', 'labels', 'positive', 'weights', 'targets')
        found.update(zip(names, arguments, strict=True))
        return {}

    monkeypatch.setattr(ODMHead, '_losses', record)
    maps = [predictions[k] for k in ('odm_conf', 'odm_loc', 'arm_conf', 'arm_loc')]
    head.loss_by_feat(*maps, truths, [META] * 3)

    labels = torch.where(found['labels'] == 20, 0, found['labels'] + 1)
    assert np.array_equal(labels, expected['odm_conf_t'])
    positives = tuple(expected['odm_pos_idx'].T)
    assert np.array_equal(found['positive'].nonzero(), expected['odm_pos_idx'])
    np.testing.assert_allclose(
        found['targets'][positives], expected['odm_loc_t_pos'], atol=1e-5
    )
    dropped = tuple(expected['odm_filtered_matched_idx'].T)
    assert not found['positive'][dropped].any()
    assert (found['labels'][dropped] < 20).all()
