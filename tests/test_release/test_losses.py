"""Matching, mined negatives, losses and gradients equal those of the released code."""

import json
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.structures import InstanceData
from torch import Tensor

from m2det_mmdet.models.dense_heads import M2DetHead

DATA = Path(__file__).parents[1] / 'data/release'
SIZE, MAPS = 320, [(side, side) for side in (40, 20, 10, 5, 3, 1)]
META = {'img_shape': (SIZE, SIZE)}
ToMaps = Callable[[np.ndarray], list[Tensor]]
ToRows = Callable[[list[Tensor], int], Tensor]


def truth(rows: np.ndarray) -> InstanceData:
    """Objects of reference rows: xyxy as fractions, label from 1."""
    rows = torch.from_numpy(rows)
    return InstanceData(bboxes=rows[:, :4] * SIZE, labels=rows[:, 4].long() - 1)


def assigned(head: M2DetHead, truths: list[InstanceData]) -> tuple[Tensor, Tensor]:
    """Labels ``(N, anchors)`` as the release numbers them, and encoded boxes."""
    metas = [META] * len(truths)
    anchors, flags = head.get_anchors(MAPS, metas, device='cpu')
    targets = head._match(anchors, flags, truths, metas, None)
    background = targets.labels == head.num_classes
    return torch.where(background, 0, targets.labels + 1), targets.boxes


@pytest.fixture(scope='module')
def expected() -> dict[str, np.ndarray]:
    return dict(np.load(DATA / 'loss.npz'))


@pytest.fixture
def truths(expected: dict[str, np.ndarray]) -> list[InstanceData]:
    return [truth(expected[f'gt_{image}']) for image in range(3)]


@pytest.fixture
def predictions(
    expected: dict[str, np.ndarray], to_maps: ToMaps
) -> tuple[list[Tensor], list[Tensor]]:
    """Class scores, background last, and regressions that require gradients."""
    random = np.random.default_rng(int(expected['prediction_seed']))
    deltas = random.standard_normal((3, 12810, 4)).astype(np.float32)
    scores = (1.5 * random.standard_normal((3, 12810, 81))).astype(np.float32)
    scores[:, :, 0] += np.float32(3)
    crcs = [zlib.crc32(deltas.tobytes()), zlib.crc32(scores.tobytes())]
    assert crcs == expected['prediction_crc32'].tolist()
    maps = to_maps(np.roll(scores, -1, axis=2)), to_maps(deltas)
    return tuple([x.requires_grad_() for x in level] for level in maps)


def test_labels_and_targets(
    release_head: M2DetHead,
    truths: list[InstanceData],
    expected: dict[str, np.ndarray],
) -> None:
    labels, targets = assigned(release_head, truths)

    assert np.array_equal(labels, expected['conf_t'])
    positives = tuple(expected['pos_idx'].T)
    np.testing.assert_allclose(targets[positives], expected['loc_t_pos'], atol=1e-5)


def test_losses_negatives_and_gradients(
    release_head: M2DetHead,
    predictions: tuple[list[Tensor], list[Tensor]],
    truths: list[InstanceData],
    expected: dict[str, np.ndarray],
    to_rows: ToRows,
) -> None:
    scores, deltas = predictions
    losses = release_head.loss_by_feat(scores, deltas, truths, [META] * 3)
    sum(losses.values()).backward()

    assert losses['loss_bbox'].item() == pytest.approx(expected['loss_l'], rel=1e-5)
    assert losses['loss_cls'].item() == pytest.approx(expected['loss_c'], rel=1e-5)

    by_box = to_rows([x.grad for x in deltas], 4).numpy()
    positives = tuple(expected['pos_idx'].T)
    np.testing.assert_allclose(
        by_box[positives], expected['grad_loc_pos'], rtol=0, atol=1e-6
    )
    assert np.count_nonzero(by_box.any(axis=2)) == len(expected['pos_idx'])

    by_score = to_rows([x.grad for x in scores], 81).roll(1, dims=2).numpy()
    chosen = {tuple(row) for row in np.argwhere(by_score.any(axis=2))}
    sources = (expected['pos_idx'], expected['neg_idx'])
    assert chosen == {tuple(row) for row in np.concatenate(sources)}
    rows = tuple(expected['grad_conf_rows_idx'].T)
    np.testing.assert_allclose(
        by_score[rows], expected['grad_conf_rows'], rtol=0, atol=1e-6
    )


def test_a_tiny_object_takes_one_of_its_equal_best_priors(
    release_head: M2DetHead,
) -> None:
    examples = json.loads((DATA / 'tiny_boxes.json').read_text())
    assert len(examples) == 3
    for example in examples:
        labels, _ = assigned(release_head, [truth(np.array([example['gt']], 'f4'))])
        (prior,) = labels[0].nonzero().flatten().tolist()
        assert prior in example['equivalent_priors']


def test_of_equal_objects_the_first_has_the_priors_and_the_last_the_best_one(
    release_head: M2DetHead,
) -> None:
    # A square of 100 pixels about the middle.
    box = [110 / SIZE, 110 / SIZE, 210 / SIZE, 210 / SIZE]
    rows = np.array([[*box, 3], [*box, 5], [*box, 7]], dtype=np.float32)
    labels, _ = assigned(release_head, [truth(rows)])

    counts = labels[0].bincount(minlength=8)
    assert counts[3] > 1
    assert counts[[5, 7]].tolist() == [0, 1]
