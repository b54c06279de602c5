"""Videos, cameras and streams, read frame by frame ahead of who takes the frames."""

import math
import os
import re
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, Full, Queue
from types import TracebackType
from urllib.parse import urlsplit

import cv2
import numpy as np

from .errors import M2DetError
from .image_urls import is_url

_SUFFIXES = (
    *('.3gp', '.avi', '.flv', '.m2ts', '.m4v', '.mkv', '.mov', '.mp4', '.mpeg'),
    *('.mpg', '.mts', '.ogv', '.ts', '.webm', '.wmv'),
)
_PLAYLIST = '.m3u8'
_STREAMS = ('rtmp', 'rtmps', 'rtp', 'rtsp', 'rtsps', 'srt', 'tcp', 'udp')
_AHEAD = 4  # frames of a file that are read beyond a batch
_LAST_CAMERA = 2**31 - 1
_PATIENCE = 10  # seconds that a stream has to answer, and to send a frame
# Of a file whose own rate makes no sense, and of cameras that tell none.
_USUAL_RATE, _HIGHEST_RATE = 25.0, 240.0
# Frames in a row that cannot be read until the video counts as ended.
_LEAST_FAILURES, _MOST_FAILURES = 64, 10_000
_TOLERANCE = 1.0  # seconds by which the sound may be longer than the frames
_QUIET = 'OPENCV_FFMPEG_LOGLEVEL'


@dataclass(frozen=True)
class Frame:
    """A frame.

    Attributes:
        index: From 0 on, of the frames that could be read.
        time: Seconds since the beginning of the video; of a live one since the first
            frame.
        image: BGR, ``(H, W, 3)``, uint8, turned as players turn it.
    """

    index: int
    time: float
    image: np.ndarray


def is_video(word: str) -> bool:
    """Whether a word names a video, a camera by its number, or a stream.

    Folders do not, whatever their names are.
    """
    if word.isdecimal():
        return not os.path.lexists(word)
    if is_stream(word):
        return True
    path, suffixes = word, _SUFFIXES
    if is_url(word):
        path, suffixes = urlsplit(word).path, (*_SUFFIXES, _PLAYLIST)
    return path.lower().endswith(suffixes) and not os.path.isdir(word)


def is_stream(word: str) -> bool:
    """Whether a word is the address of a stream that lasts until it is ended."""
    scheme, found, _ = word.partition('://')
    return bool(found) and scheme.lower() in _STREAMS


def without_password(source: str) -> str:
    """Return an address as messages and records show it."""
    return re.sub(r'^(\w+://[^/@:]*):[^/]*@', r'\1:***@', source)


class Video:
    """A video, a camera or a stream: iterate it for its frames, inside a context.

    A thread reads a few frames ahead. Frames of a file are all given; of a live source
    the newest ones, so that a slow reader does not fall behind. A frame that is damaged
    so much that it cannot be decoded is left out and counted; one that the decoder can
    patch is given as patched.

    Args:
        source: Path, number of a camera, or address.
        batch_size: Frames that are taken together.

    Attributes:
        is_live: Whether the source sends by itself.
        size: Width and height, pixels.
        rate: Frames a second.
        count: Frames that the file announces; ``None`` where it does not, and of live
            sources.
        damaged: Frames so far that could not be read.
        dropped: Frames of a live source so far that nobody took.
        read: Frames so far that could be read.
    """

    def __init__(self, source: str, batch_size: int = 1) -> None:
        self.source = source
        self.name = without_password(source)
        self.is_camera = source.isdecimal()
        self.is_live = self.is_camera or is_stream(source)
        self.size = (0, 0)
        self.rate = _USUAL_RATE
        self.count: int | None = None
        self.damaged = self.dropped = self.read = 0
        self._batch_size = batch_size
        self._lost = 0
        self._last = -1.0
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> 'Video':
        """Open it.

        Raises:
            M2DetError: If it cannot be opened, at once or within ten seconds.
        """
        if self.path is not None:
            _check_file(self.path)
        with ExitStack() as opened:
            opened.enter_context(_quiet_opencv())
            self._capture = self._open()
            if not self._capture.isOpened():
                raise M2DetError(self._not_opened())
            self._quiet = opened.pop_all()
        width, height, rate, count = (
            self._capture.get(key)
            for key in (
                cv2.CAP_PROP_FRAME_WIDTH,
                cv2.CAP_PROP_FRAME_HEIGHT,
                cv2.CAP_PROP_FPS,
                cv2.CAP_PROP_FRAME_COUNT,
            )
        )
        self.size = (int(width), int(height))
        is_sound = 0 < rate <= _HIGHEST_RATE
        if is_sound:
            self.rate = rate
        # Of a rate that makes no sense the number follows.
        if count >= 1 and is_sound and not self.is_live:
            self.count = int(count)
        # A playlist of the web that does not end.
        self.is_live = self.is_live or (count < 1 and is_url(self.source))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()
        self._capture.release()
        self._quiet.close()

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames.

        Raises:
            M2DetError: At the end, if there was none.
        """
        ahead = self._batch_size + (0 if self.is_live else _AHEAD)
        waiting: Queue[Frame | None | BaseException] = Queue(ahead)
        self._thread = threading.Thread(target=self._read, args=(waiting,), daemon=True)
        self._thread.start()
        while (item := waiting.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
        if not self.read:
            raise M2DetError(
                f'{self.name} holds no frame that can be read: give another video.'
            )

    @property
    def path(self) -> Path | None:
        """Path of a file; ``None`` for a camera or an address."""
        is_file = not (self.is_camera or is_stream(self.source) or is_url(self.source))
        return Path(self.source).expanduser() if is_file else None

    def missing(self) -> str | None:
        """Say at the end which frames a file lacks; ``None`` if it lacks none."""
        lacking = 0 if self.count is None else max(0, self.count - self.read)
        damaged = max(self.damaged, min(self._lost, lacking))
        end = self._last + 1 / self.rate
        ends_early = (
            lacking > damaged and self.count / self.rate - end > _TOLERANCE
        ) and f'it ends after {end:.1f} of {self.count / self.rate:.1f} seconds'
        skipped = damaged and (
            f'{damaged} {"frame was" if damaged == 1 else "frames were"} damaged and '
            'skipped'
        )
        told = ', and '.join(filter(None, (skipped, ends_early)))
        return f'{self.name}: {told}.' if told else None

    def _open(self) -> cv2.VideoCapture:
        if self.is_camera:
            # OpenCV takes no larger number; no machine has so many.
            return cv2.VideoCapture(min(int(self.source), _LAST_CAMERA))
        if self.path is not None:
            # In a relative path what stands before a colon would be a protocol.
            return cv2.VideoCapture(os.path.abspath(self.path), cv2.CAP_FFMPEG)
        patience = round(1000 * _PATIENCE)
        limits = [
            *(cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, patience),
            *(cv2.CAP_PROP_READ_TIMEOUT_MSEC, patience),
        ]
        return cv2.VideoCapture(self.source, cv2.CAP_FFMPEG, limits)

    def _not_opened(self) -> str:
        if self.is_camera:
            return (
                f'Camera {self.source} cannot be opened: check that it is connected, '
                'and that no other program uses it.'
            )
        if self.path is None:
            return (
                f'{self.name} cannot be opened within {_PATIENCE} seconds: check the '
                'address, the network, and that it sends.'
            )
        return (
            f'{self.source} is no video that OpenCV can read, or its beginning or its '
            'end is cut off: give another, or convert it.'
        )

    def _read(self, waiting: 'Queue[Frame | None | BaseException]') -> None:
        """Read all frames; in a thread of its own."""
        end: BaseException | None = None
        try:
            failures, moment = 0, time.monotonic()
            while not (self._is_over(failures, moment) or self._stopped.is_set()):
                image = None
                if self._capture.grab():
                    now = time.monotonic()
                    image = self._capture.retrieve()[1]
                if image is None:
                    failures += 1
                    continue
                self.damaged += failures
                failures, moment = 0, now
                frame = Frame(self.read, self._time(moment), image)
                self.read += 1
                self._put(waiting, frame)
        except BaseException as error:
            end = error
        self._put(waiting, end, is_last=True)

    def _is_over(self, failures: int, moment: float) -> bool:
        """Whether there is nothing behind frames that could not be read.

        Args:
            failures: How many there are in a row.
            moment: When the last frame came.
        """
        if self.is_live and failures and time.monotonic() - moment > _PATIENCE:
            return True
        rest = 0 if self.count is None else self.count - self.read
        return failures >= min(max(_LEAST_FAILURES, rest), _MOST_FAILURES)

    def _time(self, moment: float) -> float:
        """Return the time of the frame that was grabbed last."""
        if self.is_live:
            self._began = moment if self.read == 0 else self._began
            now = moment - self._began
        else:
            now = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
        if not math.isfinite(now) or now <= self._last:
            # The file tells no times, or they run backwards.
            now = 0.0 if self.read == 0 else self._last + 1 / self.rate
        if self.read:
            self._lost += max(0, round((now - self._last) * self.rate) - 1)
        self._last = now
        return now

    def _put(
        self,
        waiting: 'Queue[Frame | None | BaseException]',
        item: Frame | None | BaseException,
        *,
        is_last: bool = False,
    ) -> None:
        """Hand over what was read, and wait for room; of a live source make room."""
        while not self._stopped.is_set():
            if self.is_live and not is_last and waiting.full():
                with suppress(Empty):
                    waiting.get_nowait()
                    self.dropped += 1
            with suppress(Full):
                waiting.put(item, timeout=0.1)
                return


def _check_file(path: Path) -> None:
    """Stop where a path is that of no video.

    Raises:
        M2DetError: One sentence that names it.
    """
    if not os.path.lexists(path):
        raise M2DetError(f'There is no video {path}: check its name.')
    if not path.is_file():
        raise M2DetError(f'{path} is no regular file: give that of a video.')
    if not os.access(path, os.R_OK):
        raise M2DetError(f'{path} may not be read: change its permissions.')
    if path.stat().st_size == 0:
        raise M2DetError(f'{path} is empty: give another video.')


@contextmanager
def _quiet_opencv() -> Iterator[None]:
    """Keep OpenCV and FFmpeg from writing of what is told in our sentences.

    FFmpeg takes its level when the first video is opened.
    """
    # OpenCV 5 has moved these functions to a module of their own.
    log = cv2 if hasattr(cv2, 'getLogLevel') else cv2.utils.logging
    level, is_set = log.getLogLevel(), _QUIET in os.environ
    os.environ.setdefault(_QUIET, '-8')
    log.setLogLevel(0)
    try:
        yield
    finally:
        log.setLogLevel(level)
        if not is_set:
            del os.environ[_QUIET]
