"""What the words behind ``m2det predict`` mean."""

import argparse
from pathlib import Path

import pytest

from m2det_mmdet.cli import predict
from m2det_mmdet.cli.model_words import split_words
from m2det_mmdet.utils.errors import M2DetError


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a folder with a run, images, and a folder named like weights."""
    for name in ('run', 'images', 'folder.pth'):
        (tmp_path / name).mkdir()
    for name in ('mine.py', 'a.pth', 'a.jpg', 'run/config.py'):
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ('words', 'checkpoint'),
    [
        (['a.pth', 'images'], None),
        (['run', 'images', 'a.jpg'], None),
        (['run', 'a.pth', 'images'], 'a.pth'),
        (['m2det_r18_scenes', 'images'], None),
        (['m2det_r18_scenes', 'a.pth', 'images'], 'a.pth'),
        (['m2det_r18_scenes', 'm2det_r18_scenes', 'images'], 'm2det_r18_scenes'),
        (['m2det_r18_scenes', 'folder.pth'], None),
        (['m2det_vgg_320', 'a.pth', 'images'], 'a.pth'),
        (['mine.py', 'epoch_12', 'images'], 'epoch_12'),
        (['mine.py', 'https://x.org/a.pth?raw=1', '-'], 'https://x.org/a.pth?raw=1'),
        (['mmdet::ssd/ssd300_coco.py', 'a.pth', 'images'], 'a.pth'),
        (['https://x.org/a.pth', 'https://x.org/a.jpg'], None),
    ],
)
def test_a_checkpoint_is_what_stands_behind_a_config(
    words: list[str], checkpoint: str | None
) -> None:
    model, found, inputs = split_words(words[0], words[1:])

    assert (model, found) == (words[0], checkpoint)
    assert inputs == words[1 if checkpoint is None else 2 :]


@pytest.mark.parametrize(
    ('words', 'message'),
    [
        (['a.pth', 'a.pth', 'images'], 'a.pth is a checkpoint, which is no image'),
        (['mine.py', 'a.pth'], 'no image behind mine.py and a.pth'),
        (['mine.py', 'images', 'a.jpg'], 'images behind it is no checkpoint'),
        (['mine.py', 'a.jpg'], 'a.jpg behind it is no checkpoint'),
        (['m2det_vgg_320', 'images'], 'm2det_vgg_320 is a config, which has no weig'),
        (['images', 'run'], 'images is no model, and run behind it is one: the model'),
        (['a.jpg', 'run'], 'a.jpg is no model, and run behind it is one'),
        (['a.jpg', 'a.jpg', 'm2det_r18_scenes'], 'm2det_r18_scenes behind it is one'),
    ],
)
def test_words_without_a_meaning_end_in_a_sentence(
    words: list[str], message: str
) -> None:
    with pytest.raises(M2DetError, match=message):
        split_words(words[0], words[1:])


def test_a_name_of_weights_that_is_a_folder_too_is_ambiguous() -> None:
    Path('m2det_r18_scenes').mkdir()

    with pytest.raises(M2DetError, match=r'write \./m2det_r18_scenes for images'):
        split_words('m2det_vgg_320', ['m2det_r18_scenes', 'images'])
    # A model that is a folder here is a run.
    assert split_words('m2det_r18_scenes', ['images'])[1] is None


def _parse(*argv: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    predict.add_arguments(parser)
    return parser.parse_args(argv)


@pytest.mark.parametrize(
    'argv',
    [
        ['M', 'a', 'b', '--score-thr', '0.4', 'car=0.5', 'traffic light=0.2'],
        ['M', '--score-thr', '0.4', 'car=0.5', 'traffic light=0.2', 'a', 'b'],
        ['--score-thr', '0.4', 'car=0.5', '--score-thr', 'traffic light=0.2', *'Mab'],
        ['M', 'a', '--score-thr=0.4', '--score-thr', 'car=.5', 'traffic light=.2', 'b'],
    ],
)
def test_scores_stand_before_and_behind_images(argv: list[str]) -> None:
    args = _parse(*argv)

    assert (args.model, args.inputs) == ('M', ['a', 'b'])
    assert args.score_thr == [(None, 0.4), ('car', 0.5), ('traffic light', 0.2)]


@pytest.mark.parametrize('score', ['1.5', 'car=2', 'car=-1'])
def test_scores_are_from_0_to_1(score: str, capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit):
        _parse('M', 'a', '--score-thr', score)
    assert 'must be from 0 to 1' in capsys.readouterr().err
