from pathlib import Path

import cv2
import numpy as np
import pytest

from m2det_mmdet.cli import main
from m2det_mmdet.datasets.scenes import write_scenes


def test_it_prints_the_levels_of_an_image_and_of_data(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    data = tmp_path / 'scenes'
    write_scenes(data, num_train=1, num_val=1, num_test=2, size=(128, 128))
    image = str(next((data / 'test').glob('*.jpg')))
    model, page = 'm2det_r18_scenes', str(tmp_path / 'page.html')

    assert main(['explain', model, image, '-o', page]) == 0
    first = capsys.readouterr().out.splitlines()[0]
    assert ', scale ' in first
    assert first.split('levels ')[1].count(',') == 1
    words = ['explain', model, '--data', str(data), '--split', 'test']
    assert main([*words, '-o', page]) == 2
    assert main([*words, '-o', page, '--force']) == 0
    assert capsys.readouterr().out.startswith('all (')


@pytest.mark.parametrize(
    ('words', 'message'),
    [
        ([], 'Name an IMAGE, or a data set'),
        (['a.pth', 'b.jpg', '--data', 'folder'], 'b.jpg is one word too many'),
        (['b.jpg', '--data', 'folder'], 'b.jpg is one word too many'),
        (['--data', 'folder', '--classes', 'disc'], '--classes is for an IMAGE'),
        (['--split', 'val', '--score-thr', '0.5'], '--score-thr is for an IMAGE'),
        (['--classes', 'disc', 'a.jpg'], 'Name an IMAGE before --classes disc'),
        (['a.jpg', '--allow-outside'], '--allow-outside is for --data'),
        (
            ['--data', 'folder', '--method', 'gradcam'],
            '--method is for an IMAGE',
        ),
        (
            ['a.jpg', '--device', 'cpu', 'b.jpg'],
            'leave out b.jpg',
        ),
    ],
)
def test_it_takes_an_image_or_data(
    words: list[str], message: str, capsys: pytest.CaptureFixture
) -> None:
    assert main(['explain', 'm2det_r18_scenes', *words]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.usefixtures('with_grad_cam')
def test_it_tells_the_method_of_heat_maps(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    image, page = tmp_path / 'gray.png', str(tmp_path / 'page.html')
    cv2.imwrite(str(image), np.full((64, 96, 3), 90, np.uint8))
    words = ['explain', 'm2det_r18_scenes', str(image), '--method', 'eigencam']

    assert main([*words, '-o', page]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == 'Heat maps by eigencam.'
    assert lines[-1] == f'Page: {page}'
