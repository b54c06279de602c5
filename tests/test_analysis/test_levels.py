import pytest
import torch
from mmdet.models.detectors import BaseDetector
from mmdet.registry import MODELS
from mmengine.registry import init_default_scope

from m2det_mmdet.analysis.levels import LevelsError, check_levels, split_levels
from m2det_mmdet.utils.configs import load_config

IMAGES = torch.randn(2, 3, 128, 128, generator=torch.Generator().manual_seed(0))
NARROW = {'num_levels': 3, 'tum_channels': 8, 'ffm_channels': (8, 8)}


def build(
    name: str = 'm2det_r18_scenes',
    neck: dict | None = None,
    head: dict | None = None,
) -> BaseDetector:
    """A detector whose norms and biases are none that do nothing."""
    torch.manual_seed(0)
    init_default_scope('mmdet')
    config = load_config(name)
    config.model.neck.update(neck or {})
    config.model.bbox_head.update(head or {})
    model = MODELS.build(config.model).eval()
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.uniform_(module.bias, -0.5, 0.5)
            torch.nn.init.uniform_(module.running_mean, -0.5, 0.5)
    for convs in model.bbox_head.cls_convs:
        torch.nn.init.uniform_(convs[-1].bias)
    return model


@pytest.mark.parametrize(
    ('neck', 'head'),
    [
        ({}, {}),
        ({'sfam': 'eca'}, {}),
        ({'sfam': 'none'}, {}),
        # The norm of the largest map and its projection shift all scores.
        ({'extra_norm': True, 'out_channels': 12}, {}),
        ({}, {'loss_cls': {'type': 'QualityFocalLoss'}}),
    ],
)
def test_the_parts_and_the_constant_are_the_scores(neck: dict, head: dict) -> None:
    model = build(neck={**NARROW, **neck}, head=head)
    split = split_levels(model, IMAGES)
    scores = model.bbox_head(model.extract_feat(IMAGES))[0]

    assert split.parts.shape[0] == 3
    torch.testing.assert_close(
        split.scores[:, 0, :4], scores[0][:, :4, 0, 0], atol=1e-5, rtol=1e-5
    )
    torch.testing.assert_close(
        split.parts.sum(dim=0) + split.constant, split.scores, atol=1e-4, rtol=0
    )
    assert all(part.abs().max() > 1e-3 for part in split.parts)


@pytest.mark.slow
@pytest.mark.parametrize('sfam', ['se', 'eca', 'none'])
def test_parts_are_sums_over_the_channels_of_a_level(sfam: str) -> None:
    model = build(neck={**NARROW, 'sfam': sfam})
    seen = []
    for convs in model.bbox_head.cls_convs:
        convs[-1].register_forward_pre_hook(lambda _, maps: seen.append(maps[0]))
    with torch.no_grad():
        model(IMAGES)
    maps = seen[:4]
    split = split_levels(model, IMAGES)

    assert len(maps) == len(model.bbox_head.cls_convs)
    for level in range(3):
        own = slice(8 * level, 8 * level + 8)
        parts = [
            torch.nn.functional.conv2d(
                x[:, own].double(), convs[-1].weight[:, own].double(), padding=1
            )
            .permute(0, 2, 3, 1)
            .reshape(2, -1, 11)
            for x, convs in zip(maps, model.bbox_head.cls_convs, strict=True)
        ]
        torch.testing.assert_close(
            split.parts[level].double(), torch.cat(parts, dim=1), atol=1e-5, rtol=1e-5
        )


def test_a_level_that_the_head_does_not_see_gives_nothing() -> None:
    model = build(neck=NARROW)
    for convs in model.bbox_head.cls_convs:
        convs[-1].weight.data[:, 8:16] = 0
    before = split_levels(model, IMAGES)

    assert not before.parts[1].any()
    # What one level gives does not depend on the weights of another.
    for convs in model.bbox_head.cls_convs:
        convs[-1].weight.data[:, 8:16] = 1
    after = split_levels(model, IMAGES)
    torch.testing.assert_close(after.parts[[0, 2]], before.parts[[0, 2]])


def test_evidence_is_that_against_the_background() -> None:
    split = split_levels(build(neck=NARROW), IMAGES)
    expected = split.parts[..., 2] - split.parts[..., 10]
    torch.testing.assert_close(split.evidence[..., 2], expected)


def test_evidence_of_a_sigmoid_is_that_for_the_class() -> None:
    head = {'loss_cls': {'type': 'FocalLoss'}}
    split = split_levels(build(neck=NARROW, head=head), IMAGES)
    assert split.evidence is split.parts


def test_weights_are_those_of_sfam() -> None:
    model = build(neck=NARROW)
    split = split_levels(model, IMAGES)
    _, levels = model.neck.forward_with_levels(model.backbone(IMAGES))
    means = torch.cat([maps[1] for maps in levels], dim=1).mean((2, 3), keepdim=True)
    attention = model.neck.aggregation.attention[1]
    expected = attention.conv2(attention.conv1(means)).flatten(1)

    torch.testing.assert_close(
        split.weights[:, :, 1], expected.unflatten(1, (3, 8)).mean(dim=2)
    )


@pytest.mark.parametrize(
    ('name', 'head', 'message'),
    [
        ('necks_fpn_r18_scenes', {}, 'FPN has no levels; MLFPN has.'),
        ('refinedet_r18_scenes', {}, 'has no levels'),
        (
            'm2det_r18_scenes',
            {'num_shared_convs': 1, 'feat_channels': 8},
            'ReLU stands between the levels and the scores',
        ),
    ],
)
def test_other_scores_are_no_sum_over_levels(
    name: str, head: dict, message: str
) -> None:
    model = build(name, head=head)
    with pytest.raises(LevelsError, match=message):
        check_levels(model)


@pytest.mark.slow
def test_the_paper_s_detector_is_split() -> None:
    torch.manual_seed(0)
    init_default_scope('mmdet')
    config = load_config('m2det_vgg_320')
    config.model.backbone.init_cfg = None
    model = MODELS.build(config.model).eval()
    model.init_weights()
    split = split_levels(model, torch.randn(1, 3, 320, 320))

    assert split.parts.shape == (8, *split.scores.shape)
    differences = split.parts.sum(dim=0) + split.constant - split.scores
    assert differences.abs().max() <= 1e-4 * split.scores.abs().max().clamp(min=1)
