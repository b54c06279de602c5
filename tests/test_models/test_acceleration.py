import copy
import shutil
from collections.abc import Callable

import pytest
import torch
from mmcv.cnn import ConvModule
from mmdet.models import ResNet
from mmdet.models.backbones import SSDVGG
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData
from torch import Tensor, nn

from m2det_mmdet.models.acceleration import accelerate
from m2det_mmdet.models.necks import MLFPN
from m2det_mmdet.utils.errors import M2DetError

CHANNELS = (6, 8)
NARROW = {
    'in_channels': CHANNELS,
    'ffm_channels': (4, 8),
    'num_levels': 3,
    'num_scales': 3,
    'tum_channels': 8,
    'sfam_reduction': 4,
}
ONEDNN = torch.backends.mkldnn.is_available()
COMPILER = ONEDNN and (shutil.which('g++') or shutil.which('clang++'))


def _with_statistics(model: nn.Module) -> nn.Module:
    """Give batch norms something to do, and return the model in eval mode."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean)
            nn.init.uniform_(module.running_var, 0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 2)
            nn.init.normal_(module.bias)
    # mmdet's ResNet returns nothing from train() and eval().
    model.eval()
    return model


def _norms(model: nn.Module) -> int:
    return sum(isinstance(module, nn.BatchNorm2d) for module in model.modules())


def _detector(**neck: object) -> nn.Module:
    torch.manual_seed(0)
    model = MODELS.build(
        {
            'type': 'M2Det',
            'data_preprocessor': {'type': 'DetDataPreprocessor'},
            'backbone': {
                'type': 'ResNet',
                'depth': 18,
                'base_channels': 4,
                'out_indices': (1, 2),
            },
            'neck': {'type': 'MLFPN', **NARROW, 'in_channels': (8, 16), **neck},
            'bbox_head': {
                'type': 'M2DetHead',
                'num_classes': 3,
                'anchor_generator': {
                    'type': 'M2DetAnchorGenerator',
                    'input_size': 64,
                    'sizes': [0.1, 0.3, 0.6, 0.9],
                    'steps': [8, 16, 32],
                    'ratios': [2, 3],
                },
                'bbox_coder': {
                    'type': 'DeltaXYWHBBoxCoder',
                    'target_stds': [0.1, 0.1, 0.2, 0.2],
                },
            },
            'test_cfg': {
                'score_thr': 0.0,
                'nms': {'type': 'nms', 'iou_threshold': 1.0},
                'max_per_img': 200,
            },
        }
    )
    return _with_spread(_with_statistics(model))


@torch.no_grad()
def _with_spread(model: nn.Module) -> nn.Module:
    """Let the head's outputs vary by about one: scores and boxes differ."""
    head = model.bbox_head
    outputs = model(torch.randn(2, 3, 64, 64), mode='tensor')
    for convs, maps in zip((head.cls_convs, head.reg_convs), outputs, strict=True):
        for conv, x in zip(convs, maps, strict=True):
            for parameter in conv.parameters():
                parameter /= x.std()
    return model


def _outputs(model: nn.Module, images: Tensor) -> list[Tensor]:
    with torch.no_grad():
        scores, deltas = model(images, mode='tensor')
    return [*scores, *deltas]


def _predictions(model: nn.Module, images: Tensor) -> list[InstanceData]:
    """Boxes, labels and scores of each image, the best first."""
    metainfo = {'img_shape': (64, 64), 'scale_factor': (1.0, 1.0)}
    samples = [DetDataSample(metainfo=metainfo) for _ in images]
    with torch.no_grad():
        found = model.predict(images, samples)
    return [sample.pred_instances for sample in found]


def _have_twins(
    instances: InstanceData, others: InstanceData, *, score: float, pixels: float
) -> bool:
    """Whether each is there among the others, with its label, score and box."""
    labels = instances.labels[:, None] == others.labels
    scores = (instances.scores[:, None] - others.scores).abs() <= score
    boxes = (instances.bboxes[:, None] - others.bboxes).abs().amax(dim=2) <= pixels
    return bool((labels & scores & boxes).any(dim=1).all())


def _assert_equal(found: list[Tensor], expected: list[Tensor], rtol: float) -> None:
    """Compare, relative to the largest value of each tensor."""
    for x, y in zip(found, expected, strict=True):
        assert (x - y).abs().max() <= rtol * y.abs().max()


@pytest.mark.parametrize(
    ('options', 'left'),
    [
        ({}, 0),
        ({'share_leach': True, 'sfam': False}, 0),
        # The norm after SFAM follows no convolution.
        ({'extra_norm': True}, 1),
        ({'share_sfam': True}, 0),
        ({'reuse_base': False, 'smooth': False}, 0),
        ({'exact_strides': True, 'out_channels': 5}, 0),
        ({'use_depthwise': True, 'residual': True, 'sfam': 'eca'}, 0),
        ({'norm_cfg': None}, 0),
        ({'act_cfg': {'type': 'PReLU', 'num_parameters': 1}}, 0),
        ({'norm_cfg': {'type': 'GN', 'num_groups': 2}}, 0),
        ({'norm_cfg': {'type': 'BN', 'affine': False}}, 0),
        ({'norm_cfg': {'type': 'BN', 'track_running_stats': False}}, None),
    ],
)
def test_a_folded_mlfpn_gives_the_same_maps(options: dict, left: int | None) -> None:
    torch.manual_seed(0)
    neck = MLFPN(**{**NARROW, **options}).eval()
    if options.get('norm_cfg', {}) == {}:
        _with_statistics(neck)
    inputs = [torch.randn(2, 6, 13, 12), torch.randn(2, 8, 7, 6)]
    before = _norms(neck)
    expected = neck(inputs)

    found = accelerate(neck)(inputs)

    _assert_equal(found, expected, 1e-5)
    assert _norms(neck) == (before if left is None else left)
    assert not any(x.requires_grad for x in found)


@pytest.mark.parametrize(
    'build',
    [
        lambda: ResNet(18, base_channels=4),
        lambda: ResNet(50, base_channels=4, deep_stem=True, avg_down=True),
        lambda: SSDVGG(11, out_indices=(3, 4), out_feature_indices=(10, 20)),
    ],
    ids=['resnet18', 'resnet50d', 'vgg11'],
)
def test_a_folded_backbone_gives_the_same_maps(build: Callable[[], nn.Module]) -> None:
    torch.manual_seed(0)
    backbone = _with_statistics(build())
    image = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        expected = backbone(image)

    found = accelerate(backbone)(image)

    _assert_equal(found, expected, 1e-5)
    assert _norms(backbone) == 0


def test_a_convolution_with_two_norms_becomes_two() -> None:
    first, second = (ConvModule(2, 2, 1, norm_cfg={'type': 'BN'}) for _ in range(2))
    second.conv = first.conv
    model = _with_statistics(nn.ModuleList([first, second]))
    image = torch.randn(1, 2, 3, 3)
    expected = [layer(image) for layer in model]

    accelerate(model)

    _assert_equal([layer(image) for layer in model], expected, 1e-5)
    assert _norms(model) == 0


@pytest.mark.parametrize(
    'layer',
    [
        lambda: ConvModule(
            3, 3, 1, norm_cfg={'type': 'BN'}, order=('norm', 'conv', 'act')
        ),
        lambda: ConvModule(3, 3, 1, norm_cfg={'type': 'BN'}, with_spectral_norm=True),
        lambda: ConvModule(
            3, 3, 1, norm_cfg={'type': 'BN'}, conv_cfg={'type': 'ConvAWS'}
        ),
        lambda: ConvModule(
            3, 3, 2, norm_cfg={'type': 'BN'}, conv_cfg={'type': 'deconv'}
        ),
        lambda: nn.Sequential(nn.Conv2d(3, 3, 1), nn.ReLU(), nn.BatchNorm2d(3)),
    ],
    ids=['norm first', 'spectral norm', 'own weights', 'transposed', 'not adjacent'],
)
def test_other_norms_are_left_alone(layer: Callable[[], nn.Module]) -> None:
    model = _with_statistics(nn.Sequential(layer()))
    image = torch.randn(1, 3, 4, 4)
    with torch.no_grad():
        expected = model(image)

    found = accelerate(model)(image)

    torch.testing.assert_close(found, expected)
    assert _norms(model) == 1


def test_a_layer_that_folds_by_itself_is_folded_once() -> None:
    layer = ConvModule(2, 3, 1, norm_cfg={'type': 'BN'}, efficient_conv_bn_eval=True)
    _with_statistics(layer)
    image = torch.randn(1, 2, 3, 3)
    expected = layer(image)

    _assert_equal([accelerate(layer)(image)], [expected], 1e-5)


def test_a_state_dict_taken_before_keeps_its_values() -> None:
    model = _detector()
    taken = model.state_dict()
    values = copy.deepcopy(taken)

    accelerate(model)

    assert taken.keys() == values.keys()
    for name, value in values.items():
        assert torch.equal(taken[name], value), name


def test_each_option_does_what_it_says() -> None:
    plain = accelerate(_detector(), fold_norm=False, channels_last=False)
    folded = accelerate(_detector(), channels_last=False)
    last = accelerate(_detector(), fold_norm=False)
    image = torch.randn(1, 3, 64, 64)

    assert _norms(plain) == _norms(last) > _norms(folded) == 0
    channels_last = torch.channels_last
    assert last.bbox_head.cls_convs[0][0].weight.is_contiguous(
        memory_format=channels_last
    )
    assert _outputs(last, image)[0].is_contiguous(memory_format=channels_last)
    assert _outputs(folded, image)[0].is_contiguous()
    untouched = _detector()
    (expected,) = _predictions(untouched, image)
    assert len(expected) == 200
    for model in (plain, folded, last):
        _assert_equal(_outputs(model, image), _outputs(untouched, image), 1e-5)
        (found,) = _predictions(model, image)
        assert torch.equal(found.labels, expected.labels)
        torch.testing.assert_close(found.scores, expected.scores)
        torch.testing.assert_close(found.bboxes, expected.bboxes, rtol=0, atol=1e-3)


def test_bfloat16_keeps_predictions_close() -> None:
    image = torch.randn(2, 3, 64, 64)
    model = _detector()
    expected = _predictions(model, image)
    maps = _outputs(model, image)

    accelerate(model, autocast='bfloat16')
    found = _predictions(model, image)
    lower = _outputs(model, image)

    assert all(x.dtype == torch.float32 for x in lower)
    assert not all(torch.equal(x, y) for x, y in zip(lower, maps, strict=True))
    # What about 30 layers leave of bfloat16's 8 bits.
    _assert_equal(lower, maps, 0.1)
    for instances, others in zip(found, expected, strict=True):
        assert instances.scores.dtype == torch.float32
        best, reference = instances[:5], others[:5]
        torch.testing.assert_close(best.scores, reference.scores, atol=0.02, rtol=0)
        # Those with about the same score may have changed places.
        assert _have_twins(best, others, score=0.05, pixels=1)
        assert _have_twins(reference, instances, score=0.05, pixels=1)


def test_a_precision_that_is_slow_here_is_told_of(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    logged = []
    monkeypatch.setattr(
        'm2det_mmdet.models.acceleration.warn_if_slow',
        lambda *arguments: logged.append(arguments),
    )

    accelerate(_detector(), autocast='float16')
    accelerate(_detector())

    assert logged == [(torch.device('cpu'), 'float16', 'autocast')]


def test_what_cannot_be_compiled_ends_in_one_sentence() -> None:
    def fail(*arguments: object) -> None:
        raise RuntimeError('No working C++ compiler')

    model = nn.ModuleDict({'backbone': nn.Conv2d(1, 1, 1)}).eval()
    accelerate(model, compile={'backend': fail})

    message = r'cannot be compiled \(RuntimeError: No working C\+\+ compiler\): see to'
    with pytest.raises(M2DetError, match=message):
        model.backbone(torch.randn(1, 1, 2, 2))


def test_a_copy_in_lower_precision_has_its_own_weights() -> None:
    model = accelerate(_detector(), autocast='bfloat16')
    image = torch.randn(1, 3, 64, 64)
    expected = _outputs(model, image)
    other = copy.deepcopy(model)

    for parameter in model.parameters():
        nn.init.zeros_(parameter)

    _assert_equal(_outputs(other, image), expected, 0)


def test_the_detector_in_a_wrapper_is_reached() -> None:
    class Wrapper(nn.Module):
        def __init__(self, module: nn.Module) -> None:
            super().__init__()
            self.module = module

    detector = _detector()
    image = torch.randn(1, 3, 64, 64)
    expected = _outputs(accelerate(_detector(), autocast='bfloat16'), image)

    model = accelerate(Wrapper(Wrapper(detector)).eval(), autocast='bfloat16')

    assert _norms(model) == 0
    _assert_equal(_outputs(detector, image), expected, 0)


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ({'autocast': 'int8'}, "None or one of bfloat16, float16, got 'int8'"),
        ({'compile': 'max'}, "True, False or a dict of arguments .*, got 'max'"),
        ({'autocast': 'float16'}, 'Conv2d has none of backbone, neck'),
        ({'compile': {}}, 'Conv2d has none of backbone, neck'),
    ],
)
def test_bad_values_are_named(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        accelerate(nn.Conv2d(1, 1, 1).eval(), **arguments)


def test_a_model_that_trains_is_refused() -> None:
    model = _detector()
    model.neck.train()

    with pytest.raises(ValueError, match=r'in training mode: call model.eval\(\)'):
        accelerate(model)

    assert _norms(model) > 0


@pytest.mark.slow
@pytest.mark.skipif(not COMPILER, reason='compiles C++ for oneDNN')
def test_a_compiled_detector_gives_the_same() -> None:
    from torch._inductor import config
    from torch._inductor.utils import run_and_get_code

    model = _detector()
    image = torch.randn(1, 3, 64, 64)
    expected = _outputs(model, image)

    accelerate(model, compile=True)
    found, code = run_and_get_code(lambda: _outputs(model, image))

    _assert_equal(found, expected, 1e-5)
    assert not any(x.requires_grad for x in found)
    # Backbone, neck and head, whose weights are constants in oneDNN's layout.
    assert len(code) == 3
    assert all('mkldnn._convolution_pointwise' in part for part in code)
    assert not any('extern_kernels.convolution(' in part for part in code)
    assert not config.freezing
    _assert_equal(_outputs(copy.deepcopy(model), image), expected, 1e-5)


@pytest.mark.slow
def test_parts_are_compiled_for_each_shape() -> None:
    from torch._dynamo.testing import CompileCounter

    counter = CompileCounter()
    model = accelerate(_detector(), compile={'backend': counter})

    for width in (64, 72, 80, 88):
        for _ in range(2):
            _outputs(model, torch.randn(1, 3, 64, width))

    # More than PyTorch compiles one function, which is 8 times.
    assert counter.frame_count == 3 * 4


class ActiveNorm(nn.BatchNorm2d):
    """A batch norm that does more."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).relu()


class Reversed(nn.Module):
    """Children in another order than its calls."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 1)
        self.norm = nn.BatchNorm2d(3)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(self.norm(x))


@pytest.mark.parametrize(
    'build', [lambda: nn.Sequential(nn.Conv2d(3, 3, 1), ActiveNorm(3)), Reversed]
)
def test_what_is_not_known_to_follow_stays(build: Callable[[], nn.Module]) -> None:
    torch.manual_seed(0)
    model = _with_statistics(build()).eval()
    x = torch.randn(2, 3, 4, 4)
    with torch.no_grad():
        expected = model(x)

    torch.testing.assert_close(accelerate(model)(x), expected)


def test_accelerating_twice_changes_nothing_more() -> None:
    torch.manual_seed(0)
    neck = _with_statistics(MLFPN(**NARROW)).eval()
    inputs = [torch.randn(2, 6, 13, 12), torch.randn(2, 8, 7, 6)]
    once = accelerate(neck)(inputs)

    for found, expected in zip(accelerate(neck)(inputs), once, strict=True):
        assert torch.equal(found, expected)
