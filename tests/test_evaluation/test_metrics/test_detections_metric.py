import numpy as np
import torch

from m2det_mmdet.evaluation import DetectionsMetric


def test_boxes_of_all_images_are_kept_in_order() -> None:
    metric = DetectionsMetric()
    samples = [
        {
            'pred_instances': {
                'bboxes': torch.full((count, 4), float(count)),
                'scores': torch.full((count,), 0.5),
                'labels': torch.zeros(count, dtype=torch.long),
            }
        }
        for count in (2, 0, 1)
    ]
    metric.process({}, samples[:2])
    metric.process({}, samples[2:])

    assert metric.evaluate(3) == {}

    assert [len(x.boxes) for x in metric.found] == [2, 0, 1]
    np.testing.assert_array_equal(metric.found[0].boxes, np.full((2, 4), 2))
    assert metric.found[2].scores.tolist() == [0.5]


def test_the_last_pixel_of_inclusive_boxes_is_inside() -> None:
    metric = DetectionsMetric(inclusive_boxes=True)
    boxes = torch.tensor([[10.0, 20.0, 19.0, 39.0]])
    found = {
        'bboxes': boxes,
        'scores': torch.tensor([0.5]),
        'labels': torch.zeros(1, dtype=torch.long),
    }

    metric.process({}, [{'pred_instances': found}])
    metric.evaluate(1)

    # As InclusiveCocoMetric has it: 10 pixels wide, 20 high.
    assert metric.found[0].boxes.tolist() == [[10, 20, 20, 40]]
    assert boxes.tolist() == [[10, 20, 19, 39]]
