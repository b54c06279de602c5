"""Soft-NMS on the GPU: one program for each class of each image.

Nothing is read back to the host: values that depend on the scores, such as the number
of candidates of a class, stay in tensors. Triton's interpreter runs the same code on
the CPU (``TRITON_INTERPRET=1``).
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

from ..options import METHODS, Settings
from .picks_torch import best_rows

_NAIVE = tl.constexpr(METHODS.index('naive'))
_GAUSSIAN = tl.constexpr(METHODS.index('gaussian'))
_BLOCK = 512
_WARPS = 4
# Numbers that change from image to image and must not cause a new compilation.
_NUMBERS = [
    'stride_image',
    'stride_anchor',
    'stride_class',
    'num_anchors',
    'num_rows',
    'num_places',
    'num_outs',
    'room',
]


def picks(
    boxes: Tensor, scores: Tensor, labels: Tensor, settings: Settings, limit: int
) -> tuple[Tensor, Tensor]:
    """Pick boxes; arguments and results as in :func:`.picks_torch.picks`.

    float32 only.
    """
    labels, members = labels.sort(dim=1, stable=True)
    takes_part = boxes.isfinite().all(2) & scores.isfinite()
    if not settings.original:
        takes_part &= scores >= settings.min_score
    current = scores.masked_fill(~takes_part, -torch.inf).gather(1, members)
    # Each place counts as a class; only the first place of a class has members.
    starts = torch.arange(labels.shape[1], device=labels.device).expand_as(labels)
    first = torch.searchsorted(labels, labels) == starts
    ends = torch.searchsorted(labels, labels, right=True)
    lengths = torch.where(first, ends - starts, 0)
    # A class has as many places for picks as members.
    final = torch.full_like(current, -torch.inf)
    rows = torch.zeros_like(members)
    segments = (starts, lengths, starts)
    _pick(boxes, current, members, segments, final, rows, settings, limit)
    return best_rows(final, limit, rows)


def dense_picks(
    boxes: Tensor, scores: Tensor, score_thr: float, settings: Settings, limit: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Pick boxes that all classes share.

    Args:
        boxes: Corners ``(N, A, 4)``, xyxy in pixels; float32.
        scores: ``(N, A, C)``, float32. Those that are not finite take no part.
        score_thr: Only higher scores take part.
        settings: Options of soft-NMS.
        limit: Boxes of each image to return.

    Returns:
        Final scores and rows as :func:`picks` returns them, and classes
        ``(N, limit)``, -1 if no box is left.
    """
    num_images, num_anchors, num_classes = scores.shape
    place = {'device': scores.device}
    shape = (num_images, num_classes, num_anchors)
    current = scores.new_empty(shape)
    members = torch.empty(shape, dtype=torch.int32, **place)
    lengths = torch.empty(shape[:2], dtype=torch.int64, **place)
    # Triton launches on the current device, which may differ from that of the boxes.
    with torch.cuda.device_of(boxes):
        _gather_kernel[(num_classes, num_images)](
            boxes.contiguous(),
            scores,
            *scores.stride(),
            current,
            members,
            lengths,
            num_anchors,
            float(score_thr),
            float(settings.min_score),
            ORIGINAL=settings.original,
            BLOCK=_BLOCK,
            num_warps=_WARPS,
        )
    room = min(limit, num_anchors)
    final = scores.new_full((num_images, num_classes * room), -torch.inf)
    rows = torch.zeros(final.shape, dtype=torch.int64, **place)
    labels = torch.arange(num_classes, **place)
    segments = (labels * num_anchors, lengths, labels * room)
    current, members = current.flatten(1), members.flatten(1)
    _pick(boxes, current, members, segments, final, rows, settings, room)
    # Equal scores come anchor by anchor.
    places = rows * num_classes + labels.repeat_interleave(
        room, output_size=len(labels) * room
    )
    best, places = best_rows(final, limit, places)
    absent = places < 0
    divisor = max(num_classes, 1)
    rows, labels = places // divisor, places % divisor
    return best, rows.masked_fill(absent, -1), labels.masked_fill(absent, -1)


def _pick(
    boxes: Tensor,
    current: Tensor,
    members: Tensor,
    segments: tuple[Tensor, Tensor, Tensor],
    final: Tensor,
    rows: Tensor,
    settings: Settings,
    limit: int,
) -> None:
    """Run the kernel over all classes.

    Args:
        boxes: ``(N, R, 4)``.
        current: Scores ``(N, S)``, class by class; changed in place.
        members: Row of the box of each score, ``(N, S)``.
        segments: Where each class begins, how many scores it has, and where its
            picks go, each ``(N, C)`` or ``(C,)``.
        final: Output: final scores of the picks, ``(N, P)``.
        rows: Output: their rows, ``(N, P)``.
        settings: Options of soft-NMS.
        limit: Most picks of a class.
    """
    lengths = segments[1]
    starts, lengths, outs = (x.expand_as(lengths).contiguous() for x in segments)
    with torch.cuda.device_of(boxes):
        _pick_kernel[(lengths.shape[1], len(lengths))](
            boxes.contiguous(),
            current,
            members,
            starts,
            lengths,
            outs,
            final,
            rows,
            boxes.shape[1],
            current.shape[1],
            final.shape[1],
            settings.room(limit),
            float(settings.iou_threshold),
            float(settings.sigma),
            float(settings.min_score),
            float(settings.offset),
            METHOD=settings.code,
            ORIGINAL=settings.original,
            BLOCK=_BLOCK,
            num_warps=_WARPS,
            # Rounds as the other kernels do.
            enable_fp_fusion=False,
        )


@triton.jit(do_not_specialize=_NUMBERS[:4])
def _gather_kernel(
    boxes,
    scores,
    stride_image,
    stride_anchor,
    stride_class,
    current,
    members,
    lengths,
    num_anchors,
    score_thr,
    min_score,
    ORIGINAL: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """Write the candidates of a class of an image one after the other."""
    label, image = tl.program_id(0), tl.program_id(1).to(tl.int64)
    num_classes = tl.num_programs(0)
    scores += image * stride_image + label * stride_class
    boxes += image * num_anchors * 4
    into = (image * num_classes + label) * num_anchors
    count = 0
    for tile in range(0, num_anchors, BLOCK):
        anchor = tile + tl.arange(0, BLOCK)
        inside = anchor < num_anchors
        score = tl.load(scores + anchor * stride_anchor, inside, other=float('-inf'))
        passes = inside & (score > score_thr) & (score < float('inf'))
        if not ORIGINAL:
            passes &= score >= min_score
        for side in tl.static_range(4):
            corner = tl.load(boxes + anchor * 4 + side, passes, other=0.0)
            passes &= tl.abs(corner) < float('inf')
        place = into + count + tl.cumsum(passes.to(tl.int32), 0) - 1
        tl.store(current + place, score, passes)
        tl.store(members + place, anchor, passes)
        count += tl.sum(passes.to(tl.int32), 0)
    tl.store(lengths + image * num_classes + label, count.to(tl.int64))


@triton.jit(do_not_specialize=_NUMBERS[4:])
def _pick_kernel(
    boxes,
    current,
    members,
    starts,
    lengths,
    outs,
    final,
    rows,
    num_rows,
    num_places,
    num_outs,
    room,
    iou_threshold,
    sigma,
    min_score,
    offset,
    METHOD: tl.constexpr,
    ORIGINAL: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """Pick the boxes of one class of an image, best first."""
    image = tl.program_id(1).to(tl.int64)
    index = image * tl.num_programs(0) + tl.program_id(0)
    length = tl.load(lengths + index).to(tl.int32)
    first = image * num_places + tl.load(starts + index)
    out = image * num_outs + tl.load(outs + index)
    boxes += image * num_rows * 4
    current += first
    members += first
    top, best = _largest(current, length, BLOCK)
    taken = 0
    while (taken < room) & (top > float('-inf')):
        row = tl.load(members + best)
        tl.store(final + out + taken, top)
        tl.store(rows + out + taken, row)
        taken += 1
        last = best
        top = float('-inf')
        best = 0
        for tile in range(0, length, BLOCK):
            place = tile + tl.arange(0, BLOCK)
            inside = place < length
            score = tl.load(current + place, inside, other=float('-inf'))
            alive = (score > float('-inf')) & (place != last)
            others = tl.load(members + place, alive, other=0)
            iou = _overlap(boxes, row, others, alive, offset)
            score = tl.where(alive, score, 0.0)
            score *= _factor(iou, iou_threshold, sigma, METHOD, ORIGINAL)
            dropped = score < min_score
            if ORIGINAL:
                dropped &= iou > 0
            score = tl.where(alive & ~dropped, score, float('-inf'))
            tl.store(current + place, score, inside)
            tile_top, tile_best = tl.max(score, 0, return_indices=True)
            if tile_top > top:
                top = tile_top
                best = tile + tile_best
        # In the next round a thread may read what another one wrote.
        tl.debug_barrier()


@triton.jit
def _overlap(boxes, row, others, alive, offset):
    """Overlap of the box at ``row`` with the boxes at ``others`` that are alive."""
    x1 = tl.load(boxes + row * 4)
    y1 = tl.load(boxes + row * 4 + 1)
    x2 = tl.load(boxes + row * 4 + 2)
    y2 = tl.load(boxes + row * 4 + 3)
    corners = boxes + others * 4
    a1 = tl.load(corners, alive, other=0.0)
    b1 = tl.load(corners + 1, alive, other=0.0)
    a2 = tl.load(corners + 2, alive, other=0.0)
    b2 = tl.load(corners + 3, alive, other=0.0)
    width = tl.maximum(tl.minimum(x2, a2) - tl.maximum(x1, a1) + offset, 0.0)
    height = tl.maximum(tl.minimum(y2, b2) - tl.maximum(y1, b1) + offset, 0.0)
    inter = width * height
    area = (x2 - x1 + offset) * (y2 - y1 + offset)
    union = area + (a2 - a1 + offset) * (b2 - b1 + offset) - inter
    iou = tl.div_rn(inter, tl.where(union > 0, union, 1.0))
    return tl.where(union > 0, iou, 0.0)


@triton.jit
def _factor(iou, iou_threshold, sigma, METHOD: tl.constexpr, ORIGINAL: tl.constexpr):
    """Factor of a score for an overlap."""
    if METHOD == _GAUSSIAN:
        factor = tl.exp(-tl.div_rn(iou * iou, sigma + tl.zeros_like(iou)))
    else:
        acts = iou > iou_threshold
        if not ORIGINAL:
            acts |= iou == iou_threshold
        factor = tl.where(acts, 0.0 if METHOD == _NAIVE else 1.0 - iou, 1.0)
    return factor


@triton.jit
def _largest(current, length, BLOCK: tl.constexpr):
    """Return the largest of the first ``length`` scores, and its first place."""
    top = float('-inf')
    best = 0
    for tile in range(0, length, BLOCK):
        place = tile + tl.arange(0, BLOCK)
        score = tl.load(current + place, place < length, other=float('-inf'))
        tile_top, tile_best = tl.max(score, 0, return_indices=True)
        if tile_top > top:
            top = tile_top
            best = tile + tile_best
    return top, best
