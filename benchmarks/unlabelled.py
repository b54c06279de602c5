"""Count what a detector finds that no label names.

python benchmarks/unlabelled.py CONFIG CHECKPOINT ANNOTATIONS IMAGES [--score 0.5]
    [--picture FILE]

ANNOTATIONS is a JSON file in COCO's form, IMAGES its folder. A detection is found right
if a labelled object of its class that no better one took has an IoU of at least 0.5
with it. Of the others it is counted how many touch no labelled object, of whatever
class (an IoU below 0.1), and how many lie at the border of the image. The picture shows
six images, evenly taken: labels in green, detections without a label in red. Whether
these are faults of the detector or of the labels, only a look at it can tell.
"""

import argparse
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
import torch
from mmdet.structures.bbox import bbox_overlaps
from pycocotools.coco import COCO

from m2det_mmdet import Detector
from m2det_mmdet.analysis.machine import versions
from m2det_mmdet.apis import Prediction

FOUND, TOUCHED = 0.5, 0.1
# Pixels from an edge within which a box lies at the border.
BORDER = 4
SHOWN, ACROSS = 6, 3
COLUMNS = (
    *('images without a label', 'labelled', 'right'),
    *('not right', 'touch no label', 'at the border'),
)
GREEN, RED = (0, 170, 0), (0, 0, 255)


def main() -> None:
    """Detect in all images, count, and draw where asked to."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='path of a config, or the name of one of m2det')
    parser.add_argument('checkpoint', help='weights that fit it')
    parser.add_argument('annotations', help='JSON file in the form of COCO')
    parser.add_argument('images', type=Path, help='folder of its images')
    parser.add_argument('--score', type=float, default=0.5, help='the lowest score')
    parser.add_argument('--picture', type=Path, help='write six images to this file')
    args = parser.parse_args()
    detector = Detector(args.config, args.checkpoint)
    coco = COCO(args.annotations)
    infos = coco.loadImgs(coco.getImgIds())
    shown = {infos[i]['id'] for i in np.linspace(0, len(infos) - 1, SHOWN, dtype=int)}
    names = {x['id']: x['name'] for x in coco.loadCats(coco.getCatIds())}
    counts = dict.fromkeys(names.values(), 0)
    tiles = []
    for info in infos:
        file = args.images / info['file_name']
        annotations = coco.loadAnns(coco.getAnnIds(info['id'], iscrowd=False))
        labels = np.array([names[x['category_id']] for x in annotations])
        objects = np.array([x['bbox'] for x in annotations], float).reshape(-1, 4)
        objects[:, 2:] += objects[:, :2]
        found = detector(file, score_thr=args.score)
        size = np.array([info['width'], info['height']])
        own, alone = count(found, objects, labels, size, counts)
        counts = {name: counts[name] + own[name] for name in counts}
        if info['id'] in shown:
            tiles.append(drawn(file, objects, found.boxes[alone]))
    print(', '.join(' '.join(item) for item in versions().items()))
    print(f'{Path(args.config).stem}, {len(infos)} images, scores from {args.score}')
    print(f'| class | {" | ".join(COLUMNS)} |')
    print(f'|{" --- |" * (len(COLUMNS) + 1)}')
    for name, sums in counts.items():
        print(f'| {name} | {" | ".join(map(str, sums))} |')
    if args.picture:
        height, width = (max(x.shape[i] for x in tiles) for i in (0, 1))
        same = [cv2.resize(x, (width, height)) for x in tiles]
        rows = [np.hstack(same[i : i + ACROSS]) for i in range(0, SHOWN, ACROSS)]
        cv2.imwrite(str(args.picture), np.vstack(rows))


def count(
    found: Prediction,
    objects: np.ndarray,
    labels: np.ndarray,
    size: np.ndarray,
    names: Iterable[str],
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Count the detections of an image.

    Args:
        found: What was found.
        objects: ``(K, 4)``, xyxy, pixels: what is labelled.
        labels: The names of their classes.
        size: Width and height of the image.
        names: The classes that are counted.

    Returns:
        Of each class the numbers of ``COLUMNS``, and which detections touch no label.
    """
    classes, boxes = np.array(found.names), found.boxes
    overlaps = ious(boxes, objects)
    is_right = right(overlaps, classes, labels, found.scores)
    alone = ~is_right & (overlaps.max(axis=1, initial=0) < TOUCHED)
    at_border = (boxes[:, :2] < BORDER).any(1) | (boxes[:, 2:] > size - BORDER).any(1)
    groups = (is_right, ~is_right, alone, ~is_right & at_border)
    numbers = {}
    for name in names:
        labelled = (labels == name).sum()
        own = [(x & (classes == name)).sum() for x in groups]
        numbers[name] = np.array([labelled == 0, labelled, *own], int)
    return numbers, alone


def ious(boxes: np.ndarray, objects: np.ndarray) -> np.ndarray:
    """Return the IoUs ``(boxes, objects)`` of boxes ``(x1, y1, x2, y2)`` in pixels."""
    return bbox_overlaps(torch.as_tensor(boxes), torch.as_tensor(objects)).numpy()


def right(
    overlaps: np.ndarray, classes: np.ndarray, labels: np.ndarray, scores: np.ndarray
) -> np.ndarray:
    """Return which detections find an object that no better one found."""
    is_right = np.zeros(len(classes), bool)
    free = np.ones(len(labels), bool)
    for i in np.argsort(-np.array(scores), kind='stable'):
        fits = np.where(free & (labels == classes[i]), overlaps[i], 0)
        if fits.max(initial=0) >= FOUND:
            is_right[i] = True
            free[fits.argmax()] = False
    return is_right


def drawn(file: Path, objects: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Return an image with its labels and the detections without one."""
    image = cv2.imread(str(file))
    for corners, colour, width in ((objects, GREEN, 1), (boxes, RED, 3)):
        for x1, y1, x2, y2 in corners.astype(int):
            cv2.rectangle(image, (x1, y1), (x2, y2), colour, width)
    return image


if __name__ == '__main__':
    main()
