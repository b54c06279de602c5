"""The newest checkpoint of a folder is found, whatever lies beside it."""

import errno
from pathlib import Path

import pytest
import torch

from m2det_mmdet.checkpoints import CheckpointError, latest
from m2det_mmdet.checkpoints.latest import newest_state, set_aside_newer, states_in


def write(path: Path, iterations: int, *, whole: bool = True) -> None:
    state = {'state_dict': {}, 'meta': {'epoch': 1, 'iter': iterations}}
    torch.save({**state, **({'optimizer': {}} if whole else {})}, path)


def test_the_most_iterations_win(tmp_path: Path) -> None:
    write(tmp_path / 'epoch_9.pth', 90)
    write(tmp_path / 'epoch_10.pth', 100)
    write(tmp_path / 'best_x_epoch_99.pth', 990, whole=False)
    assert newest_state(tmp_path) == tmp_path / 'epoch_10.pth'

    write(tmp_path / 'resume.pth', 95)
    assert newest_state(tmp_path) == tmp_path / 'epoch_10.pth'
    write(tmp_path / 'resume.pth', 105)
    assert newest_state(tmp_path) == tmp_path / 'resume.pth'


def test_a_folder_without_checkpoints_has_none(tmp_path: Path) -> None:
    assert newest_state(tmp_path) is None
    assert newest_state(tmp_path / 'missing') is None
    (tmp_path / 'epoch_1.pth').mkdir()
    (tmp_path / 'last_checkpoint').write_text('..')
    assert newest_state(tmp_path) is None


@pytest.mark.parametrize('kept', [0, 100])
def test_what_is_cut_is_passed_over_and_named(
    kept: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(latest, 'print_log', lambda text, **_: said.append(text))
    for epoch in (8, 9, 10):
        write(tmp_path / f'epoch_{epoch}.pth', epoch)
    for epoch in (9, 10):
        path = tmp_path / f'epoch_{epoch}.pth'
        path.write_bytes(path.read_bytes()[:kept])

    assert newest_state(tmp_path) == tmp_path / 'epoch_8.pth'
    assert len(said) == 1
    assert 'epoch_10.pth (' in said[0]
    assert 'epoch_9.pth (' in said[0]
    assert said[0].endswith('goes on from epoch_8.pth.')


def test_weights_alone_are_no_state(tmp_path: Path) -> None:
    write(tmp_path / 'epoch_1.pth', 10, whole=False)

    with pytest.raises(CheckpointError, match='epoch_1.pth .*no state of a training'):
        newest_state(tmp_path)


def test_a_checkpoint_that_no_memory_is_left_for_is_not_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / 'epoch_1.pth', 10)

    def load(_file: str, _device: str) -> None:
        raise OSError(errno.ENOMEM, 'Cannot allocate memory')

    monkeypatch.setattr(latest.CheckpointLoader, 'load_checkpoint', load)

    with pytest.raises(OSError, match='Cannot allocate memory'):
        newest_state(tmp_path)


def test_names_of_one_file_count_once(tmp_path: Path) -> None:
    write(tmp_path / 'epoch_1.pth', 10)
    (tmp_path / 'last.pth').hardlink_to(tmp_path / 'epoch_1.pth')
    (tmp_path / 'last_checkpoint').write_text('/elsewhere/epoch_1.pth')

    assert states_in(tmp_path) == [tmp_path / 'epoch_1.pth']


def test_what_is_newer_than_the_chosen_one_gets_another_name(tmp_path: Path) -> None:
    for epoch in (1, 2, 3):
        write(tmp_path / f'epoch_{epoch}.pth', epoch)
    write(tmp_path / 'resume.pth', 4)

    renamed = set_aside_newer(tmp_path, tmp_path / 'epoch_2.pth', epoch=2, iterations=2)

    assert {x.name for x in renamed} == {
        'superseded_epoch_3.pth', 'superseded_resume.pth'
    }  # fmt: skip
    assert newest_state(tmp_path) == tmp_path / 'epoch_2.pth'
