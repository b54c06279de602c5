"""Videos that are written: what players play, with the sound of another one."""

import os
import re
import shutil
import subprocess
from contextlib import suppress
from fractions import Fraction
from functools import cache
from pathlib import Path
from tempfile import TemporaryFile
from typing import Protocol

import cv2
import numpy as np

from .child_processes import end_process
from .errors import M2DetError
from .files import partial_path, writing
from .texts import one_line

# Of FFmpeg, for H.264; the first one that there is.
_ENCODERS = ('libx264', 'libopenh264', 'h264_videotoolbox', 'h264_mf')
_SUFFIX = '.mp4'
_HD = 'bt709'  # how colours are written, which players would guess otherwise
_LONGEST_GAP = 600  # seconds; a longer one is an error in the times of the frames
_SOUND = re.compile(r'Stream #.*Audio: (\w+)')
# What players take as it is; others become AAC.
_COPIED = {'aac', 'ac3', 'alac', 'eac3', 'flac', 'mp3', 'opus'}


class VideoFile:
    """Writes frames as a video of a constant rate, whole or not at all.

    A frame is shown until the time of the next one: where frames are missing or late,
    it is repeated, so that the sound fits; those that come too early are left out. A
    program ``ffmpeg`` writes H.264; without it OpenCV writes MPEG-4, part 2.

    Args:
        path: The video, ``.mp4``.
        rate: Frames a second.

    Attributes:
        frames: Frames so far, repeated ones included.
    """

    def __init__(self, path: Path, rate: float) -> None:
        self.path = path
        self.rate = Fraction(rate).limit_denominator(1001)
        self.frames = 0
        self._partial = partial_path(path, _SUFFIX)
        self._encoder: _Encoder | None = None
        self._last: np.ndarray | None = None

    def add(self, image: np.ndarray, time: float) -> None:
        """Write a frame.

        Args:
            image: BGR, ``(H, W, 3)``, uint8; it is brought to the size of the first.
            time: When it is shown, seconds; not before that of the one before.

        Raises:
            M2DetError: If it cannot be written.
        """
        if self._encoder is None:
            encoder = h264_encoder()
            with writing(self.path, self._partial):
                self._encoder = (
                    _OpenCV(self._partial, self.rate, image)
                    if encoder is None
                    else _Ffmpeg(self._partial, self.rate, image, encoder)
                )
        if self._last is not None and image.shape != self._last.shape:
            image = cv2.resize(image, self._last.shape[1::-1])
        place = round(time * self.rate)
        gap = place - self.frames
        if 0 < gap <= _LONGEST_GAP * self.rate:
            self._write(image if self._last is None else self._last, gap)
        if place >= self.frames:
            self._write(image, 1)
        self._last = image

    def close(self, sound: Path | None = None) -> str | None:
        """End the video, and put it in its place.

        Args:
            sound: Video whose sound it gets.

        Returns:
            A sentence, if there is a sound that it could not get.

        Raises:
            M2DetError: If it cannot be written; none is left then.
        """
        if self._encoder is None:
            return None
        mixed, told = partial_path(self.path, _SUFFIX), None
        try:
            self._encoder.close()
            with writing(self.path, self._partial):
                if sound is not None:
                    told = self._add_sound(sound, mixed)
                written = mixed if mixed.exists() else self._partial
                written.replace(self.path)
        finally:
            for path in (mixed, self._partial):
                path.unlink(missing_ok=True)
        return told

    def _write(self, image: np.ndarray, times: int) -> None:
        for _ in range(times):
            self._encoder.write(image)
            self.frames += 1

    def _add_sound(self, source: Path, mixed: Path) -> str | None:
        """Write the video once more, with a sound; tell if that fails."""
        if shutil.which('ffmpeg') is None:
            return None
        about = ('-i', os.path.abspath(source))
        # Without an output it fails, and tells of the streams.
        found = _SOUND.search(_ffmpeg('-hide_banner', *about).stderr)
        if found is None:
            return None
        done = _ffmpeg(
            *('-y', '-loglevel', 'error', '-i', str(self._partial), *about),
            *('-map', '0:v', '-map', '1:a', '-c:v', 'copy'),
            *('-c:a', 'copy' if found[1] in _COPIED else 'aac'),
            # Also that of a video that was ended early.
            *('-t', f'{float(self.frames / self.rate):.3f}'),
            *('-movflags', '+faststart', '-f', 'mp4', str(mixed)),
        )
        if done.returncode == 0:
            return None
        mixed.unlink(missing_ok=True)
        said = one_line(done.stderr)
        return f'The video has no sound: ffmpeg cannot take it ({said}).'


@cache
def h264_encoder() -> str | None:
    """Name what ffmpeg writes H.264 with; ``None`` if it or ffmpeg is missing."""
    if shutil.which('ffmpeg') is None:
        return None
    words = {*_ffmpeg('-hide_banner', '-encoders').stdout.split()}
    return next((name for name in _ENCODERS if name in words), None)


def shortcomings() -> str | None:
    """Say what videos that are written here lack; ``None`` if they lack nothing."""
    if h264_encoder() is not None:
        return None
    is_there = shutil.which('ffmpeg') is not None
    lack = 'cannot write H.264' if is_there else 'is not installed'
    return (
        f'ffmpeg {lack}: the video is MPEG-4, part 2, which browsers do not play'
        f'{"" if is_there else ", and has no sound"}.'
    )


def _ffmpeg(*words: str) -> subprocess.CompletedProcess[str]:
    """Call ffmpeg, and let it end."""
    return subprocess.run(
        ['ffmpeg', *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding='utf-8',
        errors='replace',
        start_new_session=True,
    )


class _Encoder(Protocol):
    """Writes frames of one size to a file."""

    def write(self, image: np.ndarray) -> None: ...

    def close(self) -> None: ...


class _Ffmpeg:
    """Has a program ``ffmpeg`` write."""

    def __init__(
        self, path: Path, rate: Fraction, first: np.ndarray, encoder: str
    ) -> None:
        height, width = first.shape[:2]
        self._path = path
        self._said = TemporaryFile()  # noqa: SIM115
        self._process = subprocess.Popen(
            [
                *('ffmpeg', '-hide_banner', '-loglevel', 'error', '-y'),
                *('-f', 'rawvideo', '-pix_fmt', 'bgr24', '-s', f'{width}x{height}'),
                *('-r', str(rate), '-i', '-', '-an', '-c:v', encoder),
                # Players take H.264 of even sides and of halved colours alone.
                *('-vf', f'pad=ceil(iw/2)*2:ceil(ih/2)*2,scale=out_color_matrix={_HD}'),
                *('-pix_fmt', 'yuv420p', '-colorspace', _HD),
                *('-movflags', '+faststart', '-f', 'mp4', str(path)),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=self._said,
            # Ctrl-C is ours: the video is ended then, and kept.
            start_new_session=True,
        )

    def write(self, image: np.ndarray) -> None:
        try:
            self._process.stdin.write(np.ascontiguousarray(image).data)
        except BrokenPipeError as error:
            raise self._failed() from error

    def close(self) -> None:
        try:
            with suppress(BrokenPipeError):
                self._process.stdin.close()
            if self._process.wait() != 0:
                raise self._failed()
        except BaseException:
            end_process(self._process)
            raise
        finally:
            self._said.close()

    def _failed(self) -> M2DetError:
        self._process.wait()
        self._said.seek(0)
        said = one_line(self._said.read().decode(errors='replace'))
        return M2DetError(
            f'The video in {self._path.parent} cannot be written, for ffmpeg ended '
            f'({said}): check the space on its disk.'
        )


class _OpenCV:
    """Has OpenCV write MPEG-4, part 2; it crops an odd side by a pixel."""

    def __init__(self, path: Path, rate: Fraction, first: np.ndarray) -> None:
        self._path, self._count = path, 0
        size, code = first.shape[1::-1], cv2.VideoWriter_fourcc(*'mp4v')
        self._writer = cv2.VideoWriter(
            str(path.absolute()), cv2.CAP_FFMPEG, code, float(rate), size
        )
        if not self._writer.isOpened():
            raise self._failed()

    def write(self, image: np.ndarray) -> None:
        self._writer.write(image)
        self._count += 1

    def close(self) -> None:
        self._writer.release()
        written = cv2.VideoCapture(str(self._path.absolute()), cv2.CAP_FFMPEG)
        count = written.get(cv2.CAP_PROP_FRAME_COUNT)
        written.release()
        # It does not tell of a full disk.
        if count < self._count:
            raise self._failed()

    def _failed(self) -> M2DetError:
        return M2DetError(
            f'The video in {self._path.parent} cannot be written: check the folder and '
            'the space on its disk.'
        )
