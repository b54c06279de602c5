from m2det_mmdet.recipes.learning_rate import scale_learning_rate, scaled_by
from m2det_mmdet.utils.configs import load_config


def test_the_rate_follows_the_batch_once() -> None:
    cfg = load_config('mmdet::retinanet/retinanet_r50_fpn_1x_coco.py')
    assert scaled_by(cfg) == 2 / 16

    scale_learning_rate(cfg)

    assert cfg.optim_wrapper.optimizer.lr == 0.01 * 2 / 16
    assert cfg.auto_scale_lr == {'base_batch_size': 2, 'enable': False}
    assert scaled_by(cfg) == 1


def test_each_of_several_optimizers_is_scaled() -> None:
    cfg = load_config('mmdet::retinanet/retinanet_r50_fpn_1x_coco.py')
    one = {'optimizer': {'type': 'SGD', 'lr': 0.8}}
    cfg.optim_wrapper = {'type': 'Several', 'head': one, 'neck': one}

    scale_learning_rate(cfg)

    rates = [cfg.optim_wrapper[part].optimizer.lr for part in ('head', 'neck')]
    assert rates == [0.1, 0.1]


def test_a_config_may_not_say_it() -> None:
    assert scaled_by(load_config('m2det_r18_320')) is None


def test_batches_that_a_step_accumulates_count() -> None:
    cfg = load_config('m2det_vgg_320')
    cfg.train_dataloader.batch_size = 4
    cfg.optim_wrapper.accumulative_counts = 2

    assert scaled_by(cfg) == 4 * 2 / 32
