"""What programs get of an explanation: figures as JSON takes them."""

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from ..analysis.explained import DataExplanation, Explanation, HeatExplanation


def figures_of_image(found: Explanation) -> dict[str, Any]:
    """Return the objects of an image, the maps and SFAM's weights."""
    return {
        **_figures_of_objects(found, map(asdict, found.objects)),
        'sfam_weights': found.weights.tolist(),
        'maps': {
            name: [scale.tolist() for scale in maps]
            for name, maps in found.maps.items()
        },
    }


def figures_of_heat(found: HeatExplanation) -> dict[str, Any]:
    """Return the objects of an image; the heat itself would be too large."""
    objects = (x._asdict() for x in found.objects)
    return {**_figures_of_objects(found, objects), 'note': found.note}


def _figures_of_objects(
    found: Explanation | HeatExplanation, objects: Iterable[dict[str, Any]]
) -> dict[str, Any]:
    return {
        'method': found.method,
        'classes': found.classes,
        'objects': [*objects],
    }


def figures_of_data(result: DataExplanation) -> dict[str, Any]:
    """Return what the levels give for each group of objects."""
    return {
        'split': result.split,
        'images': result.images,
        'objects': result.objects,
        'groups': {
            kind: {
                name: {**asdict(group), 'shares': group.shares}
                for name, group in own.items()
            }
            for kind, own in result.groups.items()
        },
    }
