"""Files that harm, or that are wrong, before a word of the checkpoint is read.

Archives that say one thing and hold another, files that are cut, the older forms, files
of safetensors, and things that are no files.
"""

import io
import json
import os
import pickle
import struct
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors.torch import save

from .hostile import Call

_END = 22  # bytes of an archive's last record


class HostileFile(NamedTuple):
    """A kind of file.

    Attributes:
        name: What is wrong with it.
        make: Gets a good checkpoint and the path to write to.
        harmless: Whether what is wrong with it is left out.
    """

    name: str
    make: Callable[[dict, Path], object]
    harmless: bool = False

    def write(self, good: dict, path: Path) -> Path:
        """Write a file of this kind."""
        self.make(good, path)
        return path


def file_kinds(victim: Path) -> Iterator[HostileFile]:
    """List the kinds; those that run something write ``victim/ran``."""
    yield from _archives()
    yield from _pickles(victim)
    yield from _cut()
    yield from _of_safetensors(victim)
    yield from _no_files()


def _archive(good: dict) -> bytes:
    buffer = io.BytesIO()
    torch.save(good, buffer)
    return buffer.getvalue()


def _parts(good: dict) -> list[tuple[str, bytes]]:
    with zipfile.ZipFile(io.BytesIO(_archive(good))) as archive:
        return [(part.filename, archive.read(part)) for part in archive.infolist()]


def _zipped(parts: list[tuple[str, bytes]]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, 'w') as archive:
        for name, content in parts:
            archive.writestr(name, content)
    return buffer.getvalue()


# What stands 2**40 times for one value, and takes long to compare.
DOUBLED = b'\x80\x02' + b')q\x00' + 40 * b'h\x00h\x00\x86q\x00' + b'}h\x00K\x01s.'


def _bytes(name: str, make: Callable[[dict], bytes], **more: bool) -> HostileFile:
    return HostileFile(name, lambda good, path: path.write_bytes(make(good)), **more)


def _archives() -> Iterator[HostileFile]:
    """Archives that two readers could read differently, or that lie."""

    def renamed(change: Callable[[str], str]) -> Callable[[dict], bytes]:
        return lambda good: _zipped([(change(n), x) for n, x in _parts(good)])

    def doubled(name: str, *, first: bool) -> Callable[[dict], bytes]:
        def make(good: dict) -> bytes:
            parts = _parts(good)
            own = parts[0][0].replace('data.pkl', name)
            extra = [(own, DOUBLED)]
            return _zipped(extra + parts if first else parts + extra)

        return make

    yield _bytes('a second data.pkl', doubled('data.pkl', first=False))
    yield _bytes('a data.pkl before', doubled('data.pkl', first=True))
    yield _bytes('a DATA.PKL', doubled('DATA.PKL', first=True))
    for title, folder in {
        'names with ..': '../../up',
        'absolute names': '/up',
        'names of 60,000 letters': 'a' * 60_000,
    }.items():
        yield _bytes(
            title, renamed(lambda n, folder=folder: f'{folder}/{n.split("/", 1)[1]}')
        )
    yield _bytes(
        'something before the archive', lambda good: b'x' * 64 + _archive(good)
    )
    yield _bytes(
        'something behind the archive', lambda good: _archive(good) + b'x' * 64
    )
    yield _bytes('a list of parts of another archive', _two_lists)
    yield _bytes('a checksum that is wrong', lambda good: _wrong_checksum(DOUBLED))
    yield _bytes('a local name of another part', lambda good: _other_name(DOUBLED))
    yield _bytes(
        'a part of 2**40 bytes', lambda good: _claim(_archive(good), 2**32 - 2)
    )
    yield _bytes('parts that lie over each other', _overlapping)
    yield _bytes('byte order big', lambda good: _replaced(good, 'byteorder', b'big'))
    yield _bytes('byte order 5', lambda good: _replaced(good, 'byteorder', b'5' * 9))
    yield _bytes('version 10**9', lambda good: _replaced(good, 'version', b'9' * 9))
    yield _bytes('an archive of nothing', lambda good: _zipped([]))
    yield _bytes('an archive of a web page', lambda good: _zipped([('x.html', b'<p>')]))
    yield _bytes('without its first storage', lambda good: _without(good, 'data/0'))
    yield _bytes('a storage of one byte', lambda good: _replaced(good, 'data/0', b'1'))


def _list_of(content: bytes) -> tuple[bytes, int]:
    """Return the list of the parts of an archive, and where it begins."""
    size, start = struct.unpack('<2L', content[-10:-2])
    return content[start : start + size], start


def _two_lists(good: dict) -> bytes:
    """An archive whose list is found by its place in one way, by its end in another."""
    hidden = _zipped([('x/data.pkl', DOUBLED), ('x/version', b'3\n')])
    shown = _zipped([('x/data.pkl', b'\x80\x02}.'), ('x/version', b'3\n')])
    first, _ = _list_of(hidden)
    second, start = _list_of(shown)
    body = hidden[:-_END]
    end = struct.pack(
        '<4s4H2LH', b'PK\x05\x06', 0, 0, 2, 2, len(second), len(body) - len(first), 0
    )
    return body + shown[:start] + second + end


def _wrong_checksum(content: bytes) -> bytes:
    archive = _zipped([('x/data.pkl', content), ('x/version', b'3\n')])
    crc = struct.pack('<L', zipfile.crc32(content))
    return archive.replace(crc, b'\1\2\3\4')


def _other_name(content: bytes) -> bytes:
    archive = _zipped([('x/data.pkl', content), ('x/version', b'3\n')])
    return archive.replace(b'x/data.pkl', b'x/datb.pkl', 1)


def _claim(archive: bytes, size: int) -> bytes:
    """Let the list of the parts say that the first one has so many bytes."""
    start = archive.index(b'PK\x01\x02')
    return (
        archive[: start + 20] + struct.pack('<2L', size, size) + archive[start + 28 :]
    )


def _overlapping(good: dict) -> bytes:
    """A thousand parts that are one and the same bytes."""
    archive = _zipped([('x/data.pkl', bytes(10**6))])
    one, start = _list_of(archive)
    parts = [one.replace(b'x/data.pkl', b'x/%08d' % i) for i in range(1000)]
    listed = b''.join(parts)
    end = struct.pack(
        '<4s4H2LH', b'PK\x05\x06', 0, 0, 1000, 1000, len(listed), start, 0
    )
    return archive[:start] + listed + end


def _replaced(good: dict, part: str, content: bytes) -> bytes:
    return _zipped([(n, content if n.endswith(part) else x) for n, x in _parts(good)])


def _without(good: dict, part: str) -> bytes:
    return _zipped([(n, x) for n, x in _parts(good) if not n.endswith(part)])


def _pickles(victim: Path) -> Iterator[HostileFile]:
    """Pickles by their opcodes, and the forms of earlier versions of PyTorch."""
    command = f'touch {victim}/ran'.encode()

    def in_archive(content: bytes) -> bytes:
        return _zipped([('x/data.pkl', content), ('x/version', b'3\n')])

    line = command + b'\n'
    for name, content in {
        'REDUCE': b"\x80\x02cos\nsystem\n(S'" + command + b"'\ntR.",
        'INST': b"(S'" + command + b"'\nios\nsystem\n.",
        'OBJ': b"(cos\nsystem\nS'" + command + b"'\no.",
        'NEWOBJ': b'\x80\x02csubprocess\nPopen\nS"' + command + b'"\n\x85\x81.',
        'STACK_GLOBAL': b'\x80\x04\x8c\x02os\x8c\x06system\x93S"'
        + command
        + b'"\n\x85R.',
        'BUILD': b'\x80\x02cbuiltins\nobject\n)\x81}S"__class__"\ncos\nsystem\nsb.',
        'EXT': b'\x80\x02\x82\x01.',
        'PERSID': b'P' + line + b'.',
        'BINPERSID': b'\x80\x02S"' + command + b'"\nQ.',
        'eval of a text': b"\x80\x02cbuiltins\neval\n(S'1'\ntR.",
        'getattr of a module': b"\x80\x02cbuiltins\ngetattr\n(cos\nsystem\nS'x'\ntR.",
        'a text of 2**31 bytes': b'\x80\x02X\xff\xff\xff\x7fabc.',
        'a number of 2**31 bytes': b'\x80\x02\x8b\xff\xff\xff\x7fabc.',
        'bytes of 2**62': b'\x80\x04\x8e' + struct.pack('<Q', 2**62) + b'x.',
        'a frame of 2**62': b'\x80\x04\x95' + struct.pack('<Q', 2**62) + b'}.',
        'a memo of 2**31': b'\x80\x02}r\xff\xff\xff\x7f.',
        'a memo that is not there': b'\x80\x02h\x05.',
        'protocol 200': b'\x80\xc8}.',
        'no end': b'\x80\x02}',
        'nothing on the stack': b'\x80\x02.',
        'a million marks': b'\x80\x02' + b'(' * 10**6 + b'.',
        'opcodes of no pickle': b'\x80\x02\xff\xfe\xfd',
        'a dict that holds itself': b'\x80\x02}q\x00S"state_dict"\nh\x00s.',
        'a list that holds itself': b'\x80\x02}S"state_dict"\n]q\x00h\x00as.',
    }.items():
        yield _bytes(
            f'pickle: {name}', lambda good, content=content: in_archive(content)
        )
    yield _bytes('a bare pickle that runs', lambda good: pickle.dumps(_call(victim)))
    yield HostileFile('the form before 1.6 that runs', _legacy(victim))
    yield HostileFile('the form before 1.6, cut', _legacy_cut)
    yield HostileFile('a tar of 2016', _tar(victim))
    yield HostileFile('TorchScript', _script)


def _call(victim: Path) -> Call:
    return Call(os.system, f'touch {victim}/ran')


def _legacy(victim: Path) -> Callable[[dict, Path], None]:
    def make(good: dict, path: Path) -> None:
        torch.save(
            good | {'x': _call(victim)}, path, _use_new_zipfile_serialization=False
        )

    return make


def _legacy_cut(good: dict, path: Path) -> None:
    torch.save(good, path, _use_new_zipfile_serialization=False)
    path.write_bytes(path.read_bytes()[:-1000])


def _tar(victim: Path) -> Callable[[dict, Path], None]:
    """The form of the first version, with a name that leads out of its folder."""

    def make(good: dict, path: Path) -> None:
        with tarfile.open(path, 'w', format=tarfile.PAX_FORMAT) as tar:
            for name in ('storages', 'tensors', 'pickle', f'{victim}/ran'):
                content = pickle.dumps(_call(victim))
                info = tarfile.TarInfo(name)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))

    return make


def _script(good: dict, path: Path) -> None:
    torch.jit.save(torch.jit.trace(torch.nn.Linear(2, 2), torch.ones(1, 2)), path)


def _cut() -> Iterator[HostileFile]:
    """Archives that end too early, and files of other kinds."""
    for part in (0.1, 0.5, 0.9):
        yield _bytes(
            f'cut at {part:.0%}',
            lambda good, part=part: (x := _archive(good))[: int(part * len(x))],
        )
    for count in (1, 30, 5000):
        yield _bytes(
            f'without its last {count} bytes',
            lambda good, count=count: _archive(good)[:-count],
        )
    yield _bytes('empty', lambda good: b'')
    yield _bytes('a web page', lambda good: b'<!DOCTYPE html><title>404</title>')
    yield _bytes('a pointer of Git LFS', lambda good: b'version https://git-lfs.x\n')
    yield _bytes('zeros', lambda good: bytes(10**5))
    yield _bytes('the head of an archive alone', lambda good: b'PK\x03\x04')
    yield _bytes('the end of an archive alone', lambda good: b'PK\x05\x06' + bytes(18))


def _safetensors(header: bytes, data: bytes = b'', *, length: int = -1) -> bytes:
    length = len(header) if length < 0 else length
    return struct.pack('<Q', length) + header + data


def _entry(shape: object, start: int, end: int, dtype: str = 'F32') -> dict:
    return {'dtype': dtype, 'shape': shape, 'data_offsets': [start, end]}


def _of_safetensors(victim: Path) -> Iterator[HostileFile]:
    """Files of safetensors whose header lies."""
    sound = _entry([1], 0, 4)
    twice = b'{"w":%b,"w":%b}' % ((json.dumps(sound).encode(),) * 2)
    for name, content in {
        'a header of 2**62': _safetensors(b'{}', length=2**62),
        'a header of 99 MB': _safetensors(b'{}', length=99 * 10**6),
        'a header that is a list': _safetensors(b'[]  '),
        'a header that is no text': _safetensors(b'{"\xff\xfe": 1}'),
        'a header of NaN': _safetensors(b'{"w": NaN}'),
        'a header of 100,000 levels': _safetensors(b'{"w":' + b'[' * 10**5),
        'a name twice': _safetensors(twice, bytes(4)),
        'unknown numbers': _made({'w': _entry([1], 0, 4, 'F33')}, 4),
        'a shape that overflows': _made({'w': _entry([2**40, 2**40], 0, 4)}, 4),
        'a negative shape': _made({'w': _entry([-1], 0, 4)}, 4),
        'a shape of texts': _made({'w': _entry('x', 0, 4)}, 4),
        'more than the file': _made({'w': _entry([2**40], 0, 2**42)}, 4),
        'an end before the start': _made({'w': _entry([1], 8, 4)}, 8),
        'two tensors of the same bytes': _made({'w': sound, 'v': sound}, 4),
        'a hole': _made({'w': sound, 'v': _entry([1], 8, 12)}, 12),
        'a rest': _made({'w': sound}, 100),
        'texts that are numbers': _made({'w': sound, '__metadata__': {'a': 1}}, 4),
    }.items():
        yield _bytes(f'safetensors: {name}', lambda good, content=content: content)

    def with_texts(texts: dict[str, str]) -> Callable[[dict], bytes]:
        return lambda good: save(dict(good['state_dict']), texts)

    program = f"import os\nos.system('touch {victim}/ran')\nmodel = dict()\n"
    for name, texts, harmless in (
        ('classes that are no JSON', {'dataset_meta': '{'}, False),
        ('classes that are NaN', {'dataset_meta': '{"classes": NaN}'}, False),
        ('classes of 100,000 levels', {'dataset_meta': '[' * 10**5}, False),
        (
            'versions that are texts',
            {'module_versions': '{"": {"version": "x"}}'},
            True,
        ),
        ('versions that are a list', {'module_versions': '[1]'}, True),
        ('versions that are no JSON', {'module_versions': '{'}, False),
        ('a config that is a program', {'config': program}, True),
    ):
        make = with_texts(texts)
        yield _bytes(f'safetensors: {name}', make, harmless=harmless)


def _made(fields: dict, size: int) -> bytes:
    return _safetensors(json.dumps(fields).encode(), bytes(size))


def _no_files() -> Iterator[HostileFile]:
    """What a name leads to that is no file."""
    yield HostileFile('a folder', lambda good, path: path.mkdir())
    yield HostileFile('a pipe', lambda good, path: os.mkfifo(path))
    yield HostileFile('/dev/zero', lambda good, path: path.symlink_to('/dev/zero'))
    yield HostileFile('a link to itself', lambda good, path: path.symlink_to(path))
    yield HostileFile(
        'a link to nothing', lambda good, path: path.symlink_to('nothing')
    )
    yield HostileFile('nothing', lambda good, path: None)
