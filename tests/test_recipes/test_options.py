import pytest
from mmengine.config import Config

from m2det_mmdet.recipes import options
from m2det_mmdet.recipes.error import RecipeError
from m2det_mmdet.recipes.options import TrainingOptions, apply_options
from m2det_mmdet.utils.configs import load_config


@pytest.fixture
def cfg() -> Config:
    return load_config('m2det_r18_320')


def test_nothing_changes_nothing(cfg: Config) -> None:
    before = cfg.pretty_text

    assert apply_options(cfg, TrainingOptions()) == []
    assert cfg.pretty_text == before


def test_each_option_reaches_its_setting(
    cfg: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(options, 'epoch_length', lambda _: 10)

    remarks = apply_options(
        cfg,
        TrainingOptions(
            epochs=6,
            batch_size=5,
            image_size=160,
            seed=3,
            patience=2,
            freeze=('backbone',),
            loggers=('csv',),
            start='weights.pth',
        ),
    )

    assert cfg.train_cfg.max_epochs == 6
    # Of 30 epochs and a warm-up of 100 iterations, in 6 * 10 iterations.
    assert [x.get('end', x.get('T_max')) for x in cfg.param_scheduler] == [6, 60]
    assert len(remarks) == 2
    assert cfg.train_dataloader.batch_size == 5
    assert cfg.model.bbox_head.anchor_generator.input_size == 160
    assert cfg.randomness.seed == 3
    assert cfg.load_from == 'weights.pth'
    hooks = {hook.pop('type'): dict(hook) for hook in cfg.custom_hooks}
    assert hooks['EarlyStoppingHook'] == {
        'monitor': 'coco/bbox_mAP',
        'rule': 'greater',
        'min_delta': 1e-3,
        'patience': 2,
    }
    assert hooks['FreezeHook'] == {'modules': ['backbone']}
    assert cfg.find_unused_parameters
    assert 'ResultsTableHook' in hooks


def test_figures_go_to_further_places(
    cfg: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(options, 'find_spec', lambda _: True)

    cfg.visualizer.vis_backends.append({'type': 'TensorboardVisBackend'})

    apply_options(cfg, TrainingOptions(loggers=('tensorboard', 'wandb', 'mlflow')))

    assert [backend.type for backend in cfg.visualizer.vis_backends] == [
        *('LocalVisBackend', 'TensorboardVisBackend', 'WandbVisBackend'),
        'MLflowVisBackend',
    ]


@pytest.mark.parametrize(
    ('logger', 'message'),
    [
        ('papers', 'no logger papers: take tensorboard, wandb, mlflow, csv'),
        ('wandb', 'needs the package wandb: `pip install wandb`'),
    ],
)
def test_a_logger_that_cannot_be_is_named(
    cfg: Config, monkeypatch: pytest.MonkeyPatch, logger: str, message: str
) -> None:
    monkeypatch.setattr(options, 'find_spec', lambda _: None)
    with pytest.raises(RecipeError, match=message):
        apply_options(cfg, TrainingOptions(loggers=(logger,)))


def test_patience_needs_validations(cfg: Config) -> None:
    cfg.val_dataloader = None
    with pytest.raises(RecipeError, match='patience counts validations'):
        apply_options(cfg, TrainingOptions(patience=2))


def test_a_table_of_epochs_needs_epochs(cfg: Config) -> None:
    cfg.train_cfg = {'type': 'IterBasedTrainLoop', 'max_iters': 9}
    with pytest.raises(RecipeError, match='csv has a row an epoch'):
        apply_options(cfg, TrainingOptions(loggers=('csv',)))


@pytest.mark.parametrize(
    ('best', 'metric', 'expected'),
    [
        ('coco/bbox_mAP_50', 'CocoMetric', 'coco/bbox_mAP_50'),
        ('auto', 'CocoMetric', 'coco/bbox_mAP'),
        (None, 'VOCMetric', 'pascal_voc/mAP'),
    ],
)
def test_patience_watches_what_the_validation_gives(
    cfg: Config, best: str | None, metric: str, expected: str
) -> None:
    cfg.default_hooks.checkpoint.save_best = best
    cfg.val_evaluator = [{'type': metric}]

    apply_options(cfg, TrainingOptions(patience=2))

    assert cfg.custom_hooks[-1].monitor == expected
