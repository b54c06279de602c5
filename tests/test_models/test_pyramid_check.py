"""Detectors with a neck of this package are checked at their first image."""

import copy
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from torch import Tensor, nn

from m2det_mmdet.analysis.structure import structure_of
from m2det_mmdet.models.pyramid_check import NECKS, PyramidError

CONFIGS = Path(__file__).parents[2] / 'configs'
RETINANET = 'mlfpn/retinanet_r50_mlfpn_1x_coco.py'
FASTER_RCNN = 'mlfpn/faster-rcnn_r50_mlfpn_1x_coco.py'
REFINEDET = 'refinedet/refinedet_r18_scenes.py'


def build(config: str, **changes: object) -> nn.Module:
    """Build a model without values, with some settings changed."""
    cfg = Config.fromfile(CONFIGS / config)
    cfg.merge_from_dict({f'model.{key}': value for key, value in changes.items()})
    return structure_of(cfg).eval()


def see(model: nn.Module, height: int = 400, width: int = 512) -> None:
    """Let a detector see an image."""
    maps = model.extract_feat(torch.empty(1, 3, height, width, device='meta'))
    if hasattr(model, 'rpn_head'):
        model.rpn_head(maps)
        count = model.roi_head.bbox_roi_extractor.num_inputs
        model.roi_head.bbox_roi_extractor(maps[:count], torch.empty(1, 5))
    else:
        model.bbox_head(maps)


def count_hooks(model: nn.Module) -> int:
    return sum(len(module._forward_pre_hooks) for module in model.modules())


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        # The last convolution cuts one cell off each border.
        (
            {'neck.exact_strides': False},
            r'model\.bbox_head expects maps of strides 8, 16, 32, 64, 128, but '
            r'model\.neck makes maps of strides 8, 16, 30.77x32, 57.14x64, 80x85.33',
        ),
        (
            {'neck.num_scales': 4},
            r'model\.bbox_head expects 5 maps \(strides 8, 16, 32, 64, 128\) and gets '
            r'4 of model\.neck',
        ),
        (
            {'neck.out_channels': 64},
            r'model\.bbox_head expects maps of \[256, 256, 256, 256, 256\] channels, '
            r'but model\.neck makes maps of \[64, 64, 64, 64, 64\]: make in_channels',
        ),
    ],
)
def test_what_does_not_fit_names_both_sides(changes: dict, message: str) -> None:
    with pytest.raises(PyramidError, match=message):
        see(build(RETINANET, **changes))


def test_an_extractor_of_other_channels_names_both_sides() -> None:
    model = build(FASTER_RCNN, **{'roi_head.bbox_roi_extractor.out_channels': 64})

    with pytest.raises(
        PyramidError,
        match=r'model\.roi_head\.bbox_roi_extractor expects maps of \[64, 64, 64, 64\] '
        r'channels, but model\.neck makes .*: make out_channels of the head',
    ):
        see(model)


def test_the_first_head_of_refinedet_takes_the_maps_of_the_backbone() -> None:
    strides = 'bbox_head.anchor_generator.strides'
    model = build(REFINEDET, **{strides: [8, 16, 32, 64]})

    with pytest.raises(
        PyramidError, match=r'model\.arm_head expects .*, but model\.backbone makes'
    ):
        see(model, 128, 128)


@pytest.mark.parametrize('config', [RETINANET, REFINEDET])
def test_what_fits_passes_and_is_left_as_it_was(config: str) -> None:
    model = build(config)
    assert count_hooks(model) == 1
    see(model, 128, 128)
    # The second image ends it.
    see(model, 128, 128)

    assert count_hooks(model) == 0


@pytest.mark.parametrize(
    ('config', 'changes'),
    [
        (RETINANET, {'neck.num_scales': 4}),
        # Its RPN passes before the extractor fails.
        (FASTER_RCNN, {'roi_head.bbox_roi_extractor.out_channels': 64}),
    ],
)
def test_what_does_not_fit_stops_every_image(config: str, changes: dict) -> None:
    model = build(config, **changes)

    for _ in range(3):
        with pytest.raises(PyramidError):
            see(model)


def test_an_image_that_fails_for_another_reason_is_not_the_first() -> None:
    model = build(RETINANET, **{'neck.num_scales': 4})
    with pytest.raises(RuntimeError, match='channel'):
        model.backbone(torch.empty(1, 4, 64, 64, device='meta'))

    with pytest.raises(PyramidError, match=r'gets 4 of model\.neck'):
        see(model)


def test_a_chain_of_necks_is_watched_too() -> None:
    cfg = Config.fromfile(CONFIGS / RETINANET)
    cfg.model.neck = [cfg.model.neck]
    cfg.model.neck[0].num_scales = 4

    with pytest.raises(PyramidError, match=r'gets 4 of model\.neck'):
        see(structure_of(cfg))


def copied(model: nn.Module) -> nn.Module:
    return copy.deepcopy(model)


def registered_again(model: nn.Module) -> nn.Module:
    """Set the parts of a model anew, as MMEngine does where it reverts SyncBN."""
    for name, part in model.named_children():
        model.add_module(name, part)
    return model


@pytest.mark.parametrize('change', [copied, registered_again])
def test_what_a_runner_makes_of_a_model_is_watched_once(
    change: Callable[[nn.Module], nn.Module],
) -> None:
    model = change(build(RETINANET, **{'neck.num_scales': 4}))

    assert count_hooks(model) == 1
    with pytest.raises(PyramidError, match=r'gets 4 of model\.neck'):
        see(model)


def test_a_copy_has_a_watch_of_its_own() -> None:
    model = build(RETINANET)
    twin = copy.deepcopy(model)
    for _ in range(2):
        see(twin, 128, 128)

    assert count_hooks(twin) == 0
    assert count_hooks(model) == 1


def test_other_necks_are_not_watched() -> None:
    fpn = {'type': 'FPN', 'out_channels': 256, 'start_level': 1, 'num_outs': 4}
    cfg = Config.fromfile(CONFIGS / RETINANET)
    cfg.model.neck = {**fpn, 'in_channels': [512, 1024, 2048]}

    assert count_hooks(structure_of(cfg)) == 0


@pytest.mark.slow
def test_a_model_that_is_compiled_as_a_whole_is_left_alone() -> None:
    model = build(RETINANET, **{'neck.num_scales': 4})

    def forward(x: Tensor) -> Tensor:
        return model.bbox_head(model.extract_feat(x))[0][0]

    image = torch.empty(1, 3, 64, 64, device='meta')
    compiled = torch.compile(forward, backend='eager', fullgraph=True)

    assert compiled(image).shape == (1, 720, 8, 8)
    assert count_hooks(model) == 1


def test_no_neck_of_the_package_is_left_out() -> None:
    own = {
        module
        for module in MODELS.module_dict.values()
        if module.__module__.startswith('m2det_mmdet.models.necks')
    }

    assert own == set(NECKS)
