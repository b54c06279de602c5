import os
from pathlib import Path
from types import SimpleNamespace

import pytest
from mmengine.logging import MessageHub

from m2det_mmdet.engine.hooks import PlainNamesHook
from m2det_mmdet.utils.files import write_whole


@pytest.fixture
def runner(tmp_path: Path) -> SimpleNamespace:
    hub = MessageHub(f'plain names {tmp_path}')
    return SimpleNamespace(message_hub=hub, work_dir=str(tmp_path), rank=0)


def _save(runner: SimpleNamespace, key: str, name: str) -> None:
    file = Path(runner.work_dir, name)
    file.write_text(name)
    runner.message_hub.update_info(key, str(file))


def test_the_names_follow_the_files(runner: SimpleNamespace) -> None:
    hook, folder = PlainNamesHook(), Path(runner.work_dir)
    _save(runner, 'last_ckpt', 'epoch_1.pth')
    hook.after_train_epoch(runner)
    assert not (folder / 'best.pth').exists()
    _save(runner, 'best_ckpt', 'best_1.pth')
    hook.after_val_epoch(runner, {})
    _save(runner, 'last_ckpt', 'epoch_2.pth')
    # What MMEngine's hook does with the checkpoint before.
    (folder / 'epoch_1.pth').unlink()
    hook.after_train_epoch(runner)

    assert (folder / 'last.pth').read_text() == 'epoch_2.pth'
    assert (folder / 'best.pth').read_text() == 'best_1.pth'
    assert {x.name for x in folder.iterdir()} == {
        *('last.pth', 'best.pth', 'epoch_2.pth', 'best_1.pth')
    }


def test_a_checkpoint_that_is_saved_again_gets_the_name_again(
    runner: SimpleNamespace,
) -> None:
    hook, folder = PlainNamesHook(), Path(runner.work_dir)
    _save(runner, 'last_ckpt', 'epoch_1.pth')
    hook.after_train_epoch(runner)
    # As MMEngine does after the validation, with what is the best one now.
    write_whole(folder / 'epoch_1.pth', 'with the best score')
    hook.after_val_epoch(runner, {})

    assert (folder / 'last.pth').samefile(folder / 'epoch_1.pth')
    assert (folder / 'last.pth').read_text() == 'with the best score'


def test_a_disk_without_links_gets_copies(
    runner: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError('no links here')

    monkeypatch.setattr(os, 'link', refuse)
    _save(runner, 'last_ckpt', 'epoch_1.pth')
    PlainNamesHook().after_train_epoch(runner)

    last = Path(runner.work_dir, 'last.pth')
    assert last.read_text() == 'epoch_1.pth'
    assert not last.samefile(Path(runner.work_dir, 'epoch_1.pth'))


def test_other_processes_name_nothing(runner: SimpleNamespace) -> None:
    _save(runner, 'last_ckpt', 'epoch_1.pth')
    runner.rank = 1
    PlainNamesHook().after_train_epoch(runner)

    assert not Path(runner.work_dir, 'last.pth').exists()
