from typing import Any

import pytest
import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.logging import MessageHub
from mmengine.structures import InstanceData
from torch import Tensor, nn

from m2det_mmdet.models.data_preprocessors.sync_resize import SIZE
from m2det_mmdet.utils.errors import M2DetError

# One size alone, so that it is known: drawn after each second batch.
SETTINGS = {
    'type': 'BatchSyncRandomResize',
    'random_size_range': (64, 64),
    'interval': 2,
}


@pytest.fixture
def hub() -> MessageHub:
    return MessageHub.get_instance('sync_resize')


def resized(module: nn.Module, hub: MessageHub, iteration: int) -> tuple[Tensor, Any]:
    """A batch of one image of 32 pixels, with a box and an ignored one."""
    hub.update_info('iter', iteration)
    sample = DetDataSample(metainfo={'img_shape': (32, 32), 'pad_shape': (32, 32)})
    box = torch.tensor([[4.0, 8.0, 20.0, 30.0]])
    sample.gt_instances = InstanceData(bboxes=box.clone())
    sample.ignored_instances = InstanceData(bboxes=box.clone())
    return module(torch.rand(1, 3, 32, 32), [sample])


def test_a_new_training_begins_at_the_size_of_its_images(hub: MessageHub) -> None:
    module = MODELS.build(SETTINGS)

    sizes = [resized(module, hub, i)[0].shape[-1] for i in range(4)]

    assert sizes == [32, 32, 64, 64]


def test_a_resumed_training_goes_on_with_its_size(hub: MessageHub) -> None:
    for iteration in range(2):
        resized(MODELS.build(SETTINGS), hub, iteration)
    state = hub.state_dict()
    hub.runtime_info.clear()
    hub.load_state_dict(state)

    inputs, (sample,) = resized(MODELS.build(SETTINGS), hub, 2)

    assert inputs.shape == (1, 3, 64, 64)
    assert sample.batch_input_shape == sample.img_shape == (64, 64)
    for instances in (sample.gt_instances, sample.ignored_instances):
        assert instances.bboxes.tolist() == [[8.0, 16.0, 40.0, 60.0]]


@pytest.mark.parametrize('size', ['x', [64], [64, 0], [64, 10**6], [1.5, 2]])
def test_a_strange_size_is_refused(hub: MessageHub, size: Any) -> None:
    hub.update_info(SIZE, size)

    with pytest.raises(M2DetError, match=f'its message_hub.runtime_info.{SIZE} is'):
        resized(MODELS.build(SETTINGS), hub, 2)
