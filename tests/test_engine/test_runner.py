from pathlib import Path

import pytest
from mmengine.config import Config

from m2det_mmdet.engine.runner import set_work_dir


@pytest.mark.parametrize(
    ('given', 'own', 'expected'),
    [
        (None, None, str(Path('work_dirs', 'mine'))),
        (None, 'own', 'own'),
        ('given', 'own', 'given'),
    ],
)
def test_the_work_folder_is_named_after_the_config(
    given: str | None, own: str | None, expected: str, tmp_path: Path
) -> None:
    # The copy that a run leaves of a config counts as the config.
    (tmp_path / 'mine_full.py').write_text(f'work_dir = {own!r}')
    cfg = Config.fromfile(tmp_path / 'mine_full.py')

    set_work_dir(cfg, given)

    assert cfg.work_dir == expected
