import pytest

from m2det_mmdet.recipes.error import RecipeError
from m2det_mmdet.recipes.size import image_size, set_image_size
from m2det_mmdet.utils.configs import load_config


def test_all_sizes_of_m2det_follow() -> None:
    cfg = load_config('m2det_vgg_512')

    set_image_size(cfg, 256)

    assert image_size(cfg) == 256
    scales = [
        step.scale
        for key in ('train', 'val', 'test')
        for step in cfg[f'{key}_dataloader'].dataset.pipeline
        if step.type == 'Resize'
    ]
    assert scales == [(256, 256)] * 3
    anchors = cfg.model.bbox_head.anchor_generator
    assert (anchors.input_size, anchors.steps) == (256, None)
    # 384, 512, 640 and 768 halved, in multiples of 32.
    sizes = [step.scale[0] for step in cfg.tta_pipeline[1].transforms[0]]
    assert sizes == [192, 256, 320, 384]


def test_fixed_steps_stay() -> None:
    cfg = load_config('m2det_n')

    set_image_size(cfg, 320)

    anchors = cfg.model.bbox_head.anchor_generator
    assert (anchors.input_size, anchors.fixed_steps) == (320, True)
    assert anchors.steps == [8, 16, 32, 64, 128]


def test_sizes_of_two_sides_keep_their_ratio() -> None:
    cfg = load_config('mmdet::retinanet/retinanet_r50_fpn_1x_coco.py')

    set_image_size(cfg, 400)

    assert cfg.test_dataloader.dataset.pipeline[1].scale == (666, 400)
    assert cfg.train_dataloader.dataset.pipeline[2].scale == (666, 400)


def test_what_a_mosaic_cuts_off_follows() -> None:
    cfg = load_config('mmdet::yolox/yolox_s_8xb8-300e_coco.py')

    set_image_size(cfg, 320)

    mosaic, affine, mixed = cfg.train_dataloader.dataset.pipeline[:3]
    assert mosaic.img_scale == mixed.img_scale == (320, 320)
    # Of the mosaic's 640 pixels half a side is cut off at each end, of 320 likewise.
    assert affine.border == (-160, -160)


def test_the_last_epochs_have_the_same_size() -> None:
    cfg = load_config('m2det_r18_scenes_modern')

    set_image_size(cfg, 256)

    mosaic, _, resize, mixup, *_ = cfg.train_dataloader.dataset.pipeline
    assert mosaic.img_scale == mixup.img_scale == resize.scale == (256, 256)
    assert cfg.custom_hooks[-1].switch_pipeline[1].scale == (256, 256)
    (batches,) = cfg.model.data_preprocessor.batch_augments
    assert batches.random_size_range == (192, 320)


def test_shares_are_no_sizes() -> None:
    cfg = load_config('m2det_r18_scenes')

    set_image_size(cfg, 320)

    crop, resize = cfg.train_dataloader.dataset.pipeline[2:4]
    assert crop.crop_size == (0.6, 0.6)
    assert resize.scale == (320, 320)


def test_anchors_for_one_size_are_named() -> None:
    cfg = load_config('mmdet::ssd/ssd300_coco.py')

    with pytest.raises(RecipeError, match='belong to images of 300 pixels'):
        set_image_size(cfg, 320)


def test_a_config_that_resizes_nothing_is_named() -> None:
    cfg = load_config('m2det_r18_scenes')
    cfg.test_dataloader.dataset.pipeline = [{'type': 'LoadImageFromFile'}]

    with pytest.raises(RecipeError, match='no Resize with a scale'):
        set_image_size(cfg, 320)
