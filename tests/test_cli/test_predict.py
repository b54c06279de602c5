import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import cv2
import pytest
import torch
from mmengine.structures import InstanceData

from m2det_mmdet.cli import main


@pytest.fixture
def images(trained: SimpleNamespace, tmp_path: Path) -> Path:
    """Two images of the same name in two folders."""
    for folder, number in (('a', 1), ('b', 2)):
        (tmp_path / 'images' / folder).mkdir(parents=True)
        shutil.copy(
            trained.scenes / 'val' / f'{number:06d}.jpg',
            tmp_path / 'images' / folder / 'x.jpg',
        )
    return tmp_path / 'images'


def _predict(trained: SimpleNamespace, *argv: str | Path) -> int:
    command = ['predict', trained.config, trained.checkpoint, '--score-thr', '0.02']
    return main([*command, *map(str, argv)])


def _records(out: Path) -> list[dict]:
    return json.loads((out / 'results.json').read_text())


def test_a_folder_gives_pictures_and_boxes(
    trained: SimpleNamespace, images: Path, tmp_path: Path
) -> None:
    out = tmp_path / 'out'

    assert _predict(trained, images, '-o', out, '--batch-size', '2') == 0

    pictures = sorted(
        path.relative_to(out).as_posix() for path in out.rglob('*') if path.is_file()
    )
    assert pictures == ['pictures/a/x.jpg', 'pictures/b/x.jpg', 'results.json']
    assert cv2.imread(str(out / pictures[0])).shape == (128, 128, 3)
    records = _records(out)
    names = {record['image_id']: record['file_name'] for record in records}
    assert names == {1: 'a/x.jpg', 2: 'b/x.jpg'}
    for record in records:
        left, top, width, height = record['bbox']
        assert min(left, top, width, height) >= 0
        assert max(left + width, top + height) <= 128.01
        assert 1 <= record['category_id'] <= 10


def test_results_are_those_of_the_test(
    trained: SimpleNamespace, tmp_path: Path
) -> None:
    annotations = trained.scenes / 'annotations' / 'val.json'
    prefix = tmp_path / 'tested'
    argv = ['test', trained.config, trained.checkpoint, '--work-dir', str(tmp_path)]
    main([*argv, '--cfg-options', f'test_evaluator.outfile_prefix={prefix}'])

    _predict(
        trained,
        trained.scenes / 'val',
        *('-o', tmp_path / 'out', '--ann-file', annotations, '--batch-size', '3'),
    )

    tested = json.loads(Path(f'{prefix}.bbox.json').read_text())
    predicted = _records(tmp_path / 'out')
    assert [(item['image_id'], item['category_id']) for item in predicted] == [
        (item['image_id'], item['category_id']) for item in tested
    ]
    torch.testing.assert_close(
        torch.tensor([[*item['bbox'], item['score']] for item in predicted]),
        torch.tensor([[*item['bbox'], item['score']] for item in tested]),
        atol=0.01,
        rtol=1e-3,
    )


@pytest.mark.parametrize(
    ('options', 'tolerance'),
    [(['--fast'], 1e-4), (['--fast', '--autocast', 'bfloat16'], 0.02)],
)
def test_faster_predictions_are_the_same(
    options: list[str],
    tolerance: float,
    trained: SimpleNamespace,
    images: Path,
    tmp_path: Path,
    assert_found_again: Callable[..., None],
) -> None:
    keep_all = ['model.test_cfg.score_thr=0', 'model.test_cfg.max_per_img=800']
    for out, arguments in (('plain', []), ('fast', options)):
        argv = ['-o', tmp_path / out, '--score-thr', 1, *arguments]
        argv += ['--cfg-options', *keep_all]
        assert _predict(trained, images, *argv) == 0

    plain, fast = (_instances(_records(tmp_path / out)) for out in ('plain', 'fast'))
    assert_found_again(plain, fast, tolerance)
    # They are computed in another way.
    assert not torch.equal(plain[0].scores, fast[0].scores)


def _instances(records: list[dict]) -> list[InstanceData]:
    """Boxes (xyxy), scores and labels of each image."""
    found = []
    for image_id in sorted({record['image_id'] for record in records}):
        own = [record for record in records if record['image_id'] == image_id]
        boxes = torch.tensor([record['bbox'] for record in own])
        boxes[:, 2:] += boxes[:, :2]
        found.append(
            InstanceData(
                bboxes=boxes,
                scores=torch.tensor([record['score'] for record in own]),
                labels=torch.tensor([record['category_id'] for record in own]),
            )
        )
    return found


def test_earlier_results_are_no_inputs(trained: SimpleNamespace, images: Path) -> None:
    for _ in range(2):
        assert _predict(trained, images, '-o', images / 'out') == 0

    names = {record['file_name'] for record in _records(images / 'out')}
    assert names == {'a/x.jpg', 'b/x.jpg'}


def test_unreadable_images_are_named_and_skipped(
    trained: SimpleNamespace,
    images: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture,
) -> None:
    (images / 'empty.png').touch()
    (images / 'text.jpg').write_text('no image')
    cut = images / 'cut.jpg'
    cut.write_bytes((images / 'a' / 'x.jpg').read_bytes()[:2000])

    assert _predict(trained, images, '-o', tmp_path / 'out') == 1

    captured = capsys.readouterr()
    for name in ('empty.png', 'text.jpg', 'cut.jpg'):
        assert f'{images / name} is no image that can be read' in captured.err
    assert '2 of 5 images done' in captured.out
    assert {item['file_name'] for item in _records(tmp_path / 'out')} == {
        'a/x.jpg',
        'b/x.jpg',
    }


@pytest.mark.parametrize(
    ('argv', 'message'),
    [
        (['nothing*'], 'There is no image, folder or match of nothing*'),
        (['EMPTY'], 'There is no image in'),
        (
            ['IMAGES', '--batch-size', '0'],
            '--batch-size: must be at least 1, got 0',
        ),
        (['IMAGES', '--ann-file', 'no.json'], 'no.json does not exist'),
        (['IMAGES', '--ann-file', 'ANNOTATIONS'], 'are not listed in ann_file'),
        (['IMAGES', '--device', 'abacus'], 'device abacus cannot be used here'),
    ],
)
def test_wrong_arguments_end_in_one_sentence(
    argv: list[str],
    message: str,
    trained: SimpleNamespace,
    images: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture,
) -> None:
    (tmp_path / 'empty').mkdir()
    names = {
        'EMPTY': tmp_path / 'empty',
        'IMAGES': images,
        'ANNOTATIONS': trained.scenes / 'annotations' / 'val.json',
    }
    argv = [names.get(word, word) for word in argv]

    assert _predict(trained, *argv, '-o', tmp_path / 'out') == 2
    assert message in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.skipif(torch.cuda.is_available(), reason='asks for a device not there')
def test_cuda_that_is_absent_ends_in_one_sentence(
    trained: SimpleNamespace,
    images: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture,
) -> None:
    assert _predict(trained, images, '-o', tmp_path, '--device', 'cuda') == 2
    assert 'device cuda cannot be used here' in capsys.readouterr().err
