import copy
from types import SimpleNamespace

import pytest
import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.config import ConfigDict
from mmengine.model import BaseTTAModel
from torch import Tensor, nn

from m2det_mmdet.engine import AccelerationHook, PyramidCheckHook
from m2det_mmdet.models.pyramid_check import PyramidError

BACKBONE = {
    'type': 'ResNet',
    'depth': 18,
    'base_channels': 4,
    'stem_channels': 4,
    'frozen_stages': -1,
    'norm_eval': False,
}
FPN = {
    'type': 'FPN',
    'in_channels': [4, 8, 16, 32],
    'out_channels': 8,
    'start_level': 1,
    'add_extra_convs': 'on_output',
    'num_outs': 5,
}
STRIDES = [8, 16, 32, 64, 128]
HEAD = {
    'num_classes': 2,
    'in_channels': 8,
    'feat_channels': 8,
    'stacked_convs': 1,
}
ANCHORS = {
    'type': 'AnchorGenerator',
    'ratios': [1.0],
    'octave_base_scale': 8,
    'scales_per_octave': 1,
    'strides': STRIDES,
}
NORM = {'norm_cfg': {'type': 'BN'}}
HEADS = {
    'RetinaNet': {'type': 'RetinaHead', 'anchor_generator': ANCHORS},
    'ATSS': {'type': 'ATSSHead', 'anchor_generator': ANCHORS, **NORM},
    'GFL': {'type': 'GFLHead', 'anchor_generator': ANCHORS, **NORM},
    'FCOS': {'type': 'FCOSHead', 'strides': STRIDES, **NORM},
}
TEST_CFG = {
    'nms_pre': 10,
    'max_per_img': 5,
    'score_thr': 0.0,
    'nms': {'type': 'nms', 'iou_threshold': 0.5},
    'min_bbox_size': 0,
}
TWO_STAGE = ConfigDict(
    type='FasterRCNN',
    data_preprocessor={'type': 'DetDataPreprocessor'},
    backbone=BACKBONE,
    neck={
        'type': 'FPN',
        'in_channels': [4, 8, 16, 32],
        'out_channels': 8,
        'num_outs': 5,
    },
    rpn_head={
        'type': 'RPNHead',
        'in_channels': 8,
        'feat_channels': 8,
        'anchor_generator': {
            'type': 'AnchorGenerator',
            'scales': [8],
            'ratios': [1.0],
            'strides': [4, 8, 16, 32, 64],
        },
    },
    roi_head={
        'type': 'StandardRoIHead',
        'bbox_roi_extractor': {
            'type': 'SingleRoIExtractor',
            'roi_layer': {
                'type': 'RoIAlign',
                'output_size': 7,
                'sampling_ratio': 2,
            },
            'out_channels': 8,
            'featmap_strides': [4, 8, 16, 32],
        },
        'bbox_head': {
            'type': 'Shared2FCBBoxHead',
            'in_channels': 8,
            'fc_out_channels': 8,
            'num_classes': 2,
        },
    },
    train_cfg=None,
    test_cfg={'rpn': TEST_CFG, 'rcnn': TEST_CFG},
)


def one_stage(name: str = 'RetinaNet') -> ConfigDict:
    return ConfigDict(
        type=name,
        data_preprocessor={'type': 'DetDataPreprocessor'},
        backbone=copy.deepcopy(BACKBONE),
        neck=copy.deepcopy(FPN),
        bbox_head={**copy.deepcopy(HEADS[name]), **HEAD},
        test_cfg=TEST_CFG,
    )


def build(config: ConfigDict) -> nn.Module:
    torch.manual_seed(0)
    return MODELS.build(copy.deepcopy(config)).eval()


def predict(model: nn.Module, size: tuple[int, int] = (128, 128)) -> None:
    """Predict in one image of ``size`` pixels, which nothing pads."""
    facts = {'img_shape': size, 'ori_shape': size, 'scale_factor': (1.0, 1.0)}
    sample = DetDataSample(metainfo=facts)
    model.test_step({'inputs': [torch.rand(3, *size)], 'data_samples': [sample]})


def watched(model: nn.Module) -> tuple[PyramidCheckHook, SimpleNamespace]:
    hook, runner = PyramidCheckHook(), SimpleNamespace(model=model)
    hook.before_test_epoch(runner)
    return hook, runner


def count_hooks(model: nn.Module) -> int:
    return sum(
        len(module._forward_pre_hooks) + len(module._forward_hooks)
        for module in model.modules()
    )


@pytest.mark.parametrize('size', [(128, 128), (97, 131), (200, 333)])
@pytest.mark.parametrize('name', [*HEADS, 'FasterRCNN'])
def test_what_fits_passes_at_any_size(name: str, size: tuple[int, int]) -> None:
    model = build(TWO_STAGE if name == 'FasterRCNN' else one_stage(name))
    before = count_hooks(model)
    hook, runner = watched(model)
    assert count_hooks(model) > before
    predict(model, size)
    hook.after_test_iter(runner, 0)

    assert count_hooks(model) == before


@pytest.mark.parametrize('name', HEADS)
def test_wrong_strides_name_both_sides(name: str) -> None:
    config = one_stage(name)
    wrong = [4, 8, 16, 32, 64]
    if name == 'FCOS':
        config.bbox_head.strides = wrong
    else:
        config.bbox_head.anchor_generator.strides = wrong
    model = build(config)
    # Nothing stops it without the hook.
    predict(model)
    watched(model)

    with pytest.raises(
        PyramidError,
        match=r'model\.bbox_head expects maps of strides 4, 8, 16, 32, 64, but '
        r'model\.neck makes maps of strides 8, 16, 32, 64, 128 \(16x16, 8x8, 4x4, '
        r'2x2, 1x1 cells of 128x128 pixels\)',
    ):
        predict(model)


def test_strides_of_two_sides_are_told_as_vertical_by_horizontal() -> None:
    config = one_stage()
    config.bbox_head.anchor_generator.strides = [(4, 8), *STRIDES[1:]]
    model = build(config)
    watched(model)

    with pytest.raises(PyramidError, match=r'strides 8x4, 16, 32, 64, 128, but'):
        predict(model)


def test_the_native_pyramid_of_mlfpn_does_not_fit_an_fpn_head() -> None:
    config = one_stage()
    config.backbone.out_indices = (1, 2)
    config.neck = {
        'type': 'MLFPN',
        'in_channels': (8, 16),
        'ffm_channels': (4, 4),
        'num_levels': 2,
        'num_scales': 5,
        'sfam_reduction': 2,
        'tum_channels': 4,
        'out_channels': 8,
    }
    # The last convolution cuts one cell off each border.
    sizes = r'50x64, 25x32, 13x16, 7x8, 5x6 cells of 400x512 pixels'
    model = build(config)
    watched(model)
    with pytest.raises(PyramidError, match=r'57.14x64, 80x85.33 \(' + sizes):
        predict(model, (400, 512))

    config.neck.exact_strides = True
    model = build(config)
    watched(model)
    predict(model, (400, 512))


@pytest.mark.parametrize('num_outs', [4, 6])
def test_a_wrong_number_of_maps_names_both_sides(num_outs: int) -> None:
    config = one_stage()
    config.neck.num_outs = num_outs
    model = build(config)
    watched(model)

    with pytest.raises(
        PyramidError,
        match=r'model\.bbox_head expects 5 maps \(strides 8, 16, 32, 64, 128\) and '
        rf'gets {num_outs} of model\.neck: make num_outs',
    ):
        predict(model)


@pytest.mark.parametrize(
    ('strides', 'message'),
    [
        ([8, 16, 32, 64], r'strides 8, 16, 32, 64, but .* strides 4, 8, 16, 32 \('),
        ([2, 4, 8, 16, 32, 64], r'6 maps \(strides 2, 4, .* gets 5 of model\.neck'),
    ],
)
def test_roi_extractors_are_checked_too(strides: list[int], message: str) -> None:
    config = copy.deepcopy(TWO_STAGE)
    config.roi_head.bbox_roi_extractor.featmap_strides = strides
    model = build(config)
    predict(model)
    watched(model)

    with pytest.raises(
        PyramidError,
        match=r'model\.roi_head\.bbox_roi_extractor expects .*' + message,
    ):
        predict(model)


def test_channels_of_neck_and_head_name_both_sides() -> None:
    config = one_stage()
    config.neck.out_channels = 12
    model = build(config)
    watched(model)
    with pytest.raises(
        PyramidError,
        match=r'model\.bbox_head expects maps of \[8, 8, 8, 8, 8\] channels, but '
        r'model\.neck makes maps of \[12, 12, 12, 12, 12\]',
    ):
        predict(model)


def test_too_few_maps_of_the_backbone_name_both_sides() -> None:
    config = one_stage()
    config.backbone.out_indices = (1, 2, 3)
    model = build(config)
    watched(model)
    with pytest.raises(
        PyramidError,
        match=r'model\.backbone makes 3 maps of \[8, 16, 32\] channels, but '
        r'model\.neck expects 4 of \[4, 8, 16, 32\]',
    ):
        predict(model)


def test_a_map_of_other_channels_is_named_beside_what_the_neck_expects() -> None:
    config = one_stage()
    config.neck.in_channels = [4, 8, 16, 64]
    model = build(config)
    watched(model)

    with pytest.raises(
        PyramidError,
        match=r'model\.backbone makes 4 maps of \[4, 8, 16, 32\] channels, but '
        r'model\.neck expects 4 of \[4, 8, 16, 64\]',
    ):
        predict(model)


def test_an_image_beside_the_maps_is_none_of_them() -> None:
    model = build(one_stage())
    watched(model)
    # As in DetectoRS, whose neck calls backbones itself.
    model.backbone.register_forward_hook(lambda _, args, maps: (args[0], *maps))
    model.neck.register_forward_pre_hook(lambda _, args: (args[0][1:],))

    predict(model)


def test_steps_of_m2det_count_at_the_size_that_they_belong_to() -> None:
    config = ConfigDict(
        type='M2Det',
        data_preprocessor={'type': 'DetDataPreprocessor'},
        backbone=BACKBONE,
        neck={**FPN, 'num_outs': 3},
        bbox_head={
            'type': 'M2DetHead',
            'num_classes': 2,
            'anchor_generator': {
                'type': 'M2DetAnchorGenerator',
                'input_size': 128,
                'sizes': [0.1, 0.2, 0.4, 0.8],
                'steps': [8, 16, 43],
            },
            'bbox_coder': {'type': 'SSDBBoxCoder'},
        },
        test_cfg={'nms': None},
    )
    model = build(config)
    watched(model)
    # At other sizes its anchors follow the maps.
    predict(model, (160, 128))
    with pytest.raises(PyramidError, match=r'strides 8, 16, 43, but .* 8, 16, 32 \('):
        predict(model)


class Views(BaseTTAModel):
    """A wrapper as that of the multi-scale test."""

    def merge_preds(self, data_samples_list: list) -> list:
        return data_samples_list


class Parallel(nn.Module):
    """A wrapper as MMDistributedDataParallel."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module


@pytest.mark.parametrize('wrapper', [Parallel, Views])
def test_wrapped_detectors_are_watched(wrapper: type) -> None:
    config = one_stage()
    config.neck.num_outs = 4
    detector = build(config)
    watched(wrapper(detector))
    with pytest.raises(PyramidError, match=r'model\.bbox_head .* of model\.neck'):
        predict(detector)


def test_the_accelerated_copy_is_watched_and_left_as_it_was() -> None:
    model = build(one_stage())
    runner = SimpleNamespace(model=model)
    check, faster = PyramidCheckHook(), AccelerationHook()
    for hook in sorted((check, faster), key=lambda hook: hook.priority == 'VERY_LOW'):
        hook.before_test_epoch(runner)

    assert count_hooks(model) == 0
    assert count_hooks(runner.model) > 0
    predict(runner.model)
    check.after_test_iter(runner, 0)
    assert count_hooks(runner.model) == 0


@pytest.mark.slow
def test_what_torch_compiles_as_a_whole_is_left_alone() -> None:
    config = one_stage()
    config.neck.num_outs = 4
    model = build(config)
    image = torch.rand(1, 3, 64, 64)

    def forward(x: Tensor) -> Tensor:
        return model.neck(model.backbone(x))[0]

    expected = forward(image)
    watched(model)
    # One graph: nothing of the hook breaks it.
    compiled = torch.compile(forward, backend='eager', fullgraph=True)
    torch.testing.assert_close(compiled(image), expected)


def test_training_is_watched_from_its_first_iteration() -> None:
    model = build(one_stage()).train()
    hook, runner = PyramidCheckHook(), SimpleNamespace(model=model)
    hook.before_train_epoch(runner)
    during = count_hooks(model)
    hook.after_train_iter(runner, 0)
    hook.before_val_epoch(runner)

    assert count_hooks(model) == during > 0
    hook.after_val_iter(runner, 0)
    assert count_hooks(model) == 0
