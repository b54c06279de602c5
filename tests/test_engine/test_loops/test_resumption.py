"""A training that was interrupted ends as one that was not, bit for bit."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from mmdet.registry import MODELS
from mmengine.logging import MessageHub

from m2det_mmdet.checkpoints.differences import differences
from m2det_mmdet.checkpoints.latest import newest_state
from m2det_mmdet.engine.loops import train_loops
from m2det_mmdet.utils.errors import M2DetError

from .resumption import Crash, ToyDetector, last_state, run, toy_config

LOADERS = [(0, False), (2, False), (2, True)]


@pytest.fixture(scope='module')
def whole(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., dict]:
    """The last state of a training that is not interrupted, each computed once."""
    known: dict[tuple, dict] = {}

    def train(**settings: Any) -> dict:
        key = tuple(sorted(settings.items()))
        if key not in known:
            known[key] = run(toy_config(tmp_path_factory.mktemp('whole'), **settings))
        return known[key]

    return train


def crashed(folder: Path, crash: dict[str, int], **settings: Any) -> Path:
    with pytest.raises(Crash):
        run(toy_config(folder, **settings), **crash)
    return folder


def interrupted(folder: Path, crash: dict[str, int], **settings: Any) -> dict:
    crashed(folder, crash, **settings)
    return run(toy_config(folder, **settings), resume=True)


@pytest.mark.parametrize(('workers', 'persistent'), LOADERS)
@pytest.mark.parametrize('by_epoch', [True, False])
def test_a_resumed_training_ends_as_one_that_was_not_interrupted(
    tmp_path: Path, whole: Callable, workers: int, persistent: bool, by_epoch: bool
) -> None:
    loader = {'workers': workers, 'persistent': persistent, 'by_epoch': by_epoch}

    state = interrupted(
        tmp_path, {'before_iteration': 11}, every_iterations=5, **loader
    )

    assert state['meta']['iter'] == 16
    # Workers do not count: neither how many nor how long they live.
    assert differences(state, whole(by_epoch=by_epoch, every_iterations=5)) == []


@pytest.mark.parametrize('by_epoch', [True, False])
@pytest.mark.parametrize('iteration', [3, 8, 13])
def test_nothing_is_kept_but_the_end_of_an_epoch(
    tmp_path: Path, whole: Callable, iteration: int, by_epoch: bool
) -> None:
    state = interrupted(tmp_path, {'before_iteration': iteration}, by_epoch=by_epoch)

    assert differences(state, whole(by_epoch=by_epoch)) == []


@pytest.mark.parametrize('by_epoch', [True, False])
@pytest.mark.parametrize('iteration', [8, 16])
def test_a_validation_that_was_cut_off_is_done_again(
    tmp_path: Path, whole: Callable, iteration: int, by_epoch: bool
) -> None:
    state = interrupted(tmp_path, {'in_validation': iteration}, by_epoch=by_epoch)

    uninterrupted = whole(by_epoch=by_epoch)
    assert differences(state, uninterrupted) == []
    assert state['message_hub']['runtime_info']['early_stopping_waited'] == 0
    best = Path(state['message_hub']['runtime_info']['best_ckpt']).name
    assert (tmp_path / best).is_file()
    assert len([*tmp_path.glob('best_*')]) == 1


def test_a_seed_that_was_drawn_is_kept(tmp_path: Path) -> None:
    for name, crash in (('a', {'before_iteration': 6}), ('b', {'before_iteration': 2})):
        settings = {'seed': None, 'every_iterations': 1}
        state = interrupted(tmp_path / name, crash, **settings)

        seed = state['meta']['seed']
        other = {**settings, 'seed': seed}
        assert differences(state, run(toy_config(tmp_path / f'{name}2', **other))) == []


@pytest.mark.parametrize('iteration', [4, 5, 9])
def test_gradients_of_an_incomplete_step_are_kept(
    tmp_path: Path, whole: Callable, iteration: int
) -> None:
    settings = {'accumulated': 3, 'every_iterations': 1}

    state = interrupted(tmp_path, {'before_iteration': iteration}, **settings)

    assert differences(state, whole(**settings)) == []


def with_own_rates(folder: Path) -> dict[str, Any]:
    """Settings by which parameters differ in their rate and decay."""
    config = toy_config(folder, every_iterations=1)
    config['optim_wrapper']['optimizer']['weight_decay'] = 0.1
    config['optim_wrapper']['paramwise_cfg'] = {
        'norm_decay_mult': 0,
        'custom_keys': {'layers.3': {'lr_mult': 0.1}},
    }
    return config


def test_rates_of_single_parameters_go_on(tmp_path: Path) -> None:
    uninterrupted = run(with_own_rates(tmp_path / 'whole'))
    with pytest.raises(Crash):
        run(with_own_rates(tmp_path / 'parts'), before_iteration=9)

    state = run(with_own_rates(tmp_path / 'parts'), resume=True)

    assert len(state['optimizer']['param_groups']) == 6
    assert differences(state, uninterrupted) == []


def test_a_strange_rate_of_all_is_refused(tmp_path: Path) -> None:
    config = with_own_rates(tmp_path)
    with pytest.raises(Crash):
        run(config, before_iteration=9)
    state = last_state(tmp_path)
    state['optimizer']['base_param_settings']['lr'] = 'x'
    torch.save(state, tmp_path / 'resume.pth')

    with pytest.raises(M2DetError, match='base_param_settings are none of MMEngine'):
        run(config, resume=True)


@MODELS.register_module(force=True)
class DivergingDetector(ToyDetector):
    """Has an infinite loss, with finite gradients, in one iteration."""

    bad = -1

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        out = super().forward(*args, **kwargs)
        if MessageHub.get_current_instance().get_info('iter') == self.bad and (
            isinstance(out, dict)
        ):
            out['loss'] = out['loss'] + float('inf')
        return out


@pytest.mark.parametrize('bad', [7, 8])
def test_a_bad_batch_before_or_after_the_interruption_of_its_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bad: int
) -> None:
    def settings(name: str) -> dict[str, Any]:
        config = toy_config(tmp_path / name, accumulated=3, every_iterations=1)
        config['model'] = {'type': 'DivergingDetector'}
        config['custom_hooks'].append({'type': 'FiniteLossHook'})
        return config

    # Iterations 6, 7 and 8 are one step.
    monkeypatch.setattr(DivergingDetector, 'bad', bad)
    uninterrupted = run(settings('whole'))
    with pytest.raises(Crash):
        run(settings('parts'), before_iteration=8)

    state = run(settings('parts'), resume=True)

    assert state['message_hub']['runtime_info']['skipped_steps'] == 1
    assert differences(state, uninterrupted) == []


@pytest.mark.parametrize('key', ['gradients', 'open_step'])
def test_a_strange_open_step_is_refused(tmp_path: Path, key: str) -> None:
    config = toy_config(tmp_path, accumulated=3, every_iterations=1)
    config['custom_hooks'].append({'type': 'FiniteLossHook'})
    with pytest.raises(Crash):
        run(config, before_iteration=10)
    state = last_state(tmp_path)
    assert key in state
    state[key] = {'layers.0.weight': 'x'}
    torch.save(state, tmp_path / 'resume.pth')

    with pytest.raises(M2DetError, match=rf'its {key} (is|are) .*layers.0.weight'):
        run(config, resume=True)


def test_a_training_that_has_reached_its_threshold_stays_at_its_end(
    tmp_path: Path,
) -> None:
    config = toy_config(tmp_path)
    config['custom_hooks'][1]['stopping_threshold'] = 1e9
    run(config)

    assert run(config, resume=True)['meta']['iter'] == 8


def test_an_endless_sampler_goes_on_where_it_was(
    tmp_path: Path, whole: Callable
) -> None:
    settings = {
        'by_epoch': False,
        'sampler': 'InfiniteSampler',
        'every_iterations': 1,
        'workers': 2,
    }

    state = interrupted(tmp_path, {'before_iteration': 9}, **settings)

    assert differences(state, whole(**settings)) == []


def test_a_sampler_that_workers_took_of_before_begins_anew(
    tmp_path: Path, whole: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {
        'by_epoch': False, 'sampler': 'InfiniteSampler', 'every_iterations': 1,
        'workers': 2,
    }  # fmt: skip
    expected = whole(**settings)
    # As in MMEngine 0.10.7.
    monkeypatch.setattr(
        'mmengine.runner.loops._InfiniteDataloaderIterator', lambda x: next(iter(x))
    )

    state = interrupted(tmp_path, {'before_iteration': 9}, **settings)

    assert differences(state, expected) == []


def test_a_best_checkpoint_that_is_gone_is_replaced_by_the_next(tmp_path: Path) -> None:
    crashed(tmp_path, {'before_iteration': 9}, save_best='figure')
    state = last_state(tmp_path)
    # A score that nothing beats, of a file that is not there.
    state['message_hub']['runtime_info']['best_score'] = -1e9
    torch.save(state, tmp_path / 'epoch_2.pth')
    next(tmp_path.glob('best_*')).unlink()

    run(toy_config(tmp_path), resume=True)

    assert [x.name for x in tmp_path.glob('best_*')] == ['best_figure_epoch_4.pth']


def test_three_interruptions_are_as_none(tmp_path: Path, whole: Callable) -> None:
    settings = {'every_iterations': 3}
    crashed(tmp_path, {'before_iteration': 4}, **settings)
    for iteration in (8, 10):
        with pytest.raises(Crash):
            run(
                toy_config(tmp_path, **settings),
                resume=True,
                before_iteration=iteration,
            )

    state = run(toy_config(tmp_path, **settings), resume=True)

    assert differences(state, whole(**settings)) == []


@pytest.mark.parametrize(
    'damage',
    [
        lambda folder: (folder / 'last_checkpoint').unlink(),
        lambda folder: (folder / 'last_checkpoint').write_bytes(bytes(range(256))),
        lambda folder: (folder / 'last_checkpoint').write_text(
            '/elsewhere/epoch_9.pth'
        ),
        lambda folder: (folder / 'last_checkpoint').write_text('epoch_1.pth'),
        lambda folder: (folder / 'epoch_2.pth').unlink(),
        lambda folder: (folder / 'epoch_2.pth').write_bytes(b''),
        lambda folder: (folder / 'epoch_2.pth').write_bytes(
            (folder / 'epoch_2.pth').read_bytes()[:-40]
        ),
    ],
    ids=['no note', 'bytes', 'elsewhere', 'stale', 'missing', 'empty', 'cut'],
)
def test_the_newest_that_can_be_read_is_taken(
    tmp_path: Path, whole: Callable, damage: Callable[[Path], Any]
) -> None:
    damage(crashed(tmp_path, {'before_iteration': 9}))

    state = run(toy_config(tmp_path), resume=True)

    assert state['meta']['iter'] == 16
    assert differences(state, whole()) == []


def test_a_copied_folder_goes_on_with_its_own_files(
    tmp_path: Path, whole: Callable
) -> None:
    crashed(tmp_path / 'one', {'before_iteration': 9})
    shutil.copytree(tmp_path / 'one', tmp_path / 'copy')
    before = {x.name: x.read_bytes() for x in (tmp_path / 'one').glob('*.pth')}

    state = run(toy_config(tmp_path / 'copy'), resume=True)

    assert differences(state, whole()) == []
    # MMEngine deletes the best one of the original.
    after = {x.name: x.read_bytes() for x in (tmp_path / 'one').glob('*.pth')}
    assert after == before
    assert Path(state['message_hub']['runtime_info']['last_ckpt']).parent.name == 'copy'


def test_who_goes_back_loses_nothing(tmp_path: Path) -> None:
    settings = toy_config(tmp_path, max_keep_ckpts=-1)
    run(settings)
    newest = (tmp_path / 'epoch_4.pth').read_bytes()

    back = {**settings, 'load_from': str(tmp_path / 'epoch_2.pth')}
    with pytest.raises(Crash):
        run(back, resume=True, before_iteration=13)

    assert (tmp_path / 'superseded_epoch_4.pth').read_bytes() == newest
    # What goes on is the training that went back, not the one that it left.
    assert last_state(tmp_path)['meta']['iter'] == 12
    state = run(settings, resume=True)
    assert state['meta']['iter'] == 16


def plainly_named(folder: Path, **settings: Any) -> dict[str, Any]:
    config = toy_config(folder, **settings)
    config['custom_hooks'].append({'type': 'PlainNamesHook'})
    return config


def test_a_further_name_of_what_was_left_is_not_gone_on_with(tmp_path: Path) -> None:
    settings = plainly_named(tmp_path, max_keep_ckpts=-1)
    run(settings)

    back = {**settings, 'load_from': str(tmp_path / 'epoch_2.pth')}
    with pytest.raises(Crash):
        run(back, resume=True, before_iteration=10)

    assert not (tmp_path / 'last.pth').exists()
    assert newest_state(tmp_path) == tmp_path / 'epoch_2.pth'


def test_who_goes_back_twice_loses_nothing(tmp_path: Path) -> None:
    settings = toy_config(tmp_path, max_keep_ckpts=-1)
    back = {**settings, 'load_from': str(tmp_path / 'epoch_2.pth')}
    run(settings)
    first = (tmp_path / 'epoch_4.pth').read_bytes()
    run(back, resume=True)
    second = (tmp_path / 'epoch_4.pth').read_bytes()

    with pytest.raises(Crash):
        run(back, resume=True, before_iteration=9)

    assert (tmp_path / 'superseded_epoch_4.pth').read_bytes() == first
    assert (tmp_path / 'superseded_epoch_4_2.pth').read_bytes() == second


def test_older_states_keep_their_names(tmp_path: Path) -> None:
    settings = {'every_iterations': 1}
    with pytest.raises(Crash):
        run(plainly_named(tmp_path / 'one', **settings), before_iteration=10)
    # Each name has a file of its own in a copy.
    shutil.copytree(tmp_path / 'one', tmp_path / 'copy')
    # As of a hook that counts iterations, beside the one that counts epochs.
    shutil.copy(tmp_path / 'one/epoch_2.pth', tmp_path / 'copy/iter_8.pth')

    with pytest.raises(Crash):
        run(
            plainly_named(tmp_path / 'copy', **settings),
            resume=True,
            before_iteration=11,
        )

    assert [*(tmp_path / 'copy').glob('superseded*')] == []


def test_checkpoints_of_which_none_can_be_read_are_not_written_over(
    tmp_path: Path,
) -> None:
    for epoch in (1, 2):
        (tmp_path / f'epoch_{epoch}.pth').write_bytes(b'junk')

    with pytest.raises(M2DetError, match=r'No checkpoint in .* epoch_2.pth .*epoch_1'):
        run(toy_config(tmp_path), resume=True)

    assert (tmp_path / 'epoch_1.pth').read_bytes() == b'junk'


def test_strange_counts_are_refused(tmp_path: Path) -> None:
    crashed(tmp_path, {'before_iteration': 9})
    state = last_state(tmp_path)
    state['message_hub']['runtime_info']['epoch_batches_done'] = 'many'
    torch.save(state, tmp_path / 'epoch_2.pth')

    with pytest.raises(M2DetError, match="epoch_batches_done is 'many'"):
        run(toy_config(tmp_path), resume=True)


def test_other_batches_begin_at_about_the_same_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(train_loops, 'print_log', lambda text, **_: said.append(text))
    crashed(tmp_path, {'before_iteration': 6}, every_iterations=1)
    settings = toy_config(tmp_path)
    settings['train_dataloader']['batch_size'] = 4

    state = run(settings, resume=True)

    # 2 batches of 3 were done of epoch 2: 2 of its 3 of 4 are left, and 6 follow.
    assert state['meta']['iter'] == 6 + 2 + 6
    assert any('on 3 images an iteration before, and goes on with 4' in x for x in said)


def test_batches_of_another_size_are_counted_from_there_on(tmp_path: Path) -> None:
    settings = {'by_epoch': False, 'every_iterations': 1}
    crashed(tmp_path / 'one', {'before_iteration': 4}, **settings)
    shutil.copytree(tmp_path / 'one', tmp_path / 'other')
    one, other = (toy_config(tmp_path / x, **settings) for x in ('one', 'other'))
    for config in (one, other):
        config['train_dataloader']['batch_size'] = 4

    with pytest.raises(Crash):
        run(other, resume=True, before_iteration=9)

    assert differences(run(other, resume=True), run(one, resume=True)) == []
