"""Tell what an exported file is: its classes, size, suppression and origin.

m2det inspect FILE [--json] [--config]
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..apis import Metadata


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument('file', type=Path, metavar='FILE', help='.onnx, .xml or .pt2')
    parser.add_argument('--json', action='store_true', help='print all of it as JSON')
    parser.add_argument(
        '--config', action='store_true', help="print the detector's config alone"
    )


def run(args: argparse.Namespace) -> None:
    """Print what the file tells about itself."""
    from ..apis import inspect_file

    metadata = inspect_file(args.file)
    if args.config:
        print(metadata.config)
    elif args.json:
        print(json.dumps(asdict(metadata), indent=2, ensure_ascii=False))
    else:
        for label, fact in _facts(metadata):
            print(f'{label + ":":<13} {fact}')


def _facts(metadata: 'Metadata') -> Iterator[tuple[str, str]]:
    how, size = metadata.preparation, metadata.size
    shown = ', '.join(metadata.classes[:8])
    more = ', ...' if len(metadata.classes) > 8 else ''
    yield 'Detector', metadata.name
    yield 'Classes', f'{len(metadata.classes)}: {shown}{more}'
    sides = 'any size' if size is None else f'{size[0]} x {size[1]} pixels'
    batch = 'any number' if metadata.batch is None else str(metadata.batch)
    if how.inside:
        yield 'Input', f'{batch} of images of any size, uint8, BGR: (N, H, W, 3)'
        yield 'Network', sides
    else:
        yield 'Input', f'{batch} of images, {sides}, float32: (N, 3, H, W)'
    channels = 'RGB' if how.rgb else 'BGR'
    numbers = ('; '.join(f'{x:.4g}' for x in y) for y in (how.mean, how.std))
    yield 'Pixels', '{}, mean {}, deviation {}'.format(channels, *numbers)
    if metadata.suppression is None:
        yield 'Suppression', 'none: boxes and scores of all anchors'
    else:
        options = (f'{key}={value}' for key, value in metadata.suppression.items())
        yield 'Suppression', ', '.join(options)
    yield 'Precision', metadata.precision
    yield 'Config', f'SHA-256 {metadata.config_sha256[:16]}... (--config prints it)'
    versions = (f'{key} {value}' for key, value in metadata.versions.items())
    yield 'Made by', ', '.join(versions)
