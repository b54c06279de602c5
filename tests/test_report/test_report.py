import json
import re
from collections.abc import Callable
from html import unescape

import pytest
from mmengine.config import Config

from m2det_mmdet.analysis.training_record import TrainingRecord
from m2det_mmdet.report import EvaluatedDetector, figures_of, find_out, page_of
from m2det_mmdet.utils.errors import M2DetError

# Found; taken for a dog; missed. And a box on nothing.
OBJECTS = [
    [(0, [10, 10, 40, 40])],
    [(0, [10, 10, 40, 40]), (1, [60, 60, 30, 30])],
]
FOUND = [
    [(0, 0.9, [10, 10, 40, 40])],
    [(1, 0.8, [10, 10, 40, 40]), (1, 0.4, [0, 80, 15, 15])],
]


def summary_of(data: EvaluatedDetector) -> list[str]:
    """Return the sentences of a page's first section."""
    page = page_of(data, find_out(data))
    section = re.search(r'<section id="summary">(.*?)</section>', page, re.S)[1]
    return [unescape(x) for x in re.findall(r'<p>(.*?)</p>', section, re.S)]


def test_the_summary_says_what_matters(
    evaluated: Callable[..., EvaluatedDetector],
) -> None:
    sentences = summary_of(evaluated(OBJECTS, FOUND))

    # F1 is the same from 0 to 0.9: that of cats, for no dog is found at any score.
    assert sentences[0] == (
        'With the threshold 0.45 on scores it finds 1 of 3 objects (33 %), and 50 % '
        'of its 2 boxes are right, that is, of the right class and with an IoU of at '
        'least 0.5.'
    )
    text = ' '.join(sentences)
    assert 'The best class is cat (AP 0.505), the worst is dog (AP 0.000).' in text
    assert 'Few objects to count on: cat (2), dog (1).' in text
    assert 'a little too good' not in text


def test_the_option_for_the_best_threshold_is_named(
    evaluated: Callable[..., EvaluatedDetector],
) -> None:
    data = evaluated(OBJECTS, FOUND)

    page = page_of(data, find_out(data))

    assert 'unless it is told otherwise: <code>--score-thr 0.45</code>.' in page


def test_figures_are_for_programs_too(
    evaluated: Callable[..., EvaluatedDetector],
) -> None:
    data = evaluated(OBJECTS, FOUND)

    figures = json.loads(json.dumps(figures_of(data, find_out(data)), allow_nan=False))

    # Of two cats one is found first of all: 51 of 101 recalls have a precision of 1.
    assert figures['figures']['AP50'] == pytest.approx(51 / 101 / 2)
    assert figures['errors']['class']['count'] == 1
    assert figures['errors']['background']['count'] == 1
    assert figures['errors']['missed']['count'] == 1
    assert figures['confusion']['counts'] == [[1, 1, 0], [0, 0, 1], [0, 0, 0]]
    # Figures of which COCO knows nothing, as no object is that large.
    assert figures['figures']['APl'] is None
    assert figures['anchors'] is None


def test_nothing_found_is_told(evaluated: Callable[..., EvaluatedDetector]) -> None:
    data = evaluated(OBJECTS, [[], []])

    findings = find_out(data)

    (sentence,) = summary_of(data)
    assert sentence.startswith('The detector found nothing in 2 images')
    assert findings.costs['missed'].count == 3
    assert figures_of(data, findings)['figures']['AP'] == 0


def test_nothing_to_find_is_refused(
    evaluated: Callable[..., EvaluatedDetector],
) -> None:
    data = evaluated([[], []], [[], []])

    with pytest.raises(M2DetError, match=r'data/val.json has no object to find \(val'):
        find_out(data)


def test_a_checkpoint_that_was_chosen_on_the_images_is_told(
    evaluated: Callable[..., EvaluatedDetector],
) -> None:
    sentences = summary_of(evaluated(OBJECTS, FOUND, chosen_on=True))

    assert any('a little too good' in sentence for sentence in sentences)


def test_what_of_the_data_was_left_out_is_told(
    evaluated: Callable[..., EvaluatedDetector],
) -> None:
    problems = ('2 images that are missing: a.jpg is missing.',)

    sentences = summary_of(evaluated(OBJECTS, FOUND, data_problems=problems))

    assert f'Of the data, {problems[0]}' in sentences


def test_images_that_are_gone_leave_no_picture(
    evaluated: Callable[..., EvaluatedDetector],
) -> None:
    data = evaluated(OBJECTS, FOUND)
    pages = [page_of(data, find_out(data))]
    for image in data.truth.imgs.values():
        image['file_name'] = image['file_name'].replace('.png', '.gone.png')
    pages.append(page_of(data, find_out(data)))

    counts = [page.count('src="data:image/jpeg') for page in pages]

    assert counts[0] > 0
    assert counts[1] == 0


def test_each_error_is_shown_with_its_names(
    evaluated: Callable[..., EvaluatedDetector],
) -> None:
    data = evaluated(OBJECTS, FOUND)

    page = page_of(data, find_out(data))

    captions = re.findall(r'<figcaption>(.*?)</figcaption>', page)
    assert 'cat taken for dog (score 0.80), IoU 1.00: 1.png' in captions
    assert 'dog (score 0.40) where there is no object: 1.png' in captions
    assert 'dog that is missed: 1.png' in captions


def test_the_course_of_a_training_is_drawn(
    evaluated: Callable[..., EvaluatedDetector],
) -> None:
    record = TrainingRecord(
        {'loss': {1: 2.0, 2: 1.0}}, {1: 0.1, 2: 0.01}, {'coco/bbox_mAP': {1: 0.5}}
    )

    page = page_of(*both(evaluated(OBJECTS, FOUND, record=record)))

    for text in ('Losses by iteration', 'AP by epoch', 'Learning rate by iteration'):
        assert f'alt="{text}"' in page


def test_a_page_of_many_images_stays_small(
    evaluated: Callable[..., EvaluatedDetector],
) -> None:
    one = len(page_of(*both(evaluated(OBJECTS * 2, FOUND * 2))))
    many = len(page_of(*both(evaluated(OBJECTS * 40, FOUND * 40))))

    assert many < 4 * one


def both(data: EvaluatedDetector) -> tuple:
    return data, find_out(data)


def test_images_that_the_detector_knows_are_told(
    evaluated: Callable[..., EvaluatedDetector],
) -> None:
    known = summary_of(evaluated(OBJECTS, FOUND, learned_from=2))
    unknown = summary_of(evaluated(OBJECTS, FOUND, split='train'))

    sentence = 'The detector has learned from 2 of these images'
    assert any(x.startswith(sentence) for x in known)
    # The training images of a folder are no others to a detector of other data.
    assert not any('has learned from' in x for x in unknown)


def test_types_may_be_classes(evaluated: Callable[..., EvaluatedDetector]) -> None:
    cfg = Config({'model': {'type': EvaluatedDetector}})
    data = evaluated(OBJECTS, FOUND, cfg=cfg)

    page = page_of(data, find_out(data))

    assert page.count('EvaluatedDetector, 1.23 M parameters') == 2
    assert '&lt;class' not in page


def test_classes_that_are_alike_are_not_ranked(
    evaluated: Callable[..., EvaluatedDetector],
) -> None:
    found = [[(0, 0.9, [80, 80, 5, 5])], [(1, 0.9, [80, 5, 5, 5])]]
    data = evaluated(OBJECTS, found)

    page = page_of(data, find_out(data))

    assert not any('The best class is' in x for x in summary_of(data))
    # Nothing is right at any threshold: none is the best.
    assert '<span>score threshold</span>' in page
    assert 'best score threshold' not in page
