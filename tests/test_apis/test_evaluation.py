import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from m2det_mmdet import apis


def test_predictions_that_cannot_be_written_stop_before_the_test(
    trained: SimpleNamespace, tmp_path: Path
) -> None:
    (tmp_path / 'file').touch()

    with pytest.raises(apis.M2DetError, match='file is no folder that takes files'):
        apis.evaluate(
            trained.config,
            trained.checkpoint,
            work_dir=tmp_path / 'work',
            predictions=tmp_path / 'file' / 'found.pkl',
        )
    assert not (tmp_path / 'work').exists()


def test_a_negative_time_to_wait_is_refused(trained: SimpleNamespace) -> None:
    with pytest.raises(apis.M2DetError, match=r'wait_time must be at least 0, got -1'):
        apis.evaluate(trained.config, trained.checkpoint, wait_time=-1)


def test_a_run_or_a_checkpoint_alone_is_evaluated(
    trained: SimpleNamespace, tmp_path: Path
) -> None:
    for number, model in enumerate((trained.work_dir, trained.checkpoint)):
        result = apis.evaluate(model, device='cpu', work_dir=tmp_path / str(number))

        assert result.ap == trained.result.metrics['coco/bbox_mAP']
        assert result.work_dir == tmp_path / str(number)


def test_tests_of_several_checkpoints_do_not_share_a_folder(
    trained: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(trained.checkpoint, tmp_path / 'net.pth')

    result = apis.evaluate('net.pth', device='cpu')

    assert result.work_dir == tmp_path / 'work_dirs' / 'net-config'


def test_data_to_test_on_are_left_as_they_are(
    trained: SimpleNamespace, tmp_path: Path
) -> None:
    before = set(trained.scenes.rglob('*'))

    result = apis.evaluate(
        trained.work_dir, data=trained.scenes, split='val', work_dir=tmp_path
    )

    assert result.ap == trained.result.metrics['coco/bbox_mAP']
    assert set(trained.scenes.rglob('*')) == before
