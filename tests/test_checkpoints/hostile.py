"""Checkpoints that harm, or that are wrong in one part.

Each is made of a good checkpoint, so that everything else about it is right.
"""

import codecs
import os
import shutil
import zipfile
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from mmengine.config import ConfigDict
from mmengine.logging import HistoryBuffer


class Call:
    """Pickles as a call of a function."""

    def __init__(self, function: Any, *args: Any) -> None:
        self.call = function, args

    def __reduce__(self) -> tuple:
        return self.call


class Built:
    """Pickles as an object that a function returns and a state then fills."""

    def __init__(self, function: Any, args: tuple, state: Any) -> None:
        self.parts = function, args, state

    def __reduce__(self) -> tuple:
        return self.parts


class Hostile(NamedTuple):
    """A kind of checkpoint.

    Attributes:
        name: What is wrong with it.
        change: Gets a good checkpoint, and changes it or returns what to write.
        stops: Who has to refuse it: ``'reading'`` everyone, ``'weights'`` who loads
            it into a detector, ``'resume'`` who goes on from it, ``'nobody'`` where
            what is wrong with it is left out.
        compressed: Whether to compress what is written.
    """

    name: str
    change: Callable[[dict], Any]
    stops: str = 'reading'
    compressed: bool = False

    def write(self, good: dict, path: Path) -> Path:
        """Write a file of this kind."""
        content = deepcopy(good)
        changed = self.change(content)
        content = content if changed is None else changed
        if isinstance(content, bytes):
            _write_pickle(content, path)
        else:
            torch.save(content, path)
        if self.compressed:
            _deflate(path)
        return path


def kinds(victim: Path, zeros: int) -> Iterator[Hostile]:
    """List the kinds.

    Args:
        victim: A folder with files; they write the file ``ran`` into it, or delete it.
        zeros: Bytes of what is compressed to a thousandth.
    """
    yield from _that_run(victim)
    yield from _that_delete(victim)
    yield from _of_wrong_parts()
    yield from _of_wrong_numbers()
    yield from _of_absurd_sizes(zeros)
    yield from _that_call_what_is_allowed()
    yield from _of_strange_weights()


def _at(*place: str, value: Any) -> Callable[[dict], None]:
    """Put ``value`` at a place of the checkpoint."""

    def change(checkpoint: dict) -> None:
        *outer, last = place
        for key in outer:
            checkpoint = checkpoint[key]
        checkpoint[last] = value

    return change


def _that_run(victim: Path) -> Iterator[Hostile]:
    """Calls in the pickle, and texts of configs, which are programs."""
    call = Call(os.system, f'touch {victim}/ran')
    text = f"import os\nos.system('touch {victim}/ran')\nmodel = dict()\n"
    for place in (
        ('state_dict', 'extra'),
        ('meta', 'dataset_meta'),
        ('meta', 'seed'),
        ('message_hub', 'runtime_info', 'x'),
        ('message_hub', 'log_scalars', 'x'),
        ('optimizer', 'state'),
        ('param_schedulers',),
    ):
        yield Hostile(f'{".".join(place)} calls', _at(*place, value=call))
    for place in (
        ('meta', 'cfg'),
        ('meta', 'config'),
        ('message_hub', 'runtime_info', 'cfg'),
    ):
        name = f'{".".join(place)} is a program'
        yield Hostile(name, _at(*place, value=text), 'nobody')

    def everywhere(checkpoint: dict) -> None:
        for key in ('experiment_name', 'mmengine_version', 'time', 'CLASSES', 'note'):
            checkpoint['meta'][key] = text if key != 'CLASSES' else (text, 'b', 'c')
        checkpoint['message_hub']['runtime_info'] |= {'note': text, 'loop_stage': text}

    yield Hostile('programs in all other texts', everywhere, 'nobody')


def _that_delete(victim: Path) -> Iterator[Hostile]:
    """Paths that MMEngine would delete when it finds a better checkpoint."""

    def best(path: str) -> Callable[[dict], None]:
        def change(checkpoint: dict) -> None:
            info = checkpoint['message_hub']['runtime_info']
            info |= {'best_score': -1.0, 'best_ckpt': path, 'last_ckpt': path}
            resumed = checkpoint['message_hub']['resumed_keys']
            resumed |= dict.fromkeys(('best_score', 'best_ckpt', 'last_ckpt'), True)

        return change

    yield Hostile('best_ckpt is a folder', best(str(victim)), 'nobody')
    yield Hostile('best_ckpt is a file', best(f'{victim}/kept.txt'), 'nobody')
    yield Hostile('best_ckpt is long', best(f'{"1" * 10**5}a1'), 'nobody')
    name = 'best_coco_bbox_mAP_epoch_1.pth'
    yield Hostile('best_ckpt of a run', best(f'{victim}/{name}'), 'nobody')
    ids = ['../' * 9 + f'{victim}/kept.txt', -1]
    place = ('message_hub', 'runtime_info', 'keep_ckpt_ids')
    yield Hostile('keep_ckpt_ids are paths', _at(*place, value=ids), 'resume')


def _of_wrong_parts() -> Iterator[Hostile]:
    """Parts that are of another type, or missing."""
    for name, content in {
        'a list': [1],
        'a text': 'weights',
        'a tensor': torch.ones(2),
        'numbers for names': {1: torch.ones(2)},
    }.items():
        yield Hostile(f'the file is {name}', lambda _, content=content: content)
    for part in ('state_dict', 'meta', 'message_hub', 'optimizer', 'param_schedulers'):
        stops = 'weights' if part == 'state_dict' else 'resume'
        yield Hostile(f'{part} is 5', _at(part, value=5))
        yield Hostile(f'{part} is None', _at(part, value=None), stops)
        stops = 'reading' if part == 'message_hub' else stops
        yield Hostile(f'{part} is {{}}', _at(part, value={}), stops)
    for name, average in (('of nothing', torch.ones(2)), ('is a text', 'x')):
        first = 'backbone.conv1.weight' if isinstance(average, str) else 'nothing'
        content = {f'module.{first}': average}
        yield Hostile(f'an average {name}', _at('ema_state_dict', value=content))
    yield Hostile('state_dict has numbers', _at('state_dict', value={1: torch.ones(2)}))
    yield Hostile('state_dict of texts', _at('state_dict', value={'a': 'b'}), 'weights')
    yield Hostile(
        'param_schedulers are numbers', _at('param_schedulers', value=[1, 2]), 'resume'
    )
    yield Hostile(
        'param_schedulers set methods',
        lambda x: x['param_schedulers'][0].update(step=5),
        'resume',
    )
    yield Hostile(
        'optimizer of other sizes',
        lambda x: x['optimizer']['param_groups'][0].update(params=[0]),
        'resume',
    )
    yield Hostile(
        'optimizer keeps texts',
        lambda x: x['optimizer']['state'].update({0: {'momentum_buffer': 'x'}}),
        'resume',
    )
    yield Hostile(
        'optimizer keeps a larger row',
        lambda x: x['optimizer']['state'].update(
            {0: {'momentum_buffer': torch.ones(1).expand(10**7)}}
        ),
        'resume',
    )
    yield Hostile(
        'lr is a text',
        lambda x: x['optimizer']['param_groups'][0].update(lr='x'),
        'resume',
    )
    for classes in (5, 'abc', [1, 2], {'a': 1}):
        meta = {'classes': classes}
        name = f'classes are {classes!r}'
        yield Hostile(name, _at('meta', 'dataset_meta', value=meta))
    yield Hostile('dataset_meta is a list', _at('meta', 'dataset_meta', value=[1]))
    yield Hostile(
        'palette is 7', lambda x: x['meta']['dataset_meta'].update(palette=[7])
    )


def _of_wrong_numbers() -> Iterator[Hostile]:
    """Counts that no run has."""
    for key in ('epoch', 'iter', 'seed'):
        for value in (-5, 10**18, 'x', 1.5, 10**500):
            shown = 'of 500 digits' if value == 10**500 else repr(value)
            yield Hostile(f'{key} is {shown}', _at('meta', key, value=value))
    yield Hostile('epoch is 99', _at('meta', 'epoch', value=99), 'resume')
    hub = ('message_hub', 'log_scalars')
    yield Hostile('log_scalars is a list', _at(*hub, value=[1]))
    history = HistoryBuffer([1.0], [1])
    history._log_history = 'x'
    yield Hostile('a history of texts', _at(*hub, 'train/loss', value=history))
    many = dict.fromkeys(map(str, range(20_000)), True)
    place = ('message_hub', 'resumed_keys')
    yield Hostile('20,000 resumed keys', _at(*place, value=many))
    place = ('message_hub', 'runtime_info', 'keep_ckpt_ids')
    name = 'an epoch of 500 digits is kept'
    yield Hostile(name, _at(*place, value=[10**500]), 'resume')
    yield Hostile(
        'a name that a terminal obeys',
        _at('message_hub', 'resumed_keys', value={'a\n\x1b[2J' * 1000: 5}),
    )
    place = ('message_hub', 'runtime_info', 'best_score')
    yield Hostile('best_score is a text', _at(*place, value='x'), 'resume')


def _of_absurd_sizes(zeros: int) -> Iterator[Hostile]:
    """Little files that ask for more memory than there is."""
    many = 10**13
    reconstruct = np.array(1).__reduce__()[0]
    place = ('meta', 'x')
    for name, value in {
        'bytearray of 1e13': Call(bytearray, many),
        'bytearray of 6e9': Call(bytearray, 6 * 10**9),
        'NumPy array of 1e13': Call(reconstruct, np.ndarray, (many,), b'b'),
        'NumPy array of 6e9': Call(np.ndarray, (6 * 10**9,)),
        'tensor of 1e13': Call(torch.FloatTensor, many),
        'hex of hex of hex': _doubled(36),
        'dtype with pointers': Built(
            np.dtype,
            ('i8', False, True),
            (3, '<', None, ('a',), {'a': (np.dtype('O'), 0)}, 8, 8, 0),
        ),
    }.items():
        yield Hostile(name, _at(*place, value=value))
    repeated = torch.ones(1).expand(many)
    yield Hostile('a value repeated 1e13 times', _at('state_dict', 'x', value=repeated))
    deep = b'\x80\x02' + 100_000 * b']' + 99_999 * b'a' + b'.'
    yield Hostile('100,000 lists in each other', lambda _: deep)
    # 40 times a tuple of two of what is on the stack; then it is called, or a key.
    doubled = b'\x80\x02' + b')q\x00' + 40 * b'h\x00h\x00\x86q\x00'
    yield Hostile('a tuple doubled 40 times is called', lambda _: doubled + b')R.')
    yield Hostile(
        'a tuple doubled 40 times is a key', lambda _: doubled + b'}h\x00K\x01s.'
    )
    key = doubled + b'}h\x00K\x01s'
    yield Hostile('a tuple doubled 40 times, then a cut', lambda _: key)
    yield Hostile('a tuple doubled 40 times, then damage', lambda _: key + b'(\x86.')
    yield Hostile('a list doubled in itself', lambda _: b'\x80\x02]q\x00h\x00a.')
    yield Hostile(
        'compressed zeros',
        # Made when it is written, so that nothing keeps it.
        lambda x: x['state_dict'].update(x=torch.zeros(zeros, dtype=torch.uint8)),
        compressed=True,
    )


def _that_call_what_is_allowed() -> Iterator[Hostile]:
    """Calls of what torch and MMEngine allow, with arguments that they never write."""
    repeated = torch.ones(1).expand(10**8)
    scalar = np.int64(1).__reduce__()[0]
    reconstruct = np.array(1).__reduce__()[0]
    shared: Any = ('a',)
    for _ in range(24):
        shared = (shared, shared)
    for name, value in {
        'a set of a tensor': Call(set, repeated),
        'a Counter of a tensor': Call(Counter, repeated),
        'an OrderedDict of a tensor': Call(OrderedDict, [repeated]),
        'bytearray of a NumPy number': Call(
            bytearray, Call(scalar, np.dtype('i8'), (10**10).to_bytes(8, 'little'))
        ),
        'a tensor that becomes larger': Call(
            torch._utils._rebuild_device_tensor_from_cpu_tensor,
            repeated,
            torch.float64,
            'cpu',
            False,
        ),
        'a storage without values': Call(torch.UntypedStorage, 10**9),
        'texts without letters': Built(
            reconstruct,
            (np.ndarray, (0,), b'b'),
            (1, (10**8,), np.dtype('S'), False, bytearray()),
        ),
        'tuples of two of a tuple': shared,
        'a method of a strange name': Call(getattr, HistoryBuffer, shared),
    }.items():
        yield Hostile(name, _at('meta', 'x', value=value))
    history = Built(HistoryBuffer, (), {'_log_history': repeated, 'max_length': 10**9})
    yield Hostile('a history of a tensor', _at('meta', 'x', value=history))


def that_changes(owner: type, name: str) -> Call:
    """Pickles as calls of allowed functions that set an attribute of a class."""
    current = Call(getattr, HistoryBuffer, 'current')

    def returned(value: Any) -> Built:
        return Built(HistoryBuffer, (), {'_log_history': [value]})

    # ``current`` returns the last value, and is a method of one that MMEngine makes.
    config = Call(ConfigDict, {'as_subclass': current})
    rebuild = torch._tensor._rebuild_from_type_v2
    return Call(rebuild, current, returned(owner), (returned(config),), {name: 5})


def _doubled(times: int) -> Any:
    """Bytes that are written in hexadecimal again and again."""
    value: Any = b'x'
    for _ in range(times):
        value = Call(codecs.encode, value, 'hex')
    return value


def _of_strange_weights() -> Iterator[Hostile]:
    """Weights that PyTorch leaves out, or cuts, when a model loads them."""

    def all_weights(change: Callable[[torch.Tensor], Any]) -> Callable[[dict], None]:
        def apply(checkpoint: dict) -> None:
            weights = checkpoint['state_dict']
            for name, value in weights.items():
                if value.is_floating_point():
                    weights[name] = change(value)

        return apply

    yield Hostile('meta tensors', all_weights(lambda x: x.to('meta')))
    yield Hostile('sparse tensors', all_weights(lambda x: x.to_sparse()))
    yield Hostile(
        'quantised tensors',
        all_weights(
            lambda x: torch.quantize_per_tensor(x.float(), 0.1, 0, torch.qint8)
        ),
    )
    yield Hostile('whole numbers', all_weights(lambda x: x.round().long()), 'weights')
    yield Hostile('NaN', all_weights(lambda x: x * float('nan')), 'weights')
    yield Hostile(
        'no tensor of the model',
        lambda x: {'state_dict': {'a.b': torch.ones(2)}},
        'weights',
    )


def _write_pickle(content: bytes, path: Path) -> None:
    """Write the archive that torch would write of a pickle."""
    with zipfile.ZipFile(path, 'w') as archive:
        archive.writestr('x/data.pkl', content)
        archive.writestr('x/byteorder', 'little')
        archive.writestr('x/version', '3\n')


def _deflate(path: Path) -> None:
    """Compress the parts of an archive."""
    whole = path.rename(path.with_suffix('.whole'))
    with (
        zipfile.ZipFile(whole) as source,
        zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED, compresslevel=1) as target,
    ):
        for part in source.infolist():
            with (
                source.open(part) as read,
                target.open(part.filename, 'w', force_zip64=True) as written,
            ):
                shutil.copyfileobj(read, written, 2**20)
    whole.unlink()
