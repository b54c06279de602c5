import copy
import math

import pytest
import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.config import ConfigDict
from mmengine.structures import InstanceData
from torch import Tensor, nn

from m2det_mmdet.models.detectors import M2Det, drop_auxiliary

CONFIG = ConfigDict(
    type='M2Det',
    data_preprocessor={'type': 'DetDataPreprocessor'},
    backbone={
        'type': 'ResNet',
        'depth': 18,
        'base_channels': 4,
        'stem_channels': 4,
        'strides': (1, 2, 1, 2),
        'out_indices': (1, 3),
        'frozen_stages': -1,
        'norm_eval': False,
    },
    neck={
        'type': 'MLFPN',
        'in_channels': (8, 32),
        'ffm_channels': (8, 8),
        'num_levels': 2,
        'num_scales': 3,
        'tum_channels': 8,
        'sfam_reduction': 2,
    },
    bbox_head={
        'type': 'M2DetHead',
        'num_classes': 3,
        'anchor_generator': {
            'type': 'M2DetAnchorGenerator',
            'input_size': 64,
            'sizes': [0.2, 0.4, 0.7, 1.0],
        },
        'bbox_coder': {
            'type': 'DeltaXYWHBBoxCoder',
            'target_stds': [0.1, 0.1, 0.2, 0.2],
        },
    },
    train_cfg={
        'assigner': {
            'type': 'MaxIoUAssigner',
            'pos_iou_thr': 0.5,
            'neg_iou_thr': 0.5,
            'min_pos_iou': 0.0,
            'gt_max_assign_all': False,
        },
        'sampler': {'type': 'PseudoSampler'},
        'smoothl1_beta': 1.0,
        'allowed_border': -1,
        'pos_weight': -1,
        'neg_pos_ratio': 3,
    },
    test_cfg={'score_thr': 0.2, 'nms': {'type': 'soft_nms'}, 'max_per_img': 10},
)


def build(**changes: dict) -> M2Det:
    torch.manual_seed(0)
    config = copy.deepcopy(CONFIG)
    for part, change in changes.items():
        config[part].update(change)
    return MODELS.build(config)


def sample(height: int, width: int) -> DetDataSample:
    """One large object of class 1 in an image of the given size."""
    size = (height, width)
    found = DetDataSample(
        metainfo={
            'img_shape': size,
            'ori_shape': size,
            'batch_input_shape': size,
            'scale_factor': (1.0, 1.0),
        }
    )
    found.gt_instances = InstanceData(
        bboxes=torch.tensor([[8.0, 8.0, 56.0, 56.0]]), labels=torch.tensor([1])
    )
    return found


def over_fpn(**neck: object) -> ConfigDict:
    """The detector with an FPN of mmdet, or another neck, of its ResNet's last maps."""
    config = copy.deepcopy(CONFIG)
    config.neck = {
        'type': 'FPN',
        'in_channels': [8, 32],
        'out_channels': 6,
        'num_outs': 3,
        **neck,
    }
    return config


def test_the_head_takes_its_channels_from_the_neck() -> None:
    assert build().bbox_head.in_channels == [16, 16, 16]
    wider = build(neck={'num_levels': 3})
    assert wider.bbox_head.in_channels == [24, 24, 24]


def test_a_neck_of_mmdet_tells_its_channels_too() -> None:
    config = copy.deepcopy(CONFIG)
    config.neck = {
        'type': 'FPN',
        'in_channels': [8, 32],
        'out_channels': 6,
        'num_outs': 3,
    }
    assert MODELS.build(config).bbox_head.in_channels == [6, 6, 6]


def test_the_neck_takes_its_channels_from_the_backbone() -> None:
    config = copy.deepcopy(CONFIG)
    del config.neck['in_channels']
    model, given = MODELS.build(config), build()

    shapes = [{n: x.shape for n, x in m.state_dict().items()} for m in (model, given)]
    assert shapes[0] == shapes[1]
    assert 'in_channels' not in config.neck


def test_channels_that_differ_are_named_when_the_detector_is_built() -> None:
    message = (
        r'makes 3 maps of \[16, 16, 16\] channels, the head expects 2 of \[16, 8\]'
    )
    with pytest.raises(ValueError, match=message):
        build(bbox_head={'in_channels': (16, 8)})


def test_scales_that_differ_are_named_when_the_detector_is_built() -> None:
    with pytest.raises(ValueError, match=r'gets 4 maps.*makes anchors for 3'):
        build(neck={'num_scales': 4})


def test_it_learns_an_image_and_predicts_its_object() -> None:
    model = build()
    images = torch.rand(2, 3, 64, 64)
    samples = [sample(64, 64), sample(64, 64)]
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    for _ in range(25):
        optimizer.zero_grad()
        losses = model.loss(images, samples)
        sum(losses.values()).backward()
        optimizer.step()
    with torch.no_grad():
        found, _ = model.predict(images, samples)

    best = found.pred_instances[0]
    assert best.labels.tolist() == [1]
    torch.testing.assert_close(
        best.bboxes[0], torch.tensor([8.0, 8, 56, 56]), atol=4, rtol=0
    )


def test_gradient_reaches_every_parameter_at_an_odd_size() -> None:
    model = build()
    losses = model.loss(torch.rand(2, 3, 70, 91), [sample(70, 91)] * 2)
    sum(losses.values()).backward()
    still = [n for n, p in model.named_parameters() if not p.grad.any()]

    # Only scales without a positive anchor teach their boxes nothing.
    assert len(still) < 6
    assert all(name.startswith('bbox_head.reg_convs') for name in still), still


def losses_of(model: M2Det) -> dict[str, Tensor]:
    torch.manual_seed(1)
    return model.loss(torch.rand(2, 3, 64, 64), [sample(64, 64)] * 2)


def with_auxiliary(levels: object = (0,), **settings: object) -> M2Det:
    torch.manual_seed(0)
    return MODELS.build({**copy.deepcopy(CONFIG), 'aux_levels': levels, **settings})


def test_auxiliary_heads_add_weighed_losses_of_single_levels() -> None:
    plain, model = build(), with_auxiliary((1, 0), aux_weight=0.25)
    expected, found = losses_of(plain), losses_of(model)

    # The rest of the detector has the same random weights.
    assert {name: found[name] for name in expected} == expected
    assert [*found] == [*expected] + [
        f'aux_level{level}.{name}' for level in (1, 0) for name in expected
    ]
    _, levels = model.neck.forward_with_levels(seen(model))
    own = model.aux_heads[0].loss(levels[1], [sample(64, 64)] * 2)
    for name, value in own.items():
        torch.testing.assert_close(found[f'aux_level1.{name}'], 0.25 * value)
    assert model.aux_heads[0].in_channels == [8, 8, 8]


def seen(model: M2Det) -> tuple[Tensor, ...]:
    """Maps of the images of :func:`losses_of`."""
    torch.manual_seed(1)
    return model.backbone(torch.rand(2, 3, 64, 64))


def test_an_auxiliary_head_teaches_its_level_and_those_before() -> None:
    model = with_auxiliary((0,))
    found = losses_of(model)
    sum(loss for name, loss in found.items() if name.startswith('aux')).backward()

    def learns(part: nn.Module) -> bool:
        return any(x.grad is not None and x.grad.any() for x in part.parameters())

    assert learns(model.backbone)
    assert learns(model.neck.tums[0])
    assert learns(model.aux_heads[0])
    assert not any(map(learns, (model.neck.tums[1], model.neck.aggregation)))
    assert not learns(model.bbox_head)


def test_auxiliary_heads_begin_as_the_head_does() -> None:
    config = {**copy.deepcopy(CONFIG), 'aux_levels': (0,)}
    config['bbox_head']['loss_cls'] = {'type': 'FocalLoss'}
    model = MODELS.build(config)
    model.init_weights()

    for head in (model.bbox_head, *model.aux_heads):
        for convs in head.cls_convs:
            assert convs[-1].bias.sigmoid().tolist() == pytest.approx(
                [0.01] * len(convs[-1].bias)
            )


def test_predictions_need_no_auxiliary_heads() -> None:
    plain, model = build().eval(), with_auxiliary().eval()
    extra = model.state_dict().keys() - plain.state_dict().keys()
    assert extra
    assert all(name.startswith('aux_heads.0.') for name in extra)
    images, samples = torch.rand(1, 3, 64, 64), [sample(64, 64)]
    with torch.no_grad():
        found, expected = (
            net.predict(images, copy.deepcopy(samples))[0].pred_instances
            for net in (model, plain)
        )
    torch.testing.assert_close(found.scores, expected.scores)
    assert drop_auxiliary(model) is model
    assert model.state_dict().keys() == plain.state_dict().keys()
    assert [*losses_of(model)] == ['loss_cls', 'loss_bbox']


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        ({'levels': (2,)}, r'from 0 to 1 \(num_levels=2\), got \(2,\)'),
        ({'levels': (-1,)}, r'from 0 to 1 .* got \(-1,\)'),
        ({'levels': (0, 0)}, r'different levels .* got \(0, 0\)'),
        ({'levels': 0}, r'a list of levels, such as \[0, 1\], got 0'),
        ({'levels': (0.0,)}, r'different levels .* got \(0\.0,\)'),
        ({'levels': ([0],)}, r'different levels .* got \(\[0\],\)'),
        ({'aux_weight': 0}, r'aux_weight must be a number above 0, got 0'),
        ({'aux_weight': 'x'}, r"aux_weight must be a number above 0, got 'x'"),
        ({'aux_weight': math.inf}, r'aux_weight must be a number above 0, got inf'),
        ({'neck': over_fpn().neck}, r'levels of an MLFPN, got FPN: remove'),
    ],
)
def test_auxiliary_heads_without_their_level_are_refused(
    settings: dict, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        with_auxiliary(**settings)


def test_in_channels_may_be_given_for_a_neck_that_does_not_tell() -> None:
    MODELS.register_module(name='SilentNeck', module=nn.Identity, force=True)
    config = copy.deepcopy(CONFIG)
    config.neck = {'type': 'SilentNeck'}
    config.bbox_head.in_channels = (5, 5, 5)
    assert MODELS.build(config).bbox_head.in_channels == (5, 5, 5)


def test_a_backbone_may_feed_the_head_without_a_neck() -> None:
    config = copy.deepcopy(CONFIG)
    del config['neck']
    config.bbox_head.in_channels = (8, 32)
    config.bbox_head.anchor_generator.sizes = [0.2, 0.5, 1.0]
    losses = MODELS.build(config).loss(torch.rand(2, 3, 64, 64), [sample(64, 64)] * 2)
    assert losses['loss_cls'] > 0


def test_a_neck_that_forgets_its_channels_is_read_from_the_config() -> None:
    config = copy.deepcopy(CONFIG)
    config.neck = {
        'type': 'SSDNeck',
        'in_channels': [8, 32],
        'out_channels': [8, 32, 4],
        'level_strides': (2,),
        'level_paddings': (1,),
        'l2_norm_scale': None,
    }
    assert MODELS.build(config).bbox_head.in_channels == [8, 32, 4]


def test_a_list_of_necks_is_a_chain_of_which_the_last_tells_the_channels() -> None:
    config = over_fpn()
    last = {'type': 'FPN', 'in_channels': [6, 6, 6], 'out_channels': 5, 'num_outs': 3}
    config.neck = [config.neck, last]
    model = MODELS.build(config)
    maps = model.extract_feat(torch.rand(1, 3, 64, 64))

    assert model.bbox_head.in_channels == [5, 5, 5]
    assert [tuple(x.shape[1:]) for x in maps] == [(5, 8, 8), (5, 4, 4), (5, 2, 2)]


@pytest.mark.parametrize(
    ('change', 'maps'),
    [
        # A convolution cannot take them.
        ({'in_channels': [8, 16]}, '8x4x6, 32x2x3'),
        # mmdet's FPN asserts their number.
        ({'in_channels': [8, 32, 32]}, '8x4x6, 32x2x3'),
    ],
)
def test_maps_that_the_neck_cannot_take_are_named(change: dict, maps: str) -> None:
    model = MODELS.build(over_fpn(**change))
    message = (
        rf'FPN cannot take the maps {maps} \(channels, height, width\) that ResNet '
        'made of an image of 32x48 pixels: use a larger input, or make in_channels'
    )
    with pytest.raises(ValueError, match=message):
        model.extract_feat(torch.rand(1, 3, 32, 48))


def test_an_image_that_a_neck_of_mmdet_cannot_hold_is_named() -> None:
    config = over_fpn(type='NASFPN', num_outs=5, in_channels=[8, 16, 32], stack_times=1)
    config.backbone.update(strides=(1, 2, 2, 2), out_indices=(1, 2, 3))
    config.bbox_head.anchor_generator.sizes = [0.1, 0.2, 0.3, 0.5, 0.7, 1.0]
    model = MODELS.build(config)

    assert model.extract_feat(torch.rand(1, 3, 128, 128))[4].shape == (1, 6, 1, 1)
    # P5 has 3 cells, its pooling makes 1 of them, and none of that.
    message = 'NASFPN cannot take the maps 8x12x12, .* image of 96x96 pixels'
    with pytest.raises(ValueError, match=message):
        model.extract_feat(torch.rand(1, 3, 96, 96))


def test_a_neck_that_makes_five_maps_alone_is_named() -> None:
    config = over_fpn(type='NASFPN', num_outs=6, in_channels=[8, 16, 32], stack_times=1)
    with pytest.raises(ValueError, match=r'num_outs is 6: set num_outs=5'):
        MODELS.build(config)


def test_other_errors_of_a_neck_stay_what_they_are() -> None:
    class Exhausted(nn.Identity):
        def forward(self, x: tuple) -> tuple:
            if x[0].device.type != 'meta':
                raise torch.OutOfMemoryError('no memory')
            return x

    model = build()
    model.neck = Exhausted()
    with pytest.raises(torch.OutOfMemoryError, match='no memory'):
        model.extract_feat(torch.rand(1, 3, 64, 64))


def test_steps_that_do_not_fit_are_named_at_the_first_image() -> None:
    model = build(
        bbox_head={
            'anchor_generator': {
                'type': 'M2DetAnchorGenerator',
                'input_size': 64,
                'sizes': [0.2, 0.4, 0.7, 1.0],
                'steps': [8, 16, 64],
            }
        }
    )
    message = r'model.bbox_head expects .* 8, 16, 64, but model.neck makes .* 8, 16, 32'
    with pytest.raises(ValueError, match=message):
        model.loss(torch.rand(2, 3, 64, 64), [sample(64, 64)] * 2)
    # Until one has passed, every image is checked.
    with torch.no_grad(), pytest.raises(ValueError, match=message):
        model.eval().predict(torch.rand(1, 3, 64, 64), [sample(64, 64)])
