from mmengine.config import Config

from m2det_mmdet.comparison.plan import _seeded, _set_loaders

LOADER = {
    'dataset': {'ann_file': None},
    'batch_size': 3,
    'num_workers': 2,
    'prefetch_factor': 4,
    'persistent_workers': True,
}


def _config() -> Config:
    return Config(
        {
            'train_dataloader': LOADER,
            'test_dataloader': LOADER,
            'randomness': {'deterministic': True},
        }
    )


def test_the_batch_size_is_that_of_the_training_alone() -> None:
    cfg = _config()

    _set_loaders(cfg, 8, None)

    assert cfg.train_dataloader == {**LOADER, 'batch_size': 8}
    assert cfg.test_dataloader == LOADER


def test_without_workers_nothing_is_left_of_what_they_need() -> None:
    cfg = _config()
    alone = {**LOADER, 'num_workers': 0, 'persistent_workers': False}
    del alone['prefetch_factor']

    _set_loaders(cfg, None, 0)

    assert (cfg.train_dataloader, cfg.test_dataloader) == (alone, alone)


def test_a_seed_leaves_other_settings_of_randomness_and_other_runs_alone() -> None:
    cfg = _config()

    plan = _seeded(cfg, 5, {}, [])

    assert plan.cfg.randomness == {'deterministic': True, 'seed': 5}
    assert plan.settings['randomness']['seed'] == 5
    assert cfg.randomness == {'deterministic': True}
