import itertools
import os
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from m2det_mmdet.utils import videos
from m2det_mmdet.utils.errors import M2DetError
from m2det_mmdet.utils.videos import Video, is_video, without_password

COUNT, STEP = 20, 10  # frames, and by how much each is lighter than that before


def _frames(count: int = COUNT) -> list[np.ndarray]:
    grain = np.random.default_rng(0).integers(-STEP, STEP, (48, 64, 3))
    frames = [grain + STEP * (index + 1) for index in range(count)]
    return [frame.astype(np.uint8) for frame in frames]


def _spoil(path: Path, frame: int) -> None:
    """Write over the picture of a frame of an AVI."""
    content = bytearray(path.read_bytes())
    place = content.index(b'movi')
    for _ in range(frame + 1):
        place = content.index(b'00dc', place + 1)
    length = int.from_bytes(content[place + 4 : place + 8], 'little')
    content[place + 8 : place + 8 + length] = b'\xff' * length
    path.write_bytes(content)


@pytest.fixture
def video(tmp_path: Path, write_video: Callable[..., Path]) -> Path:
    return write_video(tmp_path / 'a.avi', _frames())


def _read(path: Path) -> tuple[Video, list[int], list[float]]:
    """Return a video at its end, what its frames show, and their times."""
    with Video(str(path)) as video:
        frames = [*video]
    assert [frame.index for frame in frames] == [*range(len(frames))]
    shown = [round(frame.image.mean() / STEP) - 1 for frame in frames]
    return video, shown, [round(frame.time, 3) for frame in frames]


@pytest.mark.parametrize(
    ('word', 'expected'),
    [
        ('a/clip.MP4', True),
        ('https://host/clip.mov?key=1', True),
        ('https://host/live.m3u8', True),
        ('rtsp://host/stream', True),
        ('0', True),
        ('17', True),
        ('a.jpg', False),
        ('https://host/a.jpg', False),
        ('live.m3u8', False),
        ('file://a', False),
        ('-1', False),
        ('m2det_r18_scenes', False),
    ],
)
def test_a_video_is_known_by_its_name(word: str, expected: bool) -> None:
    assert is_video(word) is expected


def test_folders_and_files_of_a_number_are_no_videos(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path('clips.mp4').mkdir()
    Path('0').mkdir()

    assert not is_video('clips.mp4')
    assert not is_video('0')


def test_all_frames_come_with_their_times(video: Path) -> None:
    read, shown, times = _read(video)

    assert shown == [*range(COUNT)]
    assert times == [round(0.1 * index, 3) for index in range(COUNT)]
    assert (read.size, read.rate, read.count) == ((64, 48), 10.0, COUNT)
    assert not read.is_live
    assert read.missing() is None


def test_opencv_5_is_as_loud_after_a_video_as_before(
    video: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    levels = [3]
    log = SimpleNamespace(getLogLevel=lambda: levels[-1], setLogLevel=levels.append)
    monkeypatch.delattr(cv2, 'getLogLevel', raising=False)
    monkeypatch.setattr(cv2.utils, 'logging', log, raising=False)

    _read(video)

    assert levels == [3, 0, 3]


def test_a_damaged_frame_is_skipped_and_counted(video: Path) -> None:
    _spoil(video, 9)

    read, shown, times = _read(video)

    assert shown == [x for x in range(COUNT) if x != 9]
    assert times[8:10] == [0.8, 1.0]
    assert read.missing() == f'{video}: 1 frame was damaged and skipped.'


def test_frames_that_the_container_loses_are_counted(
    tmp_path: Path, write_video: Callable[..., Path]
) -> None:
    path = write_video(tmp_path / 'a.mkv', _frames())
    content = path.read_bytes()
    middle = len(content) // 2
    path.write_bytes(content[:middle] + bytes(900) + content[middle + 900 :])

    read, shown, _ = _read(path)

    lost = COUNT - len(shown)
    assert 1 < lost <= COUNT // 2
    assert shown[-1] == COUNT - 1
    assert read.missing() == f'{path}: {lost} frames were damaged and skipped.'


def test_of_a_video_that_is_cut_off_the_rest_is_read(video: Path) -> None:
    content = video.read_bytes()
    video.write_bytes(content[: content.index(b'00dc', len(content) // 2)])

    read, shown, times = _read(video)

    assert shown == [*range(len(shown))]
    assert read.missing() == (
        f'{video}: it ends after {times[-1] + 0.1:.1f} of 2.0 seconds.'
    )


def test_a_reader_that_ends_early_leaves_no_thread(video: Path) -> None:
    with Video(str(video)) as read:
        first = next(iter(read))
        # It reads ahead by five frames, and waits with a sixth.
        deadline = time.monotonic() + 5
        while read.read < 7 and time.monotonic() < deadline:
            time.sleep(0.01)

    assert first.index == 0
    assert read.read == 7
    assert not any('_read' in thread.name for thread in threading.enumerate())


def _absent(path: Path) -> str:
    return f'There is no video {path}: check its name.'


def _empty(path: Path) -> str:
    path.touch()
    return f'{path} is empty: give another video.'


def _text(path: Path) -> str:
    path.write_text('no video')
    return f'{path} is no video that OpenCV can read, or its beginning'


def _pipe(path: Path) -> str:
    os.mkfifo(path)
    return f'{path} is no regular file: give that of a video.'


@pytest.mark.parametrize('make', [_absent, _empty, _text, _pipe])
def test_what_is_no_video_is_told(make: Callable[[Path], str], tmp_path: Path) -> None:
    path = tmp_path / 'a.mp4'
    said = make(path)

    with pytest.raises(M2DetError) as error, Video(str(path)):
        pass

    assert str(error.value).startswith(said)


def test_a_video_without_frames_is_told(video: Path) -> None:
    for frame in range(COUNT):
        _spoil(video, frame)

    with Video(str(video)) as read, pytest.raises(M2DetError) as error:
        next(iter(read))

    assert str(error.value) == (
        f'{video} holds no frame that can be read: give another video.'
    )


def test_a_stream_that_refuses_is_told_without_its_password() -> None:
    address = 'rtsp://me:secret@127.0.0.1:9/x'

    with pytest.raises(M2DetError) as error, Video(address):
        pass

    assert str(error.value) == (
        'rtsp://me:***@127.0.0.1:9/x cannot be opened within 10 seconds: check the '
        'address, the network, and that it sends.'
    )
    assert without_password('a:b@c.mp4') == 'a:b@c.mp4'


def test_a_stream_that_is_silent_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(videos, '_PATIENCE', 0.3)
    with socket.create_server(('127.0.0.1', 0)) as server:
        address = f'rtsp://127.0.0.1:{server.getsockname()[1]}/x'
        begin = time.monotonic()

        with pytest.raises(M2DetError, match='cannot be opened'), Video(address):
            pass

    assert time.monotonic() - begin < 5


def test_a_stream_that_falls_silent_ends(
    video: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(videos, '_PATIENCE', 0.5)
    content = video.read_bytes()
    with socket.create_server(('127.0.0.1', 0)) as server:

        def send() -> None:
            connected, _ = server.accept()
            with connected:
                connected.sendall(content[: content.rindex(b'idx1')])
                silent.wait(20)

        silent = threading.Event()
        sender = threading.Thread(target=send)
        sender.start()
        begin = time.monotonic()
        with Video(f'tcp://127.0.0.1:{server.getsockname()[1]}') as read:
            frames = [*read]
        silent.set()
        sender.join()

    assert time.monotonic() - begin < 5
    assert len(frames) + read.dropped == read.read == COUNT
    assert 'WARN' not in capfd.readouterr().err


def test_there_may_be_no_camera(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cv2, 'VideoCapture', lambda number: _Camera(is_open=False))

    with pytest.raises(M2DetError, match='Camera 3 cannot be opened'), Video('3'):
        pass


def test_no_camera_has_a_number_that_opencv_cannot_take() -> None:
    name = '99999999999'
    with pytest.raises(M2DetError, match=f'Camera {name} cannot'), Video(name):
        pass


class _Camera:
    """Sends lighter and lighter frames, and ends."""

    def __init__(self, *, is_open: bool = True) -> None:
        self.is_open = is_open
        self.taken = itertools.count()
        self.wait = threading.Event()

    def isOpened(self) -> bool:  # noqa: N802
        return self.is_open

    def get(self, key: int) -> float:
        return {cv2.CAP_PROP_FRAME_WIDTH: 64, cv2.CAP_PROP_FRAME_HEIGHT: 48}.get(key, 0)

    def grab(self) -> bool:
        self.number = next(self.taken)
        if self.number == COUNT:
            self.wait.set()
        return self.number < COUNT

    def retrieve(self) -> tuple[bool, np.ndarray]:
        return True, _frames()[self.number]

    def release(self) -> None:
        pass


def test_of_a_camera_the_newest_frame_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    camera = _Camera()
    monkeypatch.setattr(cv2, 'VideoCapture', lambda number: camera)

    with Video('0') as read:
        frames = iter(read)
        shown = [next(frames)]
        # A slow detector: all others have come.
        assert camera.wait.wait(5)
        shown += frames

    assert (read.is_live, read.count, read.rate) == (True, None, 25.0)
    assert shown[-1].index == COUNT - 1
    assert len(shown) <= 3
    assert read.dropped == COUNT - len(shown)
    assert [frame.time for frame in shown] == sorted(frame.time for frame in shown)
