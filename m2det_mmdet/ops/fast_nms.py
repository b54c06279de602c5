"""The name by which configs import :mod:`m2det_mmdet.compat.fast_nms`."""

from ..compat import fast_nms  # noqa: F401
