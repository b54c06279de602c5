import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
SMALL = ROOT / 'configs' / 'm2det' / 'm2det_r18_scenes.py'


@pytest.fixture(scope='module')
def script(benchmark_script: Callable[[str], ModuleType]) -> ModuleType:
    return benchmark_script('exported')


def test_random_weights_leave_the_wanted_number_of_candidates(
    script: ModuleType,
) -> None:
    cfg, model, is_trained = script.load(str(SMALL), None)

    plan, count = script.planned(cfg, model, is_trained, 50, np.random.default_rng(0))

    assert not is_trained
    assert count == 50
    assert 0 < plan.suppression.score_thr < 1
    assert model.bbox_head.test_cfg.score_thr == plan.suppression.score_thr


def test_variants_are_compared_round_by_round(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0

    def call(*durations: float) -> Callable[[np.ndarray], None]:
        # Each call wakes up first, and the first round warms up.
        left = iter([x for time in (9.0, *durations) for x in (100.0, time)])

        def run(images: np.ndarray) -> None:
            nonlocal now
            now += next(left)

        return run

    monkeypatch.setattr(script.time, 'perf_counter', lambda: now)
    monkeypatch.setattr(script.time, 'sleep', lambda _: None)
    pairs = {
        'eager': (call(4, 6, 8), call(5, 6, 10)),
        'ort': (call(1, 3, 4), call(2, 3, 5)),
    }

    rows = script.measure(pairs, np.zeros(1), 3)

    assert rows['eager']['speed_up'] == 1
    assert rows['ort'] == {
        'raw': 3000,
        'whole': 3000,
        'speed_up': 2,
        'whole_speed_up': 2,
        'suppression': 0.25,
    }


@pytest.mark.slow
def test_a_model_of_the_zoo_is_timed(
    script: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    out = tmp_path / 'report.json'
    options = ['--rounds', '1', '--only', 'ort', 'ort int8', 'openvino']

    script.main(['m2det_r18_scenes', *options, '--json', str(out)])

    (report,) = json.loads(out.read_text())['reports']
    assert [*report['rows']] == ['eager', 'ort', 'ort int8', 'openvino']
    assert report['shape'] == [1, 3, 128, 128]
    assert 'm2det_r18_scenes, images (1, 3, 128, 128)' in capsys.readouterr().out
