"""Exported files where a command takes a model."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmdet.registry import MODELS
from mmengine.config import Config, ConfigDict
from mmengine.registry import init_default_scope
from torch.utils.data import Dataset

from ..checkpoints.embedded_config import embedded_config
from ..export.detector import ExportedDetector
from ..export.errors import ExportError
from ..export.metadata import Metadata
from ..export.runtimes.opening import read_metadata
from ..utils.configs import load_config
from ..utils.exported import is_exported
from ..utils.pipelines import resize_of, without_step
from .checks import check_at_least

# What a graph does to the images, where it prepares them itself.
_INSIDE = ('Resize', 'Pad')


def exported_config(file: str, options: Mapping[str, Any] | None) -> Config:
    """Return the config of an exported file, with the file in the model's place.

    Args:
        file: The file.
        options: As of :func:`.find_model`. The model is what it is.

    Raises:
        ExportError: If the file is none of ours, or an option is of the model.
        CheckpointError: If its config must not be used.
    """
    metadata = read_metadata(file)
    for key in options or {}:
        if key.partition('.')[0] == 'model':
            raise ExportError(
                f'{key} cannot be set, since {file} has the model as it was exported: '
                'export it with this option.'
            )
    cfg = load_config(embedded_config(metadata.config, file), options)
    cfg.model = _model(cfg.model, file, metadata)
    _set_size(cfg, metadata)
    return cfg


def use_runtime(
    cfg: Config,
    checkpoint: str | Path | None,
    *,
    device: str | None = None,
    threads: int | None = None,
    provider: str | None = None,
    faster: Mapping[str, Any] | None = None,
    tta: bool = False,
) -> None:
    """Let a config run an exported file in a certain way.

    Args:
        cfg: The config; changed where it has an exported file.
        checkpoint: The checkpoint, or the exported file.
        device: As of :func:`.open_exported`.
        threads: Likewise.
        provider: Likewise.
        faster: Options that make a network of PyTorch faster.
        tta: Whether several sizes and flips are wanted.

    Raises:
        ExportError: If an option is given that is not for this kind of file.
    """
    check_at_least('threads', threads, 1)
    if checkpoint is None or not is_exported(checkpoint):
        if threads is not None or provider is not None:
            raise ExportError(
                'threads and provider are for exported files, and '
                f'{checkpoint or cfg.filename} is none: leave them out.'
            )
        return
    if faster:
        raise ExportError(
            f'{checkpoint} is an exported file, which fast, compile and autocast do '
            'not change: leave them out, or export it with another precision.'
        )
    if tta:
        raise ExportError(
            f'{checkpoint} is an exported file, which cannot be tested with tta: take '
            'the checkpoint that it was made of.'
        )
    name = None if device is None else str(device)
    cfg.model.update(device=name, threads=threads, provider=provider)


def is_exported_config(cfg: Config) -> bool:
    """Whether a config has an exported file in the place of its model."""
    kind = (cfg.get('model') or {}).get('type')
    return kind in (ExportedDetector, ExportedDetector.__name__)


def build_of_file(cfg: Config) -> ExportedDetector:
    """Build what runs an exported file, and open the file.

    Raises:
        ExportError: If it cannot be run.
    """
    init_default_scope(cfg.get('default_scope', 'mmdet'))
    model = MODELS.build(cfg.model).eval()
    _ = model.file
    return model


def check_classes_of_file(cfg: Config, dataset: Dataset) -> None:
    """Stop where a data set has another number of classes than an exported file.

    Raises:
        ExportError: One sentence that names both.
    """
    known = cfg.model.classes
    classes = getattr(dataset, 'metainfo', {}).get('classes')
    if classes is not None and len(classes) != len(known):
        raise ExportError(
            f'{cfg.model.file} predicts {len(known)} classes ({", ".join(known)}), but '
            f'the data set has {len(classes)} ({", ".join(classes)}): give data of its '
            'classes.'
        )


def _model(model: ConfigDict, file: str, metadata: Metadata) -> ConfigDict:
    head = model.get('bbox_head') or {}
    prepared = metadata.preparation.inside
    return ConfigDict(
        type=ExportedDetector.__name__,
        file=file,
        classes=list(metadata.classes),
        test_cfg=model.get('test_cfg') or head.get('test_cfg'),
        clip_border=(head.get('bbox_coder') or {}).get('clip_border', True),
        data_preprocessor=ConfigDict(type='DetDataPreprocessor')
        if prepared
        else model.get('data_preprocessor'),
    )


def _set_size(cfg: Config, metadata: Metadata) -> None:
    """Let the test pipeline make images of the size that the file takes."""
    if metadata.preparation.inside:
        for kind in _INSIDE:
            without_step(cfg.test_dataloader.dataset, kind)
        return
    resize = resize_of(cfg)
    if resize is not None and metadata.size is not None:
        resize['scale'] = metadata.size[::-1]
