import errno
import os
from pathlib import Path

import pytest
from mmengine.runner import save_checkpoint

from m2det_mmdet.utils.errors import M2DetError


@pytest.mark.parametrize(
    ('failure', 'expected'),
    [
        (OSError(errno.ENOSPC, 'No space left on device'), M2DetError),
        (KeyboardInterrupt(), KeyboardInterrupt),
    ],
)
def test_half_a_checkpoint_is_none(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    failure: BaseException,
    expected: type[BaseException],
) -> None:
    path = tmp_path / 'epoch_1.pth'
    save_checkpoint({'state_dict': {}}, str(path))
    before = path.read_bytes()

    def fail(_: int) -> None:
        raise failure

    monkeypatch.setattr(os, 'fsync', fail)
    with pytest.raises(expected):
        save_checkpoint({'state_dict': {'weight': 1}}, str(path))

    assert path.read_bytes() == before
    assert [x.name for x in tmp_path.iterdir()] == ['epoch_1.pth']
