"""Objects followed through a video by ByteTrack, which this module alone imports.

`trackers <https://github.com/roboflow/trackers>`_ has it, written anew under the
Apache-2.0 licence; the method is that of https://arxiv.org/abs/2110.06864.
"""

import numpy as np

from ..compat.optional import import_optional

# Objects with scores from here on keep a track alive.
_FAINT = 0.1
_MISSING = -1  # the tracker's number of what it does not follow


def check_tracking() -> None:
    """Stop where objects cannot be followed.

    Raises:
        PackagesError: If the package is missing, or cannot be imported.
    """
    import_optional(
        'trackers',
        package='trackers',
        extra='track',
        user='Tracking',
        mend='install it anew.',
    )


class ObjectTracker:
    """Gives an object the same number in all frames of a video.

    An object is followed from the second frame on in which it is found, whatever class
    it is taken for, and until it is missing for a second.

    Args:
        rate: Frames a second.
        lowest: Score from which on an object is followed; one with a lower score, down
            to 0.1, keeps its number, but gets none.

    Attributes:
        count: Objects so far.
    """

    def __init__(self, rate: float, lowest: float) -> None:
        from trackers import ByteTrackTracker

        self.count = 0
        self._faint = min(_FAINT, lowest)
        self._tracker = ByteTrackTracker(
            frame_rate=rate,
            track_activation_threshold=lowest,
            high_conf_det_threshold=lowest,
        )

    def follow(
        self, boxes: np.ndarray, scores: np.ndarray, time: float
    ) -> list[int | None]:
        """Take what was found in the next frame.

        Args:
            boxes: ``(K, 4)``, xyxy, pixels.
            scores: ``(K,)``.
            time: Of the frame, seconds; later than that before.

        Returns:
            A number each, from 1 on; ``None`` for what is not followed.
        """
        from supervision import Detections

        places = np.flatnonzero(scores >= self._faint)
        followed = self._tracker.update(
            Detections(
                xyxy=boxes[places], confidence=scores[places], data={'place': places}
            ),
            timestamp=time,
        )
        tracks: list[int | None] = [None] * len(scores)
        # They come in an order of their own; nothing comes without their places.
        for place, number in zip(
            followed.data.get('place', ()), followed.tracker_id, strict=True
        ):
            if number != _MISSING:
                tracks[place] = int(number) + 1
                self.count = max(self.count, int(number) + 1)
        return tracks
