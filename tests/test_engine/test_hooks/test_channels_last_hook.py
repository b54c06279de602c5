from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmcv.ops import ModulatedDeformConv2d
from mmdet.models.roi_heads.roi_extractors import SingleRoIExtractor
from mmengine.model import BaseModel, MMDistributedDataParallel
from mmengine.runner import Runner
from torch import Tensor, distributed, nn

from m2det_mmdet.engine import ChannelsLastHook


def test_convolutions_keep_their_channels_last_and_their_values() -> None:
    model = nn.Conv2d(3, 4, 3)
    images = torch.rand(2, 3, 8, 8)
    before = model(images)
    ChannelsLastHook().before_run(SimpleNamespace(model=model))
    after = model(images)

    assert after.is_contiguous(memory_format=torch.channels_last)
    assert not before.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(after, before)


def test_operators_of_mmcv_get_contiguous_maps_and_keep_their_weights() -> None:
    layer = {'type': 'RoIAlign', 'output_size': 2, 'sampling_ratio': 2}
    extractor = SingleRoIExtractor(layer, 4, [8])
    model = nn.ModuleDict(
        {
            'conv': nn.Conv2d(3, 4, 3),
            'extractor': extractor,
            'deform': ModulatedDeformConv2d(4, 4, 3),
        }
    )
    ChannelsLastHook().before_run(SimpleNamespace(model=model))
    seen = []
    extractor.roi_layers[0].register_forward_pre_hook(
        lambda _, inputs: seen.append(inputs[0])
    )
    maps = model['conv'](torch.rand(1, 3, 10, 10))
    extractor([maps], torch.tensor([[0.0, 8, 8, 40, 40]]))

    assert not maps.is_contiguous()
    assert seen[0].is_contiguous()
    assert torch.equal(seen[0], maps)
    assert model['deform'].weight.is_contiguous()


class _Model(BaseModel):
    """A convolution whose weights have two memory formats to choose from."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, inputs: Tensor, mode: str) -> dict[str, Tensor]:
        return {'loss': self.conv(inputs).square().mean()}


@pytest.fixture
def one_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A group of one process; each of its steps warns anew."""
    monkeypatch.setenv('LOCAL_RANK', '0')
    distributed.init_process_group(
        'gloo', store=distributed.HashStore(), rank=0, world_size=1
    )
    torch.set_warn_always(True)
    yield
    torch.set_warn_always(False)
    distributed.destroy_process_group()


@pytest.mark.usefixtures('one_process')
@pytest.mark.parametrize('settings', [{}, {'find_unused_parameters': True}])
def test_gradients_of_several_processes_have_the_layout_of_their_weights(
    settings: dict, tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    wrapper = {'device_ids': None, 'gradient_as_bucket_view': True, **settings}
    runner = Runner(
        model=_Model(),
        work_dir=str(tmp_path),
        custom_hooks=[{'type': 'mmdet.ChannelsLastHook'}],
        launcher='pytorch',
        cfg={'model_wrapper_cfg': wrapper},
        default_scope='mmengine',
        experiment_name=tmp_path.name,
    )
    before = list(runner.model.parameters())

    runner.call_hook('before_run')
    runner.model(torch.rand(2, 3, 8, 8), mode='loss')['loss'].backward()

    weight = runner.model.module.conv.weight
    assert isinstance(runner.model, MMDistributedDataParallel)
    # An optimizer may have them already.
    assert all(x is y for x, y in zip(before, runner.model.parameters(), strict=True))
    assert weight.is_contiguous(memory_format=torch.channels_last)
    assert weight.grad.stride() == weight.stride()
    assert not [x for x in recwarn if 'strides' in str(x.message)]
