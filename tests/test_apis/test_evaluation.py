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
