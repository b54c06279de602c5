"""The command that converts the authors' checkpoints."""

import errno
import os
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmdet.apis import init_detector
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope

from m2det_mmdet.analysis.structure import structure_of
from m2det_mmdet.checkpoints.embedded_config import embedded_config
from m2det_mmdet.checkpoints.loading import load_with_config
from m2det_mmdet.cli import main
from m2det_mmdet.convert import to_refinedet, to_release
from m2det_mmdet.datasets.scenes import CLASSES, write_scenes
from m2det_mmdet.utils.configs import load_config

BASE = Path(__file__).parents[2] / 'configs' / 'm2det' / 'm2det_r18_scenes.py'
CONFIG = f"""
_base_ = {str(BASE)!r}

model = dict(
    backbone=dict(base_channels=8, stem_channels=8),
    neck=dict(
        in_channels=(16, 32),
        ffm_channels=(8, 8),
        tum_channels=8,
        share_leach=True,
        extra_norm=True,
        sfam=False,
    ),
)
"""


@pytest.fixture(scope='module')
def released(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """Paths of a config and of a release checkpoint of its network, and its weights."""
    root = tmp_path_factory.mktemp('released')
    config = root / 'small.py'
    config.write_text(CONFIG)
    init_default_scope('mmdet')
    model = MODELS.build(Config.fromfile(config).model)
    weights = model.state_dict()
    release = to_release(weights, model)
    old = {
        f'module.{name}': value
        for name, value in release.items()
        if not name.endswith('num_batches_tracked')
    }
    old['module.base.fc.weight'] = torch.zeros(10, 32)
    checkpoint = root / 'released.pth'
    torch.save(OrderedDict(old), checkpoint)
    parameters = sum(value.numel() for value in model.parameters())
    return SimpleNamespace(
        config=str(config),
        checkpoint=checkpoint,
        weights=weights,
        parameters=parameters,
        num_read=len(old),
    )


def test_a_converted_checkpoint_is_one_of_mmdet(
    released: SimpleNamespace, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    out = tmp_path / 'new' / 'folder' / 'ours.pth'

    assert main(['convert', str(released.checkpoint), released.config, str(out)]) == 0
    printed = capsys.readouterr().out

    model = init_detector(released.config, str(out), device='cpu')
    assert model.dataset_meta['classes'] == CLASSES
    found = model.state_dict()
    assert found.keys() == released.weights.keys()
    assert all(torch.equal(found[name], x) for name, x in released.weights.items())
    # The unused classifier, of 10 x 32 weights, is read; the repeated leach is not.
    assert printed.splitlines() == [
        f'Read {released.checkpoint}: {released.num_read} tensors, '
        f'{released.parameters + 320:,} parameters',
        'Left out, the network does not use it: base.fc.weight',
        '6 names of the release repeat tensors of its shared layers (leach)',
        f'Absent, set to zero: {_count(found) + 1} num_batches_tracked',
        f'Wrote {out}: {len(found)} tensors, {released.parameters:,} parameters',
        'Input size, anchors and pixel statistics come from CONFIG',
    ]
    assert os.listdir(out.parent) == ['ours.pth']


@pytest.mark.parametrize('command', ['test', 'predict'])
def test_an_unconverted_checkpoint_stops(
    command: str,
    released: SimpleNamespace,
    tmp_path: Path,
    capsys: pytest.CaptureFixture,
) -> None:
    scenes = tmp_path / 'scenes'
    write_scenes(scenes, num_train=1, num_val=1, num_test=1, size=(128, 128))
    argv = [command, released.config, str(released.checkpoint)]
    if command == 'predict':
        argv += [str(scenes / 'val'), '-o', str(tmp_path / 'out')]
    else:
        annotations = scenes / 'annotations' / 'val.json'
        argv += ['--work-dir', str(tmp_path / 'work'), '--cfg-options']
        argv += [f'test_evaluator.ann_file={annotations}']
        argv += [f'test_dataloader.dataset.data_root={scenes}/']
        argv += ['test_dataloader.num_workers=0']
        argv += ['test_dataloader.persistent_workers=False']

    assert main(argv) == 2
    assert 'write one that loads here with `m2det convert' in capsys.readouterr().err
    assert not (tmp_path / 'out').exists()


def test_there_and_back(
    released: SimpleNamespace, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    ours, back = tmp_path / 'ours.pth', tmp_path / 'back.pth'
    checkpoint = {
        'state_dict': released.weights,
        'ema_state_dict': {},
        'optimizer': {},
    }
    torch.save(checkpoint, ours)

    argv = ['convert', str(ours), released.config, str(back), '--to-release']
    assert main(argv) == 0

    # What PyTorch 0.4 can read: no zip archive.
    assert not zipfile.is_zipfile(back)
    found = torch.load(back, weights_only=True)
    assert isinstance(found, OrderedDict)
    expected = torch.load(released.checkpoint, weights_only=True)
    del expected['module.base.fc.weight']
    assert {f'module.{x}' for x in found if 'num_batches' not in x} == set(expected)
    for name, value in expected.items():
        assert torch.equal(found[name.removeprefix('module.')], value), name
    assert 'Not written: base.fc' in capsys.readouterr().out

    assert main(['convert', str(back), released.config, str(ours), '--force']) == 0
    again = torch.load(ours, weights_only=True)['state_dict']
    assert all(torch.equal(again[name], x) for name, x in released.weights.items())


def test_a_checkpoint_of_refinedets_port_there_and_back(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    config = 'refinedet_vgg_320_voc0712'
    model = structure_of(load_config(config))
    ours = {
        name: torch.tensor(i).half().expand(value.shape)
        for i, (name, value) in enumerate(model.state_dict().items())
    }
    port, out, back = (tmp_path / f'{name}.pth' for name in ('port', 'out', 'back'))
    weights = to_refinedet(ours, model)
    weights['odm_conf.0.bias'][::21] = -1
    torch.save(OrderedDict(weights), port)

    assert main(['convert', str(port), config, str(out)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f'Read {port}: 98 tensors, 34,440,884 parameters',
        f'Wrote {out}: 98 tensors, 34,440,884 parameters',
        'Input size, anchors and pixel statistics come from CONFIG',
    ]
    checkpoint = torch.load(out, weights_only=True)
    found = checkpoint['state_dict']
    bias = found.pop('bbox_head.cls_convs.0.0.bias')
    assert (bias == -1).nonzero().flatten().tolist() == [20, 41, 62]
    assert all(torch.equal(value, ours[name]) for name, value in found.items())
    assert len(found) == len(ours) - 1
    assert len(checkpoint['meta']['dataset_meta']['classes']) == 20

    assert main(['convert', str(out), config, str(back), '--to-release']) == 0
    found = torch.load(back, weights_only=True)
    assert found.keys() == weights.keys()
    assert all(torch.equal(value, weights[name]) for name, value in found.items())


def test_class_names_are_written_only_if_they_fit(
    released: SimpleNamespace, tmp_path: Path
) -> None:
    state = torch.load(released.checkpoint, weights_only=True)
    anchors = len(state['module.loc.0.bias']) // 4
    for scale in range(4):
        for name in ('weight', 'bias'):
            key = f'module.conf.{scale}.{name}'
            state[key] = state[key][: anchors * 4]
    torch.save({'model': state}, tmp_path / 'three.pth')
    out = tmp_path / 'out.pth'
    argv = ['convert', str(tmp_path / 'three.pth'), released.config, str(out)]

    assert main([*argv, '--cfg-options', 'model.bbox_head.num_classes=3']) == 0

    assert torch.load(out, weights_only=True)['meta'].keys() == {'cfg'}


def _flip_a_byte(path: Path, data: bytes) -> None:
    with zipfile.ZipFile(path) as archive:
        part = max(archive.infolist(), key=lambda info: info.file_size)
    middle = part.header_offset + part.file_size // 2
    path.write_bytes(data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :])


class _Command:
    def __reduce__(self) -> tuple:
        return os.system, ('exit 1',)


SPOILED = {
    'damaged': (_flip_a_byte, 'is damaged (in its part '),
    'truncated': (
        lambda path, data: path.write_bytes(data[: len(data) // 2]),
        'it is damaged, incomplete or of another kind',
    ),
    'empty': (lambda path, _: path.write_bytes(b''), 'cannot be read as a checkpoint'),
    'code': (
        lambda path, _: path.write_bytes(pickle.dumps({'x': _Command()}, protocol=2)),
        'was refused: it holds',
    ),
    'foreign': (
        lambda path, _: torch.save({'layer1.0.conv1.weight': torch.ones(1)}, path),
        'Unexpected (1):\n  layer1.0.conv1.weight\nIf it is a checkpoint of the',
    ),
    'optimizer': (
        lambda path, _: torch.save({'optimizer': {'state': {}}}, path),
        'dense floating point tensors.\nUnexpected (1):\n  optimizer\n',
    ),
    'tensor': (
        lambda path, _: torch.save(torch.ones(1), path),
        'the file is one Tensor, not a mapping of names',
    ),
    'missing': (lambda path, _: path.unlink(), 'the order of arguments is INPUT'),
}


@pytest.mark.parametrize('spoil', SPOILED)
def test_spoiled_files_are_refused(
    spoil: str,
    released: SimpleNamespace,
    tmp_path: Path,
    capsys: pytest.CaptureFixture,
) -> None:
    path = tmp_path / 'spoiled.pth'
    data = released.checkpoint.read_bytes()
    path.write_bytes(data)
    write, message = SPOILED[spoil]
    write(path, data)

    argv = ['convert', str(path), released.config, str(tmp_path / 'out.pth')]
    assert main(argv) == 2

    output = capsys.readouterr()
    assert output.out == ''
    assert output.err.startswith('m2det convert: ')
    assert 'spoiled.pth' in output.err
    assert message in output.err
    assert set(os.listdir(tmp_path)) <= {'spoiled.pth'}


def test_what_is_there_is_not_replaced_unasked(
    released: SimpleNamespace, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    there = tmp_path / 'there.pth'
    there.write_text('mine')
    link = tmp_path / 'link.pth'
    link.hardlink_to(released.checkpoint)
    before = released.checkpoint.read_bytes()

    def convert(out: Path, *options: str) -> str:
        argv = ['convert', str(released.checkpoint), released.config, str(out)]
        assert main([*argv, *options]) == 2
        return capsys.readouterr().err

    assert 'there.pth exists: give another name, or --force' in convert(there)
    assert 'is a folder' in convert(tmp_path, '--force')
    assert 'is the file to read' in convert(released.checkpoint, '--force')
    assert 'is the file to read' in convert(link, '--force')
    assert 'cannot be written' in convert(there / 'out.pth')
    assert there.read_text() == 'mine'
    assert released.checkpoint.read_bytes() == before
    assert set(os.listdir(tmp_path)) == {'there.pth', 'link.pth'}


@pytest.mark.parametrize(
    'error', [OSError(errno.ENOSPC, 'disk full'), KeyboardInterrupt()]
)
def test_a_failed_write_leaves_the_old_file(
    error: BaseException,
    released: SimpleNamespace,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = tmp_path / 'out.pth'
    out.write_text('old')
    monkeypatch.setattr(torch, 'save', _fail_halfway(error))

    argv = ['convert', str(released.checkpoint), released.config, str(out), '--force']
    assert main(argv) in (2, 130)

    assert os.listdir(tmp_path) == ['out.pth']
    assert out.read_text() == 'old'


@pytest.mark.parametrize(
    'option', ['neck.num_levels=0', 'neck.nosuch=1', 'type=NoSuch', 'backbone.depth=99']
)
def test_a_config_that_does_not_build_is_named(
    option: str,
    released: SimpleNamespace,
    tmp_path: Path,
    capsys: pytest.CaptureFixture,
) -> None:
    out = str(tmp_path / 'out.pth')
    argv = ['convert', str(released.checkpoint), released.config, out]

    assert main([*argv, '--cfg-options', f'model.{option}']) == 2

    assert 'does not build: ' in capsys.readouterr().err


def test_the_input_is_recognised_under_the_home_folder(
    released: SimpleNamespace,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    monkeypatch.setenv('HOME', str(released.checkpoint.parent))
    home = f'~/{released.checkpoint.name}'

    assert main(['convert', home, released.config, home, '--force']) == 2
    assert 'is the file to read' in capsys.readouterr().err


def test_swapped_arguments_are_named(
    released: SimpleNamespace, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    there = tmp_path / 'there.pth'
    there.write_text('mine')

    assert main(['convert', str(released.checkpoint), str(there), 'small']) == 2
    assert 'there.pth is no config' in capsys.readouterr().err


def _fail_halfway(error: BaseException) -> Callable:
    def save(checkpoint: dict, file: object, **options: object) -> None:
        file.write(b'half')
        raise error

    return save


def _count(state: dict) -> int:
    return sum(name.endswith('num_batches_tracked') for name in state)


def test_a_checkpoint_of_the_config_goes_into_either_form_and_back(
    released: SimpleNamespace, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    ours, sent, back = (tmp_path / x for x in ('o.pth', 's.safetensors', 'b.pth'))
    meta = {'dataset_meta': {'classes': CLASSES, 'palette': [(1, 2, 3)] * len(CLASSES)}}
    state = {'state_dict': released.weights, 'meta': meta, 'optimizer': {'a': 1}}
    torch.save(state, ours)

    assert main(['convert', str(ours), released.config, str(sent)]) == 0
    assert 'its weights alone: no training' in capsys.readouterr().out
    argv = ['convert', str(sent), released.config, str(back), '--format', 'pth']
    assert main(argv) == 0

    assert ours.stat().st_size > sent.stat().st_size
    for file in (sent, back):
        found, config = load_with_config(str(file), 'cpu')
        kept = found['state_dict']
        assert found.keys() == {'state_dict', 'meta'}
        assert kept.keys() == released.weights.keys()
        assert all(torch.equal(kept[x], y) for x, y in released.weights.items())
        assert kept._metadata.keys() == released.weights._metadata.keys()
        assert [*found['meta']['dataset_meta']['classes']] == [*CLASSES]
        assert [*found['meta']['dataset_meta']['palette'][0]] == [1, 2, 3]
        assert embedded_config(config, 'x').model.neck.tum_channels == 8


def test_the_release_goes_into_safetensors_and_back(
    released: SimpleNamespace, tmp_path: Path
) -> None:
    ours, back = tmp_path / 'ours.safetensors', tmp_path / 'back.safetensors'

    assert main(['convert', str(released.checkpoint), released.config, str(ours)]) == 0
    argv = ['convert', str(ours), released.config, str(back), '--to-release']
    assert main(argv) == 0

    found = load_with_config(str(back), 'cpu')[0]['state_dict']
    expected = torch.load(released.checkpoint, weights_only=True)
    del expected['module.base.fc.weight']
    for name, value in expected.items():
        assert torch.equal(found[name.removeprefix('module.')], value), name


def test_a_form_and_a_name_of_another_one_stop(
    released: SimpleNamespace, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    argv = ['convert', str(released.checkpoint), released.config]
    argv += [str(tmp_path / 'out.pth'), '--format', 'safetensors']

    assert main(argv) == 2
    assert 'call it out.safetensors.' in capsys.readouterr().err
