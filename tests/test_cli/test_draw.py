import json
from pathlib import Path
from types import SimpleNamespace

import cv2
import pytest

from m2det_mmdet.apis import draw
from m2det_mmdet.cli import main


def test_a_predicted_box_is_drawn_in_the_right_half_alone(
    trained: SimpleNamespace, tmp_path: Path
) -> None:
    box = {'image_id': 1, 'category_id': 1, 'bbox': [9, 19, 40, 60], 'score': 0.9}
    weak = {**box, 'bbox': [60, 60, 40, 40], 'score': 0.2}
    annotations = trained.scenes / 'annotations' / 'val.json'
    pictures = []
    for name, records in (('without', []), ('with', [box, weak])):
        results, out = tmp_path / f'{name}.json', tmp_path / name / 'picture.png'
        results.write_text(json.dumps(records))
        argv = [annotations, results, trained.scenes / 'val', '-o', out]

        assert main(['draw', *map(str, argv), '--num-images', '1']) == 0

        pictures.append(cv2.imread(str(out)).astype(int))

    without, with_box = pictures
    assert without.shape == with_box.shape
    rows, columns = abs(with_box - without).max(axis=2).nonzero()
    # An image of 128 pixels is drawn on 480, below a caption of 32, beside its truth.
    scale = 480 / 128
    left, top = 488 + 9 * scale, 32 + 19 * scale
    assert columns.min() == pytest.approx(left, abs=4)
    assert columns.max() == pytest.approx(left + 40 * scale, abs=4)
    # The name of the class stands above the box.
    assert top - 30 < rows.min() <= top + 4
    assert rows.max() == pytest.approx(top + 60 * scale, abs=4)


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (None, 'There is no results file'),
        ('[', 'holds no COCO results'),
        ('[' * 100_000, 'holds no COCO results'),
        (
            '[{"image_id": 1, "category_id": 99, "bbox": [0, 0, 1, 1], "score": 1}]',
            'record 0 has the category_id 99, which the annotations lack.',
        ),
        ('[{"image_id": 77, "bbox": [0, 0, 1, 1]}]', 'holds no COCO results'),
    ],
    ids=['absent', 'no JSON', 'too deep', 'other categories', 'other images'],
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


def test_an_older_picture_is_replaced_with_force_alone(
    trained: SimpleNamespace, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    results, out = tmp_path / 'results.json', tmp_path / 'picture.png'
    results.write_text('[]')
    out.write_text('old')
    annotations = trained.scenes / 'annotations' / 'val.json'
    argv = ['draw', annotations, results, trained.scenes / 'val', '-o', out]

    assert main([str(word) for word in argv]) == 2
    assert (
        'picture.png exists: give another name, or --force' in capsys.readouterr().err
    )
    assert out.read_text() == 'old'
    assert main([*map(str, argv), '--force']) == 0
    assert cv2.imread(str(out)).shape[2] == 3


@pytest.mark.parametrize('count', ['0', '-1', 'many'])
def test_a_number_that_cannot_be_is_named(
    count: str, capsys: pytest.CaptureFixture
) -> None:
    assert main(['draw', 'a', 'b', 'c', '-o', 'd.png', '--num-images', count]) == 2
    assert f', got {count}' in capsys.readouterr().err


def test_the_home_folder_is_that_of_the_user(
    trained: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('HOME', str(tmp_path))
    results = tmp_path / 'results.json'
    results.write_text('[]')
    annotations = trained.scenes / 'annotations' / 'val.json'

    written = draw(annotations, results, trained.scenes / 'val', '~/picture.png')

    assert written == tmp_path / 'picture.png'
    assert written.is_file()
