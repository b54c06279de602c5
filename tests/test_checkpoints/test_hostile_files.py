from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.runner import CheckpointLoader

from m2det_mmdet.checkpoints.archives import check_archive
from m2det_mmdet.checkpoints.errors import CheckpointError

from .hostile_files import file_kinds

# What is wrong with these is found, if at all, when they are compared with a model.
READ = {
    'byte order big',
    'pickle: a memo of 2**31',
    'pickle: protocol 200',
    'safetensors: a name twice',
    'safetensors: a config that is a program',
    'safetensors: versions that are texts',
    'safetensors: versions that are a list',
}
REASONS = {
    'a second data.pkl': 'it has 2 parts of the name archive/data.pkl',
    'a DATA.PKL': 'it has 2 parts of the name archive/data.pkl',
    'a list of parts of another archive': 'its list of parts is not where',
    'a checksum that is wrong': 'stands for more than 8,388,608 values',
    'a local name of another part': 'stands for more than 8,388,608 values',
    'a part of 2**40 bytes': 'its parts are larger than the file',
    'parts that lie over each other': 'its parts are larger than the file',
    'pickle: a million marks': 'more than 1,000 levels deep',
    'pickle: a dict that holds itself': 'stands for more than 8,388,608 values',
    'safetensors: versions that are no JSON': 'its module_versions is no JSON',
    'a folder': 'is a folder: name a checkpoint',
    'a pipe': 'is no regular file',
    '/dev/zero': 'is no regular file',
    'a link to itself': 'is no regular file',
}
KINDS = {kind.name: kind for kind in file_kinds(Path('x'))}


@pytest.fixture(scope='module')
def good(trained: SimpleNamespace) -> dict:
    return torch.load(trained.checkpoint, weights_only=False)


@pytest.fixture
def victim(tmp_path: Path) -> Iterator[Path]:
    """A folder in which no checkpoint may write."""
    folder = tmp_path / 'victim'
    folder.mkdir()
    yield folder
    assert [*folder.iterdir()] == []


@pytest.mark.filterwarnings('ignore::UserWarning', 'ignore::DeprecationWarning')
@pytest.mark.parametrize('name', KINDS)
def test_a_hostile_file_ends_in_one_sentence(
    name: str, good: dict, victim: Path, tmp_path: Path
) -> None:
    kind = next(x for x in file_kinds(victim) if x.name == name)
    file = str(kind.write(good, tmp_path / 'hostile.pth'))
    if name in READ:
        assert 'cfg' not in CheckpointLoader.load_checkpoint(file).get('meta', {})
        return

    with pytest.raises((CheckpointError, FileNotFoundError)) as info:
        CheckpointLoader.load_checkpoint(file)
    message = str(info.value)
    assert message.isprintable()
    assert file in message
    assert REASONS.get(name, '') in message


def test_versions_of_modules_are_numbers(good: dict, tmp_path: Path) -> None:
    weights = good['state_dict'].copy()
    weights._metadata = {'': {'version': 2, 'assign_to_params_buffers': True}}
    torch.save({'state_dict': weights}, tmp_path / 'x.pth')
    loaded = CheckpointLoader.load_checkpoint(str(tmp_path / 'x.pth'))
    assert loaded['state_dict']._metadata == {'': {'version': 2}}

    weights._metadata = {'': {'version': 'x'}}
    torch.save({'state_dict': weights}, tmp_path / 'x.pth')
    loaded = CheckpointLoader.load_checkpoint(str(tmp_path / 'x.pth'))
    assert loaded['state_dict']._metadata == {'': {}}


def test_an_archive_of_more_than_four_gigabytes_has_another_end(tmp_path: Path) -> None:
    """PyTorch writes the end for large archives always; the numbers are in it."""
    file = tmp_path / 'x.pth'
    torch.save({'w': torch.ones(3)}, file)
    content = file.read_bytes()
    # In the last record all numbers are as in an archive that is too large for them.
    file.write_bytes(content[:-14] + b'\xff' * 12 + content[-2:])

    check_archive(str(file), file.stat().st_size)

    assert content[-42:-38] == b'PK\x06\x07'
    assert CheckpointLoader.load_checkpoint(str(file))['w'].tolist() == [1, 1, 1]
