"""SSD under the head of this package is SSD of MMDetection, and it predicts."""

from pathlib import Path

import mmdet
import pytest
import torch
from mmdet.models import BaseDetector
from mmdet.registry import MODELS, TASK_UTILS
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.structures import InstanceData
from torch import Tensor

CONFIGS = Path(__file__).parents[1] / 'configs' / 'ssd'
THEIRS = Path(mmdet.__file__).parent / '.mim' / 'configs' / 'ssd'
MAPS = {
    300: [38, 19, 10, 5, 3, 1],
    320: [40, 20, 10, 5, 3, 1],
    512: [64, 32, 16, 8, 4, 2, 1],
}


def model_of(path: Path) -> Config:
    config = Config.fromfile(path).model
    config.backbone.init_cfg = None
    return config


def on_meta(path: Path) -> BaseDetector:
    with torch.device('meta'):
        return MODELS.build(model_of(path)).to('meta')


def priors_of(config: Config, side: int) -> list[Tensor]:
    generator = TASK_UTILS.build(config.bbox_head.anchor_generator)
    return generator.grid_priors([(n, n) for n in MAPS[side]], device='cpu')


@pytest.mark.parametrize(('side', 'count'), [(300, 34_305_206), (512, 36_038_196)])
def test_the_tensors_are_those_of_mmdet(side: int, count: int) -> None:
    ours, theirs = (
        on_meta(path).state_dict()
        for path in (CONFIGS / f'ssd_vgg_{side}.py', THEIRS / f'ssd{side}_coco.py')
    )

    assert sum(value.numel() for value in ours.values()) == count
    # Its checkpoints load as they are.
    assert {name: value.shape for name, value in ours.items()} == {
        name: value.shape for name, value in theirs.items()
    }


@pytest.mark.parametrize(('side', 'count'), [(300, 8732), (512, 24_564)])
def test_the_anchors_are_those_of_mmdet(side: int, count: int) -> None:
    ours = priors_of(model_of(CONFIGS / f'ssd_vgg_{side}.py'), side)
    theirs = priors_of(model_of(THEIRS / f'ssd{side}_coco.py'), side)

    assert sum(map(len, ours)) == count
    for found, expected in zip(ours, theirs, strict=True):
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-4)


def test_the_anchors_of_320_pixels_are_those_of_300_on_its_own_maps() -> None:
    first, *_, fifth, last = priors_of(model_of(CONFIGS / 'ssd_vgg_320.py'), 320)

    # 0.07, 0.69 and 0.87 of 320 pixels.
    for level, side, centre in (
        (first, 22.4, 4),
        (fifth, 220.8, 320 / 6),
        (last, 278.4, 160),
    ):
        low, high = centre - side / 2, centre + side / 2
        assert level[0].tolist() == pytest.approx([low, low, high, high], abs=1e-4)


@pytest.mark.parametrize('side', [300, 512])
def test_the_detector_makes_the_maps_of_its_anchors(side: int) -> None:
    model = on_meta(CONFIGS / f'ssd_vgg_{side}.py')
    maps = model.extract_feat(torch.empty(1, 3, side, side, device='meta'))

    assert [tuple(x.shape[2:]) for x in maps] == [(n, n) for n in MAPS[side]]


def narrow(anchor_generator: Config | None = None) -> BaseDetector:
    """SSD300 over the first three stages of a ResNet-18 of 4 channels."""
    torch.manual_seed(0)
    config = model_of(CONFIGS / 'ssd_vgg_300.py')
    config.data_preprocessor.pad_size_divisor = 4
    channels = (8, 16, 16, 16, 16, 16)
    config.backbone = {
        'type': 'ResNet',
        'depth': 18,
        'base_channels': 4,
        'stem_channels': 4,
        'num_stages': 3,
        'strides': (1, 2, 2),
        'dilations': (1, 1, 1),
        'out_indices': (1, 2),
        'norm_eval': False,
        'zero_init_residual': False,
    }
    config.neck.update(in_channels=channels[:2], out_channels=channels)
    config.bbox_head.update(in_channels=channels, num_classes=2)
    if anchor_generator is not None:
        config.bbox_head.anchor_generator = anchor_generator
    model = MODELS.build(config)
    model.init_weights()
    return model


def sample(height: int, width: int) -> DetDataSample:
    found = DetDataSample(
        metainfo={
            'img_shape': (height, width),
            'ori_shape': (height, width),
            'scale_factor': (1.0, 1.0),
        }
    )
    # Near the first anchor in the middle of each map at 300 pixels, but such that no
    # second anchor is equally near to two of them.
    sides = torch.tensor([20.0, 46, 97, 155, 204, 263])
    centres = torch.tensor([148.0, 152, 144, 160, 150, 150])
    low, high = centres - sides / 2, centres + sides / 2
    boxes = torch.stack([low, low, high, high], dim=1)
    labels = torch.arange(len(boxes)) % 2
    found.gt_instances = InstanceData(bboxes=boxes, labels=labels)
    return found


def batch(*sizes: tuple[int, int]) -> dict:
    torch.manual_seed(1)
    images = [torch.randint(256, (3, *size), dtype=torch.uint8) for size in sizes]
    return {'inputs': images, 'data_samples': [sample(*size) for size in sizes]}


def anchors_of_mmdet() -> Config:
    return model_of(THEIRS / 'ssd300_coco.py').bbox_head.anchor_generator


def losses_of(model: BaseDetector) -> dict[str, Tensor]:
    data = model.data_preprocessor(batch((300, 300), (300, 300)), training=True)
    return model(**data, mode='loss')


def test_two_steps_of_training_reach_every_parameter() -> None:
    model = narrow()
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    for _ in range(2):
        losses = losses_of(model)
        optimizer.zero_grad()
        sum(losses.values()).backward()
        assert all(loss.isfinite() and loss > 0 for loss in losses.values())
        still = [name for name, p in model.named_parameters() if not p.grad.any()]
        assert not still
        optimizer.step()


def test_the_generator_of_mmdet_gives_the_same_losses() -> None:
    expected = losses_of(narrow())
    found = losses_of(narrow(anchors_of_mmdet()))

    assert found.keys() == expected.keys()
    for name, loss in expected.items():
        torch.testing.assert_close(found[name], loss, rtol=1e-5, atol=0)


def test_the_losses_are_those_of_the_head_of_mmdet() -> None:
    theirs = MODELS.build(
        {
            **model_of(THEIRS / 'ssd300_coco.py').bbox_head,
            'num_classes': 2,
            'train_cfg': model_of(CONFIGS / 'ssd_vgg_300.py').train_cfg,
        }
    )
    ours = narrow(anchors_of_mmdet()).bbox_head
    torch.manual_seed(2)
    maps = list(zip(ours.num_base_priors, MAPS[300], strict=True))
    scores = [torch.randn(2, 3 * count, n, n) for count, n in maps]
    deltas = [torch.randn(2, 4 * count, n, n) for count, n in maps]
    # Hard negatives at the border, with their centres beyond it.
    scores[2][:, ::3, -1] += 5
    samples = [sample(300, 300)] * 2
    truth = [one.gt_instances for one in samples]
    metas = [{**one.metainfo, 'pad_shape': (300, 300)} for one in samples]
    found = ours.loss_by_feat(scores, deltas, truth, metas)

    # There image by image.
    for name, losses in theirs.loss_by_feat(scores, deltas, truth, metas).items():
        torch.testing.assert_close(found[name], sum(x.sum() for x in losses))


@pytest.mark.parametrize('sizes', [[(300, 300)], [(290, 350), (301, 299)]])
@torch.no_grad()
def test_it_predicts_at_square_and_at_padded_sizes(
    sizes: list[tuple[int, int]],
) -> None:
    model = narrow().eval()
    found = model.test_step(batch(*sizes))

    assert len(found) == len(sizes)
    for detections, (height, width) in zip(found, sizes, strict=True):
        boxes = detections.pred_instances.bboxes
        scores = detections.pred_instances.scores
        assert len(boxes) == 200
        assert boxes.min() >= 0
        assert boxes[:, 2].max() <= width
        assert boxes[:, 3].max() <= height
        assert torch.equal(scores, scores.sort(descending=True).values)
