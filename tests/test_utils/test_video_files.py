import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from m2det_mmdet.utils import video_files
from m2det_mmdet.utils.errors import M2DetError
from m2det_mmdet.utils.video_files import VideoFile, h264_encoder, shortcomings

RED = (0, 0, 255)
needs_ffmpeg = pytest.mark.skipif(
    h264_encoder() is None, reason='there is no program ffmpeg with H.264'
)


@pytest.fixture(params=['OpenCV', pytest.param('ffmpeg', marks=needs_ffmpeg)])
def encoder(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """What writes videos."""
    if request.param == 'OpenCV':
        monkeypatch.setattr(video_files, 'h264_encoder', lambda: None)
    return request.param


def _image(value: int, height: int = 48, width: int = 64) -> np.ndarray:
    return np.full((height, width, 3), value, np.uint8)


def _fill(video: VideoFile, count: int) -> None:
    for index in range(count):
        video.add(_image(50), index / 10)
    video.close()


def _read(path: Path) -> tuple[float, list[int]]:
    """Return the rate of a video, and the mean brightness of its frames."""
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    shown = []
    while (image := capture.read()[1]) is not None:
        shown.append(round(image.mean()))
    return capture.get(cv2.CAP_PROP_FPS), shown


def test_a_frame_is_shown_until_the_next_one(encoder: str, tmp_path: Path) -> None:
    path = tmp_path / 'a' / 'video.mp4'
    path.parent.mkdir()
    video = VideoFile(path, 10.0)

    # At 10 frames a second: one is missing before 0.3 s, one comes too early.
    for value, time in ((20, 0.0), (60, 0.1), (100, 0.3), (140, 0.32), (180, 0.4)):
        video.add(_image(value), time)
    assert not path.exists()
    assert video.close() is None

    rate, shown = _read(path)
    assert rate == 10.0
    np.testing.assert_allclose(shown, [20, 60, 60, 100, 180], atol=4)
    assert [x.name for x in path.parent.iterdir()] == ['video.mp4']


def test_rates_stay_as_they_are(encoder: str, tmp_path: Path) -> None:
    video = VideoFile(tmp_path / 'video.mp4', 30000 / 1001)

    for index in range(300):
        video.add(_image(index // 2), index * 1001 / 30000)
    video.close()

    rate, shown = _read(tmp_path / 'video.mp4')
    assert rate == pytest.approx(30000 / 1001, rel=1e-5)
    assert len(shown) == 300


def test_odd_and_changing_sizes_are_written(encoder: str, tmp_path: Path) -> None:
    video = VideoFile(tmp_path / 'video.mp4', 10.0)

    for index, size in enumerate(((47, 63), (47, 63), (20, 90))):
        video.add(_image(50, *size), index / 10)
    video.close()

    _, shown = _read(tmp_path / 'video.mp4')
    assert len(shown) == 3


def test_times_that_make_no_sense_do_not_fill_the_disk(tmp_path: Path) -> None:
    video = VideoFile(tmp_path / 'video.mp4', 10.0)

    for time in (0.0, 1e9, 1e9 + 0.1):
        video.add(_image(50), time)
    video.close()

    assert video.frames == 3


def test_a_video_that_cannot_be_written_leaves_nothing(
    encoder: str, tmp_path: Path
) -> None:
    video = VideoFile(tmp_path / 'absent' / 'video.mp4', 10.0)

    with pytest.raises(M2DetError, match='cannot be written'):
        _fill(video, 1000)
    if encoder == 'ffmpeg':
        with pytest.raises(M2DetError, match='for ffmpeg ended'):
            video.close()

    assert [*tmp_path.iterdir()] == []


def test_nothing_is_written_without_frames(tmp_path: Path) -> None:
    assert VideoFile(tmp_path / 'video.mp4', 10.0).close() is None
    assert [*tmp_path.iterdir()] == []


def test_what_videos_lack_without_ffmpeg_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(video_files, 'h264_encoder', lambda: None)
    monkeypatch.setattr(shutil, 'which', lambda name: None)

    assert shortcomings() == (
        'ffmpeg is not installed: the video is MPEG-4, part 2, which browsers do not '
        'play, and has no sound.'
    )


def _with_sound(path: Path, seconds: float, codec: str) -> Path:
    sound = ('-f', 'lavfi', '-i', f'sine=440:duration={seconds}')
    command = ['ffmpeg', '-v', 'error', *sound, '-c:a', codec, str(path)]
    subprocess.run(command, check=True)
    return path


@needs_ffmpeg
@pytest.mark.parametrize('codec', ['aac', 'pcm_s16le'])
def test_the_sound_is_kept_and_ends_with_the_frames(codec: str, tmp_path: Path) -> None:
    source = _with_sound(tmp_path / 'source.mkv', 5, codec)
    path = tmp_path / 'video.mp4'
    video = VideoFile(path, 10.0)
    for index in range(20):
        video.add(_image(50), index / 10)

    assert video.close(source) is None

    command = ['ffmpeg', '-hide_banner', '-i', str(path)]
    told = subprocess.run(command, capture_output=True, text=True).stderr
    assert 'Video: h264' in told
    assert 'Audio: aac' in told
    hours, minutes, seconds = re.search(r'Duration: (\S+),', told)[1].split(':')
    assert float(seconds) == pytest.approx(2.0, abs=0.1)
    assert {x.name for x in tmp_path.iterdir()} == {'source.mkv', 'video.mp4'}


@needs_ffmpeg
def test_a_video_without_sound_has_none(
    tmp_path: Path, write_video: Callable[..., Path]
) -> None:
    source = write_video(tmp_path / 'source.avi', [_image(50)] * 3)
    video = VideoFile(tmp_path / 'video.mp4', 10.0)
    video.add(_image(50), 0.0)

    assert video.close(source) is None

    assert len(_read(tmp_path / 'video.mp4')[1]) == 1
