"""How detections of two runs are compared."""

from collections.abc import Callable, Sequence

import pytest
from mmdet.structures.bbox import bbox_overlaps
from mmengine.structures import InstanceData

# Best boxes of an image that have to be found again.
BEST = 10


@pytest.fixture(scope='session')
def assert_found_again() -> Callable[..., None]:
    """Assert that the best boxes of each image are found again.

    Each has a box of its class that overlaps it by 0.95 and has its score, but for a
    tolerance.
    """

    def check(
        plain: Sequence[InstanceData], fast: Sequence[InstanceData], tolerance: float
    ) -> None:
        assert len(plain) == len(fast) > 0
        for one, other in zip(plain, fast, strict=True):
            best = one[one.scores.argsort(descending=True)[:BEST]]
            assert len(best) == BEST
            overlaps = bbox_overlaps(best.bboxes, other.bboxes)
            same = best.labels[:, None] == other.labels
            near = (best.scores[:, None] - other.scores).abs() <= tolerance
            assert ((overlaps > 0.95) & same & near).any(dim=1).all()

    return check
