"""Convert checkpoints of other code, and back, and from one form of file to another."""

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
from torch import Tensor, nn

from .. import convert as conversions
from ..analysis.structure import structure_of
from ..checkpoints.errors import CheckpointError
from ..checkpoints.foreign import foreign_owner
from ..checkpoints.loading import load_safely
from ..checkpoints.publishing import (
    FORMS,
    SAFETENSORS,
    classes_and_colours,
    form_of,
    weights_alone,
    write_weights,
)
from ..checkpoints.safetensors_files import write_safetensors
from ..checkpoints.weights import (
    WeightsError,
    check_weights,
    state_dict_of,
    tensors_of,
)
from ..checkpoints.zoo import find_weights, is_in_zoo
from ..utils.configs import load_config
from ..utils.errors import M2DetError, our_errors
from ..utils.files import check_output, write_whole
from ..utils.logs import quiet_log
from ..utils.texts import printable
from .checks import check_one_of


@dataclass(frozen=True)
class ConvertedCheckpoint:
    """A checkpoint that was converted.

    Attributes:
        source: What was read.
        out: What was written.
        conversion: The tensors, and what became of each.
        form: Form of the file: ``'pth'`` or ``'safetensors'``.
        is_own: Whether it was one of the config already, of which the weights were
            kept.
    """

    source: Path
    out: Path
    conversion: conversions.Conversion
    form: str
    is_own: bool


@our_errors()
def convert(
    source: str | Path,
    config: str | Path | Config,
    out: str | Path,
    *,
    to_release: bool = False,
    form: str | None = None,
    force: bool = False,
    options: Mapping[str, Any] | None = None,
) -> ConvertedCheckpoint:
    """Convert a checkpoint of other code to one of MMDetection, or back.

    With a form, one of ``config`` is written in that form: its weights, without the
    state of the training, its classes and the config.

    Args:
        source: A checkpoint of M2Det's authors or of RefineDet's PyTorch port; with
            ``to_release`` or a form one of ``config``.
        config: Path or name of the config of the same network, or the config.
        out: Checkpoint to write.
        to_release: Whether to write one for the other code.
        form: ``'pth'`` or ``'safetensors'``; by default what the name of ``out`` tells.
        force: Whether to replace ``out``.
        options: Settings of the config to override, by their dotted keys.

    Raises:
        M2DetError: If a file cannot be read or written, or the checkpoint is not one
            of the network; what there was at ``out`` is left.
    """
    quiet_log()
    source = _find(source)
    check_one_of('form', form, FORMS)
    # Else to forget `to_release` would copy the weights without a word.
    is_named = form is not None or form_of(Path(out)) == SAFETENSORS
    form = _check_form(Path(out), form)
    out = _check_paths(source, Path(out), force=force)
    cfg = load_config(config, options)
    model = structure_of(cfg)
    try:
        checkpoint = _read(source)
        state_dict = state_dict_of(checkpoint)
        is_own = is_named and not to_release and _is_of(state_dict, model)
        if is_own:
            check_weights(checkpoint, model, complete=True)
            conversion = _unchanged(weights_alone(checkpoint))
        else:
            conversion = conversions.convert(state_dict, model, reverse=to_release)
    except (conversions.ConversionError, WeightsError) as error:
        reason = f'{printable(str(source))} was not converted. {error}'
        raise conversions.ConversionError(reason) from error
    if to_release:
        _write_release(out, conversion.state_dict, form)
    else:
        meta = classes_and_colours(checkpoint) if is_own else {}
        meta = meta or _meta(cfg, model.bbox_head.num_classes)
        write_weights(out, conversion.state_dict, meta, cfg.pretty_text, form=form)
    return ConvertedCheckpoint(source, out, conversion, form, is_own)


def _check_form(out: Path, form: str | None) -> str:
    """Return the form to write; a name tells the same one, as many believe names."""
    by_name = form_of(out)
    if form is not None and form != by_name:
        raise M2DetError(
            f'{out} is no name for a file in the form {form}: call it '
            f'{out.with_suffix("." + form).name}.'
        )
    return by_name


def _is_of(state_dict: Mapping[str, Any], model: nn.Module) -> bool:
    """Whether a state dict has names of ``model``, and is not one of other code."""
    names = tensors_of(state_dict).keys()
    return foreign_owner(names) is None and not names.isdisjoint(model.state_dict())


def _unchanged(weights: Mapping[str, Tensor]) -> conversions.Conversion:
    return conversions.Conversion(dict(weights), weights, (), (), ())


def _write_release(out: Path, weights: Mapping[str, Tensor], form: str) -> None:
    """Write a checkpoint for the other code, which is a state dict alone."""
    if form == SAFETENSORS:
        write_safetensors(out, weights)
        return
    # PyTorch before 1.6, as M2Det's release asks for, cannot read zip archives.
    checkpoint = OrderedDict(weights)
    write_whole(
        out,
        lambda file: torch.save(checkpoint, file, _use_new_zipfile_serialization=False),
    )


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
    """Load a checkpoint, and check that its file is whole."""
    # Before its parts are read, their sizes are checked.
    checkpoint = load_safely(str(path), 'cpu')
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
    return checkpoint


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
    return dataset_meta
