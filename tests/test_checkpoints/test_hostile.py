import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmdet.apis import DetInferencer
from mmengine.config import Config
from mmengine.logging import HistoryBuffer
from mmengine.optim import OptimWrapper
from mmengine.runner import CheckpointLoader, Runner

from m2det_mmdet.analysis.structure import structure_of
from m2det_mmdet.apis import train
from m2det_mmdet.checkpoints.errors import CheckpointError
from m2det_mmdet.checkpoints.resuming import _unlike_optimizer, check_resumable
from m2det_mmdet.checkpoints.weights import WeightsError, check_weights
from m2det_mmdet.utils.errors import M2DetError

from .hostile import Built, kinds, that_changes

# Little enough to write fast.
ZEROS = 2**24

load = CheckpointLoader.load_checkpoint


def names(stops: str) -> list[str]:
    return [kind.name for kind in kinds(Path('x'), ZEROS) if kind.stops == stops]


@pytest.fixture
def good(trained: SimpleNamespace) -> dict:
    return torch.load(trained.checkpoint, weights_only=False)


@pytest.fixture(scope='module')
def runner(
    trained: SimpleNamespace, tmp_path_factory: pytest.TempPathFactory
) -> Runner:
    """A runner that is about to load a checkpoint."""
    cfg = Config.fromfile(trained.config)
    cfg.work_dir = str(tmp_path_factory.mktemp('runner'))
    runner = Runner.from_cfg(cfg)
    runner._train_loop = runner.build_train_loop(runner._train_loop)
    runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    runner.param_schedulers = runner.build_param_scheduler(runner.param_schedulers)
    return runner


@pytest.fixture
def victim(tmp_path: Path) -> Iterator[Path]:
    """A folder of files that no checkpoint may add to or delete of."""
    folder = tmp_path / 'victim'
    folder.mkdir()
    files = {'kept.txt', 'best_coco_bbox_mAP_epoch_1.pth'}
    for name in files:
        (folder / name).write_text('kept')
    yield folder
    assert {path.name for path in folder.iterdir()} == files


def write(name: str, good: dict, victim: Path) -> str:
    kind = next(kind for kind in kinds(victim, ZEROS) if kind.name == name)
    return str(kind.write(good, victim.parent / 'hostile.pth'))


def assert_one_sentence(error: Exception) -> None:
    message = str(error)
    assert message.isprintable()
    assert 20 < len(message) < 600


@pytest.mark.filterwarnings('ignore::UserWarning')
@pytest.mark.parametrize('name', names('reading'))
def test_no_reader_takes_it(name: str, good: dict, victim: Path) -> None:
    file = write(name, good, victim)
    with pytest.raises(CheckpointError) as info:
        load(file)
    assert_one_sentence(info.value)
    assert file in str(info.value)


@pytest.mark.parametrize('name', names('weights'))
def test_no_detector_takes_it(
    name: str, good: dict, victim: Path, trained: SimpleNamespace
) -> None:
    checkpoint = load(write(name, good, victim))
    with pytest.raises(WeightsError) as info:
        check_weights(
            checkpoint, structure_of(Config.fromfile(trained.config)), complete=False
        )
    assert_one_sentence(info.value)


@pytest.mark.parametrize('name', names('resume'))
def test_no_training_goes_on_from_it(
    name: str, good: dict, victim: Path, runner: Runner
) -> None:
    checkpoint = load(write(name, good, victim))
    check_weights(checkpoint, runner.model, complete=True)
    with pytest.raises(CheckpointError, match='cannot go on from') as info:
        check_resumable(checkpoint, runner)
    assert_one_sentence(info.value)


@pytest.mark.parametrize('name', names('nobody'))
def test_what_is_wrong_is_left_out(
    name: str, good: dict, victim: Path, runner: Runner
) -> None:
    checkpoint = load(write(name, good, victim))
    check_weights(checkpoint, runner.model, complete=True)
    check_resumable(checkpoint, runner)


def test_a_good_checkpoint_is_left_as_it_is(
    trained: SimpleNamespace, good: dict, runner: Runner
) -> None:
    loaded = load(trained.checkpoint)
    check_resumable(loaded, runner)

    del good['meta']['cfg'], good['message_hub']['runtime_info']['cfg']
    assert loaded.keys() == good.keys()
    assert loaded['meta'] == good['meta']
    assert loaded['param_schedulers'] == good['param_schedulers']
    assert loaded['state_dict']._metadata == good['state_dict']._metadata
    torch.testing.assert_close(loaded['state_dict'], good['state_dict'])
    torch.testing.assert_close(loaded['optimizer'], good['optimizer'])
    hub, saved = loaded['message_hub'], good['message_hub']
    assert hub['runtime_info'] == saved['runtime_info']
    assert hub['resumed_keys'] == saved['resumed_keys']
    for name, history in saved['log_scalars'].items():
        np.testing.assert_equal(hub['log_scalars'][name].__dict__, history.__dict__)


def test_no_config_of_a_checkpoint_is_run(good: dict, victim: Path) -> None:
    with pytest.raises(ValueError, match='Cannot find the config in the checkpoint'):
        DetInferencer(None, write('meta.cfg is a program', good, victim), device='cpu')
    name = 'message_hub.runtime_info.cfg is a program'
    with pytest.raises(ValueError, match='Cannot find the config in the checkpoint'):
        DetInferencer(None, write(name, good, victim), device='cpu')


@pytest.mark.parametrize(
    'name',
    [
        'meta.config is a program',
        'best_ckpt is a folder',
        'best_ckpt is long',
        'best_ckpt of a run',
    ],
)
def test_a_resumed_training_runs_and_deletes_nothing(
    name: str, good: dict, victim: Path, trained: SimpleNamespace, tmp_path: Path
) -> None:
    file = write(name, good, victim)
    result = train(
        trained.config,
        work_dir=tmp_path / 'resumed',
        resume=file,
        options={'train_cfg.max_epochs': 2},
    )

    assert result.epochs == 2
    if 'best' in name:
        # It has found a better one, and would have deleted the other.
        assert result.best_checkpoint.parent == tmp_path / 'resumed'


def test_a_resumed_training_deletes_its_own_best_checkpoint(
    good: dict, tmp_path: Path, trained: SimpleNamespace
) -> None:
    best = good['message_hub']['runtime_info']['best_ckpt']
    # As after a move of the folder.
    own = tmp_path / Path(best).name
    own.write_text('')
    good['message_hub']['runtime_info']['best_score'] = -1.0
    torch.save(good, tmp_path / 'epoch_1.pth')
    result = train(
        trained.config,
        work_dir=tmp_path,
        resume=tmp_path / 'epoch_1.pth',
        options={'train_cfg.max_epochs': 2},
    )

    assert result.best_checkpoint.parent == tmp_path
    assert not own.exists()
    assert Path(best).exists()


def test_a_refused_checkpoint_stops_a_training_with_one_sentence(
    good: dict, victim: Path, trained: SimpleNamespace, tmp_path: Path
) -> None:
    for name in ('epoch is 99', 'param_schedulers set methods', 'optimizer is None'):
        file = write(name, good, victim)
        with pytest.raises(M2DetError, match='cannot go on from this checkpoint'):
            train(trained.config, work_dir=tmp_path / 'run', resume=file)


@pytest.mark.parametrize('owner', [torch.Tensor, torch.nn.Parameter, HistoryBuffer])
def test_a_file_sets_no_attribute_of_a_class(owner: type, tmp_path: Path) -> None:
    torch.save({'meta': that_changes(owner, 'hostile')}, tmp_path / 'x.pth')
    with pytest.raises(CheckpointError, match='made by no function of tensors'):
        load(str(tmp_path / 'x.pth'))

    assert not hasattr(owner, 'hostile')


def test_a_history_changes_no_statistics(tmp_path: Path) -> None:
    saved = HistoryBuffer([1.0], [1]).__getstate__() | {'statistics_methods': {'a': 5}}
    history = Built(HistoryBuffer, (), saved)
    torch.save({'meta': {'x': history}}, tmp_path / 'x.pth')
    load(str(tmp_path / 'x.pth'))

    assert 'a' not in HistoryBuffer._statistics_methods


def test_optimizers_that_keep_rows_go_on() -> None:
    """Adafactor keeps one number for each row and one for each column."""
    weight = torch.nn.Parameter(torch.ones(2, 3))
    weight.grad = torch.ones(2, 3)
    optimizer = torch.optim.Adafactor([weight])
    optimizer.step()

    assert _unlike_optimizer(optimizer.state_dict(), OptimWrapper(optimizer)) is None


def test_threads_that_load_at_once_do_not_disturb_each_other(
    trained: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first one's end must not take what the second one needs."""
    inside, go_on = threading.Event(), threading.Event()
    read = torch.load

    def slow(*args: object, **kwargs: object) -> object:
        if threading.current_thread() is not first:
            return read(*args, **kwargs)
        inside.set()
        go_on.wait(60)
        return read(*args, **kwargs)

    monkeypatch.setattr(torch, 'load', slow)
    loaded = []
    first = threading.Thread(target=lambda: loaded.append(load(trained.checkpoint)))
    first.start()
    assert inside.wait(60)
    # Begins and ends while the first one is reading.
    load(trained.checkpoint)
    go_on.set()
    first.join(60)

    assert loaded
