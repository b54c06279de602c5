from collections.abc import Callable

import numpy as np
import pytest
from mmdet.registry import TRANSFORMS
from mmdet.structures.bbox import HorizontalBoxes
from mmengine.config import Config

from m2det_mmdet.analysis.anchors.objects import objects_of
from m2det_mmdet.utils.errors import M2DetError

# In pixels of 200x100: inside, and across the right border.
BOXES = [(20, 10, 40, 20), (150, 50, 100, 40)]


def _config(**resize: object) -> Config:
    step = {'type': 'Resize', **resize}
    return Config({'test_dataloader': {'dataset': {'pipeline': [step]}}})


@pytest.mark.parametrize('keep_ratio', [False, True])
@pytest.mark.parametrize('clip', [False, True])
def test_objects_are_where_the_resize_of_the_config_puts_them(
    keep_ratio: bool, clip: bool, folder_of: Callable
) -> None:
    settings = {
        'scale': (120, 90),
        'keep_ratio': keep_ratio,
        'clip_object_border': clip,
    }
    corners = np.array(BOXES, dtype=np.float32)
    corners[:, 2:] += corners[:, :2]
    resized = TRANSFORMS.build({'type': 'Resize', **settings})(
        {
            'img': np.zeros((100, 200, 3), np.uint8),
            'gt_bboxes': HorizontalBoxes(corners),
        }
    )

    objects = objects_of(_config(**settings), folder_of({(200, 100): BOXES}))

    low, high = objects.centres - objects.sides / 2, objects.centres + objects.sides / 2
    np.testing.assert_allclose(
        np.hstack([low, high]), resized['gt_bboxes'].tensor, rtol=1e-6
    )
    assert objects.images.tolist() == [[*resized['img_shape'][::-1]]]


def test_values_by_hand(folder_of: Callable) -> None:
    boxes = {(200, 100): BOXES, (100, 100): [(0, 0, 10, 30)]}

    objects = objects_of(_config(scale=50), folder_of(boxes, classes=(1, 2, 2)))

    # Widths become a quarter or half, heights half; 50 of 100 pixels lie outside.
    assert objects.sides.tolist() == [[10, 10], [12.5, 20], [5, 15]]
    assert objects.centres.tolist() == [[10, 10], [43.75, 35], [2.5, 7.5]]
    # Those of the original image, with what lies outside.
    assert objects.areas.tolist() == [800, 4000, 300]
    assert objects.classes.tolist() == [1, 2, 2]
    assert objects.image.tolist() == [0, 0, 0]


def test_images_of_several_sizes_keep_them(folder_of: Callable) -> None:
    boxes = {(200, 100): BOXES, (100, 200): BOXES[:1], (400, 200): BOXES[:1]}

    objects = objects_of(_config(scale=(100, 100), keep_ratio=True), folder_of(boxes))

    assert objects.images.tolist() == [[50, 100], [100, 50]]
    assert objects.image.tolist() == [1, 1, 0, 1]


@pytest.mark.parametrize(
    'change', [{'iscrowd': 1}, {'ignore': True}, {'bbox': [5, 5, 0.5, 20]}]
)
def test_what_a_data_set_does_not_learn_is_left_out(
    change: dict, folder_of: Callable
) -> None:
    folder = folder_of({(200, 100): BOXES})
    folder.parts['train'].content['annotations'][0].update(change)

    objects = objects_of(_config(scale=(200, 100)), folder)

    assert objects.areas.tolist() == [4000]


def test_objects_outside_the_image_are_left_out(folder_of: Callable) -> None:
    folder = folder_of({(200, 100): [(250, 10, 20, 20), *BOXES]})

    assert len(objects_of(_config(scale=(200, 100)), folder)) == 2


def test_a_folder_without_objects_gives_none(folder_of: Callable) -> None:
    assert len(objects_of(_config(scale=(200, 100)), folder_of({(200, 100): []}))) == 0


def test_a_pipeline_without_a_size_is_named(folder_of: Callable) -> None:
    with pytest.raises(M2DetError, match='given config has no Resize with a scale'):
        objects_of(_config(scale_factor=2.0), folder_of({(200, 100): BOXES}))
