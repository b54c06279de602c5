"""The detectors of the configs, made small, in graphs and in files of ONNX."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
import torch
from mmdet.models.detectors import SingleStageDetector
from mmdet.registry import MODELS
from mmengine.config import Config
from torch import Tensor

from m2det_mmdet.apis import export
from m2det_mmdet.export.errors import ExportError
from m2det_mmdet.export.graph import DetectionGraph
from m2det_mmdet.export.onnx_file import to_onnx
from m2det_mmdet.export.plan import DYNAMIC, plan_graph
from m2det_mmdet.export.programs import trace
from m2det_mmdet.models.dense_heads import M2DetHead

NECKS = ('fpn', 'pafpn', 'rfp', 'bifpn', 'augfpn', 'tcb', 'ssd', 'mlfpn')
NARROW = 'm2det/ablation_narrow'
# Family, leaf, by how much its channels are divided, and pixels of its images. VGG-16
# has no narrower form.
OF_ANY_SIZE = [
    *(('necks/necks_narrow', f'necks_{neck}_r18_scenes', 1, 128) for neck in NECKS),
    (NARROW, 'ablation_narrow_dssd_scenes', 1, 128),
    (NARROW, 'ablation_narrow_8_stum_scenes', 1, 128),
    ('m2det', 'm2det_r18_scenes', 1, 128),
    ('refinedet', 'refinedet_r18_scenes', 1, 128),
    ('mlfpn', 'retinanet_r50_mlfpn_1x_coco', 8, 256),
    ('mlfpn', 'atss_r50_mlfpn_1x_coco', 8, 256),
    ('mlfpn', 'gfl_r50_mlfpn_1x_coco', 8, 256),
    ('mlfpn', 'fcos_r50-caffe_mlfpn_gn-head_1x_coco', 8, 256),
    ('augfpn', 'retinanet_r50_augfpn_1x_coco', 8, 256),
    ('augfpn', 'fcos_r50-caffe_augfpn_gn-head_1x_coco', 8, 256),
    ('necks', 'retinanet_r50_bifpn_1x_coco', 8, 256),
    ('necks', 'retinanet_r50_pafpn_1x_coco', 8, 256),
    ('necks', 'retinanet_r50_rfp_1x_coco', 1, 256),
    ('necks', 'retinanet_r50_tcb_1x_coco', 1, 256),
]
NASFPN = ('necks', 'retinanet_r50_nasfpn_1x_coco', 8, 256)
OF_ONE_SIZE = [
    NASFPN,
    ('necks/necks_narrow', 'necks_nasfpn_r18_scenes', 1, 128),
    ('m2det', 'm2det_vgg_320', 1, 320),
    ('m2det', 'm2det_r50_320', 8, 320),
    ('m2det', 'm2det_r101_320', 8, 320),
    ('m2det/release', 'm2det_vgg_320_release', 1, 320),
    ('m2det/backbones', 'm2det_mobilenet-v4-s_320', 8, 320),
    # It pads as TensorFlow does, which takes PyTorch minutes to trace for any size.
    ('m2det/backbones', 'm2det_efficientnet-lite0_bccd', 1, 320),
    ('refinedet', 'refinedet_vgg_320', 1, 320),
    ('refinedet', 'refinedet_r101_320', 1, 320),
    # Its pooling follows the sizes that it was traced with.
    ('ssd', 'ssd_vgg_300', 1, 300),
    ('ssd', 'ssd_vgg_512', 1, 512),
]
# What a head may learn by, and its towers.
OTHER_HEADS = [
    {'loss_cls': {'type': 'FocalLoss'}, 'loss_bbox': {'type': 'GIoULoss'}},
    {'loss_cls': {'type': 'QualityFocalLoss'}, 'num_shared_convs': 1},
    {'loss_cls': {'type': 'VarifocalLoss'}, 'use_depthwise': True},
]
Case = tuple[str, str, int, int]


def built(config: Config, side: int) -> SingleStageDetector:
    """A detector of random weights that predicts numbers of about 1.

    Others would let rounding grow in the exponentials of scores and boxes.
    """
    torch.manual_seed(0)
    model = MODELS.build(_without_files(config.model))
    model.init_weights()
    model.eval()
    head = model.bbox_head
    with torch.no_grad():
        if isinstance(head, M2DetHead):
            # Behind a sigmoid all classes begin far below 0.
            for convs in head.cls_convs:
                convs[-1].bias.zero_()
        outputs = head(model.extract_feat(torch.randn(2, 3, side, side)))
        if isinstance(head, M2DetHead):
            for convs, maps in zip(
                (head.cls_convs, head.reg_convs), outputs[:2], strict=True
            ):
                for conv, x in zip(convs, maps, strict=True):
                    for parameter in conv.parameters():
                        parameter /= x.std()
    return model


def _without_files(config: Any) -> Any:
    """Leave out the files that weights start from."""
    if isinstance(config, list):
        return [_without_files(x) for x in config]
    if not isinstance(config, dict):
        return config
    return {
        key: _without_files(x)
        for key, x in config.items()
        if not (isinstance(x, dict) and x.get('type') == 'Pretrained')
    }


def check(config: Config, size: object, shapes: list[tuple[int, ...]]) -> None:
    """Compare a graph and a file of ONNX with the detector that they are made of."""
    runtime = pytest.importorskip('onnxruntime')
    model = built(config, shapes[0][-1])
    plan = plan_graph(config, model, size=size, nms='none')
    graph = DetectionGraph(model, plan.suppression).eval()

    program = trace(graph, plan)
    session = runtime.InferenceSession(
        to_onnx(program, graph.names).SerializeToString()
    )

    for shape in shapes:
        images = torch.randn(shape)
        with torch.no_grad():
            expected = graph(images)
            equal(program.module()(images), expected)
        equal(
            map(torch.from_numpy, session.run(None, {'images': images.numpy()})),
            expected,
        )


def equal(found: Iterable[Tensor], expected: tuple[Tensor, ...]) -> None:
    for own, other in zip(found, expected, strict=True):
        assert (own - other).abs().max() <= 1e-4 * other.abs().max()


@pytest.mark.slow
@pytest.mark.parametrize('case', OF_ANY_SIZE, ids=[x[1] for x in OF_ANY_SIZE])
def test_a_graph_of_any_size(small_config: Callable[..., Config], case: Case) -> None:
    side = case[-1]
    shapes = [(1, 3, side, side), (3, 3, side + 128, side + 64)]
    check(small_config(*case), DYNAMIC, shapes)


@pytest.mark.slow
@pytest.mark.parametrize('case', OF_ONE_SIZE, ids=[x[1] for x in OF_ONE_SIZE])
def test_a_graph_of_one_size(
    request: pytest.FixtureRequest, small_config: Callable[..., Config], case: Case
) -> None:
    side, config = case[-1], small_config(*case)
    if config.model.backbone.type == 'TimmBackbone':
        request.getfixturevalue('with_timm')
    shapes = [(1, 3, side, side), (3, 3, side, side)]
    check(config, (side, side), shapes)


@pytest.mark.parametrize(
    ('case', 'kind'),
    [
        (('mlfpn', 'faster-rcnn_r50_mlfpn_1x_coco', 8, 256), 'FasterRCNN'),
        (('mlfpn', 'mask-rcnn_r50_mlfpn_1x_coco', 8, 256), 'MaskRCNN'),
    ],
)
def test_a_two_stage_detector_is_refused_by_its_name(
    small_config: Callable[..., Config], case: Case, kind: str
) -> None:
    config = small_config(*case)
    model = MODELS.build(config.model)

    with pytest.raises(ExportError, match=f'^{kind} cannot be exported: single-stage'):
        plan_graph(config, model)


def test_a_neck_that_fixes_the_ratio_of_its_maps_needs_a_size(
    small_config: Callable[..., Config],
) -> None:
    config = small_config(*NASFPN)
    model = MODELS.build(config.model)

    with pytest.raises(ExportError, match='NASFPN .* give the size of the input'):
        plan_graph(config, model)
    assert plan_graph(config, model, size=(256, 256)).size == (256, 256)


@pytest.mark.slow
@pytest.mark.parametrize('head', OTHER_HEADS, ids=lambda x: x['loss_cls']['type'])
@pytest.mark.parametrize(
    ('family', 'leaf'),
    [('m2det', 'm2det_r18_scenes'), ('refinedet', 'refinedet_r18_scenes')],
)
def test_a_graph_of_another_head(
    small_config: Callable[..., Config], family: str, leaf: str, head: dict
) -> None:
    config = small_config(family, leaf, 1, 128)
    config.model.bbox_head.update(feat_channels=16, **head)

    check(config, DYNAMIC, [(1, 3, 128, 128), (3, 3, 256, 192)])


@pytest.mark.slow
@pytest.mark.parametrize('head', OTHER_HEADS, ids=lambda x: x['loss_cls']['type'])
def test_a_file_of_another_head_is_kept(
    small_config: Callable[..., Config], head: dict, tmp_path: Path
) -> None:
    config = small_config('m2det', 'm2det_r18_scenes', 1, 128)
    config.model.bbox_head.update(feat_channels=16, **head)
    model = built(config, 128)
    weights = tmp_path / 'weights.pth'
    torch.save({'state_dict': model.state_dict(), 'meta': {}}, weights)

    result = export(config, weights, tmp_path / 'other.onnx')

    # It has been compared with the detector.
    assert result.compared
    assert result.path.exists()
