from pathlib import Path
from types import SimpleNamespace

import pytest

from m2det_mmdet.apis import M2DetError, comparison
from m2det_mmdet.comparison.settings import settings_of
from m2det_mmdet.utils.configs import load_config


def test_runs_leave_safetensors_and_are_the_same_runs(
    trained: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned = []

    def stop(terms: object, configs: dict, layout: object) -> None:
        planned.extend(configs.values())
        raise M2DetError('Planned.')

    monkeypatch.setattr(comparison, 'plan_runs', stop)
    with pytest.raises(M2DetError, match='Planned'):
        comparison.compare(
            [trained.config], tmp_path / 'out', epochs=1, form='safetensors'
        )

    (cfg,) = planned
    assert cfg.custom_hooks[-1] == {'type': 'SafetensorsHook'}
    # A run that was done without it is not done again.
    assert settings_of(cfg, {}) == settings_of(load_config(trained.config), {})


def test_a_form_that_there_is_not_stops(tmp_path: Path) -> None:
    with pytest.raises(M2DetError, match='pth, safetensors'):
        comparison.compare(['x.py'], tmp_path / 'out', epochs=1, form='onnx')
