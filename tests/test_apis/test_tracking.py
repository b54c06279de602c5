from importlib.util import find_spec

import numpy as np
import pytest

from m2det_mmdet.apis.tracking import ObjectTracker

pytestmark = pytest.mark.skipif(
    find_spec('trackers') is None, reason='trackers is not installed'
)


def _follow(
    tracker: ObjectTracker, frame: int, lefts: list[float], scores: list[float]
) -> list[int | None]:
    """Follow squares of 20 pixels in a frame of a video of 10 frames a second."""
    boxes = np.array([[x, 10, x + 20, 30] for x in lefts], np.float32).reshape(-1, 4)
    return tracker.follow(boxes, np.array(scores, np.float32), frame / 10)


def test_numbers_stay_with_their_objects() -> None:
    tracker = ObjectTracker(10.0, 0.3)

    # One moves to the right, the other one to the left; which is named first changes.
    tracks = [
        _follow(
            tracker,
            frame,
            [3 * frame, 200 - 3 * frame][:: (-1) ** frame],
            [0.9, 0.8][:: (-1) ** frame],
        )
        for frame in range(8)
    ]

    assert tracks[0] == [None, None]
    assert [track[:: (-1) ** frame] for frame, track in enumerate(tracks)][1:] == (
        [tracks[2]] * 7
    )
    assert sorted(tracks[2]) == [1, 2]
    assert tracker.count == 2


def test_an_object_of_a_low_score_keeps_its_number_and_gets_none() -> None:
    tracker = ObjectTracker(10.0, 0.3)
    for frame in range(4):
        _follow(tracker, frame, [50, 150], [0.9, 0.2])

    assert _follow(tracker, 4, [50, 150], [0.2, 0.2]) == [1, None]
    assert _follow(tracker, 5, [50, 150], [0.05, 0.2]) == [None, None]
    assert _follow(tracker, 6, [50], [0.9]) == [1]


def test_an_object_is_found_again_within_a_second_and_not_later() -> None:
    tracker = ObjectTracker(10.0, 0.3)
    for frame in range(3):
        _follow(tracker, frame, [50], [0.9])

    for frame in range(3, 9):
        assert _follow(tracker, frame, [], []) == []
    assert _follow(tracker, 9, [50], [0.9]) == [1]

    for frame in range(10, 25):
        _follow(tracker, frame, [], [])
    assert _follow(tracker, 25, [50], [0.9]) == [None]
    assert _follow(tracker, 26, [50], [0.9]) == [2]
    assert tracker.count == 2
