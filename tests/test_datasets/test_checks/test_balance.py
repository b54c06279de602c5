"""Objects are counted by class and split."""

from collections.abc import Callable
from pathlib import Path

from m2det_mmdet.datasets.checks.balance import check_balance, count_objects
from m2det_mmdet.datasets.layouts.folder import DataFolder, Part

BOX = [10, 10, 30, 20]


def _with_dogs(part: Part, number: int) -> Part:
    """Let the last objects be dogs."""
    annotations = part.content['annotations']
    for annotation in annotations[len(annotations) - number :]:
        annotation['category_id'] = 2
    return part


def test_crowds_are_no_objects(make_part: Callable) -> None:
    part = _with_dogs(make_part([[BOX] * 3, [BOX]]), 1)
    part.content['annotations'][0]['iscrowd'] = 1
    folder = DataFolder(Path(), 'coco', ('cat', 'dog'), {'train': part})

    assert count_objects(folder) == {'train': {'cat': 2, 'dog': 1}}


def test_balanced_data_have_no_finding(make_part: Callable, findings: Callable) -> None:
    parts = {
        'train': _with_dogs(make_part([[BOX]] * 50), 10),
        'val': _with_dogs(make_part([[BOX]] * 20), 1),
    }

    assert findings(check_balance, parts) == {}


def test_classes_without_objects_are_told(
    make_part: Callable, findings: Callable
) -> None:
    parts = {'train': make_part([[BOX]] * 50), 'val': make_part([[BOX]] * 20)}

    # Where there are none to learn from, those to validate on would not help.
    assert findings(check_balance, parts) == {
        'class-not-in-train': (1, 'The class dog has no object in train.')
    }
    _with_dogs(parts['train'], 20)
    assert findings(check_balance, parts) == {
        'class-not-in-val': (1, 'The class dog has no object in val.')
    }


def test_rare_classes_are_told(make_part: Callable, findings: Callable) -> None:
    parts = {'train': _with_dogs(make_part([[BOX] * 20] * 50), 9)}

    # 991 cats and 9 dogs, more than a hundredth.
    assert findings(check_balance, parts) == {
        'class-rare': (1, 'The class dog has 9 in train.'),
        'classes-unbalanced': (
            1,
            'The class dog has 9 in train, where cat has 991.',
        ),
    }
    _with_dogs(parts['train'], 10)
    assert findings(check_balance, parts) == {}


def test_names_that_look_alike_are_told(
    make_part: Callable, findings: Callable
) -> None:
    classes = ('Cat', 'dog', ' cat')
    part = make_part([[BOX] * 30] * 50, classes=classes)
    for index, annotation in enumerate(part.content['annotations']):
        annotation['category_id'] = index % 3 + 1

    assert findings(check_balance, {'train': part}, classes) == {
        'classes-alike': (1, "'Cat' and ' cat' are two classes.")
    }


def test_images_without_objects_are_counted(
    make_part: Callable, findings: Callable
) -> None:
    part = make_part([[BOX]] * 30 + [[]] * 10)

    assert findings(check_balance, {'test': part}) == {
        'images-empty': (
            10,
            '10 of 40 images of test (25%), as 31.jpg, have no object.',
        )
    }


def test_few_images_are_told(make_part: Callable, findings: Callable) -> None:
    parts = {
        'train': _with_dogs(make_part([[BOX] * 2] * 49), 20),
        'val': _with_dogs(make_part([[BOX]] * 19), 5),
    }

    assert findings(check_balance, parts) == {
        'images-few': (2, 'The split train has 49 images.')
    }
