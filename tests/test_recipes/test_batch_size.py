import pytest
import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.config import Config, ConfigDict
from mmengine.structures import InstanceData
from torch import OutOfMemoryError

from m2det_mmdet.recipes import batch_size
from m2det_mmdet.recipes.batch_size import doubled, largest_batch


@pytest.mark.parametrize(
    ('memory', 'limit', 'expected'),
    [
        (100, 1000, 64),
        (64, 1000, 64),
        (63, 1000, 32),
        (100, 20, 16),
        (5, 20, 4),
        (0, 20, 1),
    ],
)
def test_a_batch_is_doubled_as_long_as_it_fits(
    memory: int, limit: int, expected: int
) -> None:
    assert doubled(8, limit, lambda size: size <= memory) == expected


def test_a_cpu_keeps_the_batch_of_the_config() -> None:
    assert largest_batch(Config({'train_dataloader': {'batch_size': 6}})) == 6


def test_batches_of_changing_size_are_tried_at_the_largest() -> None:
    resize = {'type': 'mmdet.BatchSyncRandomResize', 'random_size_range': (96, 160)}
    preprocessor = {'type': 'DetDataPreprocessor', 'batch_augments': [resize]}
    settings = ConfigDict(data_preprocessor=preprocessor)

    found = batch_size._at_largest(settings)

    module = MODELS.build(found.data_preprocessor)
    sample = DetDataSample(metainfo={'img_shape': (64, 80)})
    for key in ('gt_instances', 'ignored_instances'):
        setattr(sample, key, InstanceData(bboxes=torch.tensor([[0.0, 0, 8, 4]])))
    data = {'inputs': [torch.zeros(3, 64, 80)], 'data_samples': [sample]}
    out = module(data, training=True)
    assert out['inputs'].shape == (1, 3, 160, 200)
    assert out['data_samples'][0].gt_instances.bboxes.tolist() == [[0, 0, 20, 10]]
    # What is trained stays as it is.
    assert settings.data_preprocessor.batch_augments == [resize]


def test_a_step_without_memory_does_not_fit() -> None:
    class Full:
        def data_preprocessor(self, *_: object, **__: object) -> None:
            raise OutOfMemoryError('CUDA out of memory')

        def zero_grad(self, **_: object) -> None:
            pass

    assert batch_size._fits(Full(), [{}]) is False
