"""How the images of a detector are read."""

from collections.abc import Callable

import mmcv
import numpy as np
from mmdet.registry import TRANSFORMS
from mmengine.config import Config

from ..datasets.deep_images import LoadDeepImageFromFile
from ..utils.images import ImageReader
from ..utils.pipelines import kind_of, wrapped_in


def take_reader(cfg: Config) -> ImageReader:
    """Return what reads the images of a config's test pipeline.

    A loader of deep images gives place to mmcv's in the config: mmdet's
    ``DetInferencer`` looks for that one, and is given arrays.

    Args:
        cfg: Changed where its test pipeline begins with a loader of deep images.
    """
    dataset = cfg.test_dataloader.dataset
    while parts := wrapped_in(dataset):
        dataset = parts[0]
    pipeline = dataset.pipeline
    for place, step in enumerate(pipeline):
        if kind_of(step) == LoadDeepImageFromFile.__name__:
            loader = TRANSFORMS.build(step)
            pipeline[place] = {'type': 'LoadImageFromFile'}
            return loader.read
    return mmcv.imread


def scaling_of(read: ImageReader) -> Callable[[np.ndarray, str], np.ndarray] | None:
    """Return what makes bytes of deep images, as a reader does; ``None`` for mmcv's.

    Args:
        read: What :func:`take_reader` returned.
    """
    loader = getattr(read, '__self__', None)
    return loader.to_bytes if isinstance(loader, LoadDeepImageFromFile) else None
