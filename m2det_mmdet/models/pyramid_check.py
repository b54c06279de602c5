"""Whether the maps of backbone and neck are those that neck and heads expect.

MMDetection's heads place priors, and its RoI extractors cut RoIs, by the strides in
their configs. If the neck makes other maps, a detector trains and tests on boxes in
wrong places, without an error. Other numbers of maps or channels end in a bare
assertion, or in PyTorch's error about shapes.
"""

from collections.abc import Sequence
from weakref import WeakSet

import torch
from mmdet.models.dense_heads.base_dense_head import BaseDenseHead
from mmdet.models.detectors.base import BaseDetector
from mmdet.models.roi_heads.roi_extractors import BaseRoIExtractor, SingleRoIExtractor
from torch import Tensor, nn
from torch.nn.modules.module import register_module_module_registration_hook

from ..utils.errors import M2DetError
from .dense_heads import ARMHead
from .necks import MLFPN, TCB, AugFPN, BiFPN, DSSDNeck
from .task_modules import M2DetAnchorGenerator
from .task_modules.strides import Size, Stride, stride_fits

# Their detectors are watched without being asked to.
NECKS = (AugFPN, BiFPN, DSSDNeck, MLFPN, TCB)
# Attributes of mmdet's heads with strides; the second is that of guided anchors.
_GENERATORS = ('prior_generator', 'square_anchor_generator')
_watched: WeakSet[nn.Module] = WeakSet()


class PyramidError(M2DetError, ValueError):
    """The maps of a neck are not those that a head expects."""


def install() -> None:
    """Check the first image of every detector that gets one of :data:`NECKS`."""
    register_module_module_registration_hook(_await_image)


def _await_image(detector: nn.Module, name: str, neck: nn.Module | None) -> None:
    """Look at what becomes a part of a module.

    Args:
        detector: The module.
        name: Name of the part.
        neck: The part.
    """
    if name != 'neck' or not isinstance(detector, BaseDetector):
        return
    own = neck is not None and any(isinstance(x, NECKS) for x in neck.modules())
    # Runners register parts a second time.
    if own and hasattr(detector, 'backbone') and detector not in _watched:
        _watched.add(detector)
        _FirstImage(detector)


class _FirstImage:
    """Starts a :class:`Watch` at the first image of a detector.

    The image after one that a head took ends it: an image with which the detector fails
    says nothing of the next.

    Args:
        detector: A detector with a backbone, which may lack its heads yet.
    """

    def __init__(self, detector: nn.Module) -> None:
        self.detector = detector
        self.watch: Watch | None = None
        self.handle = detector.backbone.register_forward_pre_hook(self)

    def __call__(self, backbone: nn.Module, args: tuple) -> None:
        """Get the images that the backbone gets."""
        if torch.compiler.is_compiling():
            return
        if self.watch is None:
            self.watch = Watch(self.detector, 'model')
            self.watch.see_image(backbone, args)
        elif self.watch.passed:
            self.watch.end()
            self.handle.remove()


class Watch:
    """Forward hooks that compare the maps in a detector with what its parts expect.

    They check backbone, neck, dense heads and RoI extractors: the number of maps, their
    strides, and the channels that the parts were built for. A size may differ from
    pixels divided by stride by less than one cell, as convolutions round up or down.

    Args:
        detector: A detector with a backbone.
        path: Its name in messages.

    Attributes:
        passed: Whether the last part that was checked fits.

    Raises:
        PyramidError: At an image, one sentence that names both sides, their numbers and
            the fix.
    """

    def __init__(self, detector: nn.Module, path: str) -> None:
        self.path = path
        self.passed = False
        self.pixels: Size | None = None
        neck = getattr(detector, 'neck', None)
        self.giver = f'{path}.{"backbone" if neck is None else "neck"}'
        self.names = {module: name for name, module in detector.named_modules()}
        self.handles = [detector.backbone.register_forward_pre_hook(self.see_image)]
        if isinstance(getattr(neck, 'in_channels', None), Sequence):
            self.handles.append(neck.register_forward_pre_hook(self._check_neck))
        for module in self.names:
            if isinstance(module, (BaseDenseHead, BaseRoIExtractor)):
                self.handles.append(module.register_forward_pre_hook(self._check_head))

    def end(self) -> None:
        """Remove the hooks."""
        for handle in self.handles:
            handle.remove()

    def see_image(self, backbone: nn.Module, args: tuple) -> None:
        """Note the size of the images that the backbone gets."""
        self.pixels = tuple(args[0].shape[-2:])

    def _check_neck(self, neck: nn.Module, args: tuple) -> None:
        if torch.compiler.is_compiling() or not _are_maps(args):
            return
        # RFP also gets the image; YOLOv3's neck lists its inputs from the deepest map.
        maps = [x for x in args[0] if tuple(x.shape[-2:]) != self.pixels]
        got, expected = [x.shape[1] for x in maps], list(neck.in_channels)
        if sorted(got) != sorted(expected):
            self.passed = False
            raise PyramidError(
                f'{self.path}.backbone makes {len(got)} maps of {got} channels, but '
                f'{self.path}.neck expects {len(expected)} of {expected}: make '
                'in_channels of the neck fit out_indices of the backbone.'
            )

    def _check_head(self, head: nn.Module, args: tuple) -> None:
        if torch.compiler.is_compiling() or self.pixels is None or not _are_maps(args):
            return
        self.passed = False
        strides = _strides(head, self.pixels)
        if strides is not None:
            giver, taker = self.giver, f'{self.path}.{self.names[head]}'
            if isinstance(head, ARMHead):
                giver = f'{self.path}.backbone'
            check_strides(giver, taker, args[0], strides, self.pixels)
            check_channels(giver, taker, args[0], head)
        self.passed = True


def check_strides(
    giver: str,
    taker: str,
    maps: Sequence[Tensor],
    strides: Sequence[Stride],
    pixels: Size,
) -> None:
    """Compare number and strides of ``maps`` with ``strides``.

    Args:
        giver: Name of the module that made the maps.
        taker: Name of the module that expects the strides.
        maps: Maps ``(N, C_i, H_i, W_i)``.
        strides: Expected vertical and horizontal pixels for each cell.
        pixels: Height and width of the input, with its padding.

    Raises:
        PyramidError: If the number differs, or a stride does not fit its map (see
            :func:`.stride_fits`).
    """
    expected = ', '.join(_text(stride) for stride in strides)
    if len(maps) != len(strides):
        raise PyramidError(
            f'{taker} expects {len(strides)} maps (strides {expected}) and gets '
            f'{len(maps)} of {giver}: make num_outs or num_scales of the neck, or the '
            'strides, fit.'
        )
    cells = [tuple(x.shape[-2:]) for x in maps]
    pairs = zip(strides, cells, strict=True)
    if all(stride_fits(pixels, stride, size) for stride, size in pairs):
        return
    made = ', '.join(_text((pixels[0] / h, pixels[1] / w)) for h, w in cells)
    sizes = ', '.join(f'{height}x{width}' for height, width in cells)
    raise PyramidError(
        f'{taker} expects maps of strides {expected}, but {giver} makes maps of '
        f'strides {made} ({sizes} cells of {pixels[0]}x{pixels[1]} pixels): make the '
        'strides of the head, or out_indices of the backbone and the scales of the '
        'neck (exact_strides=True of MLFPN), fit.'
    )


def check_channels(
    giver: str, taker: str, maps: Sequence[Tensor], head: nn.Module
) -> None:
    """Compare the channels of ``maps`` with those that a module was built for.

    Those of a dense head are its ``in_channels``. An RoI extractor that takes each RoI
    from one of several maps has ``out_channels`` for all of them.

    Args:
        giver: Name of the module that made the maps.
        taker: Name of the head or RoI extractor.
        maps: Maps ``(N, C_i, H_i, W_i)``, as many as it expects.
        head: The head or RoI extractor.

    Raises:
        PyramidError: If they differ.
    """
    expected = None
    if isinstance(head, BaseDenseHead):
        expected, name = getattr(head, 'in_channels', None), 'in_channels'
    elif isinstance(head, SingleRoIExtractor) and len(maps) > 1:
        expected, name = head.out_channels, 'out_channels'
    if isinstance(expected, int):
        expected = [expected] * len(maps)
    got = [x.shape[1] for x in maps]
    if expected is not None and got != list(expected):
        raise PyramidError(
            f'{taker} expects maps of {list(expected)} channels, but {giver} makes '
            f'maps of {got}: make {name} of the head and out_channels of the neck '
            'agree.'
        )


def _are_maps(args: tuple) -> bool:
    """Whether the first of a module's arguments is a sequence of maps."""
    maps = args[0] if args else None
    return isinstance(maps, (tuple, list)) and all(isinstance(x, Tensor) for x in maps)


def _strides(module: nn.Module, pixels: Size) -> list[Stride] | None:
    """Strides that a head or RoI extractor expects; ``None`` if it has none.

    Args:
        module: A dense head, or an RoI extractor.
        pixels: Height and width of the input.
    """
    if isinstance(module, BaseRoIExtractor):
        return [(stride, stride) for stride in module.featmap_strides]
    generators = (getattr(module, name, None) for name in _GENERATORS)
    generator = next((x for x in generators if x is not None), None)
    if isinstance(generator, M2DetAnchorGenerator):
        # Without steps, and mostly at other sizes, it follows the maps.
        if not generator.has_steps(pixels):
            return None
        return [(step, step) for step in generator.steps]
    # They are (horizontal, vertical) in mmdet.
    strides = getattr(generator, 'strides', None)
    return None if strides is None else [(y, x) for x, y in strides]


def _text(stride: Stride) -> str:
    """Write a stride as one number, or as vertical x horizontal."""
    parts = list(dict.fromkeys(f'{side:.4g}' for side in stride))
    return 'x'.join(parts)
