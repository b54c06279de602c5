"""The commands as functions: their results, their reports, and their silence."""

import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.runner import load_checkpoint

from m2det_mmdet import apis
from m2det_mmdet.analysis.complexity import measure
from m2det_mmdet.comparison import run as comparison_run
from m2det_mmdet.models.detectors import M2Det


def test_a_training_reports_and_returns_what_it_left(
    trained: SimpleNamespace, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    events = []

    result = apis.train(trained.config, work_dir=tmp_path, on_event=events.append)

    captured = capsys.readouterr()
    assert captured.out == ''
    # At the end the report looks at the images once more.
    assert [event.stage for event in events[-2:]] == ['test', 'test']
    started, *steps, evaluated = events[:-2]
    assert (started.config, started.model, started.epochs) == ('small', 'M2Det', 1)
    assert started.images == {'train': 4, 'val': 3}
    assert (started.iterations, started.batch_size) == (2, 2)
    assert started.classes[0] == 'disc'
    cost = measure(Config.fromfile(trained.config))
    assert started.parameters == cost.parameters
    train = [step for step in steps if step.stage == 'train']
    assert [(x.epoch, x.epochs, x.batch, x.batches) for x in train] == [
        (1, 1, 1, 2),
        (1, 1, 2, 2),
    ]
    assert train[0].loss > 0
    assert train[0].learning_rate < train[1].learning_rate
    assert [x.batch for x in steps if x.stage == 'val'] == [1, 2]
    assert evaluated.epoch == 1
    assert result.metrics is evaluated.metrics
    assert {'coco/bbox_mAP', 'coco/bbox_mAP_plain'} <= result.metrics.keys()
    assert (result.epochs, result.iterations) == (1, 2)
    assert result.checkpoint == tmp_path / 'epoch_1.pth'
    assert Config.fromfile(result.config).train_cfg.max_epochs == 1
    assert result.best_checkpoint == result.usable_checkpoint
    assert result.best_checkpoint.name == 'best_coco_bbox_mAP_epoch_1.pth'
    assert result.best_checkpoint.is_file()
    # What MMEngine says of environment, config and hooks is in the log file alone.
    log = result.log.read_text()
    assert 'System environment' in log
    assert 'Epoch(train)' in log


def test_an_evaluation_finds_what_the_validation_found(
    trained: SimpleNamespace, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    batches = []

    result = apis.evaluate(
        trained.config,
        trained.checkpoint,
        work_dir=tmp_path,
        on_event=lambda event: (
            batches.append((event.batch, event.batches))
            if isinstance(event, apis.Step)
            else None
        ),
    )

    assert capsys.readouterr().out == ''
    assert batches == [(1, 2), (2, 2)]
    np.testing.assert_equal(result.metrics, trained.result.metrics)
    assert result.ap == result.metrics['coco/bbox_mAP']
    assert 'Average Precision' in result.log.read_text()


@MODELS.register_module()
class Taught(M2Det):
    """Loads the weights of a teacher when it is built, as LAD does."""

    def __init__(self, teacher_ckpt: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if teacher_ckpt is not None:
            load_checkpoint(self, teacher_ckpt)


def test_weights_to_start_from_are_loaded_by_no_test(
    trained: SimpleNamespace, tmp_path: Path
) -> None:
    config = Config.fromfile(trained.config)
    config.model.type, config.model.teacher_ckpt = 'Taught', str(tmp_path / 'absent')

    tested = apis.evaluate(config, trained.checkpoint, work_dir=tmp_path)
    images = trained.scenes / 'val'
    found = apis.predict(config, images, checkpoint=trained.checkpoint)

    assert tested.ap == trained.result.metrics['coco/bbox_mAP']
    assert len(found.predictions) == 3


def test_predictions_are_arrays_with_names(
    trained: SimpleNamespace, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    events = []
    inputs = [trained.scenes / 'val']
    out = tmp_path / 'out'

    found = apis.predict(trained.checkpoint, inputs, on_event=events.append)
    written = apis.predict(trained.config, inputs, out, checkpoint=trained.checkpoint)

    assert capsys.readouterr().out == ''
    started, *done = events
    assert (started.num_images, started.out, started.remarks) == (3, None, ())
    assert [(event.done, event.total) for event in done] == [(1, 3), (2, 3), (3, 3)]
    assert (found.results, found.pictures, found.skipped) == (None, None, [])
    assert written.results == out / 'results.json'
    assert len(list(written.pictures.iterdir())) == 3
    classes = Config.fromfile(trained.config).classes
    for one, other in zip(found.predictions, written.predictions, strict=True):
        assert one.boxes.shape == (len(one.scores), 4)
        assert one.boxes.dtype == np.float32
        assert (np.diff(one.scores) <= 0).all()
        assert one.names == tuple(classes[label] for label in one.labels)
        assert np.array_equal(one.boxes, other.boxes)


def test_a_comparison_reports_each_run(
    trained: SimpleNamespace,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    def fail(argv: list[str], log: object) -> int:
        log.write(b'ValueError: It does not fit.\n')
        return 1

    monkeypatch.setattr(comparison_run, '_call', fail)
    events = []

    comparison = apis.compare(
        [trained.config],
        tmp_path,
        data=trained.scenes,
        epochs=1,
        on_event=events.append,
    )

    assert capsys.readouterr().out == ''
    assert [event.state for event in events] == ['begins', 'failed']
    assert events[1].reason.startswith('ValueError: It does not fit. (see ')
    assert comparison.failed == [events[0].run]
    assert comparison.table.rows['small']['AP'] is None


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ({}, 'A budget is either epochs or minutes, got None and None'),
        ({'epochs': 1, 'minutes': 2}, 'either epochs or minutes, got 1 and 2'),
        ({'epochs': 0}, 'epochs must be at least 1, got 0'),
        ({'epochs': 1, 'batch_size': 0}, 'batch_size must be at least 1, got 0'),
        ({'epochs': 1, 'workers': -1}, 'workers must be at least 0, got -1'),
        ({'epochs': 1, 'seeds': [-1]}, 'seeds must be at least 0, got -1'),
        ({'epochs': 1, 'seeds': [1, 1]}, r'seeds must differ, got \[1, 1\]'),
        ({'minutes': float('nan')}, 'minutes must be positive, got nan'),
    ],
)
def test_terms_that_cannot_be_are_named(
    arguments: dict, message: str, tmp_path: Path
) -> None:
    with pytest.raises(apis.M2DetError, match=message):
        apis.compare(['m2det_r18_scenes'], tmp_path, **arguments)


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ({'images': 0}, 'images must be at least 1, got 0'),
        ({'warm_up': -1}, 'warm_up must be at least 0, got -1'),
        ({'batch_sizes': [2, 0]}, 'batch_sizes must be at least 1, got 0'),
    ],
)
def test_numbers_of_a_benchmark_are_checked(arguments: dict, message: str) -> None:
    with pytest.raises(apis.M2DetError, match=message):
        apis.benchmark('m2det_r18_scenes', **arguments)


def test_data_and_checkpoint_are_checked_before_anything_is_built(
    trained: SimpleNamespace, tmp_path: Path
) -> None:
    options = {'model.bbox_head.num_classes': 3}
    with pytest.raises(apis.M2DetError, match='set model.bbox_head.num_classes=10'):
        apis.train(trained.config, work_dir=tmp_path / 'a', options=options)
    options = {'model.neck.num_levels': 2}
    with pytest.raises(apis.M2DetError, match='does not fit the config: of .* lacks'):
        apis.evaluate(
            trained.config,
            trained.checkpoint,
            work_dir=tmp_path / 'a',
            options=options,
        )
    with pytest.raises(apis.M2DetError, match='does not fit the config'):
        apis.train(
            trained.config,
            work_dir=tmp_path / 'a',
            resume=trained.checkpoint,
            options=options,
        )

    assert not (tmp_path / 'a').exists()


def test_a_config_may_be_an_object(trained: SimpleNamespace, tmp_path: Path) -> None:
    cfg = Config.fromfile(trained.config)
    before = cfg.to_dict()

    result = apis.evaluate(cfg, trained.checkpoint, work_dir=tmp_path)

    np.testing.assert_equal(result.metrics, trained.result.metrics)
    assert cfg.to_dict() == before


def test_runs_in_one_program_keep_apart(
    trained: SimpleNamespace, tmp_path: Path
) -> None:
    first = apis.train(trained.config, work_dir=tmp_path / 'a')
    (scalars,) = first.log.parent.glob('vis_data/scalars.json')
    before = scalars.read_text(), first.log.read_text()
    assert 'coco/bbox_mAP' in before[0]

    second = apis.evaluate(
        trained.config, first.checkpoint, work_dir=tmp_path / 'b', show_dir=Path('s')
    )
    print_log('Later.', logger='current', level=logging.ERROR)

    assert (scalars.read_text(), first.log.read_text()) == before
    assert 'Later.' not in second.log.read_text()
    assert len(list((tmp_path / 'b').glob('*/s/*'))) == 3


def test_nothing_is_printed_where_there_is_nothing_to_resume(
    trained: SimpleNamespace, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    options = {
        'default_hooks.checkpoint.interval': 9,
        'default_hooks.checkpoint.save_last': False,
        'default_hooks.checkpoint.save_best': None,
    }

    result = apis.train(trained.config, work_dir=tmp_path, resume=True, options=options)

    assert capsys.readouterr().out == ''
    assert (result.checkpoint, result.best_checkpoint) == (None, None)
    assert result.epochs == 1


def test_a_training_that_diverges_raises_one_sentence(
    trained: SimpleNamespace, tmp_path: Path
) -> None:
    options = {
        'optim_wrapper.optimizer.lr': 1e30,
        # Of another hook alone: the training gets this one anyway.
        'custom_hooks': [{'type': 'CheckInvalidLossHook', 'interval': 1}],
        'train_cfg.max_epochs': 3,
        'train_cfg.val_interval': 9,
    }
    with pytest.raises(apis.M2DetError, match='has diverged: loss_.* after .* iterat'):
        apis.train(trained.config, work_dir=tmp_path, options=options)


def test_a_config_without_a_file_is_taken(
    trained: SimpleNamespace, tmp_path: Path
) -> None:
    cfg = Config(Config.fromfile(trained.config).to_dict())

    result = apis.evaluate(cfg, trained.checkpoint, work_dir=tmp_path)

    np.testing.assert_equal(result.metrics, trained.result.metrics)
    cfg.pop('model')
    with pytest.raises(apis.M2DetError, match='The given config has no model'):
        apis.evaluate(cfg, trained.checkpoint, work_dir=tmp_path)


@pytest.mark.parametrize(
    ('function', 'arguments', 'message'),
    [
        ('train', {'amp_dtype': 'int8'}, 'amp_dtype must be one of float16, bfloat16'),
        ('train', {'launcher': 'ssh'}, "launcher must be one of none, .*, got 'ssh'"),
        ('train', {'options': {'train_dataloader': None}}, 'has no train_dataloader'),
        (
            'benchmark',
            {'autocast': 'int8'},
            'autocast must be one of bfloat16, float16',
        ),
        ('benchmark', {'image_dir': 'no'}, 'There is no image, folder or match of no'),
    ],
)
def test_values_that_cannot_be_are_named(
    function: str, arguments: dict, message: str, trained: SimpleNamespace
) -> None:
    with pytest.raises(apis.M2DetError, match=message):
        getattr(apis, function)(trained.config, **arguments)


def test_one_image_may_be_given_by_its_name(trained: SimpleNamespace) -> None:
    image = trained.scenes / 'val' / '000001.jpg'

    for name in (image, str(image)):
        found = apis.predict(trained.checkpoint, name)
        assert [prediction.path for prediction in found.predictions] == [image]
    with pytest.raises(apis.M2DetError, match='score_thr must be from 0 to 1, got 2'):
        apis.predict(trained.checkpoint, image, score_thr=2)


def test_drawing_needs_numbers_and_a_kind_of_picture(
    trained: SimpleNamespace, tmp_path: Path
) -> None:
    results = tmp_path / 'results.json'
    results.write_text('[]')
    paths = (trained.scenes / 'annotations' / 'val.json', results)
    images = trained.scenes / 'val'

    with pytest.raises(apis.M2DetError, match='num_images must be at least 1, got 0'):
        apis.draw(*paths, images, tmp_path / 'a.png', num_images=0)
    with pytest.raises(apis.M2DetError, match=r'a\.txt cannot be a picture'):
        apis.draw(*paths, images, tmp_path / 'a.txt')
    with pytest.raises(apis.M2DetError, match='No such file|does not exist'):
        apis.draw(*paths, tmp_path / 'nowhere', tmp_path / 'a.png')


def test_the_rest_is_silent_too(
    trained: SimpleNamespace, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    results = tmp_path / 'results.json'
    results.write_text('[]')
    annotations = trained.scenes / 'annotations' / 'val.json'

    apis.benchmark(trained.config, images=1, warm_up=0)
    apis.draw(annotations, results, trained.scenes / 'val', tmp_path / 'a.png')
    apis.tabulate('levels')

    assert capsys.readouterr().out == ''
