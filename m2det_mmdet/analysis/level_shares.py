"""Which levels find the objects of a data set, by groups of objects."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from mmdet.structures.bbox import bbox_overlaps
from torch import as_tensor

from ..evaluation.figures import SIZES
from .explained import GroupShares
from .level_view import ExplainedObject

# Where one of COCO's ranges of areas ends and the next begins, square pixels.
_LIMITS = (32**2, 96**2)
# An object was found by a box of its class that overlaps it so much.
_FOUND = 0.5


class FoundByLevels:
    """The objects of a data set that were found, in groups.

    Args:
        classes: Names of the classes.
        supercategories: The supercategory of each class; empty where there are none.
    """

    def __init__(
        self, classes: Sequence[str], supercategories: Mapping[str, str]
    ) -> None:
        self._classes = classes
        self._supercategories = supercategories
        self._groups: dict[str, dict[str, list[ExplainedObject]]] = defaultdict(
            lambda: defaultdict(list)
        )

    def add(
        self, annotations: Sequence[dict[str, Any]], seen: Sequence[ExplainedObject]
    ) -> None:
        """Add the objects of an image.

        Args:
            annotations: As COCO has them; classes are numbered from 1. Crowds are left
                out.
            seen: What the detector found, the best first.
        """
        for annotation in annotations:
            label = annotation['category_id'] - 1
            own = [x for x in seen if x.label == label]
            found = _best(annotation, own)
            if found is None:
                continue
            size = SIZES[bisect_right(_LIMITS, annotation['area'])]
            groups = self._groups
            groups['all']['all'].append(found)
            groups['size'][size].append(found)
            groups['class'][found.name].append(found)
            if (whole := self._supercategories.get(found.name)) is not None:
                groups['supercategory'][whole].append(found)

    def shares(self, num_scales: int) -> dict[str, dict[str, GroupShares]]:
        """Return what the levels give, by the kind of a group and its name.

        Args:
            num_scales: Scales of the pyramid.
        """
        names = ('all', *SIZES, *self._classes, *self._supercategories.values())
        return {
            kind: {
                name: _mean(groups[name], num_scales)
                for name in dict.fromkeys(names)
                if name in groups
            }
            for kind, groups in self._groups.items()
        }


def _best(
    annotation: dict[str, Any], found: Sequence[ExplainedObject]
) -> ExplainedObject | None:
    """Return what found an object with the best score; ``None`` if nothing did."""
    if annotation.get('iscrowd', 0) or not found:
        return None
    x, y, width, height = annotation['bbox']
    box = as_tensor([[x, y, x + width, y + height]])
    overlaps = bbox_overlaps(box, as_tensor([x.box for x in found]))[0]
    places = (overlaps >= _FOUND).nonzero()
    return found[int(places[0])] if len(places) else None


def _mean(objects: Sequence[ExplainedObject], num_scales: int) -> GroupShares:
    evidence = np.mean([x.evidence for x in objects], axis=0)
    scales = np.bincount([x.scale for x in objects], minlength=num_scales)
    return GroupShares(len(objects), tuple(evidence.tolist()), tuple(scales.tolist()))
