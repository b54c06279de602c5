import functools
import http.server
import io
import os
import threading
from argparse import Namespace
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.hooks import Hook
from mmengine.logging import HistoryBuffer
from mmengine.model import BaseModel
from mmengine.runner import CheckpointLoader, Runner
from torch import Tensor, nn

from m2det_mmdet.checkpoints.errors import CheckpointError
from m2det_mmdet.checkpoints.loading import load_safely
from m2det_mmdet.checkpoints.safe_types import safe_globals
from m2det_mmdet.checkpoints.sources import find_checkpoint

from .hostile import Call

load = CheckpointLoader.load_checkpoint


@pytest.fixture
def marker(tmp_path: Path) -> Iterator[Path]:
    """A file that the pickles below would create."""
    path = tmp_path / 'marker'
    yield path
    assert not path.exists()


def test_marker_would_appear_if_the_pickle_ran(tmp_path: Path) -> None:
    file = tmp_path / 'evil.pth'
    torch.save(Call(os.system, f'touch {tmp_path}/marker'), file)
    torch.load(file, weights_only=False)

    assert (tmp_path / 'marker').exists()


@pytest.mark.parametrize('zipped', [True, False])
@pytest.mark.parametrize('place', ['top', 'meta', 'tensor state', 'history'])
def test_commands_are_refused(
    place: str, zipped: bool, marker: Path, tmp_path: Path
) -> None:
    evil = Call(os.system, f'touch {marker}')
    history = HistoryBuffer([1.0], [1])
    history.extra = evil
    content = {
        'top': evil,
        'meta': {'meta': {'dataset_meta': [{'classes': (evil,)}]}},
        'tensor state': {'state_dict': {'weight': torch.ones(2), 'hook': evil}},
        'history': {'message_hub': {'log_scalars': {'loss': history}}},
    }[place]
    file = tmp_path / 'evil.pth'
    torch.save(content, file, _use_new_zipfile_serialization=zipped)

    with pytest.raises(CheckpointError, match=r'evil\.pth was refused: it holds .*sys'):
        load(str(file))


@pytest.mark.parametrize(
    ('call', 'name'),
    [
        (Call(getattr, HistoryBuffer, '__init__'), 'HistoryBuffer.__init__'),
        (Call(getattr, HistoryBuffer, '__reduce_ex__'), 'HistoryBuffer.__reduce_ex__'),
        (Call(getattr, ConfigDict, 'fromkeys'), 'ConfigDict.fromkeys'),
        (Call(getattr, np.ndarray, 'tofile'), 'ndarray.tofile'),
        (Call(getattr, np.ndarray, 'min'), 'ndarray.min'),
        (Call(eval, '1'), 'eval'),
        (Call(__import__, 'subprocess'), '__import__'),
        (Call(torch.load, 'other.pth'), 'torch.serialization.load'),
        (Namespace(a=1), 'argparse.Namespace'),
    ],
)
def test_ways_round_the_list_are_refused(call: Any, name: str, tmp_path: Path) -> None:
    file = tmp_path / 'evil.pth'
    torch.save({'meta': call}, file)

    with pytest.raises(CheckpointError) as info:
        load(str(file))
    assert f'it holds {name}, which' in str(info.value)
    assert '\n' not in str(info.value)
    assert str(file) in str(info.value)


@pytest.mark.parametrize('zipped', [True, False])
def test_plain_content_loads(zipped: bool, tmp_path: Path) -> None:
    content = {
        'history': HistoryBuffer([1.0, 2.0], [1, 1]),
        'config': ConfigDict(a=1, b={'c': [1, 2]}),
        'arrays': [np.arange(3), np.array(['a', 'bc']), np.array([True])],
        'scalars': [np.float32(0.5), np.int64(7), np.bool_(True)],
        'meta': {'classes': ('a', 'b'), 'palette': [(1, 2, 3)], 'time': 2**40},
        'text': 'ä' * 300,
        'none': None,
        'set': {1, 2},
        'empty': (b'', bytearray(), set(), OrderedDict(), torch.Size([])),
        'weights': {'w': torch.ones(2, dtype=torch.bfloat16)},
    }
    file = tmp_path / 'plain.pth'
    torch.save(content, file, _use_new_zipfile_serialization=zipped)
    loaded = load(str(file))

    assert loaded['history'].statistics('mean') == 1.5
    assert type(loaded['config']) is ConfigDict
    for key in ('config', 'meta', 'text', 'none', 'set', 'empty', 'scalars'):
        assert loaded[key] == content[key]
    for got, saved in zip(loaded['arrays'], content['arrays'], strict=True):
        assert got.dtype == saved.dtype
        np.testing.assert_array_equal(got, saved)
    torch.testing.assert_close(loaded['weights'], content['weights'])


def test_what_the_user_allowed_stays_allowed(tmp_path: Path) -> None:
    file = tmp_path / 'args.pth'
    torch.save({'args': Namespace(a=1)}, file)
    # The second is on our own list as well.
    allowed = [Namespace, type(np.dtype('f8'))]
    with torch.serialization.safe_globals(allowed):
        assert load(str(file))['args'].a == 1
        assert set(allowed) <= set(torch.serialization.get_safe_globals())


def test_list_holds_only_while_loading() -> None:
    before = torch.serialization.get_safe_globals()
    with safe_globals():
        assert len(torch.serialization.get_safe_globals()) > len(before)

    assert set(torch.serialization.get_safe_globals()) == set(before)


@pytest.mark.parametrize(
    ('content', 'start'),
    [
        (b'', "b''"),
        (b'<!DOCTYPE html><html>404</html>', "b'<!DOCTYPE html>"),
        (b'version https://git-lfs.github.com/spec/v1\n', 'version https'),
        ('cut zip', 'PK'),
        ('cut legacy', r'x80'),
    ],
)
def test_damaged_files_are_named(
    content: bytes | str, start: str, tmp_path: Path
) -> None:
    file = tmp_path / 'bad.pth'
    if isinstance(content, str):
        buffer = io.BytesIO()
        zipped = content == 'cut zip'
        torch.save({'w': torch.rand(99)}, buffer, _use_new_zipfile_serialization=zipped)
        content = buffer.getvalue()[:-40]
    file.write_bytes(content)

    with pytest.raises(CheckpointError) as info:
        load(str(file))
    message = str(info.value)
    assert message.startswith(f'{file} cannot be read as a checkpoint')
    assert start in message
    assert '\n' not in message


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r'none\.pth does not exist'):
        load(str(tmp_path / 'none.pth'))


def test_open_files_load_too() -> None:
    buffer = io.BytesIO()
    torch.save({'a': 1}, buffer)
    buffer.seek(0)

    assert load_safely(buffer) == {'a': 1}


def test_every_scheme_of_mmengine_is_replaced() -> None:
    modules = {loader.__module__ for loader in CheckpointLoader._schemes.values()}

    assert modules == {'m2det_mmdet.checkpoints.loading'}


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'home'))
    monkeypatch.setenv('MMENGINE_HOME', str(tmp_path / 'home'))
    folder = tmp_path / 'served'
    folder.mkdir()
    torch.save({'backbone.w': torch.ones(1), 'head.w': 0}, folder / 'good.pth')
    torch.save(Call(os.system, f'touch {tmp_path}/marker'), folder / 'evil.pth')
    handler = functools.partial(QuietHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(('127.0.0.1', 0), handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f'http://127.0.0.1:{running.server_port}'
        running.shutdown()


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args: Any) -> None:
        pass


def test_downloads_are_cached_and_loaded_safely(
    server: str, marker: Path, tmp_path: Path
) -> None:
    assert load(f'{server}/good.pth')['backbone.w'] == 1
    assert (tmp_path / 'home/hub/checkpoints/good.pth').is_file()
    with pytest.raises(CheckpointError, match=r'evil\.pth .*delete that.* refused'):
        load(f'{server}/evil.pth')


def test_model_names_lead_to_downloads(
    server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    urls = {'model': f'{server}/good.pth'}
    found = 'm2det_mmdet.checkpoints.sources.find_spec'
    monkeypatch.setattr(found, lambda name: name)
    for table in ('get_torchvision_models', 'get_external_models', 'get_mmcls_models'):
        monkeypatch.setattr(f'mmengine.runner.checkpoint.{table}', lambda: urls)

    for scheme in ('torchvision', 'modelzoo', 'open-mmlab', 'openmmlab'):
        assert set(load(f'{scheme}://model')) == {'backbone.w', 'head.w'}
    assert load('mmcls://model') == {'state_dict': {'w': torch.ones(1)}}


def test_names_of_torchvision_need_no_torchvision(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    module = 'm2det_mmdet.checkpoints.sources'
    monkeypatch.setattr(f'{module}.find_spec', lambda name: None)
    monkeypatch.setattr(f'{module}.find_on_web', lambda url: url)

    url = find_checkpoint('torchvision://resnet50')
    assert url == 'https://download.pytorch.org/models/resnet50-0676ba61.pth'


class TinyModel(BaseModel):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(2, 1)

    def forward(self, inputs: list[Tensor], mode: str = 'tensor') -> Any:
        return {'loss': self.fc(torch.stack(inputs)).pow(2).mean()}


class TinyData(torch.utils.data.Dataset):
    metainfo = ConfigDict(classes=('a', 'b'), palette=[(1, 2, 3)], mean=np.ones(3))

    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        return {'inputs': torch.ones(2) * index}


class StateHook(Hook):
    """Leaves in the message hub what mmdet's hooks leave there."""

    def after_train_iter(self, runner: Runner, *args: Any, **kwargs: Any) -> None:
        runner.message_hub.update_info('array', np.arange(3))
        runner.message_hub.update_scalar('scalar', np.float64(0.5))


def runner(folder: Path, **kwargs: Any) -> Runner:
    return Runner(
        model=TinyModel(),
        work_dir=str(folder),
        train_dataloader={'dataset': TinyData(), 'batch_size': 2,
                          'sampler': {'type': 'DefaultSampler', 'shuffle': False},
                          'collate_fn': {'type': 'pseudo_collate'}},
        train_cfg={'by_epoch': True, 'max_epochs': 2},
        optim_wrapper={'optimizer': {'type': 'Adam', 'lr': 0.1}},
        param_scheduler=[{'type': 'OneCycleLR', 'eta_max': 0.1, 'total_steps': 4}],
        default_hooks={'checkpoint': {'type': 'CheckpointHook', 'interval': 1,
                                      'published_keys': ['meta', 'state_dict']}},
        custom_hooks=[StateHook(), {'type': 'EMAHook'}],
        randomness={'seed': 3},
        default_scope='mmengine',
        experiment_name=folder.name,
        **kwargs,
    )  # fmt: skip


def test_a_runner_resumes_its_own_checkpoint(tmp_path: Path) -> None:
    first = runner(tmp_path / 'first')
    first.train()
    file = tmp_path / 'first/epoch_1.pth'
    resumed = runner(tmp_path / 'resumed', load_from=str(file), resume=True)
    resumed.train()

    # The first run's second epoch, repeated from its file.
    assert resumed.epoch == 2
    for name, value in first.model.state_dict().items():
        torch.testing.assert_close(resumed.model.state_dict()[name], value)
    history = resumed.message_hub.get_scalar('train/loss')
    assert len(history.data[0]) == 2
    assert list((tmp_path / 'first').glob('epoch_2-*.pth'))


@pytest.mark.parametrize(
    ('url', 'reason'),
    [
        # A port that nothing listens to.
        ('http://127.0.0.1:9/folder/net.pth', 'Connection refused'),
        ('http://127.0.0.1:port/folder/net.pth', 'nonnumeric port'),
        ('http:///net.pth', 'no host given'),
    ],
)
def test_without_a_network_the_place_for_a_copy_is_named(
    url: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.hub, '_hub_dir', str(tmp_path))
    copy = tmp_path / 'checkpoints' / 'net.pth'

    with pytest.raises(CheckpointError) as info:
        load(url, 'cpu')

    message = str(info.value)
    assert message.startswith(f'{url} cannot be downloaded (')
    assert reason in message
    assert message.endswith(f'download the file elsewhere and put it at {copy}.')
    torch.save({'w': torch.ones(2)}, copy)
    assert load(url, 'cpu')['w'].tolist() == [1, 1]


@pytest.mark.parametrize(
    ('name', 'hint'),
    [
        ('torchvision://resnet51', 'did you mean resnet'),
        ('open-mmlab://detectron/resnet50_cafe', 'mean detectron/resnet50_caffe'),
        ('mmcls://vgg17', 'did you mean vgg'),
        ('mmcls://', 'check the name.'),
    ],
)
def test_an_unknown_name_of_a_model_is_named(name: str, hint: str) -> None:
    with pytest.raises(CheckpointError, match=rf'There is no model {name}: .*{hint}'):
        load(name, 'cpu')
