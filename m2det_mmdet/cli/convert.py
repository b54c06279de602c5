"""Convert a checkpoint of other code to one of MMDetection, or back.

m2det convert INPUT CONFIG OUT [--to-release] [--force]

INPUT is a checkpoint of M2Det's authors or of RefineDet's PyTorch port, CONFIG that of
the same network (those named m2det_*_release or refinedet_vgg_*), OUT what
`m2det test CONFIG OUT` takes. With --to-release INPUT is a checkpoint of CONFIG and OUT
one for the other code.
"""

import argparse
import zipfile
import zlib
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from mmdet.registry import DATASETS
from mmengine.config import Config
from torch import Tensor

from ..analysis.structure import structure_of
from ..checkpoints.loading import load_safely
from ..checkpoints.weights import WeightsError, state_dict_of
from ..convert import Conversion, ConversionError, convert
from ..utils.configs import load_config
from ..utils.errors import M2DetError
from ..utils.files import check_output, write_whole
from .arguments import add_config_arguments

_BUFFERS = ('running_mean', 'running_var', 'num_batches_tracked')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument('input', type=Path, help='path of the checkpoint to convert')
    add_config_arguments(parser)
    parser.add_argument('out', type=Path, help='path of the checkpoint to write')
    parser.add_argument(
        '--to-release', action='store_true', help='write one for the other code'
    )
    parser.add_argument('--force', action='store_true', help='replace OUT')


def run(args: argparse.Namespace) -> None:
    """Convert as the arguments say, and tell what was done."""
    source = args.input.expanduser()
    out = _check_paths(source, args.out, force=args.force)
    state_dict = _read(source)
    cfg = load_config(args.config, args.cfg_options)
    model = structure_of(cfg)
    try:
        conversion = convert(state_dict, model, reverse=args.to_release)
    except ConversionError as error:
        raise M2DetError(f'{source} was not converted. {error}') from error
    if args.to_release:
        checkpoint = OrderedDict(conversion.state_dict)
    else:
        meta = _meta(cfg, model.bbox_head.num_classes)
        checkpoint = {'meta': meta, 'state_dict': conversion.state_dict}
    # PyTorch before 1.6, as M2Det's release asks for, cannot read zip archives.
    in_zip = not args.to_release
    write_whole(
        out,
        lambda file: torch.save(
            checkpoint, file, _use_new_zipfile_serialization=in_zip
        ),
    )
    print('\n'.join(_summary(conversion, args.to_release, source, out)))


def _check_paths(source: Path, out: Path, *, force: bool) -> Path:
    """Return the path to write to, which is not ``source``."""
    if not source.is_file():
        raise M2DetError(
            f'{source} is no file on disk: the order of arguments is INPUT CONFIG OUT.'
        )
    if out.expanduser().exists() and out.expanduser().samefile(source):
        raise M2DetError(f'{out} is the file to read: give another name to write to.')
    return check_output(out, force=force)


def _read(path: Path) -> Mapping[str, Any]:
    """Load the state dict of a checkpoint, which may hold other things too."""
    _check_archive(path)
    checkpoint = load_safely(str(path), 'cpu')
    try:
        return state_dict_of(checkpoint)
    except WeightsError as error:
        raise M2DetError(f'{path} was not converted. {error}') from error


def _check_archive(path: Path) -> None:
    """Raise if a file in a zip archive is damaged, which torch does not check."""
    if not zipfile.is_zipfile(path):
        return
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise M2DetError(f'{path} is damaged ({error}): copy it again.') from error
    if damaged is not None:
        raise M2DetError(f'{path} is damaged (in its part {damaged}): copy it again.')


def _meta(cfg: Config, num_classes: int) -> dict[str, Any]:
    """Names and colours of the classes, where the config tells as many as needed."""
    dataset = (cfg.get('test_dataloader') or {}).get('dataset') or {}
    kind = dataset.get('type')
    dataset_class = DATASETS.get(kind) if isinstance(kind, str) else kind
    known = getattr(dataset_class, 'METAINFO', {})
    given = dataset.get('metainfo') or {}
    # Colours belong to the classes beside which they stand.
    info = given if 'classes' in given else known
    classes, palette = info.get('classes', ()), info.get('palette')
    if isinstance(classes, str) or len(classes) != num_classes:
        return {}
    dataset_meta: dict[str, Any] = {'classes': tuple(classes)}
    if isinstance(palette, list):
        dataset_meta['palette'] = [tuple(colour) for colour in palette]
    return {'dataset_meta': dataset_meta}


def _summary(
    conversion: Conversion, reverse: bool, source: Path, out: Path
) -> Iterator[str]:
    """Say what was read, what differs, and what was written."""
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
    if not reverse:
        yield 'Input size, anchors and pixels are those of CONFIG: no weights tell them'


def _size(tensors: Mapping[str, Tensor], aliases: Sequence[str]) -> str:
    """Count all tensors, and the parameters among them but for ``aliases``."""
    parameters = sum(
        value.numel()
        for name, value in tensors.items()
        if name not in aliases and not name.endswith(_BUFFERS)
    )
    return f'{len(tensors):,} tensors, {parameters:,} parameters'
