from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from mmengine.config import Config, ConfigDict

from m2det_mmdet.apis import train
from m2det_mmdet.checkpoints.statistics import check_statistics
from m2det_mmdet.utils.configs import load_config, shipped_configs

RGB, BGR = [123.675, 116.28, 103.53], [103.53, 116.28, 123.675]
ONES, STD = [1, 1, 1], [58.395, 57.12, 57.375]
CAFFE = 'open-mmlab://detectron2/resnet50_caffe'
IMAGENET = (RGB, STD, True)


def warnings(
    checkpoint: str, mean: Any, std: Any, bgr_to_rgb: bool, **settings: Any
) -> list[str]:
    init_cfg = {'type': 'Pretrained', 'checkpoint': checkpoint}
    pixels = {'mean': mean, 'std': std, 'bgr_to_rgb': bgr_to_rgb}
    model = {'data_preprocessor': pixels, 'backbone': {'init_cfg': init_cfg}}
    return list(check_statistics(Config({'model': model, **settings})))


# As MMDetection's own configs have them.
@pytest.mark.parametrize(
    ('checkpoint', 'mean', 'std', 'bgr_to_rgb'),
    [
        ('torchvision://resnet50', *IMAGENET),
        # YOLACT's.
        ('torchvision://resnet50', [123.68, 116.78, 103.94], [58.4, 57.12, 57.38],
         True),
        ('https://download.pytorch.org/models/resnet50-11ad3fa6.pth', *IMAGENET),
        (CAFFE, BGR, ONES, False),
        ('open-mmlab://detectron/resnet50_caffe', [102.9801, 115.9465, 122.7717],
         ONES, False),
        ('open-mmlab://detectron/resnet50_gn', BGR, ONES, False),
        ('open-mmlab://detectron2/resnext101_32x8d', BGR, STD[::-1], False),
        ('open-mmlab://vgg16_caffe', RGB, ONES, True),
        # M2Det's release.
        ('open-mmlab://vgg16_caffe', [104, 117, 123], ONES, False),
        ('open-mmlab://resnext101_32x4d', *IMAGENET),
        ('open-mmlab://resnest50', [123.68, 116.779, 103.939], [58.393, 57.12, 57.375],
         True),
        ('open-mmlab://darknet53', [0, 0, 0], [255.0] * 3, True),
        # In use with both.
        ('open-mmlab://msra/hrnetv2_w18', *IMAGENET),
        ('open-mmlab://msra/hrnetv2_w18', BGR, STD[::-1], False),
        ('open-mmlab://regnetx_400mf', BGR, STD[::-1], False),
        ('m2det_r18_scenes', *IMAGENET),
        ('mine.pth', *IMAGENET),
    ],
)  # fmt: skip
def test_pixels_that_belong_to_the_weights_pass(
    checkpoint: str, mean: list, std: list, bgr_to_rgb: bool
) -> None:
    assert warnings(checkpoint, mean, std, bgr_to_rgb) == []


@pytest.mark.parametrize(
    ('checkpoint', 'mean', 'std', 'bgr_to_rgb'),
    [
        # A ResNet in the place of the VGG of m2det_vgg_320.
        ('torchvision://resnet18', RGB, ONES, True),
        ('torchvision://resnet18', BGR, STD, True),
        ('torchvision://resnet18', RGB, STD, False),
        (CAFFE, *IMAGENET),
        ('open-mmlab://vgg16_caffe', *IMAGENET),
        ('mmcls://vgg16', RGB, ONES, True),
        ('m2det://m2det_r18_scenes', RGB, ONES, True),
    ],
)
def test_pixels_of_other_weights_are_warned_of(
    checkpoint: str, mean: list, std: list, bgr_to_rgb: bool
) -> None:
    (warning,) = warnings(checkpoint, mean, std, bgr_to_rgb)

    assert f'{checkpoint} (model.backbone.init_cfg)' in warning
    assert f'has mean={mean}, std={std}, bgr_to_rgb={bgr_to_rgb}, set ' in warning


def test_the_warning_says_what_to_write() -> None:
    (warning,) = warnings('torchvision://resnet18', RGB, ONES, True)

    assert warning == (
        'The pixels are not those that torchvision://resnet18 '
        '(model.backbone.init_cfg) was trained with: model.data_preprocessor has '
        'mean=[123.675, 116.28, 103.53], std=[1, 1, 1], bgr_to_rgb=True, set '
        'mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], bgr_to_rgb=True.'
    )


def test_weights_to_go_on_from_count_too() -> None:
    found = warnings('mine.pth', RGB, ONES, True, load_from='m2det_r18_scenes')

    assert len(found) == 1
    assert 'm2det_r18_scenes (load_from)' in found[0]


@pytest.mark.parametrize('pixels', [None, {}, {'mean': [1.0], 'std': [1.0]}])
def test_a_model_that_prepares_no_pixels_is_left_alone(pixels: Any) -> None:
    init_cfg = {'type': 'Pretrained', 'checkpoint': 'torchvision://resnet18'}
    model = {'data_preprocessor': pixels, 'backbone': {'init_cfg': init_cfg}}

    assert list(check_statistics(Config({'model': model}))) == []


def test_no_config_is_warned_of_but_one() -> None:
    warned = set()
    for name in shipped_configs():
        # It also looks at weights of the zoo, whose configs are some of these.
        warned |= {name for _ in check_statistics(load_config(name))}

    # It repeats what the release does: pixels of a Caffe network for a ResNet.
    assert warned == {'m2det_r101_320_release'}


@pytest.mark.slow
def test_a_training_warns(
    trained: SimpleNamespace, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    options = {
        'load_from': 'm2det_r18_scenes',
        'model.data_preprocessor.std': [1, 1, 1],
        'model.neck.num_levels': 2,
        'train_cfg.val_interval': 9,
    }

    train(trained.config, work_dir=tmp_path, options=ConfigDict(options))

    assert 'The pixels are not those that m2det_r18_scenes' in capsys.readouterr().err
