"""Files of data that were changed at random: each is read, or stops in one sentence."""

import json
import resource
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import pytest
import torch
from mmdet.evaluation import CocoMetric

from m2det_mmdet.datasets import CheckedCocoDataset
from m2det_mmdet.datasets.checks import CHECKS
from m2det_mmdet.datasets.coco import load_annotations
from m2det_mmdet.datasets.coco_form import check_annotations, mend_annotations
from m2det_mmdet.datasets.faults import Faults, Level
from m2det_mmdet.datasets.layouts import read_layout, write_folder
from m2det_mmdet.datasets.layouts.folder import DataFolder, Part, read_folder
from m2det_mmdet.evaluation.coco_records import CocoIds, load_results
from m2det_mmdet.utils.errors import M2DetError
from m2det_mmdet.visualization import draw_comparison

from .mutations import FORMS, LONGEST, Mutator, mutate, write_coco

MOST_SECONDS = 10  # of computing for a folder
MOST_MEMORY = 300_000  # kB, for all folders of a test


def _use(root: Path, cache: Path) -> None:
    """Read a folder as the commands do: to compare, train, evaluate, predict, draw."""
    layout = read_layout(root, cache)
    for split in (layout.train, layout.val):
        dataset = CheckedCocoDataset(
            ann_file=str(split.ann_file),
            data_prefix={'img': str(split.images)},
            metainfo={'classes': layout.classes},
            pipeline=[
                {'type': 'LoadImageFromFile'},
                {'type': 'LoadAnnotations', 'with_bbox': True},
                {'type': 'PackDetInputs'},
            ],
            test_mode=split is layout.val,
        )
        samples = list(dataset)
    truth = load_annotations(split.ann_file)
    ids = CocoIds(layout.classes, truth)
    metric = CocoMetric(ann_file=str(split.ann_file), metric='bbox')
    metric.dataset_meta = {'classes': layout.classes}
    records = []
    for sample in samples:
        found = {
            'bboxes': torch.tensor([[4.0, 6.0, 24.0, 16.5]]),
            'scores': torch.tensor([0.9]),
            'labels': torch.tensor([0]),
        }
        image = sample['data_samples']
        output = {
            'img_id': image.img_id,
            'ori_shape': image.ori_shape,
            'pred_instances': found,
        }
        metric.process({}, [output])
        box = {'bbox': [4, 6, 20, 10.5], 'score': 0.9}
        record = {'image_id': image.img_id, 'category_id': ids.categories[0], **box}
        records.append(record)
    metric.evaluate(len(samples))
    cache.mkdir(parents=True, exist_ok=True)
    (cache / 'results.json').write_text(json.dumps(records))
    results = load_results(cache / 'results.json', truth)
    draw_comparison(truth, results, split.images, num_images=1)


@contextmanager
def _limited(seconds: float) -> Iterator[None]:
    """Stop the block after some seconds of computing, however busy the machine is."""

    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise TimeoutError(f'computes for more than {seconds} s')

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def _outcome(root: Path, cache: Path) -> str:
    """Return ``'works'``, ``'stops'`` in one sentence, or else what was raised."""
    try:
        with _limited(MOST_SECONDS):
            _use(root, cache)
    except M2DetError as error:
        text = str(error)
        sentence = len(text) < LONGEST and '\n' not in text and text.endswith('.')
        return 'stops' if sentence else f'no sentence: {text[:500]!r}'
    except BaseException as error:
        return f'{type(error).__name__}: {str(error)[:500]!r}'
    return 'works'


def _read(root: Path, cache: Path) -> str:
    """Read a folder with all that is wrong; say whether faults were found on the way.

    What could be read is sound, is written, and each fault is a sentence.
    """
    faults = Faults()
    outcome = 'is read'
    try:
        with _limited(MOST_SECONDS):
            folder = read_folder(root, faults)
    except M2DetError as error:
        outcome, sentences = 'stops', [str(error)]
    else:
        layout = write_folder(folder, cache)
        load_annotations(layout.train.ann_file)
        load_annotations(layout.val.ann_file)
        sentences = []
    found = faults.findings.values()
    for sentence in (*sentences, *(x for finding in found for x in finding.examples)):
        assert len(sentence) < LONGEST
        assert '\n' not in sentence
        assert sentence.endswith('.')
    return 'is read with faults' if found and outcome == 'is read' else outcome


def _memory() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


@pytest.fixture
def outcomes(tmp_path: Path) -> Callable[..., dict[str, list[str]]]:
    """Uses folders of a form that were changed; gives their names by the outcome."""

    def run(form: str, number: int, seed: int) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for index in range(number):
            name = f'{form}-{seed}-{index}'
            mutator = Mutator(name)
            paths = FORMS[form](tmp_path / name)
            mutate(mutator.random.choice(paths), mutator)
            outcome = _outcome(tmp_path / name, tmp_path / 'cache' / name)
            found.setdefault(outcome, []).append(name)
        return found

    return run


@pytest.mark.parametrize('form', FORMS)
def test_a_folder_without_changes_works(form: str, tmp_path: Path) -> None:
    FORMS[form](tmp_path / form)

    assert _outcome(tmp_path / form, tmp_path / 'cache') == 'works'


@pytest.mark.parametrize(('form', 'number'), [('coco', 30), ('voc', 12), ('yolo', 16)])
def test_a_changed_folder_works_or_stops_in_one_sentence(
    form: str, number: int, outcomes: Callable
) -> None:
    before = _memory()

    assert {*outcomes(form, number, seed=0)} == {'works', 'stops'}
    assert _memory() - before < MOST_MEMORY


def test_a_changed_coco_file_is_mended_and_checked(tmp_path: Path) -> None:
    text = write_coco(tmp_path)[0].read_text()
    levels = set()
    for index in range(300):
        content = Mutator(f'mended-{index}').content(json.loads(text))
        before, faults = repr(content), Faults()

        mended, changed = mend_annotations(content, 'train.json', faults)

        check_annotations(mended)
        assert repr(content) == before
        assert changed or mended is content
        levels.add(faults.level)
        names = tuple(x['name'] for x in mended['categories'])
        folder = DataFolder(tmp_path, 'coco', names, {'train': Part(tmp_path, mended)})
        for check in CHECKS:
            check(folder, faults)
        for finding in faults.findings.values():
            assert all('\n' not in x and len(x) < LONGEST for x in finding.examples)
    assert levels == {*Level}


@pytest.mark.parametrize('form', FORMS)
def test_a_changed_folder_is_read_as_far_as_it_goes(form: str, tmp_path: Path) -> None:
    outcomes = set()
    for index in range(25):
        name = f'{form}-faults-{index}'
        mutator = Mutator(name)
        paths = FORMS[form](tmp_path / name)
        mutate(mutator.random.choice(paths), mutator)
        outcomes.add(_read(tmp_path / name, tmp_path / 'out' / name))

    assert {'is read with faults', 'stops'} <= outcomes


@pytest.mark.slow
@pytest.mark.parametrize('seed', [1, 2])
@pytest.mark.parametrize(
    ('form', 'number'), [('coco', 500), ('voc', 200), ('yolo', 200)]
)
def test_many_changed_folders_work_or_stop_in_one_sentence(
    form: str, number: int, seed: int, outcomes: Callable
) -> None:
    before = _memory()

    assert {*outcomes(form, number, seed)} == {'works', 'stops'}
    assert _memory() - before < MOST_MEMORY
