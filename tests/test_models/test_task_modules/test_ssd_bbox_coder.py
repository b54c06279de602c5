import math

import pytest
import torch
from mmdet.registry import TASK_UTILS
from mmdet.structures.bbox import HorizontalBoxes

from m2det_mmdet.models.task_modules import SSDBBoxCoder

# Centre (20, 30), 20 wide and 40 high; the box's is (22, 26), twice and half as large.
ANCHOR = torch.tensor([[10.0, 10, 30, 50]])
BOX = torch.tensor([[2.0, 16, 42, 36]])
CODE = [2 / 20 / 0.1, -4 / 40 / 0.1, math.log(2) / 0.2, -math.log(2) / 0.2]


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_a_box_is_a_shift_and_a_scale_of_its_anchor(dtype: torch.dtype) -> None:
    coder = SSDBBoxCoder()
    anchor, box = ANCHOR.to(dtype), BOX.to(dtype)
    code = coder.encode(anchor, box)

    torch.testing.assert_close(code, torch.tensor([CODE], dtype=dtype))
    torch.testing.assert_close(coder.decode(anchor, code), box)


def test_other_variances() -> None:
    coder = TASK_UTILS.build({'type': 'SSDBBoxCoder', 'variances': (1, 1)})
    expected = torch.tensor([[0.1, -0.1, math.log(2), -math.log(2)]])

    torch.testing.assert_close(coder.encode(ANCHOR, BOX), expected)


def test_within_the_image_it_is_mmdets_coder() -> None:
    mmdets = TASK_UTILS.build(
        {'type': 'DeltaXYWHBBoxCoder', 'target_stds': [0.1, 0.1, 0.2, 0.2]}
    )
    torch.testing.assert_close(
        SSDBBoxCoder().encode(ANCHOR, BOX), mmdets.encode(ANCHOR, BOX)
    )
    code = torch.tensor([CODE])
    torch.testing.assert_close(
        SSDBBoxCoder().decode(ANCHOR, code, max_shape=(60, 60)),
        mmdets.decode(ANCHOR, code, max_shape=(60, 60)),
    )


def test_boxes_beyond_the_border_and_very_large_ones_are_kept() -> None:
    code = torch.tensor([[-20.0, 0, 0, math.log(100) / 0.2]])
    boxes = SSDBBoxCoder().decode(ANCHOR, code, max_shape=(60, 60))

    torch.testing.assert_close(boxes, torch.tensor([[-30.0, -1970, -10, 2030]]))


def test_clipping_is_an_option() -> None:
    code = torch.tensor([[10.0, 0, 0, math.log(100) / 0.2]])
    boxes = SSDBBoxCoder(clip_border=True).decode(ANCHOR, code, max_shape=(60, 45))

    torch.testing.assert_close(boxes, torch.tensor([[30.0, 0, 45, 60]]))


def test_boxes_may_have_a_type() -> None:
    anchors, boxes = HorizontalBoxes(ANCHOR), HorizontalBoxes(BOX)
    code = SSDBBoxCoder().encode(anchors, boxes)

    torch.testing.assert_close(code, torch.tensor([CODE]))
    torch.testing.assert_close(SSDBBoxCoder().decode(anchors, code), BOX)
