import re
from typing import Any

import pytest
from mmengine.config import Config

from m2det_mmdet.apis import training_settings
from m2det_mmdet.apis.training_settings import check_batches
from m2det_mmdet.utils.errors import M2DetError


def _config(**loader: Any) -> Config:
    return Config({'train_dataloader': {'batch_size': 9, **loader}})


@pytest.mark.parametrize(
    'loader', [{'drop_last': True}, {'batch_sampler': {'drop_last': True}}]
)
@pytest.mark.parametrize(('processes', 'own'), [(1, 8), (3, 3)])
def test_a_batch_that_would_be_dropped_stops(
    loader: dict, processes: int, own: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training_settings, 'get_world_size', lambda: processes)
    said = f'The {own} images that each process trains on make no batch of 9: set '

    with pytest.raises(M2DetError, match=re.escape(said)):
        check_batches(_config(**loader), 8)


def test_no_images_make_no_batch() -> None:
    with pytest.raises(M2DetError, match='The 0 images .* to 1 or less, or add images'):
        check_batches(_config(), 0)


@pytest.mark.parametrize(
    ('images', 'loader', 'is_told'),
    [
        (9, {'drop_last': True}, False),
        # They come again and again.
        (2, {'drop_last': True, 'sampler': {'type': 'InfiniteSampler'}}, False),
        (2, {'sampler': {'type': 'DefaultSampler'}}, True),
    ],
)
def test_a_batch_of_all_images_is_trained_and_told(
    images: int,
    loader: dict,
    is_told: bool,
    capsys: pytest.CaptureFixture,
) -> None:
    check_batches(_config(**loader), images)

    told = 'A batch of 9 is more than the 2 images that each process trains on: '
    assert (told in ''.join(capsys.readouterr())) == is_told
