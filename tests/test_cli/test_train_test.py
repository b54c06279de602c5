import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from mmengine.config import Config
from mmengine.structures import InstanceData

from m2det_mmdet import apis
from m2det_mmdet.apis import training
from m2det_mmdet.cli import main
from m2det_mmdet.engine.interruption import TrainingInterrupted
from m2det_mmdet.models.acceleration import accelerate
from m2det_mmdet.models.test_time_augs import M2DetTTAModel


def test_training_leaves_no_second_config_of_the_same_name(
    trained: SimpleNamespace,
) -> None:
    assert not list(trained.work_dir.rglob('small.py'))
    full = Config.fromfile(trained.work_dir / 'small_full.py')
    assert full.model.bbox_head.num_classes == 10
    assert Path(trained.checkpoint).is_file()


def test_a_config_in_its_own_work_folder_is_left_there(
    trained: SimpleNamespace, tmp_path: Path
) -> None:
    config = tmp_path / 'mine.py'
    config.write_text(f'_base_ = {trained.config!r}')

    _run('test', str(config), trained.checkpoint, '--work-dir', str(tmp_path))

    assert config.is_file()
    assert not (tmp_path / 'mine_full.py').exists()


def test_a_dumped_config_keeps_its_name(
    trained: SimpleNamespace, tmp_path: Path
) -> None:
    dumped = str(trained.work_dir / 'small_full.py')

    _run('test', dumped, trained.checkpoint, '--work-dir', str(tmp_path))

    assert [path.name for path in tmp_path.glob('*.py')] == ['small_full.py']


def test_training_resumes(trained: SimpleNamespace, tmp_path: Path) -> None:
    options = ['--cfg-options', 'train_cfg.max_epochs=2', 'train_cfg.val_interval=9']
    _run(
        'train',
        trained.config,
        '--work-dir',
        str(tmp_path),
        '--resume',
        trained.checkpoint,
        *options,
    )

    assert not (tmp_path / 'epoch_1.pth').exists()
    resumed = torch.load(tmp_path / 'epoch_2.pth', weights_only=False)
    assert resumed['meta']['epoch'] == 2
    assert resumed['meta']['iter'] == 4


@pytest.mark.parametrize('spelling', ['', 'auto'])
def test_resuming_nothing_starts_from_the_given_weights(
    spelling: str,
    trained: SimpleNamespace,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    configs = []
    monkeypatch.setattr(training, 'build_runner', _stop_after(configs))
    argv = ['train', trained.config, '--work-dir', str(tmp_path), '--resume', spelling]
    argv = [word for word in argv if word]
    options = ['--cfg-options', f'load_from={trained.checkpoint}']

    for _ in range(2):
        assert main([*argv, *options]) == 1
        shutil.copy(trained.checkpoint, tmp_path)

    first, second = configs
    assert (first.get('resume'), first.load_from) == (None, trained.checkpoint)
    assert (second.resume, second.load_from) == (True, str(tmp_path / 'epoch_1.pth'))


def _stop_after(configs: list[Config]) -> Callable[..., None]:
    def build_runner(cfg: Config, **_: object) -> None:
        configs.append(cfg)
        raise RuntimeError('stopped')

    return build_runner


def test_test_ends_with_the_ap(
    trained: SimpleNamespace, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    out = tmp_path / 'predictions.pkl'
    prefix = tmp_path / 'boxes'
    _run(
        'test',
        trained.config,
        trained.checkpoint,
        '--work-dir',
        str(tmp_path),
        '--out',
        str(out),
        '--show-dir',
        'shown',
        '--cfg-options',
        f'test_evaluator.outfile_prefix={prefix}',
    )

    *_, log_line, pictures_line, ap_line = capsys.readouterr().out.splitlines()
    log = Path(log_line.removeprefix('Log: ')).read_text()
    assert log.count('Average Precision') == 6
    assert log.count('Average Recall') == 6
    parts = ap_line.split(' | ')
    assert [part.split()[0] for part in parts][:6] == [
        'AP',
        'AP_50',
        'AP_75',
        'AP_s',
        'AP_m',
        'AP_l',
    ]
    assert len(pickle.loads(out.read_bytes())) == 3
    assert json.loads(Path(f'{prefix}.bbox.json').read_text())
    pictures = Path(pictures_line.removeprefix('Pictures: '))
    assert pictures.parent.parent == tmp_path
    assert len(list(pictures.iterdir())) == 3


def test_a_run_is_tested_on_other_data(
    trained: SimpleNamespace, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    argv = ['--data', str(trained.scenes), '--split', 'val', '--device', 'cpu']

    _run('test', str(trained.work_dir), *argv, '--work-dir', str(tmp_path))

    ap = trained.result.metrics['coco/bbox_mAP']
    assert f'{ap:.3f}' in capsys.readouterr().out
    assert main(['test', trained.config]) == 2
    error = capsys.readouterr().err
    assert 'small.py is a config, which has no weights: give a checkpoint, too' in error


def test_tta_merges_all_views_of_each_image(
    trained: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    merged = []
    merge = M2DetTTAModel._merge_single_sample

    def spy(self: M2DetTTAModel, samples: list) -> object:
        views = {(sample.img_shape[:2], sample.flip) for sample in samples}
        merged.append((samples[0].img_id, len(samples), views))
        return merge(self, samples)

    monkeypatch.setattr(M2DetTTAModel, '_merge_single_sample', spy)
    argv = ['test', trained.config, trained.checkpoint, '--work-dir', str(tmp_path)]

    assert main([*argv, '--tta']) == 0

    sizes = [(side, side) for side in (96, 128, 160, 192)]
    views = {(size, flip) for size in sizes for flip in (False, True)}
    assert merged == [(image_id, 8, views) for image_id in (1, 2, 3)]


def test_tta_needs_its_pipeline(
    trained: SimpleNamespace, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    config = Config.fromfile(trained.config)
    config.pop('tta_model')
    config.dump(tmp_path / 'no_tta.py')
    argv = ['test', str(tmp_path / 'no_tta.py'), trained.checkpoint]

    assert main([*argv, '--work-dir', str(tmp_path), '--tta']) == 2
    assert 'tta needs tta_model in' in capsys.readouterr().err


def test_a_missing_image_stops_in_one_sentence(
    trained: SimpleNamespace, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    hidden = trained.scenes / 'val' / '000002.jpg'
    image = hidden.read_bytes()
    hidden.unlink()
    try:
        status = main(
            [
                'test',
                trained.config,
                trained.checkpoint,
                '--work-dir',
                str(tmp_path),
                '--cfg-options',
                'test_dataloader.num_workers=1',
            ]
        )
    finally:
        hidden.write_bytes(image)

    assert status == 2
    assert f'The image {hidden} does not exist' in _last_line(capsys)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (
            ['train_dataloader.dataset.ann_file=no.json'],
            'no.json does not exist: check data_root and ann_file',
        ),
        (
            ["train_dataloader.dataset.metainfo.classes=('disc','cat')"],
            'no category cat',
        ),
        (['val_evaluator.ann_file=no.json'], 'No such file or directory: no.json'),
        (['model.bbox_head.num_classes=3'], 'set model.bbox_head.num_classes=10'),
    ],
)
def test_a_dataset_that_does_not_fit_stops_before_training(
    options: list[str],
    message: str,
    trained: SimpleNamespace,
    tmp_path: Path,
    capsys: pytest.CaptureFixture,
) -> None:
    argv = ['train', trained.config, '--work-dir', str(tmp_path)]

    assert main([*argv, '--cfg-options', *options]) == 2
    assert message in _last_line(capsys)
    assert not list(tmp_path.glob('*.pth'))


@pytest.mark.parametrize(
    ('argv', 'message'),
    [
        (['train', 'CONFIG', '--resume', 'no.pth'], 'There is no checkpoint no.pth'),
        (['test', 'CONFIG', 'no.pth'], 'There is no checkpoint no.pth'),
        (
            ['test', 'CONFIG', 'CHECKPOINT', '--out', 'a.json'],
            'name ends in .pkl',
        ),
        (['test', 'no', 'CHECKPOINT'], 'There is no config no'),
    ],
)
def test_wrong_arguments_end_in_one_sentence(
    argv: list[str],
    message: str,
    trained: SimpleNamespace,
    capsys: pytest.CaptureFixture,
) -> None:
    names = {'CONFIG': trained.config, 'CHECKPOINT': trained.checkpoint}

    assert main([names.get(word, word) for word in argv]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count('\n') == 1


@pytest.mark.parametrize('command', ['test', 'predict'])
def test_a_checkpoint_that_runs_code_is_refused(
    command: str,
    trained: SimpleNamespace,
    tmp_path: Path,
    capsys: pytest.CaptureFixture,
) -> None:
    mark = tmp_path / 'mark'
    checkpoint = tmp_path / 'evil.pth'
    torch.save({'state_dict': {}, 'meta': _Runs(mark)}, checkpoint)
    argv = [command, trained.config, str(checkpoint)]
    if command == 'predict':
        argv += [str(trained.scenes / 'val'), '-o', str(tmp_path / 'out')]
    else:
        argv += ['--work-dir', str(tmp_path)]

    assert main(argv) == 2
    assert f'{checkpoint} was refused' in _last_line(capsys)
    assert not mark.exists()


class _Runs:
    """Creates a file when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple:
        return Path.touch, (self.mark,)


# All boxes, so that one which loses its rank is still found.
ALL = ('--cfg-options', 'model.test_cfg.score_thr=0', 'model.test_cfg.max_per_img=800')


@pytest.fixture(scope='module')
def plain(
    trained: SimpleNamespace, tmp_path_factory: pytest.TempPathFactory
) -> list[InstanceData]:
    """What a test without options finds in each image."""
    folder = tmp_path_factory.mktemp('plain')
    _run(*_test_argv(trained, folder), '--out', str(folder / 'found.pkl'), *ALL)
    return _detections(folder / 'found.pkl')


@pytest.mark.parametrize(
    ('options', 'changes', 'tolerance'),
    [
        (['--fast'], {'fold_norm': True, 'channels_last': True}, 1e-4),
        (['--autocast', 'bfloat16'], {'autocast': 'bfloat16'}, 0.02),
    ],
)
def test_a_faster_test_finds_the_same(
    options: list[str],
    changes: dict,
    tolerance: float,
    trained: SimpleNamespace,
    plain: list[InstanceData],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    assert_found_again: Callable[..., None],
) -> None:
    calls = _spied(monkeypatch)
    out = tmp_path / 'found.pkl'

    _run(*_test_argv(trained, tmp_path), '--out', str(out), *options, *ALL)

    off = {'fold_norm': False, 'channels_last': False, 'compile': False}
    assert calls == [{**off, 'autocast': None, **changes}]
    assert_found_again(plain, _detections(out), tolerance)


def test_a_faster_multi_scale_test_finds_the_same(
    trained: SimpleNamespace,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    assert_found_again: Callable[..., None],
) -> None:
    calls = _spied(monkeypatch)
    files = [tmp_path / name for name in ('plain.pkl', 'fast.pkl')]
    argv = [*_test_argv(trained, tmp_path), '--tta']

    _run(*argv, '--out', str(files[0]), *ALL)
    assert calls == []
    _run(*argv, '--out', str(files[1]), '--fast', *ALL)

    assert [call['fold_norm'] for call in calls] == [True]
    assert_found_again(*map(_detections, files), tolerance=1e-4)


def _test_argv(trained: SimpleNamespace, folder: Path) -> list[str]:
    return ['test', trained.config, trained.checkpoint, '--work-dir', str(folder)]


def _spied(monkeypatch: pytest.MonkeyPatch) -> list[dict]:
    """Return a list that gets the arguments of each acceleration."""
    calls = []

    def spy(model: torch.nn.Module, **arguments: object) -> torch.nn.Module:
        calls.append(arguments)
        return accelerate(model, **arguments)

    monkeypatch.setattr('m2det_mmdet.engine.hooks.acceleration_hook.accelerate', spy)
    return calls


def _detections(file: Path) -> list[InstanceData]:
    images = pickle.loads(file.read_bytes())
    return [InstanceData(**image['pred_instances']) for image in images]


def test_compiling_without_a_compiler_ends_in_one_sentence(
    trained: SimpleNamespace,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    monkeypatch.setenv('CXX', 'no-compiler')
    monkeypatch.setattr('torch.cuda.is_available', lambda: False)

    assert main(['test', trained.config, trained.checkpoint, '--compile']) == 2
    assert 'Compiling needs a C++ compiler and there is no no-compiler' in (
        _last_line(capsys)
    )


def _run(*argv: str) -> None:
    assert main(argv) == 0


def _last_line(capsys: pytest.CaptureFixture) -> str:
    return capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize(
    ('words', 'command'),
    [
        ([], 'the same command with --resume at its end.'),
        (['--resume', 'old.pth'], 'with --resume alone, without old.pth.'),
        (
            ['--data', 'D', '--device', 'cpu', '--no-report'],
            '`m2det train --data D --work-dir run --device cpu --no-report --resume`.',
        ),
    ],
)
def test_an_interrupted_training_tells_how_to_go_on(
    words: list[str],
    command: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    def interrupted(*_: Any, **__: Any) -> None:
        raise TrainingInterrupted(Path('run', 'resume.pth'), 3, 2)

    monkeypatch.setattr(apis, 'train', interrupted)

    assert main(['train', 'some.py', *words]) == 130
    assert capsys.readouterr().err.rstrip().endswith(command)


def test_force_is_not_for_data_of_ones_own(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    assert main(['train', '--data', str(tmp_path), '--force']) == 2
    assert 'a run on data of your own replaces none' in capsys.readouterr().err
