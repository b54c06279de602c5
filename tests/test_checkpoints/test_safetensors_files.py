import io
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from mmengine.runner import CheckpointLoader, load_checkpoint
from safetensors.torch import save, save_file
from torch import nn

from m2det_mmdet.apis import M2DetError, train
from m2det_mmdet.checkpoints.errors import CheckpointError
from m2det_mmdet.checkpoints.loading import load_safely
from m2det_mmdet.checkpoints.safetensors_files import (
    is_safetensors,
    read_safetensors,
    write_safetensors,
)
from m2det_mmdet.checkpoints.weights import WeightsError, check_weights

load = CheckpointLoader.load_checkpoint
# 0.1 in float16 is 0.0999755859375; 70,000 is more than it can hold.
WEIGHTS = {'w': torch.tensor([[0.1, -2.0]]), 'large': torch.tensor([7e4])}
META = {'classes': ('a', 'ä'), 'palette': [(1, 2, 3), (4, 5, 6)]}


def test_what_is_written_is_read(tmp_path: Path) -> None:
    file = tmp_path / 'net.safetensors'
    weights = WEIGHTS | {'count': torch.tensor(3), 'turned': torch.ones(2, 3).T}

    write_safetensors(file, weights, META, dtype=torch.float16)
    loaded = load(str(file))

    assert loaded['meta']['dataset_meta'] == {
        'classes': ['a', 'ä'],
        'palette': [[1, 2, 3], [4, 5, 6]],
    }
    kept = loaded['state_dict']
    assert kept['w'].dtype == torch.float16
    assert kept['w'].tolist() == [[0.0999755859375, -2.0]]
    assert kept['large'].dtype == torch.float32
    assert kept['large'].item() == 7e4
    assert kept['count'].item() == 3
    assert kept['turned'].shape == (3, 2)


def test_without_a_dtype_nothing_changes(tmp_path: Path) -> None:
    write_safetensors(tmp_path / 'net.safetensors', WEIGHTS)
    loaded = load(str(tmp_path / 'net.safetensors'))

    assert loaded.keys() == {'state_dict'}
    torch.testing.assert_close(dict(loaded['state_dict']), WEIGHTS, rtol=0, atol=0)


def test_a_model_takes_float16_as_float32(tmp_path: Path) -> None:
    model = nn.Linear(2, 1)
    weights = {'weight': torch.tensor([[0.5, 0.1]]), 'bias': torch.tensor([1.0])}
    write_safetensors(tmp_path / 'net.safetensors', weights, dtype=torch.float16)

    load_checkpoint(model, str(tmp_path / 'net.safetensors'))

    assert model.weight.dtype == torch.float32
    assert model.weight.tolist() == [[0.5, 0.0999755859375]]


@pytest.mark.parametrize(
    ('where', 'expected'),
    [
        (None, 'cpu'),
        ('cpu', 'cpu'),
        ({}, 'cpu'),
        (lambda storage, place: storage, 'cpu'),
        ('meta', 'meta'),
        (torch.device('meta'), 'meta'),
        ({'cpu': 'meta'}, 'meta'),
    ],
)
def test_tensors_go_to_the_device(where: Any, expected: str, tmp_path: Path) -> None:
    save_file(WEIGHTS, tmp_path / 'net.safetensors')

    found = read_safetensors(str(tmp_path / 'net.safetensors'), where)['state_dict']
    assert {x.device.type for x in found.values()} == {expected}


def test_the_content_decides_not_the_name(tmp_path: Path) -> None:
    save_file(WEIGHTS, tmp_path / 'net.pth')
    torch.save(WEIGHTS, tmp_path / 'zipped.pth')
    torch.save(WEIGHTS, tmp_path / 'legacy.pth', _use_new_zipfile_serialization=False)

    assert is_safetensors(str(tmp_path / 'net.pth'))
    assert load(str(tmp_path / 'net.pth'))['state_dict'].keys() == WEIGHTS.keys()
    assert not is_safetensors(str(tmp_path / 'zipped.pth'))
    assert not is_safetensors(str(tmp_path / 'legacy.pth'))


def test_open_files_load_too() -> None:
    loaded = load_safely(io.BytesIO(save(WEIGHTS)))

    torch.testing.assert_close(dict(loaded['state_dict']), WEIGHTS)


def header(fields: Any, data: bytes = b'') -> bytes:
    text = json.dumps(fields).encode()
    return len(text).to_bytes(8, 'little') + text + data


def tensor(shape: list[int], end: int) -> dict:
    return {'w': {'dtype': 'F32', 'shape': shape, 'data_offsets': [0, end]}}


@pytest.mark.parametrize(
    'content',
    [
        b'',
        b'<!DOCTYPE html><html>404</html>',
        save(WEIGHTS)[:-1],
        save(WEIGHTS)[:30],
        (2**62).to_bytes(8, 'little') + b'{}',
        header(tensor([2**40], 4), bytes(4)),
        header(tensor([1], 4) | {'__metadata__': {'a': 1}}, bytes(4)),
        torch.tensor([1]).numpy().tobytes(),
    ],
    ids=['empty', 'page', 'cut', 'cut header', 'long', 'huge', 'meta', 'numbers'],
)
def test_damaged_files_end_in_one_sentence(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / 'bad.safetensors'
    file.write_bytes(content)

    with pytest.raises(CheckpointError) as info:
        load(str(file))
    message = str(info.value)
    assert message.startswith(f'{file} cannot be read as a checkpoint')
    assert '\n' not in message


@pytest.mark.parametrize(
    ('text', 'reason'),
    [
        ('{', 'its dataset_meta is no JSON'),
        ('[' * 10**5, 'its dataset_meta is no JSON'),
        ('[]', r'meta\.dataset_meta is \[\], not a mapping'),
        ('{"classes": [1]}', r'meta\.dataset_meta\.classes are \[1\], not names'),
        ('{"palette": [[300, 0, 0]]}', r'dataset_meta\.palette is .*, not colours'),
    ],
)
def test_strange_classes_are_refused(text: str, reason: str, tmp_path: Path) -> None:
    file = tmp_path / 'bad.safetensors'
    save_file(WEIGHTS, file, {'dataset_meta': text})

    with pytest.raises(CheckpointError, match=f'was refused: .*{reason}'):
        load(str(file))


def test_nan_is_found_as_in_other_files(tmp_path: Path) -> None:
    weights = {'weight': torch.tensor([[float('nan'), 0.0]]), 'bias': torch.zeros(1)}
    write_safetensors(tmp_path / 'net.safetensors', weights, dtype=torch.float16)
    loaded = load(str(tmp_path / 'net.safetensors'))

    with pytest.raises(WeightsError, match='tensor weight holds NaN'):
        check_weights(loaded, nn.Linear(2, 1), complete=True)


def test_no_training_goes_on_from_weights_alone(
    trained: SimpleNamespace, tmp_path: Path
) -> None:
    file = tmp_path / 'net.safetensors'
    weights = torch.load(trained.checkpoint, weights_only=False)['state_dict']
    write_safetensors(file, weights, {'classes': ['a']})

    with pytest.raises(M2DetError, match='cannot go on from this checkpoint'):
        train(trained.config, work_dir=tmp_path / 'work', resume=file)
