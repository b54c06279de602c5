"""List the weights that have a name, or all that is known of one.

m2det zoo [NAME]

A name stands for a checkpoint wherever a command or a config expects one; where a file
has the same name, the file is meant, and m2det://NAME means the weights. The box AP is
from 0 to 1, and was measured as the line of a single entry says.
"""

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..apis import ZooEntry


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument('name', nargs='?', help='name of the weights; all by default')


def run(args: argparse.Namespace) -> None:
    """Print the table of all weights, or the facts on some and how to use them."""
    from ..apis import list_weights, show_weights
    from ..utils.tables import to_markdown

    if args.name is None:
        print(to_markdown([_row(entry) for entry in list_weights()]))
        print('\n`m2det zoo NAME` tells all about one.')
        return
    entry = show_weights(args.name)
    for label, fact in _facts(entry):
        print(f'{label + ":":<12} {fact}')
    print('\nUse:')
    for command in _commands(entry):
        print(f'  {command}')


def _row(entry: 'ZooEntry') -> dict[str, str]:
    """Return the cells of an entry by the names of their columns."""
    return {
        'name': entry.name,
        'config': entry.config,
        'trained on': entry.data,
        'box AP': f'{entry.ap:.3f}',
        'size': _size(entry),
        'where': entry.place,
    }


def _facts(entry: 'ZooEntry') -> Iterator[tuple[str, str]]:
    from ..checkpoints.zoo import file_of

    yield 'Name', entry.name
    yield 'Config', entry.config
    yield 'Classes', entry.classes
    yield 'Trained on', entry.data
    yield 'Trained', entry.training
    yield 'Box AP', f'{entry.ap:.3f} on {entry.measured}'
    yield 'Licence', entry.licence
    yield 'Size', _size(entry)
    yield 'SHA-256', entry.sha256 or 'not known here'
    if entry.url is not None:
        yield 'Address', entry.url
    if entry.convert_from is None:
        yield 'File', str(file_of(entry))
    else:
        yield 'Page', entry.convert_from


def _commands(entry: 'ZooEntry') -> Iterator[str]:
    """Yield the commands with which the weights are used."""
    checkpoint = entry.name
    if entry.convert_from is not None:
        checkpoint = f'{entry.name}.pth'
        yield f'm2det convert DOWNLOADED {entry.config} {checkpoint}'
    model = entry.name
    if entry.convert_from is not None:
        model = f'{entry.config} {checkpoint}'
    yield f'm2det test {model}'
    yield f'm2det predict {model} IMAGES'
    yield f'm2det train CONFIG --data DATA --from {checkpoint}'


def _size(entry: 'ZooEntry') -> str:
    return 'not known here' if entry.size is None else f'{entry.size / 1e6:.2f} MB'
