import pytest
from mmengine.config import ConfigDict

from m2det_mmdet.utils.config_checks import check_counts, check_part


def test_numbers_that_are_large_enough_pass() -> None:
    check_counts(1, num_levels=1, tum_channels=256)
    check_counts(0, num_shared_convs=0)


@pytest.mark.parametrize('count', [0, -1, 1.0, True, '2', None])
def test_a_number_of_none_is_named(count: object) -> None:
    with pytest.raises(ValueError, match=f'levels must be .* 1 on, got {count!r}.'):
        check_counts(1, channels=2, levels=count)


def test_a_part_has_a_type() -> None:
    check_part('loss_cls', ConfigDict(type='FocalLoss'))
    for settings in (None, 'FocalLoss', {}, [{'type': 'FocalLoss'}]):
        with pytest.raises(ValueError, match="loss_cls must be a dict .*'type', got"):
            check_part('loss_cls', settings)
