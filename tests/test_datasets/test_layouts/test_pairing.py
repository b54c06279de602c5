"""Images and labels that belong together by their names."""

import pytest

from m2det_mmdet.datasets.layouts.pairing import pair


@pytest.mark.parametrize(
    ('image', 'label'),
    [
        ('a.jpg', 'a.xml'),
        ('images/a.jpg', 'labels/a.xml'),
        ('x/images/a.jpg', 'x/labels/a.xml'),
        ('images/x/a.jpg', 'Annotations/x/a.xml'),
        # Only by the name.
        ('x/a.jpg', 'y/a.xml'),
        ('train/a.jpg', 'a.xml'),
    ],
)
def test_one_image_and_labels_of_its_name_are_paired(image: str, label: str) -> None:
    assert pair([image], [label]) == ([(image, label)], [], [], [])


@pytest.mark.parametrize(
    ('image', 'label'),
    [('a.jpg', 'b.xml'), ('a.jpg', 'A.xml'), ('train/a.jpg', 'val/a.xml')],
)
def test_others_are_not(image: str, label: str) -> None:
    assert pair([image], [label]) == ([], [label], [image], [])


def test_folders_decide_between_images_of_one_name() -> None:
    images = ['x/images/a.jpg', 'y/images/a.jpg', 'z/a.jpg']
    labels = ['x/labels/a.txt', 'y/labels/a.txt', 'other/a.txt']
    found = pair(images, labels)

    assert found.found == [*zip(images[:2], labels[:2], strict=True)]
    assert (found.orphans, found.unlabelled) == (['other/a.txt'], ['z/a.jpg'])


def test_labels_with_an_image_of_their_own_come_first() -> None:
    found = pair(['x/a.jpg'], ['w/a.xml', 'x/a.xml'])

    assert found == ([('x/a.jpg', 'x/a.xml')], ['w/a.xml'], [], [])


def test_the_second_image_of_a_name_is_told() -> None:
    found = pair(['a.jpg', 'a.png'], ['a.xml'])

    assert found == ([('a.jpg', 'a.xml')], [], [], [('a.jpg', 'a.png')])
