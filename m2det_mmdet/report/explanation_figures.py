"""What programs get of an explanation: figures as JSON takes them."""

from dataclasses import asdict
from typing import Any

from ..analysis.explained import DataExplanation, Explanation, HeatExplanation


def figures_of(found: Explanation | HeatExplanation) -> dict[str, Any]:
    """Return the objects of an image, and what there is of maps and SFAM's weights.

    Heat itself would be too large.
    """
    is_heat = isinstance(found, HeatExplanation)
    figures = {
        'method': found.method,
        'classes': found.classes,
        'objects': [x._asdict() if is_heat else asdict(x) for x in found.objects],
    }
    if is_heat:
        return {**figures, 'note': found.note}
    return {
        **figures,
        'sfam_weights': found.weights.tolist(),
        'maps': {
            name: [scale.tolist() for scale in maps]
            for name, maps in found.maps.items()
        },
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
