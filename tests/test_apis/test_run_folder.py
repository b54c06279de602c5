import os
from pathlib import Path

import pytest

from m2det_mmdet.apis import M2DetError
from m2det_mmdet.apis.run_folder import OwnData, choose_folder, keep_log, resume_run
from m2det_mmdet.utils import first_process as processes


def test_runs_without_a_name_get_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    own = OwnData(Path('cells'))
    assert choose_folder(own) == Path('work_dirs/cells')
    (tmp_path / 'work_dirs' / 'cells' / 'x').mkdir(parents=True)
    assert choose_folder(own) == Path('work_dirs/cells-2')
    (tmp_path / 'data.yaml').write_text('')
    assert choose_folder(OwnData(tmp_path / 'data.yaml')) == Path(
        'work_dirs', tmp_path.name
    )


def test_no_process_waits_where_there_is_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / 'x').touch()
    sent = []
    monkeypatch.setattr(processes, 'broadcast_object_list', sent.extend)
    with pytest.raises(M2DetError, match='is not empty'):
        choose_folder(OwnData(tmp_path, work_dir=tmp_path))

    def receive(chosen: list) -> None:
        chosen[:] = sent

    monkeypatch.setattr(processes, 'is_main_process', lambda: False)
    monkeypatch.setattr(processes, 'broadcast_object_list', receive)
    with pytest.raises(M2DetError, match='is not empty'):
        choose_folder(OwnData(tmp_path, work_dir=tmp_path))


def test_a_disk_of_one_name_a_file_keeps_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError('one name a file')

    (tmp_path / 'now.log').write_text('words')
    assert keep_log(tmp_path / 'now.log', tmp_path).read_text() == 'words'
    monkeypatch.setattr(os, 'link', refuse)
    assert keep_log(tmp_path / 'now.log', tmp_path).is_symlink()
    monkeypatch.setattr(os, 'symlink', refuse)
    assert keep_log(tmp_path / 'now.log', tmp_path) == tmp_path / 'now.log'


@pytest.mark.parametrize('name', ['', '.', '..', 'a/b', 'a/', '../a', '/a'])
def test_a_name_does_not_lead_out_of_the_folder_of_runs(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    own = OwnData(Path('cells'), name=name)
    with pytest.raises(M2DetError, match=f"one folder in work_dirs, got '{name}'"):
        choose_folder(own)
    with pytest.raises(M2DetError, match='one folder in work_dirs'):
        resume_run(own, [], launcher='none')
