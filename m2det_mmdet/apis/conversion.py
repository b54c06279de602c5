"""Convert checkpoints of other code, and back."""

import zipfile
import zlib
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from mmdet.registry import DATASETS
from mmengine.config import Config

from .. import convert as conversions
from ..analysis.structure import structure_of
from ..checkpoints.errors import CheckpointError
from ..checkpoints.loading import load_safely
from ..checkpoints.weights import WeightsError, state_dict_of
from ..checkpoints.zoo import find_weights, is_in_zoo
from ..utils.configs import load_config
from ..utils.errors import M2DetError, our_errors
from ..utils.files import check_output, write_whole
from ..utils.logs import quiet_log
from ..utils.texts import printable


@dataclass(frozen=True)
class ConvertedCheckpoint:
    """A checkpoint that was converted.

    Attributes:
        source: What was read.
        out: What was written.
        conversion: The tensors, and what became of each.
    """

    source: Path
    out: Path
    conversion: conversions.Conversion


@our_errors()
def convert(
    source: str | Path,
    config: str | Path | Config,
    out: str | Path,
    *,
    to_release: bool = False,
    force: bool = False,
    options: Mapping[str, Any] | None = None,
) -> ConvertedCheckpoint:
    """Convert a checkpoint of other code to one of MMDetection, or back.

    Args:
        source: A checkpoint of M2Det's authors or of RefineDet's PyTorch port; with
            ``to_release`` one of ``config``.
        config: Path or name of the config of the same network, or the config.
        out: Checkpoint to write.
        to_release: Whether to write one for the other code.
        force: Whether to replace ``out``.
        options: Settings of the config to override, by their dotted keys.

    Raises:
        M2DetError: If a file cannot be read or written, or the checkpoint is not one
            of the network; what there was at ``out`` is left.
    """
    quiet_log()
    source = _find(source)
    out = _check_paths(source, Path(out), force=force)
    cfg = load_config(config, options)
    model = structure_of(cfg)
    try:
        state_dict = _read(source)
        conversion = conversions.convert(state_dict, model, reverse=to_release)
    except (conversions.ConversionError, WeightsError) as error:
        reason = f'{printable(str(source))} was not converted. {error}'
        raise conversions.ConversionError(reason) from error
    if to_release:
        checkpoint = OrderedDict(conversion.state_dict)
    else:
        meta = _meta(cfg, model.bbox_head.num_classes)
        checkpoint = {'meta': meta, 'state_dict': conversion.state_dict}
    # PyTorch before 1.6, as M2Det's release asks for, cannot read zip archives.
    in_zip = not to_release
    write_whole(
        out,
        lambda file: torch.save(
            checkpoint, file, _use_new_zipfile_serialization=in_zip
        ),
    )
    return ConvertedCheckpoint(source, out, conversion)


def _find(source: str | Path) -> Path:
    """Return the file to read: ``source``, or that of weights by their name."""
    path = Path(source).expanduser()
    if not path.exists() and is_in_zoo(str(source)):
        return find_weights(str(source))
    return path


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
    # torch does not check the files in a zip archive.
    if zipfile.is_zipfile(path):
        try:
            with zipfile.ZipFile(path) as archive:
                damaged = archive.testzip()
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
            raise CheckpointError(
                f'{path} is damaged ({error}): copy it again.'
            ) from error
        if damaged is not None:
            raise CheckpointError(
                f'{path} is damaged (in its part {damaged}): copy it again.'
            )
    return state_dict_of(load_safely(str(path), 'cpu'))


def _meta(cfg: Config, num_classes: int) -> dict[str, Any]:
    """Names and colours of the classes, where the config has as many as needed."""
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
