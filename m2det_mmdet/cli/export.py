"""Write a detector as one file that runs without MMDetection.

m2det export MODEL [CHECKPOINT] [--format onnx|openvino|pt2] [-o OUT]

MODEL is a checkpoint, a run folder, or a name of `m2det zoo`; or a config, with
CHECKPOINT. OUT is NAME.onnx in this folder by default; NAME.xml for OpenVINO, whose
weights lie beside it, and NAME.pt2 for torch.export.

The network, the decoding of its boxes and their suppression, soft-NMS included, are in
the file. It takes what the network takes, resized and normalised, or with --preprocess
images as OpenCV reads them. Before it gets its name it is run beside the detector, on
random images and on those of --data; if it differs, nothing is left of it.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from .arguments import add_config_options, config_options, data_path, fraction

if TYPE_CHECKING:
    from ..apis import Compared, ExportResult

_DYNAMIC = 'dynamic'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        'model',
        metavar='MODEL',
        help='checkpoint, run folder or name of the zoo; or a config',
    )
    parser.add_argument(
        'checkpoint', nargs='?', metavar='CHECKPOINT', help='where MODEL is a config'
    )
    parser.add_argument(
        '-o', '--out', type=Path, help='the file (default: NAME.onnx in this folder)'
    )
    parser.add_argument(
        '--format',
        dest='form',
        choices=['onnx', 'openvino', 'pt2'],
        help='default: what OUT ends in, else onnx',
    )
    parser.add_argument(
        '--nms',
        choices=['soft', 'hard', 'none'],
        help='suppression in the file (default: that of the config); none: the boxes '
        'and scores of all anchors',
    )
    parser.add_argument(
        '--batch',
        type=_number,
        default=_DYNAMIC,
        metavar='N',
        help='images at a time; dynamic by default: any number',
    )
    parser.add_argument(
        '--size',
        type=_number,
        nargs='+',
        metavar='PIXELS',
        help='height and width of the input, or dynamic (default: of the config)',
    )
    parser.add_argument(
        '--preprocess',
        action='store_true',
        help='the file resizes and normalises: images of any size as OpenCV reads '
        'them, boxes in their pixels',
    )
    parser.add_argument(
        '--precision',
        choices=['fp32', 'fp16', 'int8'],
        default='fp32',
        help="the network's; decoding and suppression stay float32 (default: fp32)",
    )
    parser.add_argument(
        '--max-drop',
        type=fraction,
        default=0.01,
        metavar='AP',
        help='what the AP on --data may lose by the precision (default: 0.01)',
    )
    parser.add_argument(
        '--tolerance',
        type=float,
        default=1e-4,
        metavar='FRACTION',
        help='what boxes and scores of all anchors may differ by from those of the '
        'detector, of the largest (default: 1e-4)',
    )
    parser.add_argument(
        '--opset', type=int, default=20, help="version of ONNX's operators (20)"
    )
    parser.add_argument(
        '--data',
        type=data_path,
        help='images to compare on, too: a folder, file or pattern; with another '
        'precision a folder with annotations',
    )
    add_config_options(parser)
    parser.add_argument('--force', action='store_true', help='replace OUT')


def run(args: argparse.Namespace) -> None:
    """Export as the arguments say, and tell what was compared."""
    from ..apis import export

    result = export(
        args.model,
        args.checkpoint,
        args.out,
        form=args.form,
        nms=args.nms,
        batch=args.batch,
        size=_size(args.size),
        precision=args.precision,
        max_drop=args.max_drop,
        tolerance=args.tolerance,
        opset=args.opset,
        preprocess=args.preprocess,
        data=args.data,
        force=args.force,
        options=config_options(args.cfg_options),
    )
    print('\n'.join(_summary(result)))


def _number(text: str) -> int | str:
    if text == _DYNAMIC:
        return text
    try:
        return int(text)
    except ValueError as error:
        message = f'must be a number or {_DYNAMIC}, got {text!r}'
        raise argparse.ArgumentTypeError(message) from error


def _size(sides: list[int | str] | None) -> tuple[int | str, ...] | str | None:
    """Return a height and a width; one number stands for both."""
    if sides is None:
        return None
    if sides == [_DYNAMIC]:
        return _DYNAMIC
    return tuple(sides * 2 if len(sides) == 1 else sides)


def _summary(result: 'ExportResult') -> Iterator[str]:
    from ..utils.tables import to_markdown

    yield to_markdown([_row(compared) for compared in result.compared])
    yield ''
    yield from result.remarks
    if result.ap is not None:
        before, after = result.ap
        yield f'Box AP on the data: {before:.3f} in fp32, {after:.3f} in this file.'
    if result.kept:
        yield f'Layers that stay float32: {", ".join(result.kept)}.'
    names = ' and '.join(str(path) for path in result.files)
    size = sum(path.stat().st_size for path in result.files) / 1e6
    same = 'gives what the detector does'
    if result.metadata.precision != 'fp32':
        same = "selects its boxes as the detector does, from its own network's"
    yield f'Wrote {names} ({size:.1f} MB): it {same}.'


def _row(compared: 'Compared') -> dict[str, str]:
    """Return the cells of what was compared by the names of their columns."""
    return {
        'compared on': compared.what,
        'input': ' x '.join(map(str, compared.shape)),
        'anchors differ by': f'{compared.outputs:.1e}',
        'boxes': f'{compared.found:,}',
        'scores differ by': f'{compared.scores:.1e}',
        'other boxes': f'{compared.others:,}',
    }
