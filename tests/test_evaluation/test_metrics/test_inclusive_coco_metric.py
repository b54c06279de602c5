import numpy as np
from mmdet.registry import METRICS


def test_a_box_has_its_last_pixel() -> None:
    metric = METRICS.build({'type': 'InclusiveCocoMetric'})
    # From pixel 3 to 7 are five, from 4 to 4 is one.
    assert metric.xyxy2xywh(np.array([3.0, 4, 7, 4])) == [3, 4, 5, 1]
