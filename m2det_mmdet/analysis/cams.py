"""Heat maps of what a detector reacts to, by the package grad-cam.

They need no levels. The layers that are looked at are the maps which a detector's head
gets; each of them gives a heat map, and their mean is the result.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from mmdet.models.detectors import BaseDetector, SingleStageDetector
from torch import Tensor, nn
from torch.nn import functional as F

from ..compat.optional import import_optional
from ..models.utils import flatten_maps
from ..utils.errors import M2DetError

# The library makes a matrix of (cells, cells): of a map of 200x200 it takes 6 GB.
_MOST_CELLS = 64  # of a map's longer side


class CamError(M2DetError):
    """A heat map cannot be made of a detector."""


def eigen_cam(model: BaseDetector, images: Tensor) -> np.ndarray:
    """Return where the maps differ most from their mean, of all classes together.

    `EigenCAM <https://arxiv.org/abs/2008.00299>`_: the first principal component of
    each map. Its sign is arbitrary, so that the heat may lie around the objects.
    Maps with more than 64 cells a side are averaged down to that.

    Args:
        model: A detector, in the mode of a test.
        images: ``(1, 3, H, W)``, as its data preprocessor gives them.

    Returns:
        ``(H, W)``, 0..1.

    Raises:
        CamError: If ``extract_feat`` gives no maps.
        PackagesError: If grad-cam is not installed.
    """
    library = _library('EigenCAM')
    layers = _Layers(model, _maps_of(model, images), tuple)
    cam = library.EigenCAM(layers, [*layers.layers], reshape_transform=_shrink)
    return cam(images, targets=[])[0]


def grad_cam(
    model: BaseDetector, images: Tensor, labels: Sequence[int]
) -> list[np.ndarray]:
    """Return what speaks for the best anchor of each class.

    `Grad-CAM <https://arxiv.org/abs/1610.02391>`_: the channels of the maps, weighed by
    the gradient of the class's largest score before the activation.

    Args:
        model: A detector of one stage whose head gives a map of class scores for each
            scale first, in the mode of a test.
        images: ``(1, 3, H, W)``, as its data preprocessor gives them.
        labels: Places of the classes.

    Returns:
        ``(H, W)`` for each class, 0..1.

    Raises:
        CamError: If the detector is another one.
        PackagesError: If grad-cam is not installed.
    """
    library = _library('Grad-CAM')
    maps = _maps_of(model, images)
    head = getattr(model, 'bbox_head', None)
    channels = getattr(head, 'cls_out_channels', None)
    # What RefineDet's second head takes is more than maps.
    takes_maps = isinstance(model, SingleStageDetector) and not hasattr(
        model, 'arm_head'
    )
    if channels is None or not takes_maps:
        raise _no_scores(model)

    def scores(maps: list[Tensor]) -> Tensor:
        outputs = head(tuple(maps))[0]
        if not isinstance(outputs, list | tuple) or len(outputs) != len(maps):
            raise _no_scores(model)
        return flatten_maps(outputs, channels)

    layers = _Layers(model, maps, scores)
    cam = library.GradCAM(layers, [*layers.layers])
    with torch.enable_grad():
        heat = [cam(images, targets=[_Largest(label)])[0] for label in labels]
    # Gradients of the head's weights are left over.
    model.zero_grad()
    return heat


class _Layers(nn.Module):
    """Maps that are layers, which the library looks at, and what follows them."""

    def __init__(
        self,
        model: nn.Module,
        maps: Sequence[Tensor],
        follow: Callable[[list[Tensor]], Any],
    ) -> None:
        super().__init__()
        # The library asks its weights for the device.
        self.model = model
        self.maps = maps
        self.layers = nn.ModuleList(nn.Identity() for _ in maps)
        self.follow = follow

    def forward(self, images: Tensor) -> Any:
        """Run what follows the maps; they are those of the images."""
        # Leaves of their own: what is before them needs no gradients, and hooks of an
        # earlier call are gone. A head may change its copies in place, and look at them
        # in any order: gradients of copies are computed last and in reverse, as the
        # library takes them.
        maps = [
            layer(x.detach().requires_grad_()).clone()
            for layer, x in zip(self.layers, self.maps, strict=True)
        ]
        return self.follow(maps)


class _Largest:
    """The largest score of a class, of ``(anchors, classes)``."""

    def __init__(self, label: int) -> None:
        self.label = label

    def __call__(self, scores: Tensor) -> Tensor:
        return scores[:, self.label].max()


@torch.no_grad()
def _maps_of(model: BaseDetector, images: Tensor) -> list[Tensor]:
    maps = model.extract_feat(images)
    # RefineDet's are the first of what it gives.
    if isinstance(maps, tuple) and maps and isinstance(maps[0], list | tuple):
        maps = maps[0]
    maps = [maps] if isinstance(maps, Tensor) else maps
    if not all(isinstance(x, Tensor) and x.dim() == 4 for x in maps):
        raise CamError(
            f'{type(model).__name__}.extract_feat gives no maps (N, C, H, W), of which '
            'heat maps could be made.'
        )
    return [*maps]


def _no_scores(model: BaseDetector) -> CamError:
    return CamError(
        f'Grad-CAM needs a head of one stage that gives a map of class scores for each '
        f'scale; {type(model).__name__} has none: take eigencam.'
    )


def _shrink(x: Tensor) -> Tensor:
    factor = min(1, _MOST_CELLS / max(x.shape[-2:]))
    size = [max(1, round(side * factor)) for side in x.shape[-2:]]
    return F.adaptive_avg_pool2d(x, size)


def _library(user: str) -> Any:
    return import_optional(
        'pytorch_grad_cam', package='grad-cam', extra='cam', user=user
    )
