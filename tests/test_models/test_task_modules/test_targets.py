import pytest
import torch
from mmdet.models.task_modules.assigners import MaxIoUAssigner
from mmdet.models.task_modules.samplers import PseudoSampler
from mmengine.structures import InstanceData

from m2det_mmdet.models.task_modules import SSDBBoxCoder
from m2det_mmdet.models.task_modules.targets import Matcher, Targets

# Squares of 8 pixels; the last one leaves an image of 16x16.
ANCHORS = torch.tensor(
    [[[0.0, 0, 8, 8], [8, 0, 16, 8], [0, 8, 8, 16], [10, 10, 18, 18]]]
)
TRUTH = InstanceData(
    bboxes=torch.tensor([[0.0, 0.0, 8.0, 8.0], [10.0, 0.0, 18.0, 8.0]]),
    labels=torch.tensor([1, 0]),
)


def match(
    coder: SSDBBoxCoder | None = None,
    size: int = 16,
    truth: InstanceData = TRUTH,
    **train_cfg: float,
) -> Targets:
    assigner = MaxIoUAssigner(0.5, 0.4)
    matcher = Matcher(assigner, PseudoSampler(), coder, 2, train_cfg, sigmoid=False)
    return matcher.match(
        ANCHORS,
        torch.tensor([[True, True, False, True]]),
        [4],
        [truth],
        [{'img_shape': (size, size)}],
        [InstanceData(priors=ANCHORS[0])],
    )


def test_positives_learn_the_class_and_the_box_of_their_object() -> None:
    found = match()

    assert found.labels.tolist() == [[1, 0, 2, 2]]
    # The third one takes no part.
    assert found.weights.tolist() == [[1, 1, 0, 1]]
    assert found.boxes[0, :2].tolist() == TRUTH.bboxes.tolist()
    assert not found.boxes[0, 2:].any()
    assert found.quality is None


def test_boxes_are_encoded_by_a_coder() -> None:
    found = match(SSDBBoxCoder(variances=(0.1, 0.2)))
    torch.testing.assert_close(found.boxes[0, 1], torch.tensor([2.5, 0, 0, 0]))


def test_settings_of_training_weigh_positives_and_leave_out_anchors() -> None:
    found = match(pos_weight=3.0, allowed_border=0)
    # The second and the last anchor touch or cross the border.
    assert found.weights.tolist() == [[3, 0, 0, 0]]


@pytest.mark.parametrize('coder', [None, SSDBBoxCoder()])
def test_objects_without_an_area_teach_nothing(coder: SSDBBoxCoder | None) -> None:
    boxes = [*TRUTH.bboxes.tolist(), [0, 8, 0, 16], [4, 2, 8, 2], [8, 8, 4, 4]]
    truth = InstanceData(
        bboxes=torch.tensor(boxes), labels=torch.tensor([1, 0, 1, 1, 1])
    )
    for found, expected in zip(match(coder, truth=truth), match(coder), strict=True):
        assert (found is expected is None) or torch.equal(found, expected)


def test_objects_may_have_another_precision() -> None:
    truth = InstanceData(bboxes=TRUTH.bboxes.double(), labels=TRUTH.labels)
    assert torch.equal(match(truth=truth).boxes, match().boxes)


def test_an_image_without_anchors_is_named() -> None:
    with pytest.raises(ValueError, match='No anchor lies inside its image: .*=-1'):
        match(size=4, allowed_border=0)
