"""The networks of the release configs give what the released code gave.

Weights are drawn by the release's names and come through the converter. The cases are
VGG-16 with 8 levels of 256 channels (the released network), VGG-16 with 3 of 64 and
SFAM, and ResNet-50 with 2 of 64.
"""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from mmdet.models import BaseDetector
from mmdet.registry import MODELS
from mmengine.config import Config
from torch import Tensor

from m2det_mmdet.convert import from_release, to_release

Reference = dict[str, np.ndarray]
Build = Callable[[str], BaseDetector]
ToRows = Callable[[list[Tensor], int], Tensor]

LARGE = pytest.param('vgg_8x256', marks=pytest.mark.slow)
SMALL = {
    'vgg_3x64_sfam': {
        'num_levels': 3,
        'tum_channels': 64,
        'sfam': True,
        'share_sfam': True,
    },
    'r50_2x64': {'num_levels': 2, 'tum_channels': 64},
}
PARAMETERS = {
    'vgg_8x256': 132_633_140,
    'vgg_3x64_sfam': 28_732_608,
    # Without the classifier that the release carries.
    'r50_2x64': 32_130_396 - 2_049_000,
}


@pytest.fixture
def build(
    release_config: Callable[[str], Config],
    weights: Callable[[dict], dict[str, Tensor]],
) -> Build:
    """Build a case with the reference weights, converted."""

    def build_case(case: str) -> BaseDetector:
        config = release_config('r101_320' if case.startswith('r50') else 'vgg_320')
        if case.startswith('r50'):
            config.model.backbone.depth = 50
        config.model.neck.update(SMALL.get(case, {}))
        with torch.device('meta'):
            model = MODELS.build(config.model)
        names = to_release_shapes(model)
        # In place of the tensors without values.
        model.load_state_dict(from_release(weights(names), model), assign=True)
        return model

    return build_case


def to_release_shapes(model: BaseDetector) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the release for a model of any values."""
    zeros = {
        name: torch.zeros(value.shape, dtype=value.dtype)
        for name, value in model.state_dict().items()
    }
    converted = to_release(zeros, model)
    return {name: tuple(value.shape) for name, value in converted.items()}


def reference_input() -> Tensor:
    pixels = np.random.default_rng(1234).uniform(-110, 140, (2, 3, 320, 320))
    return torch.from_numpy(pixels.astype(np.float32))


def largest_difference(value: Tensor, expected: np.ndarray) -> float:
    return np.abs(value.detach().numpy() - expected).max()


def outputs(
    model: BaseDetector, maps: tuple[Tensor, ...], stride: int, to_rows: ToRows
) -> dict[str, Tensor]:
    """What the head makes of the maps, under the names of the reference values."""
    scores, deltas = model.bbox_head(maps)
    # The release has the background first.
    classes = to_rows(scores, 81).roll(1, dims=2)
    return {'loc': to_rows(deltas, 4)[:, ::stride], 'conf_logits': classes[:, ::stride]}


@pytest.mark.parametrize('case', [*SMALL, LARGE])
@torch.no_grad()
def test_evaluation(
    case: str, build: Build, reference: Callable[[str], Reference], to_rows: ToRows
) -> None:
    expected = reference(f'net_{case}')
    model = build(case).eval()
    assert sum(p.numel() for p in model.parameters()) == PARAMETERS[case]

    shallow, deep = model.backbone(reference_input())
    pyramid = model.neck((shallow, deep))
    maps = {
        'backbone_shallow': shallow,
        'backbone_deep': deep,
        'base_feature': model.neck.base_fusion((shallow, deep)),
        **{f'source_{scale}': level for scale, level in enumerate(pyramid)},
    }
    assert len(maps) == 9
    values = outputs(model, pyramid, expected['row_stride'], to_rows)
    for name, value in maps.items():
        values[name] = value.flatten()[:: expected[f'eval_{name}_step']]
    for name, value in values.items():
        recorded = expected[f'eval_{name}']
        bar = 1e-5 * np.abs(recorded).max()
        assert largest_difference(value, recorded) <= bar, name


@pytest.mark.slow
@pytest.mark.parametrize(
    # Batch statistics over maps of one cell of two images amplify rounding.
    ('case', 'bar'),
    [('vgg_3x64_sfam', 1e-5), ('vgg_8x256', 1e-3)],
)
@torch.no_grad()
def test_training_in_float64(
    case: str,
    bar: float,
    build: Build,
    reference: Callable[[str], Reference],
    to_rows: ToRows,
) -> None:
    expected = reference(f'net_{case}')
    model = build(case).double().train()
    pyramid = model.neck(model.backbone(reference_input().double()))
    values = outputs(model, pyramid, expected['row_stride'], to_rows)
    buffers = to_release(model.state_dict(), model)
    recorded = [name for name in expected if name.startswith('train_bn_')]
    assert len(recorded) == 9
    for name in recorded:
        values[name.removeprefix('train_')] = buffers[name.removeprefix('train_bn_')]
    for name, value in values.items():
        assert largest_difference(value, expected[f'train_{name}']) <= bar, name
    # One thinning convolution serves all levels, and counts each.
    levels = len(model.neck.tums)
    assert buffers['leach.0.bn.num_batches_tracked'] == levels
