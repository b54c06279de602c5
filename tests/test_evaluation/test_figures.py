import io
import json
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from m2det_mmdet.evaluation.figures import SUMMARY, box_figures, class_aps, known_mean

BOX = [0, 0, 40, 40]
TINY = (
    Path(__file__).parents[3]
    / 'shared/data/coco_tiny/annotations/instances_val2017.json'
)


def _evaluated(truth: COCO, found: COCO, **params: object) -> COCOeval:
    with redirect_stdout(io.StringIO()):
        evaluation = COCOeval(truth, found, 'bbox')
        for name, value in params.items():
            setattr(evaluation.params, name, value)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation


def _agree(truth: COCO, found: COCO) -> None:
    figures = box_figures(truth, found)
    theirs = _evaluated(truth, found)

    stats = np.where(theirs.stats == -1, np.nan, theirs.stats)
    assert tuple(figures.summary) == SUMMARY
    ours = list(figures.summary.values())
    np.testing.assert_allclose(ours, stats, atol=1e-6, rtol=0)
    for place, category_id in enumerate(sorted(truth.cats)):
        alone = _evaluated(truth, found, catIds=[category_id])
        row = figures.classes[place]
        sizes = [row.by_size[size] for size in ('small', 'medium', 'large')]
        ours = [row.ap, row.ap50, row.ap75, *sizes]
        stats = np.where(alone.stats == -1, np.nan, alone.stats)[:6]
        np.testing.assert_allclose(ours, stats, atol=1e-6, rtol=0)
        assert row.category_id == category_id
        assert row.name == truth.cats[category_id]['name']
        for thr, iou in ((0.5, 0), (0.75, 5)):
            curve = alone.eval['precision'][iou, :, 0, 0, 2]
            curve = np.where(curve == -1, np.nan, curve)
            np.testing.assert_allclose(
                figures.curves.precision[thr][place], curve, atol=1e-6, rtol=0
            )


@pytest.mark.parametrize('installed', [True, False])
@pytest.mark.parametrize('seed', [0, 1])
def test_figures_are_those_of_pycocotools(
    seed: int,
    installed: bool,
    random_coco: Callable[..., tuple[COCO, COCO]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if not installed:
        monkeypatch.setattr('m2det_mmdet.compat.coco_eval.find_spec', lambda name: None)
    truth, found = random_coco(seed)

    _agree(truth, found)


@pytest.mark.skipif(not TINY.is_file(), reason='coco_tiny is not beside the project')
def test_figures_of_coco_are_those_of_pycocotools() -> None:
    generator = np.random.default_rng(0)
    content = json.loads(TINY.read_text())
    kept = {item['id'] for item in content['categories'][:6]}
    for key, name in (('categories', 'id'), ('annotations', 'category_id')):
        content[key] = [item for item in content[key] if item[name] in kept]
    assert any(item['iscrowd'] for item in content['annotations'])
    truth = COCO()
    truth.dataset = content
    records = []
    for item in content['annotations']:
        _, _, width, height = item['bbox']
        shift = generator.normal(0, 0.15, 4) * [width, height, width, height]
        box = np.array(item['bbox']) + shift
        box[2:] = box[2:].clip(1)
        record = {'image_id': item['image_id'], 'category_id': item['category_id']}
        records.append(record | {'bbox': box.tolist(), 'score': generator.random()})
    with redirect_stdout(io.StringIO()):
        truth.createIndex()
        found = truth.loadRes(records)

    _agree(truth, found)


def test_figures_of_a_class_are_known(make_coco: Callable) -> None:
    # The cat (40 x 40 pixels, medium) is found at the IoU 30 / 40 = 0.75: at six of the
    # ten IoUs from 0.5 to 0.95. One of two dogs is found, so that precision is 1 up to
    # the recall 0.5, at 51 of 101 recalls.
    far = [100, 100, 20, 20]
    truth, found = make_coco(
        [
            {'bbox': BOX},
            {'bbox': BOX, 'category_id': 2},
            {'bbox': far, 'category_id': 2},
            {'bbox': far, 'category_id': 2, 'iscrowd': 1},
        ],
        [
            {'bbox': [0, 0, 40, 30], 'score': 0.9},
            {'bbox': BOX, 'category_id': 2, 'score': 0.8},
        ],
        classes=('cat', 'dog', 'cow'),
    )

    figures = box_figures(truth, found)

    cat, dog, cow = figures.classes
    assert (cat.name, cat.category_id, cat.objects) == ('cat', 1, 1)
    assert (cat.ap, cat.ap50, cat.ap75) == pytest.approx((0.6, 1, 1))
    assert cat.by_size['medium'] == pytest.approx(0.6)
    assert np.isnan([cat.by_size['small'], cat.by_size['large']]).all()
    assert dog.objects == 2
    assert (dog.ap, dog.ap50, dog.ap75) == pytest.approx((51 / 101,) * 3)
    assert (dog.by_size['small'], dog.by_size['medium']) == pytest.approx((0, 1))
    assert cow.objects == 0
    assert np.isnan([cow.ap, cow.ap50, cow.ap75, *cow.by_size.values()]).all()
    assert figures.summary['AP50'] == pytest.approx((1 + 51 / 101) / 2)
    assert np.isnan(figures.summary['APl'])
    curves = figures.curves
    np.testing.assert_allclose(curves.recalls, np.arange(101) / 100)
    np.testing.assert_allclose(curves.precision[0.5][1], [1] * 51 + [0] * 50)
    assert np.isnan(curves.precision[0.75][2]).all()
    np.testing.assert_allclose(curves.mean[0.75], [1] * 51 + [0.5] * 50)


@pytest.mark.filterwarnings('error')
@pytest.mark.parametrize('installed', [True, False])
def test_without_objects_or_detections_nothing_is_made_up(
    make_coco: Callable, installed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not installed:
        monkeypatch.setattr('m2det_mmdet.compat.coco_eval.find_spec', lambda name: None)
    item = {'bbox': BOX, 'score': 0.9}

    for detections in ([], [item]):
        nothing = box_figures(*make_coco([], detections))
        assert np.isnan(list(nothing.summary.values())).all()
        assert np.isnan(nothing.curves.mean[0.5]).all()
    blind = box_figures(*make_coco([{'bbox': BOX}], []))
    assert blind.summary['AP'] == blind.summary['AR100'] == blind.classes[0].ap == 0
    assert np.isnan(blind.classes[1].ap)


def test_nothing_is_printed(
    make_coco: Callable, capsys: pytest.CaptureFixture[str]
) -> None:
    box_figures(*make_coco([{'bbox': BOX}], [{'bbox': BOX, 'score': 1}]))

    assert capsys.readouterr().out == ''


def test_the_ap_of_classes_at_one_iou(make_coco: Callable) -> None:
    truth, found = make_coco([{'bbox': BOX}], [{'bbox': [0, 0, 40, 30], 'score': 0.9}])

    for thr, ap in ((0.3, 1), (0.75, 1), (0.76, 0)):
        aps = class_aps(truth, found, iou_thr=thr)
        np.testing.assert_allclose(aps, [ap, np.nan])


def test_more_detections_of_a_class_count_where_asked(make_coco: Callable) -> None:
    wrong = [{'bbox': [200, 200, 9, 9], 'score': 0.9}] * 100
    truth, found = make_coco([{'bbox': BOX}], [*wrong, {'bbox': BOX, 'score': 0.1}])

    assert class_aps(truth, found, iou_thr=0.5)[0] == 0
    more = class_aps(truth, found, iou_thr=0.5, max_dets=101)
    assert more[0] == pytest.approx(1 / 101)


@pytest.mark.filterwarnings('error')
def test_a_mean_of_nothing_is_nan() -> None:
    values = np.array([[1, np.nan], [3, np.nan]])

    np.testing.assert_array_equal(known_mean(values, axis=0), [2, np.nan])
    assert known_mean(values) == 2
