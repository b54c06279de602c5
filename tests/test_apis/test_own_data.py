"""One training on a folder of pictures, and what its run folder holds."""

import csv
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import pytest
import torch
from mmengine.config import Config

from m2det_mmdet.apis import DataRead, M2DetError, evaluate, train
from m2det_mmdet.apis.own_data import begin_run
from m2det_mmdet.apis.run_folder import OwnData
from m2det_mmdet.datasets.scenes import write_scenes
from m2det_mmdet.recipes.options import TrainingOptions

CLASSES = ('house', 'tree', 'fish', 'boat')
FEW = {'num_train': 8, 'num_val': 4, 'num_test': 2, 'size': (128, 128)}
QUICK = {
    'image_size': 128,
    'options': {
        'train_dataloader.num_workers': 0,
        'train_dataloader.persistent_workers': False,
        'val_dataloader.num_workers': 0,
        'val_dataloader.persistent_workers': False,
        'test_dataloader.num_workers': 0,
        'test_dataloader.persistent_workers': False,
        'model.test_cfg.score_thr': 0.01,
    },
}


@pytest.fixture(scope='module')
def run(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    folder = tmp_path_factory.mktemp('own')
    write_scenes(folder / 'toys', **FEW, collection='toys')
    before = _times(folder / 'toys')
    events = []
    result = train(
        data=folder / 'toys',
        work_dir=folder / 'run',
        epochs=2,
        seed=3,
        device='cpu',
        on_event=events.append,
        **QUICK,
    )
    assert _times(folder / 'toys') == before
    return SimpleNamespace(
        data=folder / 'toys', folder=folder / 'run', result=result, events=events
    )


def _times(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob('*')}


def test_the_run_folder_holds_what_people_look_for(run: SimpleNamespace) -> None:
    names = {path.name for path in run.folder.iterdir()}

    assert {
        *('config.py', 'best.pth', 'last.pth', 'results.csv', 'args.json'),
        *('check.json', 'log.txt', 'train_images.jpg'),
    } <= names
    assert run.result.config == run.folder / 'config.py'
    assert run.result.usable_checkpoint == run.folder / 'best.pth'
    assert run.result.checkpoint == run.folder / 'last.pth'
    assert (run.folder / 'last.pth').samefile(run.folder / 'epoch_2.pth')
    assert 'Epoch(train)' in (run.folder / 'log.txt').read_text()
    assert cv2.imread(str(run.folder / 'train_images.jpg')).shape[2] == 3
    with open(run.folder / 'results.csv', newline='') as file:
        rows = list(csv.DictReader(file))
    assert [row['epoch'] for row in rows] == ['1', '2']
    assert all(float(row['loss']) > 0 for row in rows)
    arguments = json.loads((run.folder / 'args.json').read_text())['arguments']
    assert (arguments['epochs'], arguments['seed']) == (2, 3)
    assert json.loads((run.folder / 'check.json').read_text())['form'] == 'coco'


def test_the_config_follows_from_the_data(run: SimpleNamespace) -> None:
    cfg = Config.fromfile(run.folder / 'config.py')

    assert cfg.model.bbox_head.num_classes == 4
    assert cfg.train_dataloader.dataset.metainfo.classes == CLASSES
    assert cfg.test_dataloader.dataset.ann_file.endswith('test.json')
    assert cfg.load_from == 'm2det_r18_scenes'
    assert cfg.randomness.seed == 3
    assert (cfg.train_cfg.max_epochs, cfg.train_cfg.get('val_interval', 1)) == (2, 1)


def test_it_starts_from_the_weights_that_fit(run: SimpleNamespace) -> None:
    read, started = run.events[:2]

    assert isinstance(read, DataRead)
    assert read.start == 'm2det_r18_scenes'
    assert 'bbox_head' in started.left_out
    assert 'backbone' not in started.left_out


def test_its_checkpoint_knows_the_classes(run: SimpleNamespace) -> None:
    best = torch.load(run.folder / 'best.pth', weights_only=False)

    assert tuple(best['meta']['dataset_meta']['classes']) == CLASSES


def test_the_config_repeats_the_training(run: SimpleNamespace, tmp_path: Path) -> None:
    again = train(run.folder / 'config.py', work_dir=tmp_path / 'again', device='cpu')

    one, other = (
        torch.load(path, weights_only=False)['state_dict']
        for path in (run.folder / 'last.pth', again.checkpoint)
    )
    assert all(other[name].equal(value) for name, value in one.items())


def test_a_run_is_tested_by_its_files_which_stay(run: SimpleNamespace) -> None:
    config = run.folder / 'config.py'
    before = config.read_bytes()

    tested = evaluate(config, run.folder / 'best.pth')

    assert 0 <= tested.ap <= 1
    assert config.read_bytes() == before


def test_a_run_folder_in_use_is_refused_and_kept(run: SimpleNamespace) -> None:
    before = _times(run.folder)
    with pytest.raises(M2DetError, match='is not empty: give another name'):
        train(data=run.data, work_dir=run.folder, epochs=1, **QUICK)
    assert _times(run.folder) == before


def test_a_run_goes_on(run: SimpleNamespace, tmp_path: Path) -> None:
    with pytest.raises(M2DetError, match='needs the name of the run'):
        train(data=run.data, resume=True)
    with pytest.raises(M2DetError, match='no run in .*elsewhere to resume'):
        train(data=run.data, work_dir=tmp_path / 'elsewhere', resume=True)

    # MMEngine's note names the folder as it was, before somebody moved it.
    (run.folder / 'last_checkpoint').write_text('/elsewhere/epoch_2.pth')
    result = train(data=run.data, work_dir=run.folder, resume=True, device='cpu')
    # It was done.
    assert result.epochs == 2


def test_a_run_goes_on_as_it_began(run: SimpleNamespace, tmp_path: Path) -> None:
    go_on = {'data': run.data, 'work_dir': run.folder, 'resume': True}
    with pytest.raises(M2DetError, match=r'leave out epochs, freeze, .*last\.pth'):
        train(**go_on, epochs=5, freeze=['neck'])
    with pytest.raises(M2DetError, match='leave out config, options, or'):
        train('m2det_r18_320', **go_on, options={'optim_wrapper.optimizer.lr': 1})
    with pytest.raises(M2DetError, match='was begun with the data .*toys, not '):
        train(**{**go_on, 'data': tmp_path})


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ({}, 'nothing to train: give a config, or data'),
        ({'epochs': 0}, 'epochs must be at least 1, got 0'),
        ({'image_size': 8}, 'image_size must be at least 32, got 8'),
        ({'batch_size': 0}, 'batch_size must be at least 1, got 0'),
        ({'patience': 0}, 'patience must be at least 1, got 0'),
        ({'seed': -1}, 'seed must be at least 0, got -1'),
        ({'start': 'm2det_r18_scene'}, 'no checkpoint m2det_r18_scene'),
        ({'device': 'abacus'}, 'device abacus cannot be used here'),
        (
            {'name': 'mine'},
            'name, check_images and allow_outside are for data of your own',
        ),
    ],
)
def test_wrong_arguments_are_named(arguments: dict, message: str) -> None:
    config = {'config': 'm2det_r18_320'} if arguments else {}
    with pytest.raises(M2DetError, match=message):
        train(**config, **arguments)


def test_what_cannot_begin_stops_and_leaves_nothing(
    run: SimpleNamespace, tmp_path: Path
) -> None:
    (tmp_path / 'empty').mkdir()
    folder = tmp_path / 'run'
    with pytest.raises(M2DetError, match='empty'):
        train(data=tmp_path / 'empty', work_dir=folder)
    with pytest.raises(M2DetError, match='belong to images of 300 pixels'):
        train(
            'mmdet::ssd/ssd300_coco.py', data=run.data, image_size=64, work_dir=folder
        )
    with pytest.raises(M2DetError, match='amp trains on a GPU'):
        train(data=run.data, work_dir=folder, amp=True, device='cpu')
    with pytest.raises(M2DetError, match='no module bckbone'):
        # Seen when all is built, just before the first batch.
        train(data=run.data, work_dir=folder, freeze=['bckbone'], **QUICK)
    assert not folder.exists()


def _config(run: SimpleNamespace, folder: Path, **arguments: Any) -> Config:
    """Begin a run that is not trained, and return its config."""
    config, changes = arguments.pop('config', 'm2det_r18_320'), {'image_size': 128}
    begin_run(
        OwnData(run.data, work_dir=folder),
        config,
        TrainingOptions(**changes, start=arguments.pop('start', None)),
        **{
            'settings': {},
            'adapt': lambda _: None,
            'launcher': 'none',
            'report': lambda _: None,
            **arguments,
        },
    )
    return Config.fromfile(folder / 'config.py')


def test_settings_of_the_schedule_are_scaled_with_it(
    run: SimpleNamespace, tmp_path: Path
) -> None:
    settings = {
        'train_cfg.max_epochs': 6,
        'param_scheduler.1.T_max': 6,
        'train_dataloader.batch_size': 4,
    }

    cfg = _config(run, tmp_path / 'run', settings=settings)

    assert cfg.train_cfg.max_epochs == 6
    # 6 epochs of 8 images, 4 a batch.
    assert cfg.param_scheduler[-1].T_max == 12
    assert cfg.train_dataloader.batch_size == 4


def test_what_is_adapted_is_in_the_config(run: SimpleNamespace, tmp_path: Path) -> None:
    def adapt(cfg: Config) -> None:
        cfg.optim_wrapper.type = 'AmpOptimWrapper'

    cfg = _config(run, tmp_path / 'run', adapt=adapt)

    assert cfg.optim_wrapper.type == 'AmpOptimWrapper'


def test_a_checkpoint_is_found_from_any_folder(
    run: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(run.folder)

    cfg = _config(run, tmp_path / 'run', start='best.pth')

    assert cfg.load_from == str(run.folder / 'best.pth')
