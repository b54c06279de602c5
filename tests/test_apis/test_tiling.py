"""Large images in tiles, by SAHI."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import PIL.Image
import pytest
import torch
from mmdet.structures import DetDataSample
from mmdet.structures.bbox import bbox_overlaps
from mmengine.structures import InstanceData
from torch import nn

from m2det_mmdet.apis import PredictionResult, predict
from m2det_mmdet.apis.tiling import TiledInferencer, check_tiling
from m2det_mmdet.datasets.scenes import write_scenes
from m2det_mmdet.utils.errors import M2DetError

MODEL = 'm2det_r18_scenes'
SIDE, ROWS = 128, 6


class Mosaic(NamedTuple):
    """A picture of many scenes, and the objects in it: names, and boxes (xyxy)."""

    path: Path
    names: list[str]
    boxes: np.ndarray


@pytest.fixture(scope='module')
def mosaic(tmp_path_factory: pytest.TempPathFactory) -> Mosaic:
    """36 scenes, each as large as the images that the detector knows."""
    folder = tmp_path_factory.mktemp('scenes')
    size = (SIDE, SIDE)
    write_scenes(folder, num_train=ROWS**2, num_val=1, num_test=1, size=size)
    content = json.loads((folder / 'annotations' / 'train.json').read_text())
    classes = {item['id']: item['name'] for item in content['categories']}
    picture = np.zeros((SIDE * ROWS, SIDE * ROWS, 3), np.uint8)
    names, boxes = [], []
    for number, image in enumerate(content['images']):
        y, x = (SIDE * place for place in divmod(number, ROWS))
        pixels = cv2.imread(str(folder / 'train' / image['file_name']))
        picture[y : y + SIDE, x : x + SIDE] = pixels
        for item in content['annotations']:
            if item['image_id'] == image['id']:
                left, top, width, height = item['bbox']
                names.append(classes[item['category_id']])
                corners = (left, top, left + width, top + height)
                boxes.append(np.add(corners, (x, y, x, y)))
    cv2.imwrite(str(folder / 'mosaic.png'), picture)
    return Mosaic(folder / 'mosaic.png', names, np.array(boxes))


def _share_found(mosaic: Mosaic, result: PredictionResult) -> float:
    """Return the share of objects with a box of their class, IoU and score over 0.5."""
    (found,) = result.predictions
    overlaps = bbox_overlaps(torch.tensor(mosaic.boxes), torch.tensor(found.boxes))
    same = np.array(mosaic.names)[:, None] == np.array(found.names)
    return (same & (overlaps.numpy() > 0.5) & (found.scores > 0.5)).any(1).mean()


def test_tiles_find_what_the_whole_image_hides(mosaic: Mosaic) -> None:
    pytest.importorskip('sahi')

    whole = predict(MODEL, mosaic.path)
    limit = PIL.Image.MAX_IMAGE_PIXELS
    tiled = predict(MODEL, mosaic.path, tile=SIDE, tile_overlap=0.0)

    # SAHI lifts it.
    assert limit == PIL.Image.MAX_IMAGE_PIXELS
    assert _share_found(mosaic, whole) < 0.05
    assert _share_found(mosaic, tiled) > 0.7
    (found,) = tiled.predictions
    assert found.boxes.min() >= 0
    assert found.boxes.max() <= SIDE * ROWS
    assert (np.diff(found.scores) <= 0).all()


class _Inferencer:
    """Finds the box of what is not black, and keeps what it was given."""

    def __init__(self) -> None:
        self.model = nn.Linear(1, 1)
        self.model.dataset_meta = {'classes': ('a', 'b')}
        self.seen: list[np.ndarray] = []

    def __call__(self, images: list[np.ndarray], **_: Any) -> dict[str, list]:
        self.seen += images
        ys, xs = images[0].any(-1).nonzero()
        box = [[xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]] if len(xs) else []
        found = InstanceData(
            bboxes=torch.tensor(box, dtype=torch.float32).reshape(-1, 4),
            labels=torch.ones(len(box), dtype=torch.long),
            scores=torch.full((len(box),), 0.05),
        )
        return {'predictions': [DetDataSample(pred_instances=found)]}


def test_tiles_have_the_colours_and_the_places_of_the_image() -> None:
    pytest.importorskip('sahi')
    image = np.zeros((80, 120, 3), np.uint8)
    image[50:60, 90:110] = (10, 20, 30)
    inferencer = _Inferencer()

    (sample,) = TiledInferencer(inferencer, 40, 0.0)([image])['predictions']

    # Six tiles, and the whole image.
    assert [x.shape[:2] for x in inferencer.seen] == [(40, 40)] * 6 + [(80, 120)]
    colours = {tuple(x[x.any(-1)][0]) for x in inferencer.seen if x.any()}
    assert colours == {(10, 20, 30)}
    found = sample.pred_instances
    # The tile and the whole image find one object, also with a low score.
    assert found.bboxes.tolist() == [[90, 50, 110, 60]]
    assert found.labels.tolist() == [1]


def test_one_tile_gives_what_no_tiles_give(mosaic: Mosaic) -> None:
    pytest.importorskip('sahi')
    image = mosaic.path.parent / 'train' / '000001.jpg'

    (plain,) = predict(MODEL, image).predictions
    (tiled,) = predict(MODEL, image, tile=SIDE).predictions

    best = plain.scores > 0.3
    assert best.any()
    np.testing.assert_allclose(
        tiled.boxes[tiled.scores > 0.3], plain.boxes[best], atol=1e-3
    )
    assert tiled.names[: best.sum()] == plain.names[: best.sum()]


def test_a_missing_package_is_named_with_its_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr('m2det_mmdet.apis.tiling.find_spec', lambda name: None)

    with pytest.raises(M2DetError, match=r'pip install "sahi>=0\.12"'):
        predict(MODEL, 'no.jpg', tile=64)


@pytest.mark.parametrize(('size', 'overlap'), [(0, 0.2), (64, 1.0), (64, -0.1)])
def test_tiles_have_a_size_and_a_step(size: int, overlap: float) -> None:
    with pytest.raises(M2DetError, match=r'^tile'):
        check_tiling(size, overlap)
