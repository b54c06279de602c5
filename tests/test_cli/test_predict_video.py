from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from m2det_mmdet import apis
from m2det_mmdet.apis import FrameDone, Tally, VideoResult, VideoStarted
from m2det_mmdet.cli import main

VIDEO = 'clip.mp4'


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """What the function of the interface is called with, and what it returns."""
    seen = SimpleNamespace(
        result=VideoResult(
            Tally(3, 2, Counter(car=4)),
            out=Path('out'),
            files=('video.mp4', 'results.jsonl'),
        ),
        is_live=False,
        frames=(),
    )

    def predict_video(
        model: str, video: str, out: Path | bool, **options: Any
    ) -> VideoResult:
        seen.words, seen.options = (model, video, out), options
        options['on_event'](
            VideoStarted(video, 3, 25.0, (64, 48), seen.is_live, Path('out'), ('Hm.',))
        )
        for index in seen.frames:
            options['on_event'](FrameDone(index, index / 10, None))
        if seen.frames:
            raise KeyboardInterrupt
        return seen.result

    monkeypatch.setattr(apis, 'predict_video', predict_video)
    return seen


def test_a_video_is_predicted_with_the_options_of_images(
    called: SimpleNamespace, capsys: pytest.CaptureFixture
) -> None:
    argv = ['predict', 'm2det_r18_scenes', VIDEO, '--track', '-o', 'out']
    argv += ['--score-thr', '0.4', 'car=0.6', '--classes', 'car', '--batch-size', '8']

    assert main(argv) == 0

    assert called.words == ('m2det_r18_scenes', VIDEO, Path('out'))
    expected = {
        'checkpoint': None,
        'track': True,
        'score_thr': 0.4,
        'class_score_thr': {'car': 0.6},
        'classes': ['car'],
        'batch_size': 8,
        'force': False,
    }
    assert {key: called.options[key] for key in expected} == expected
    told = capsys.readouterr()
    assert told.out.splitlines() == [
        'Found in 2 of 3 frames: 4 car',
        '3 frames done: out (video.mp4, results.jsonl)',
    ]
    assert told.err == 'Hm.\n'


def test_what_is_missing_is_told_and_gives_a_status(
    called: SimpleNamespace, capsys: pytest.CaptureFixture
) -> None:
    called.is_live = True
    called.result.problems.append('1 frame was damaged and skipped.')
    called.result.dropped, called.result.objects = 7, 5

    assert main(['predict', 'm2det_r18_scenes', 'rtsp://host/x']) == 1

    assert called.words[2] is True
    told = capsys.readouterr()
    assert told.out.splitlines()[1:3] == [
        'Objects that were followed: 5.',
        '7 frames came while others were looked at: left out.',
    ]
    assert told.err.splitlines() == [
        'Hm.',
        'Ctrl-C ends it; what is done is kept.',
        '1 frame was damaged and skipped.',
    ]


def test_how_far_it_came_is_told_where_it_ends_early(
    called: SimpleNamespace, capsys: pytest.CaptureFixture
) -> None:
    # Two of a live source, with others in between.
    called.frames = (0, 5)

    assert main(['predict', 'm2det_r18_scenes', VIDEO]) == 130

    told = capsys.readouterr()
    assert told.out == ''
    assert told.err.splitlines() == [
        'Hm.',
        'Stopped after 2 of 3 frames: out.',
        'm2det predict: interrupted.',
    ]


@pytest.mark.parametrize(
    ('words', 'said'),
    [
        ([VIDEO, 'a.jpg'], 'clip.mp4 is a video, and there are other inputs: call'),
        ([VIDEO, '--resume'], '--resume is for images, and clip.mp4 is a video: leave'),
        ([VIDEO, '--jobs', '2'], '--jobs is for images, and clip.mp4'),
        ([VIDEO, '--ann-file', 'a.json'], '--ann-file is for images, and'),
        (['0', '--format', 'voc'], '--format is for images, and 0 is a video'),
        (
            ['rtsp://me:secret@host/x', 'a.jpg'],
            'rtsp://me:***@host/x is a video, and there are',
        ),
        (['a.jpg', '--track'], '--track follows objects through a video, and a.jpg is'),
    ],
)
def test_what_does_not_fit_a_video_is_told(
    words: list[str],
    said: str,
    called: SimpleNamespace,
    capsys: pytest.CaptureFixture,
) -> None:
    assert main(['predict', 'm2det_r18_scenes', *words]) == 2

    assert said in capsys.readouterr().err
    assert not hasattr(called, 'words')


def test_a_video_before_its_model_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    video = tmp_path / VIDEO
    video.touch()

    assert main(['predict', str(video), 'm2det_r18_scenes']) == 2

    assert f'{video} is no model, and m2det_r18_scenes behind it is one' in (
        capsys.readouterr().err
    )
