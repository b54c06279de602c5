"""The folder that the prediction of a video is written to."""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from ..evaluation.prediction_log import Entry
from ..utils.errors import M2DetError
from ..utils.video_files import VideoFile
from .prediction_output import OutputFolder

RESULTS = 'results.jsonl'
VIDEO = 'video.mp4'


class VideoFolder(OutputFolder):
    """Keeps what is found, frame by frame, and a video of it.

    The video takes its place at the end, also by an error or Ctrl-C.

    Args:
        path: The folder.
        video: The video's name, for records.
        rate: Frames a second.
        sound: Video whose sound is taken.
        facts: What the record tells from the beginning: ``versions``, ``arguments``.
        force: Whether what an earlier run wrote may be replaced; what others wrote
            never is.
    """

    def __init__(
        self,
        path: Path,
        video: str,
        rate: float,
        sound: Path | None,
        facts: Mapping[str, Any],
        *,
        force: bool = False,
    ) -> None:
        facts = {'images': 0, 'video': video, **facts, 'files': [VIDEO, RESULTS]}
        super().__init__(path, RESULTS, facts, force=force)
        self.results = path / RESULTS
        self.video = path / VIDEO
        self.problems: list[str] = []
        self._writer = VideoFile(self.video, rate)
        self._sound = sound

    def add_frame(self, entry: Entry, picture: np.ndarray, time: float) -> None:
        """Write what was found in a frame.

        Args:
            entry: As a line.
            picture: The frame with its boxes, BGR, ``(H, W, 3)``.
            time: Of the frame, seconds.

        Raises:
            M2DetError: If it cannot be written.
        """
        self.add(entry)
        self._writer.add(picture, time)

    def _finish(self, state: str, **facts: Any) -> None:
        """End the video; its frames that are done are of use without the others."""
        try:
            problem = self._writer.close(self._sound)
        except M2DetError as error:
            # The lines are whole all the same.
            with suppress(M2DetError):
                super()._finish(state, problems=[*self.problems, str(error)], **facts)
            raise
        self.problems += [] if problem is None else [problem]
        super()._finish(state, problems=self.problems, **facts)
