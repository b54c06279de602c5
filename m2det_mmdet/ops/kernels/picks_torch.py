"""Soft-NMS in plain PyTorch: all classes of all images at a time."""

import torch
from torch import Tensor
from torch.nn import functional as F

from ..nms import box_area
from ..options import Settings


def picks(
    boxes: Tensor, scores: Tensor, labels: Tensor, settings: Settings, limit: int
) -> tuple[Tensor, Tensor]:
    """Pick the best boxes, weakening those of the same class that they overlap.

    Args:
        boxes: Corners ``(N, R, 4)``, xyxy in pixels; float32 or float64.
        scores: ``(N, R)``. Boxes with a score or corner that is not finite take no
            part.
        labels: Class of each box, ``(N, R)``.
        settings: Options of soft-NMS.
        limit: Boxes of each image to return, at most ``R``.

    Returns:
        Final scores ``(N, limit)``, descending, and the rows ``(N, limit)`` of the
        boxes. If no box is left, scores are minus infinity and rows -1. Equal scores
        come in the order of the input.
    """
    takes_part = boxes.isfinite().all(2) & scores.isfinite()
    if not settings.original:
        takes_part &= scores >= settings.min_score
    members = _by_class(takes_part, labels)
    # One more place, which fills up the shorter classes.
    final = F.pad(torch.full_like(scores, -torch.inf).flatten(), (0, 1))
    current = F.pad(scores.flatten(), (0, 1), value=-torch.inf)[members]
    corners = F.pad(boxes.flatten(0, 1), (0, 0, 0, 1))[members]
    for _ in range(min(limit, settings.room(members.shape[1]))):
        top, best = current.max(dim=1, keepdim=True)
        if top.max() == -torch.inf:
            break
        place = members.gather(1, best)
        # For a class without boxes left this is its first member, which may be picked.
        final[place] = final[place].maximum(top)
        chosen = corners.gather(1, best[..., None].expand(-1, 1, 4))
        current.scatter_(1, best, -torch.inf)
        current = weaken(current, overlap(chosen, corners, settings.offset), settings)
    return best_rows(final[:-1].view_as(scores), limit)


def best_rows(
    scores: Tensor, limit: int, rows: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Sort by score, equal scores by row, and return the first.

    Args:
        scores: ``(N, P)``, minus infinity where there is no box.
        limit: Number of boxes to return at most.
        rows: Row of each box, ``(N, P)``; by default its place.

    Returns:
        Scores and rows as :func:`picks` returns them.
    """
    if rows is None:
        rows = torch.arange(scores.shape[1], device=scores.device).expand_as(scores)
    else:
        rows, order = rows.sort(dim=1)
        scores = scores.gather(1, order)
    scores, order = scores.sort(dim=1, descending=True, stable=True)
    rows = rows.gather(1, order).masked_fill(scores == -torch.inf, -1)
    return scores[:, :limit], rows[:, :limit]


def _by_class(takes_part: Tensor, labels: Tensor) -> Tensor:
    """Gather the members of each class of each image.

    Args:
        takes_part: ``(N, R)``, bool.
        labels: ``(N, R)``.

    Returns:
        ``(classes, members)`` places in the flattened input, ascending; ``N * R``
        fills up the shorter classes.
    """
    place = takes_part.flatten().nonzero().flatten()
    image, label = place // labels.shape[1], labels.flatten()[place]
    order = label.argsort(stable=True)
    order = order[image[order].argsort(stable=True)]
    place, image, label = place[order], image[order], label[order]
    starts = (image.diff() != 0) | (label.diff() != 0)
    starts = F.pad(starts, (1, 0), value=True)[: len(place)]
    first = starts.nonzero().flatten()
    group = starts.cumsum(0) - 1
    position = torch.arange(len(place), device=place.device) - first[group]
    longest = int(position.max()) + 1 if len(place) else 0
    members = place.new_full((len(first), longest), takes_part.numel())
    members[group, position] = place
    return members


def overlap(chosen: Tensor, corners: Tensor, offset: float) -> Tensor:
    """Overlap ``(G, M)`` of a box ``(G, 1, 4)`` with others ``(G, M, 4)``."""
    top_left = torch.maximum(chosen[..., :2], corners[..., :2])
    bottom_right = torch.minimum(chosen[..., 2:], corners[..., 2:])
    inter = (bottom_right - top_left + offset).clamp(min=0).prod(-1)
    areas = box_area(chosen, offset=offset) + box_area(corners, offset=offset)
    union = areas - inter
    return torch.where(union > 0, inter / union, 0)


def weaken(current: Tensor, iou: Tensor, settings: Settings) -> Tensor:
    """Weaken scores ``(G, M)`` and drop those that fall below the limit."""
    if settings.method == 'gaussian':
        factor = (-(iou * iou) / settings.sigma).exp()
    else:
        acts = iou > settings.iou_threshold
        if not settings.original:
            acts |= iou == settings.iou_threshold
        factor = torch.where(acts, 0 if settings.method == 'naive' else 1 - iou, 1)
    weaker = current * factor
    dropped = weaker < settings.min_score
    if settings.original:
        dropped &= iou > 0
    # Minus infinity times 0 is NaN.
    return weaker.masked_fill(dropped | (current == -torch.inf), -torch.inf)
