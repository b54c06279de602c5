import json
from pathlib import Path
from types import SimpleNamespace

import cv2
import pytest

from m2det_mmdet.cli import main


@pytest.mark.parametrize('empty', [True, False])
def test_draw_writes_a_picture(
    empty: bool, trained: SimpleNamespace, tmp_path: Path
) -> None:
    box = {'image_id': 1, 'category_id': 1, 'bbox': [9, 9, 40, 40], 'score': 0.9}
    results, out = tmp_path / 'results.json', tmp_path / 'deep' / 'picture.png'
    results.write_text(json.dumps([] if empty else [box]))
    annotations = trained.scenes / 'annotations' / 'val.json'

    argv = [annotations, results, trained.scenes / 'val', '-o', out]
    assert main(['draw', *map(str, argv)]) == 0
    assert cv2.imread(str(out)) is not None


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (None, 'There is no results file'),
        ('[', 'holds no COCO results'),
        ('[{"image_id": 77, "bbox": [0, 0, 1, 1]}]', 'holds no COCO results'),
    ],
    ids=['absent', 'no JSON', 'other images'],
)
def test_wrong_results_end_in_one_sentence(
    content: str | None,
    message: str,
    trained: SimpleNamespace,
    tmp_path: Path,
    capsys: pytest.CaptureFixture,
) -> None:
    results = tmp_path / 'results.json'
    if content is not None:
        results.write_text(content)
    annotations = trained.scenes / 'annotations' / 'val.json'

    argv = [
        annotations,
        results,
        trained.scenes / 'val',
        '-o',
        tmp_path / 'picture.png',
    ]
    assert main(['draw', *map(str, argv)]) == 2
    assert message in capsys.readouterr().err.splitlines()[-1]
