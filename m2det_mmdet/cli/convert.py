"""Convert a checkpoint of other code to one of MMDetection, or back.

m2det convert INPUT CONFIG OUT [--to-release] [--format FORM] [--force]

INPUT is a checkpoint of M2Det's authors or of RefineDet's PyTorch port, CONFIG that of
the same network (those named m2det_*_release or refinedet_vgg_*), OUT what
`m2det test CONFIG OUT` takes. With --to-release INPUT is a checkpoint of CONFIG and OUT
one for the other code.

A name of OUT that ends in .safetensors, or --format, also takes a checkpoint of CONFIG
and writes its weights alone in that form: safetensors for a file in which nothing can
run, pth for the form of MMEngine. Classes and config go with them, so that `m2det
predict OUT` needs nothing else.
"""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .arguments import add_config_arguments, add_form_argument, config_options

if TYPE_CHECKING:
    from torch import Tensor

    from ..apis import ConvertedCheckpoint

_BUFFERS = ('running_mean', 'running_var', 'num_batches_tracked')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument('input', type=Path, help='path of the checkpoint to convert')
    add_config_arguments(parser)
    parser.add_argument('out', type=Path, help='path of the checkpoint to write')
    parser.add_argument(
        '--to-release', action='store_true', help='write one for the other code'
    )
    add_form_argument(parser, 'form of OUT (default: what its name ends in)')
    parser.add_argument('--force', action='store_true', help='replace OUT')


def run(args: argparse.Namespace) -> None:
    """Convert as the arguments say, and report what was done."""
    from ..apis import convert

    converted = convert(
        args.input,
        args.config,
        args.out,
        to_release=args.to_release,
        form=args.form,
        force=args.force,
        options=config_options(args.cfg_options),
    )
    print('\n'.join(_summary(converted, reverse=args.to_release)))


def _summary(converted: 'ConvertedCheckpoint', *, reverse: bool) -> Iterator[str]:
    """Say what was read, what differs, and what was written."""
    conversion, source, out = converted.conversion, converted.source, converted.out
    aliases, result = conversion.aliases, conversion.state_dict
    yield f'Read {source}: {_size(conversion.source, aliases)}'
    if conversion.ignored:
        yield f'Left out, the network does not use it: {", ".join(conversion.ignored)}'
    if reverse and 'base.conv1.weight' in result:
        yield "Not written: base.fc, the unused classifier of the release's ResNets"
    if aliases:
        layers = sorted({name.partition('.')[0] for name in aliases})
        yield (
            f'{len(aliases)} names of the release repeat tensors of its shared '
            f'layers ({", ".join(layers)})'
        )
    if conversion.filled:
        yield f'Absent, set to zero: {len(conversion.filled)} num_batches_tracked'
    yield f'Wrote {out}: {_size(result, aliases)}'
    if converted.is_own:
        yield 'These are its weights alone: no training goes on from them'
    elif not reverse:
        yield 'Input size, anchors and pixel statistics come from CONFIG'


def _size(tensors: Mapping[str, 'Tensor'], aliases: Sequence[str]) -> str:
    """Count all tensors, and the parameters among them but for ``aliases``."""
    parameters = sum(
        value.numel()
        for name, value in tensors.items()
        if name not in aliases and not name.endswith(_BUFFERS)
    )
    return f'{len(tensors):,} tensors, {parameters:,} parameters'
