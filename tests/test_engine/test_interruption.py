"""A training that is asked to stop keeps its state, and ends."""

import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
from mmdet.registry import HOOKS
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner

from m2det_mmdet.checkpoints.differences import differences
from m2det_mmdet.engine.interruption import (
    TrainingInterrupted,
    interruptible,
    requested,
)

from .test_loops.resumption import run, toy_config


@HOOKS.register_module(force=True)
class SignalHook(Hook):
    """Sends a signal to its own process, in an iteration or a validation."""

    def __init__(self, iteration: int, number: int, stage: str = 'train') -> None:
        self.iteration, self.number, self.stage = iteration, number, stage

    def _send(self, runner: Runner, stage: str) -> None:
        if runner.iter == self.iteration and stage == self.stage:
            # Once: a second one acts.
            self.iteration = -1
            os.kill(os.getpid(), self.number)

    def before_train_iter(self, runner: Runner, *args: Any, **kwargs: Any) -> None:
        self._send(runner, 'train')

    def before_val_iter(self, runner: Runner, *args: Any, **kwargs: Any) -> None:
        self._send(runner, 'val')


@HOOKS.register_module(force=True)
class LateSignalHook(Hook):
    """Sends a signal after the checkpoint hook has looked for one."""

    priority = 'LOWEST'
    sent = False

    def between_iters(self, runner: Runner) -> None:
        if runner.iter == 5 and not self.sent:
            self.sent = True
            os.kill(os.getpid(), signal.SIGTERM)


@pytest.fixture(autouse=True)
def handled(monkeypatch: pytest.MonkeyPatch) -> Any:
    # A shell in the background lets its children ignore Ctrl-C.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def stop(settings: dict[str, Any], **at: Any) -> TrainingInterrupted:
    cfg = Config(settings)
    cfg.custom_hooks.append({'type': 'SignalHook', **at})
    runner = Runner.from_cfg(cfg)
    with pytest.raises(TrainingInterrupted) as caught, interruptible():
        runner.train()
    return caught.value


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize('workers', [0, 2])
def test_the_state_is_kept_after_the_batch(
    tmp_path: Path, number: int, workers: int
) -> None:
    settings = toy_config(tmp_path / 'run', workers=workers)
    handler = signal.getsignal(number)

    error = stop(settings, iteration=5, number=number)

    assert error.checkpoint == tmp_path / 'run' / 'resume.pth'
    assert (error.iterations, error.number) == (6, number)
    assert str(error).startswith('interrupted after 6 iterations; all is kept in ')
    assert requested() == 0
    assert signal.getsignal(number) == handler
    state = run(settings, resume=True)
    assert differences(state, run(toy_config(tmp_path / 'whole'))) == []
    # It is not needed any more.
    assert not error.checkpoint.exists()


def test_a_validation_ends_at_once_where_all_is_kept(tmp_path: Path) -> None:
    error = stop(toy_config(tmp_path), iteration=8, number=signal.SIGINT, stage='val')

    assert error.checkpoint == tmp_path / 'epoch_2.pth'
    assert not [*tmp_path.glob('best_*')]


def test_a_validation_is_waited_for_where_nothing_is_kept(tmp_path: Path) -> None:
    settings = toy_config(tmp_path / 'run', interval=3)

    error = stop(settings, iteration=8, number=signal.SIGINT, stage='val')

    assert error.checkpoint == tmp_path / 'run' / 'resume.pth'
    assert [*(tmp_path / 'run').glob('best_*')]
    whole = run(toy_config(tmp_path / 'whole', interval=3))
    assert differences(run(settings, resume=True), whole) == []


def test_a_signal_after_the_hooks_have_looked_is_kept_after_the_next_batch(
    tmp_path: Path,
) -> None:
    cfg = Config(toy_config(tmp_path))
    cfg.custom_hooks.append({'type': 'LateSignalHook'})
    runner = Runner.from_cfg(cfg)

    with pytest.raises(TrainingInterrupted) as caught, interruptible():
        runner.train()

    assert caught.value.checkpoint == tmp_path / 'resume.pth'
    assert caught.value.iterations == 6


def test_without_checkpoints_it_says_that_nothing_is_kept(tmp_path: Path) -> None:
    settings = toy_config(tmp_path)
    settings['default_hooks'] = {'checkpoint': None}

    error = stop(settings, iteration=5, number=signal.SIGINT)

    assert error.checkpoint is None
    assert 'after 6 iterations; nothing is kept' in str(error)


def twice() -> None:
    os.kill(os.getpid(), signal.SIGINT)
    assert requested() == signal.SIGINT
    os.kill(os.getpid(), signal.SIGINT)


def test_a_second_signal_ends_at_once() -> None:
    with interruptible(), pytest.raises(KeyboardInterrupt):
        twice()
    assert requested() == 0


@pytest.mark.skipif(not hasattr(signal, 'SIGCHLD'), reason='Windows has no SIGCHLD')
def test_a_worker_that_ends_by_the_same_signal_is_no_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Ctrl-C reaches workers, too: that they end may be told together with it."""
    failures: list[Any] = []
    monkeypatch.setattr(sys, 'unraisablehook', failures.append)
    ended: list[int] = []
    before = signal.signal(signal.SIGCHLD, lambda number, _: ended.append(number))
    both = {signal.SIGTERM, signal.SIGCHLD}
    try:
        with interruptible():
            signal.pthread_sigmask(signal.SIG_BLOCK, both)
            for number in both:
                # To this thread: another one may not block them.
                signal.raise_signal(number)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, both)
            assert requested() == signal.SIGTERM
        assert (failures, ended) == ([], [])
        os.kill(os.getpid(), signal.SIGCHLD)
        assert ended == [signal.SIGCHLD]
    finally:
        signal.signal(signal.SIGCHLD, before)


def test_a_signal_that_is_ignored_stays_so() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    with interruptible():
        os.kill(os.getpid(), signal.SIGINT)
        assert requested() == 0
