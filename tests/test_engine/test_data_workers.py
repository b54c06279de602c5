"""A worker of a loader that is killed, and errors in one: one sentence each."""

import gc
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from mmcv.transforms import BaseTransform
from mmdet.registry import TRANSFORMS
from mmengine.dataset import ConcatDataset, RepeatDataset
from torch.utils.data import DataLoader

from m2det_mmdet.datasets import CheckedCocoDataset
from m2det_mmdet.engine.data_workers import checked_datasets, worker_deaths_told
from m2det_mmdet.utils.errors import M2DetError, our_errors

# PyTorch tells of a death again where what is left of a loader is collected.
pytestmark = pytest.mark.filterwarnings(
    'ignore::pytest.PytestUnraisableExceptionWarning'
)


@TRANSFORMS.register_module()
class KillingTransform(BaseTransform):
    """Ends the process that reads an image of a name, as the system does."""

    def transform(self, results: dict) -> dict:
        """Look at the name."""
        if results['img_path'].endswith('c.png'):
            os.kill(os.getpid(), signal.SIGKILL)
        return results


@pytest.fixture
def dataset(tmp_path: Path) -> Iterator[CheckedCocoDataset]:
    """Four images; the third kills who reads it."""
    images = []
    for id_, name in enumerate(('a.png', 'b.png', 'c.png', 'd.png'), start=1):
        cv2.imwrite(str(tmp_path / name), np.zeros((8, 8, 3), np.uint8))
        images.append({'id': id_, 'file_name': name, 'width': 8, 'height': 8})
    annotations = [
        {'id': x['id'], 'image_id': x['id'], 'category_id': 1, 'bbox': [1, 1, 4, 4]}
        for x in images
    ]
    content = {
        'images': images,
        'annotations': annotations,
        'categories': [{'id': 1, 'name': 'cat'}],
    }
    (tmp_path / 'ann.json').write_text(json.dumps(content))
    yield CheckedCocoDataset(
        data_root=str(tmp_path),
        ann_file='ann.json',
        data_prefix={'img': ''},
        metainfo={'classes': ('cat',)},
        pipeline=[{'type': 'LoadImageFromFile'}, {'type': 'KillingTransform'}],
    )
    gc.collect()


def _runner(loader: DataLoader) -> SimpleNamespace:
    loop = SimpleNamespace(dataloader=loader)
    # What has not begun is a setting still.
    return SimpleNamespace(_train_loop=loop, _val_loop={}, _test_loop=None)


@pytest.mark.parametrize('wrapper', [None, RepeatDataset, ConcatDataset])
def test_a_killed_worker_is_told_with_its_image(
    dataset: CheckedCocoDataset, wrapper: type | None, tmp_path: Path
) -> None:
    whole = {
        None: lambda: dataset,
        RepeatDataset: lambda: RepeatDataset(dataset, times=1),
        ConcatDataset: lambda: ConcatDataset([dataset, dataset]),
    }[wrapper]()
    loader = DataLoader(whole, batch_size=1, collate_fn=list, num_workers=2)

    with pytest.raises(M2DetError) as caught, worker_deaths_told(_runner(loader)):
        list(loader)
    text = str(caught.value)
    assert f'while it read {tmp_path}/c.png: remove the image' in text
    assert text.endswith('.')
    assert '\n' not in text


def test_a_worker_that_reads_nothing_blames_no_image(
    dataset: CheckedCocoDataset,
) -> None:
    runner = _runner(SimpleNamespace(dataset=dataset))
    message = 'DataLoader worker (pid 42) is killed by signal: Killed. '

    with (
        pytest.raises(M2DetError, match=r'ended by the system \(Killed\) between two'),
        worker_deaths_told(runner),
    ):
        raise RuntimeError(message)


def test_other_errors_pass(dataset: CheckedCocoDataset) -> None:
    with (
        pytest.raises(RuntimeError, match='shapes differ'),
        worker_deaths_told(_runner(SimpleNamespace(dataset=dataset))),
    ):
        raise RuntimeError('shapes differ')


@pytest.mark.parametrize('num_workers', [0, 2])
def test_an_error_on_a_file_is_one_sentence(
    dataset: CheckedCocoDataset, num_workers: int, tmp_path: Path
) -> None:
    (tmp_path / 'b.png').write_text('text')
    # The third image would kill its reader, perhaps before the second one is read.
    loader = DataLoader(
        dataset, sampler=[0, 1], collate_fn=list, num_workers=num_workers
    )

    with pytest.raises(M2DetError) as caught, our_errors():
        list(loader)
    assert str(caught.value) == (
        f'The image {tmp_path}/b.png is no image that can be read, but '
        f'{tmp_path}/ann.json lists it: restore the file or remove its entry.'
    )


def test_data_sets_are_found_within_wrappers(dataset: CheckedCocoDataset) -> None:
    wrapped = SimpleNamespace(dataset=ConcatDataset([dataset, dataset]))

    assert [*checked_datasets(wrapped)] == [dataset, dataset]
    assert [*checked_datasets(None)] == []
