"""Another name of :mod:`m2det_mmdet.compat.fast_nms`, which configs import."""

from ..compat import fast_nms  # noqa: F401
