"""An evaluation in several processes gives what one process gives."""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmdet.registry import METRICS
from mmengine.config import Config
from mmengine.fileio import load

from m2det_mmdet.apis import evaluate
from m2det_mmdet.apis.checks import start_processes
from m2det_mmdet.utils.processes import among_processes


def _samples(annotations: Path) -> list[dict]:
    """Make detections near the objects of all images, right in part."""
    rng = np.random.default_rng(0)
    data = json.loads(annotations.read_text())
    samples = []
    for image in data['images']:
        own = [x for x in data['annotations'] if x['image_id'] == image['id']]
        boxes = np.array([x['bbox'] for x in own], np.float32).reshape(-1, 4)
        boxes[:, 2:] += boxes[:, :2]
        boxes += rng.normal(0, 3, boxes.shape).astype(np.float32)
        found = {
            'bboxes': torch.from_numpy(boxes),
            'scores': torch.from_numpy(rng.random(len(own), np.float32)),
            'labels': torch.tensor([x['category_id'] - 1 for x in own]),
        }
        shape = (image['height'], image['width'])
        samples.append(
            {'img_id': image['id'], 'ori_shape': shape, 'pred_instances': found}
        )
    return samples


def _metric(kind: str, scenes: Path) -> object:
    settings = {'type': kind}
    if kind != 'DetectionsMetric':
        settings['ann_file'] = str(scenes / 'annotations' / 'val.json')
    metric = METRICS.build(settings)
    data = json.loads((scenes / 'annotations' / 'val.json').read_text())
    names = tuple(x['name'] for x in data['categories'])
    metric.dataset_meta = {'classes': names}
    return metric


@pytest.mark.parametrize('kind', ['CocoMetric', 'GradedCocoMetric', 'DetectionsMetric'])
def test_an_uneven_split_gives_the_figures_of_one_process(
    kind: str, run_processes: Callable, trained: SimpleNamespace
) -> None:
    samples = _samples(trained.scenes / 'annotations' / 'val.json')

    def figures(own: list[dict]) -> tuple[str, str]:
        metric = _metric(kind, trained.scenes)
        metric.process({}, own)
        figures = metric.evaluate(len(samples))
        return repr(figures), repr(getattr(metric, 'found', None))

    def two(rank: int) -> tuple[str, str]:
        with among_processes():
            start_processes(Config(), 'pytorch')
            # As MMEngine's sampler: three images, and one of them once more.
            return figures(
                [samples[0], samples[2]] if rank == 0 else [samples[1], samples[0]]
            )

    ended = run_processes(two)

    alone = figures(samples)
    assert [x.code for x in ended] == [0, 0], [x.said for x in ended]
    assert ended[0].result == alone
    assert ended[1].result[0] == alone[0]
    if kind != 'DetectionsMetric':
        ap = eval(alone[0], {'nan': float('nan'), 'np': np})['coco/bbox_mAP']
        assert 0.05 < ap < 0.95


@pytest.mark.slow
def test_the_figures_of_a_test_are_those_of_one_process(
    run_processes: Callable, trained: SimpleNamespace, tmp_path: Path
) -> None:
    def test(rank: int, launcher: str = 'pytorch') -> str:
        result = evaluate(
            trained.config,
            trained.checkpoint,
            launcher=launcher,
            # In another batch a convolution may round otherwise.
            options={'test_dataloader.batch_size': 1},
            work_dir=tmp_path / launcher,
            predictions=tmp_path / f'{launcher}.pkl',
            # Between them the processes draw every image.
            show_dir='pictures',
        )
        if rank == 0:
            assert len(list(result.pictures.rglob('*.*'))) == 3
        return repr(result.metrics)

    # Three images: one of the two processes gets the first one twice.
    ended = run_processes(test)

    assert [x.code for x in ended] == [0, 0], [x.said for x in ended]
    assert ended[0].result == ended[1].result == test(0, 'none')
    several, alone = (load(tmp_path / f'{x}.pkl') for x in ('pytorch', 'none'))
    assert [x['img_id'] for x in several] == [x['img_id'] for x in alone]
    for one, other in zip(several, alone, strict=True):
        for key, values in one['pred_instances'].items():
            assert torch.equal(values, other['pred_instances'][key])
    # No folder that all machines see.
    assert not Path('.dist_test').exists()
