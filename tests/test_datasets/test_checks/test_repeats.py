"""Objects and images that are there twice."""

from collections.abc import Callable

from m2det_mmdet.datasets.checks.repeats import check_repeats

BOX = [10, 10, 30, 20]


def test_an_object_that_is_marked_again_is_counted(
    make_part: Callable, findings: Callable
) -> None:
    part = make_part([[BOX, [10, 10, 30, 21], BOX, BOX], [BOX]])

    assert findings(check_repeats, {'train': part}) == {
        'box-twice': (2, f'The cat {BOX} of 1.jpg (train) is marked again.')
    }


def test_two_classes_of_one_box_are_two_objects(
    make_part: Callable, findings: Callable
) -> None:
    part = make_part([[BOX, BOX]])
    part.content['annotations'][1]['category_id'] = 2

    assert findings(check_repeats, {'train': part}) == {}


def test_an_image_in_two_splits_is_told_by_its_file(
    make_part: Callable, findings: Callable
) -> None:
    parts = {name: make_part([[BOX], []]) for name in ('train', 'val', 'test')}
    # 1.jpg of val lies elsewhere; its 2.jpg is that of train.
    for image, name in zip(
        parts['val'].content['images'], ('v/1.jpg', './2.jpg'), strict=True
    ):
        image['file_name'] = name
    parts['test'].images = parts['test'].images / 'test'

    assert findings(check_repeats, parts) == {
        'image-in-two-splits': (1, 'The image /data/2.jpg is in train and in val.')
    }
