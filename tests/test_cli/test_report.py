from pathlib import Path
from types import SimpleNamespace

import pytest

from m2det_mmdet.cli import main


def test_a_report_is_written_and_its_place_is_told(
    trained: SimpleNamespace, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    page = tmp_path / 'page.html'

    status = main(['report', str(trained.work_dir), '--split', 'test', '-o', str(page)])

    lines = capsys.readouterr().out.splitlines()
    assert status == 0
    assert lines[0].startswith('test: AP ')
    assert 'score threshold' in lines[0]
    assert lines[1].startswith(f'Report: {page} (looking at the images took ')
    assert '<!doctype html>' in page.read_text()


def test_what_is_wrong_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    status = main(['report', str(tmp_path)])

    assert status == 2
    error = capsys.readouterr().err
    assert error.startswith('m2det report: ')
    assert 'is no run' in error
    assert len(error.splitlines()) == 1
    assert not list(tmp_path.iterdir())
