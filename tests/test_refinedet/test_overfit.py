"""A narrow RefineDet learns eight photographs by heart."""

from pathlib import Path

import cv2
import pytest
import torch
from mmdet.datasets.api_wrappers import COCO, COCOeval
from mmdet.models import BaseDetector
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.structures import InstanceData
from torch import Tensor

ROOT = Path(__file__).parents[2]
PLACES = (ROOT / 'data/coco_tiny', ROOT.parent / 'shared/data/coco_tiny')
DATA = next((path for path in PLACES if (path / 'train2017').is_dir()), None)
SIDE, IMAGES, STEPS = 128, 8, 120


def large(annotations: list[dict], image: dict) -> bool:
    """Whether objects are few, and none of them a crowd or a speck."""
    sides = [
        min(a['bbox'][2] / image['width'], a['bbox'][3] / image['height'])
        for a in annotations
    ]
    crowds = any(a['iscrowd'] for a in annotations)
    return 0 < len(sides) < 4 and min(sides) > 0.1 and not crowds


def sample(annotations: list[dict], image: dict, classes: list[int]) -> DetDataSample:
    """The objects of an image that is resized to a square."""
    size = SIDE, SIDE
    scale = SIDE / image['width'], SIDE / image['height']
    found = DetDataSample(
        metainfo={'img_shape': size, 'batch_input_shape': size, 'scale_factor': scale}
    )
    boxes = torch.tensor([a['bbox'] for a in annotations])
    boxes[:, 2:] += boxes[:, :2]
    found.gt_instances = InstanceData(
        bboxes=boxes * torch.tensor(scale * 2),
        labels=torch.tensor([classes.index(a['category_id']) for a in annotations]),
    )
    return found


def results(found: InstanceData, image: int, classes: list[int]) -> list[dict]:
    """Detections of an image in COCO's format."""
    boxes = found.bboxes.clone()
    boxes[:, 2:] -= boxes[:, :2]
    rows = zip(boxes.tolist(), found.scores.tolist(), found.labels, strict=True)
    return [
        {'image_id': image, 'category_id': classes[c], 'bbox': box, 'score': score}
        for box, score, c in rows
    ]


def train(model: BaseDetector, images: Tensor, samples: list[DetDataSample]) -> None:
    optimizer = torch.optim.AdamW(model.parameters())
    rates = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=STEPS)
    for _ in range(STEPS):
        optimizer.zero_grad()
        sum(model.loss(images, samples).values()).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 35)
        optimizer.step()
        rates.step()


@pytest.mark.slow
@pytest.mark.skipif(DATA is None, reason='needs photographs in data/coco_tiny')
def test_it_learns_eight_photographs_by_heart() -> None:
    torch.manual_seed(0)
    coco = COCO(str(DATA / 'annotations/instances_train2017.json'))
    truth = {i: coco.load_anns(coco.get_ann_ids(img_ids=[i])) for i in coco.imgs}
    chosen = [i for i in sorted(truth) if large(truth[i], coco.imgs[i])][:IMAGES]
    classes = coco.get_cat_ids()
    config = Config.fromfile(ROOT / 'configs/refinedet/refinedet_r18_scenes.py').model
    config.bbox_head.num_classes = len(classes)
    model = MODELS.build(config)
    model.init_weights()
    files = [DATA / 'train2017' / coco.imgs[i]['file_name'] for i in chosen]
    pixels = [cv2.resize(cv2.imread(str(file)), (SIDE, SIDE)) for file in files]
    batch = model.data_preprocessor(
        {
            'inputs': [torch.from_numpy(x).permute(2, 0, 1) for x in pixels],
            'data_samples': [sample(truth[i], coco.imgs[i], classes) for i in chosen],
        }
    )
    images, samples = batch['inputs'], batch['data_samples']
    model.train()
    train(model, images, samples)

    model.eval()
    with torch.no_grad():
        found = model.predict(images, samples)
    rows = [
        row
        for i, one in zip(chosen, found, strict=True)
        for row in results(one.pred_instances, i, classes)
    ]
    evaluation = COCOeval(coco, coco.loadRes(rows), 'bbox')
    evaluation.params.imgIds = chosen
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    assert len(chosen) == IMAGES
    assert evaluation.stats[1] >= 0.9
