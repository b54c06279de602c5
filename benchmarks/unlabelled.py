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
from pathlib import Path

import cv2
import numpy as np
import torch
from mmdet.structures.bbox import bbox_overlaps
from pycocotools.coco import COCO

from m2det_mmdet import Detector
from m2det_mmdet.analysis.machine import versions

FOUND, TOUCHED = 0.5, 0.1
# Pixels from an edge within which a box lies at the border.
BORDER = 4
SHOWN, COLUMNS = 6, 3
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
    names = {x['id']: x['name'] for x in coco.loadCats(coco.getCatIds())}
    shown = {infos[i]['id'] for i in np.linspace(0, len(infos) - 1, SHOWN, dtype=int)}
    counts = {name: np.zeros(5, int) for name in names.values()}
    tiles = []
    for info in infos:
        file = args.images / info['file_name']
        annotations = coco.loadAnns(coco.getAnnIds(info['id'], iscrowd=False))
        labels = np.array([names[x['category_id']] for x in annotations])
        objects = np.array([x['bbox'] for x in annotations], float).reshape(-1, 4)
        objects[:, 2:] += objects[:, :2]
        found = detector(file, score_thr=args.score)
        classes, boxes = np.array(found.names), np.array(found.boxes).reshape(-1, 4)
        overlaps = ious(boxes, objects)
        wrong = ~right(overlaps, classes, labels, found.scores)
        alone = wrong & (overlaps.max(axis=1, initial=0) < TOUCHED)
        size = np.array([info['width'], info['height']])
        near = (boxes[:, :2] < BORDER).any(1) | (boxes[:, 2:] > size - BORDER).any(1)
        for name, sums in counts.items():
            of_class = classes == name
            sums += [
                int((labels == name).sum()),
                *(int((of_class & x).sum()) for x in (~wrong, wrong, alone)),
                int((of_class & wrong & near).sum()),
            ]
        if info['id'] in shown:
            tiles.append(drawn(file, objects, boxes[alone]))
    print(', '.join(' '.join(item) for item in versions().items()))
    print(f'{Path(args.config).stem}, {len(infos)} images, scores from {args.score}')
    print('| class | labelled | right | not right | touch no label | at the border |')
    print(f'|{" --- |" * 6}')
    for name, sums in counts.items():
        print(f'| {name} | {" | ".join(map(str, sums))} |')
    if args.picture:
        height, width = (max(x.shape[i] for x in tiles) for i in (0, 1))
        same = [cv2.resize(x, (width, height)) for x in tiles]
        rows = [np.hstack(same[i : i + COLUMNS]) for i in range(0, SHOWN, COLUMNS)]
        cv2.imwrite(str(args.picture), np.vstack(rows))


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
