"""Builds mmdet's ``DetInferencer`` of a config and a checkpoint."""

import threading
import warnings
from pathlib import Path

from mmdet.apis import DetInferencer
from mmengine.config import Config
from mmengine.runner import CheckpointLoader

from ..analysis.random_weights import without_pretrained
from ..analysis.structure import structure_of
from ..checkpoints.weights import check_weights
from ..models.detectors import drop_auxiliary
from ..utils.exported import is_exported
from ..utils.logs import prints_to, quiet_log
from ..utils.warning_filters import own_filters
from .class_names import class_names

# MMEngine's default scope, and the names of its visualizers, are those of all threads.
building = threading.RLock()


def build_inferencer(
    cfg: Config, checkpoint: str | Path, device: str | None = None
) -> DetInferencer:
    """Build the detector with the weights of a checkpoint that has all of them.

    Args:
        cfg: The config; it gets a visualizer where it has none, and loses the names of
            weights to start from.
        checkpoint: Path, URL or name of the zoo; or an exported file, whose place may
            have changed since the config was read.
        device: ``'cpu'``, ``'cuda'``, ...; the best there is by default.

    Returns:
        The inferencer, which prints nothing; its model's ``dataset_meta`` has the names
        of the classes.

    Raises:
        M2DetError: If the model does not build, the checkpoint does not fit it, or the
            names of the classes are unknown.
    """
    if 'visualizer' not in cfg:
        cfg.visualizer = {'type': 'DetLocalVisualizer'}
    with building, prints_to(quiet_log()), own_filters():
        # Each picture gets a file name of its own.
        warnings.filterwarnings('ignore', 'Failed to add .*LocalVisBackend')
        if is_exported(checkpoint):
            return _of_file(cfg, str(checkpoint), device)
        weights = CheckpointLoader.load_checkpoint(str(checkpoint), 'cpu')
        check_weights(weights, drop_auxiliary(structure_of(cfg)), complete=True)
        # All weights come from the checkpoint.
        cfg.model = without_pretrained(cfg.model)
        # Theirs are COCO's where the checkpoint has none.
        warnings.filterwarnings('ignore', 'dataset_meta or class names are not saved')
        inferencer = DetInferencer(
            cfg, str(checkpoint), device=device, show_progress=False
        )
        drop_auxiliary(inferencer.model)
        names = class_names(inferencer.model, weights, cfg)
    inferencer.model.dataset_meta['classes'] = names
    return inferencer


def _of_file(cfg: Config, file: str, device: str | None) -> DetInferencer:
    """Build what runs an exported file, and open the file."""
    cfg.model.file = file
    warnings.filterwarnings('ignore', 'Checkpoint is not loaded')
    warnings.filterwarnings('ignore', 'weights is None, use COCO classes')
    inferencer = DetInferencer(cfg, None, device=device, show_progress=False)
    model = inferencer.model
    model.dataset_meta['classes'] = model.classes
    _ = model.file
    return inferencer
