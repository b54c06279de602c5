import json
import shutil
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from mmdet.engine.hooks import DetVisualizationHook
from mmengine.visualization import TensorboardVisBackend

from m2det_mmdet import apis
from m2det_mmdet.apis import M2DetError, report, reporting
from m2det_mmdet.report import page_files
from m2det_mmdet.utils.configs import load_config
from m2det_mmdet.utils.files import write_whole


def test_a_training_ends_with_a_report(trained: SimpleNamespace) -> None:
    page = trained.work_dir / 'report.html'

    assert trained.result.report == page
    text = page.read_text()
    assert 'alt="AP by epoch"' in text
    figures = json.loads(page.with_suffix('.json').read_text())
    assert figures['split'] == 'val'
    # The metric of the validation rounds to three digits.
    ap = trained.result.metrics['coco/bbox_mAP']
    assert figures['figures']['AP'] == pytest.approx(ap, abs=6e-4)


def test_the_figures_are_those_of_the_evaluation(
    trained: SimpleNamespace, tmp_path: Path
) -> None:
    steps = []

    result = report(
        trained.config,
        trained.checkpoint,
        split='train',
        out=tmp_path / 'page.html',
        options={'model.test_cfg.max_per_img': 50},
        on_event=steps.append,
    )

    expected = apis.evaluate(
        trained.config,
        trained.checkpoint,
        work_dir=tmp_path / 'work',
        options={
            'model.test_cfg.max_per_img': 50,
            'test_dataloader.dataset.ann_file': 'annotations/train.json',
            'test_dataloader.dataset.data_prefix.img': 'train/',
            'test_evaluator.ann_file': f'{trained.scenes}/annotations/train.json',
        },
    ).metrics
    assert result.split == 'train'
    for name, key in (('AP', 'mAP'), ('AP50', 'mAP_50'), ('AP75', 'mAP_75')):
        known = expected[f'coco/bbox_{key}']
        assert result.figures.summary[name] == pytest.approx(known, abs=6e-4)
    assert [(step.batch, step.batches) for step in steps] == [(1, 2), (2, 2)]
    assert {path.name for path in tmp_path.iterdir()} == {
        'page.html',
        'page.json',
        'work',
    }


@pytest.mark.parametrize(
    ('split', 'name'), [(None, 'report.html'), ('test', 'report_test.html')]
)
def test_a_run_has_its_report_in_its_folder(
    trained: SimpleNamespace, split: str | None, name: str
) -> None:
    result = report(trained.work_dir, split=split)

    assert result.page == trained.work_dir / name
    assert result.split == split or result.split == 'val'


def test_a_folder_of_ones_own_is_looked_at(
    trained: SimpleNamespace, tmp_path: Path
) -> None:
    result = report(
        trained.work_dir, data=trained.scenes, out=tmp_path / 'own.html', device='cpu'
    )

    assert result.split == 'test'
    assert json.loads(result.json.read_text())['images'] == 1


def test_a_page_is_replaced_only_when_asked(
    trained: SimpleNamespace, tmp_path: Path
) -> None:
    page = tmp_path / 'page.html'
    page.write_text('mine')

    with pytest.raises(M2DetError, match='page.html exists: give another name'):
        report(trained.work_dir, out=page)
    assert page.read_text() == 'mine'
    assert report(trained.work_dir, out=page, force=True).page == page
    assert page.read_text() != 'mine'


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ({'split': 'tets'}, "split must be one of train, val, test, got 'tets'"),
        ({'out': '/dev/null/page.html'}, 'cannot be written'),
        ({'data': '/nowhere'}, 'nowhere'),
    ],
)
def test_wrong_arguments_are_told(
    trained: SimpleNamespace, arguments: dict, message: str
) -> None:
    with pytest.raises(M2DetError, match=message):
        report(trained.work_dir, **arguments)


def test_a_run_without_a_checkpoint_is_told(
    trained: SimpleNamespace, tmp_path: Path
) -> None:
    (tmp_path / 'config.py').write_text(Path(trained.config).read_text())

    with pytest.raises(M2DetError, match='has no checkpoint yet'):
        report(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ['config.py']


def test_a_training_whose_report_fails_is_done(
    trained: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise M2DetError('No ink.')

    monkeypatch.setattr('m2det_mmdet.apis.reporting.page_of', fail)

    result = apis.train(trained.config, work_dir=tmp_path)

    assert result.report is None
    assert result.report_problem == 'There is no report: No ink.'
    assert result.checkpoint.is_file()
    assert not (tmp_path / 'report.html').exists()


def test_a_training_can_do_without(trained: SimpleNamespace, tmp_path: Path) -> None:
    result = apis.train(trained.config, work_dir=tmp_path, report=False)

    assert (result.report, result.report_problem) == (None, None)
    assert not list(tmp_path.glob('report*'))


def test_a_training_without_validation_says_why_it_has_none(
    trained: SimpleNamespace, tmp_path: Path
) -> None:
    options = {'val_dataloader': None, 'val_cfg': None, 'val_evaluator': None}

    result = apis.train(trained.config, work_dir=tmp_path, options=options)

    assert result.report_problem == (
        'There is no report, for the training has no val_dataloader.'
    )


@pytest.mark.parametrize('name', ['page.json', 'page', 'page.v1'])
def test_a_page_has_the_name_of_one(
    trained: SimpleNamespace, tmp_path: Path, name: str
) -> None:
    with pytest.raises(M2DetError, match=r'a page, whose name ends in \.html, not'):
        report(trained.work_dir, out=tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_place_is_followed(
    trained: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('HOME', str(tmp_path))
    monkeypatch.chdir(tmp_path)

    result = report(trained.work_dir, out='~/page.html')

    assert result.page == tmp_path / 'page.html'
    assert {path.name for path in tmp_path.iterdir()} == {'page.html', 'page.json'}


def test_figures_without_their_page_are_not_left(
    trained: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(path: Path, content: object) -> None:
        if path.suffix == '.html':
            raise M2DetError('The disk is full.')
        write_whole(path, content)

    monkeypatch.setattr(page_files, 'write_whole', write)

    with pytest.raises(M2DetError, match='The disk is full'):
        report(trained.work_dir, out=tmp_path / 'page.html')
    assert not list(tmp_path.iterdir())


def test_names_that_have_no_encoding_are_written(
    trained: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reporting, 'page_of', lambda *_: 'x\udcff.jpg')

    result = report(trained.work_dir, out=tmp_path / 'page.html')

    assert result.page.read_text() == r'x\udcff.jpg'


def test_reports_within_a_second_do_not_meet(
    trained: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time()
    monkeypatch.setattr(time, 'time', lambda: now)

    pages = [
        report(trained.work_dir, out=tmp_path / x).page for x in ('a.html', 'b.html')
    ]

    assert all(page.is_file() for page in pages)


def test_folders_of_versions_have_reports_of_their_own(
    trained: SimpleNamespace, tmp_path: Path
) -> None:
    data = shutil.copytree(trained.scenes, tmp_path / 'cells.v1')
    (tmp_path / 'run').mkdir()
    shutil.copy(trained.work_dir / 'small_full.py', tmp_path / 'run')
    shutil.copy(trained.checkpoint, tmp_path / 'run' / 'best.pth')

    result = report(tmp_path / 'run', data=data)

    assert result.page == tmp_path / 'run' / 'report_cells.v1.html'


@pytest.mark.parametrize(
    ('metric', 'width'), [('CocoMetric', 0), ('InclusiveCocoMetric', 1)]
)
def test_boxes_are_counted_as_the_test_does(
    trained: SimpleNamespace,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    metric: str,
    width: int,
) -> None:
    kept = []
    known = reporting.found_in
    monkeypatch.setattr(
        reporting, 'found_in', lambda *x: kept.append(x[1]) or known(*x)
    )
    options = {'val_evaluator.type': metric}

    for page, settings in (('plain', {}), ('own', options)):
        report(trained.work_dir, out=tmp_path / f'{page}.html', options=settings)

    plain, own = (found[0].boxes for found in kept)
    np.testing.assert_allclose(
        own - plain, np.tile([0, 0, width, width], (len(own), 1))
    )


@pytest.mark.parametrize(
    ('is_own', 'split', 'learned', 'chosen'),
    [
        (False, 'train', 4, False),
        (False, 'val', 0, True),
        # The config tests on the images that it validates on.
        (False, 'test', 0, True),
        (True, 'train', 4, False),
        (True, 'val', 0, True),
        (True, 'test', 0, False),
    ],
)
def test_what_the_training_has_seen_is_known(
    trained: SimpleNamespace,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    is_own: bool,
    split: str,
    learned: int,
    chosen: bool,
) -> None:
    kept = []
    known = reporting.find_out
    monkeypatch.setattr(reporting, 'find_out', lambda x: kept.append(x) or known(x))
    best = shutil.copy(trained.checkpoint, tmp_path / 'best.pth')

    report(
        trained.config,
        best,
        split=split,
        data=trained.scenes if is_own else None,
        out=tmp_path / 'page.html',
    )

    assert (kept[0].learned_from, kept[0].chosen_on) == (learned, chosen)


def test_a_training_whose_report_is_interrupted_is_done(
    trained: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr('m2det_mmdet.apis.reporting.page_of', stop)

    result = apis.train(trained.config, work_dir=tmp_path)

    assert result.report is None
    assert result.report_problem == (
        f'The report was interrupted: `m2det report {tmp_path}` writes it.'
    )
    assert result.checkpoint.is_file()


def test_joined_data_sets_are_looked_at(
    trained: SimpleNamespace, tmp_path: Path
) -> None:
    cfg = load_config(trained.config)
    parts = [cfg.val_dataloader.dataset] * 2
    cfg.val_dataloader.dataset = {'type': 'ConcatDataset', 'datasets': parts}

    result = report(cfg, trained.checkpoint, out=tmp_path / 'page.html')

    assert json.loads(result.json.read_text())['images'] == 6
    assert 'src="data:image/jpeg' in result.page.read_text()


def test_nothing_is_drawn_or_sent_elsewhere(
    trained: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise AssertionError

    monkeypatch.setattr(DetVisualizationHook, 'after_test_iter', fail)
    monkeypatch.setattr(TensorboardVisBackend, '_init_env', fail)
    options = {
        'default_hooks.visualization': {'type': 'DetVisualizationHook', 'draw': True},
        'visualizer.vis_backends': [{'type': 'TensorboardVisBackend'}],
    }

    page = report(trained.work_dir, out=tmp_path / 'page.html', options=options).page

    assert page.is_file()
