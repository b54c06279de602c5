from pathlib import Path

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
        (['a.jpg', 'b.jpg'], 'One image is explained at a time: leave out b.jpg'),
    ],
)
def test_it_takes_an_image_or_data(
    words: list[str], message: str, capsys: pytest.CaptureFixture
) -> None:
    assert main(['explain', 'm2det_r18_scenes', *words]) == 2
    assert message in capsys.readouterr().err
