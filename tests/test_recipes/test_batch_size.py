import pytest
from mmengine.config import Config
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


def test_a_step_without_memory_does_not_fit() -> None:
    class Full:
        def data_preprocessor(self, *_: object, **__: object) -> None:
            raise OutOfMemoryError('CUDA out of memory')

        def zero_grad(self, **_: object) -> None:
            pass

    assert batch_size._fits(Full(), [{}]) is False
