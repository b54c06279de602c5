from types import SimpleNamespace

import pytest
import torch
from mmengine.runner import EpochBasedTrainLoop
from torch import Tensor, nn

from m2det_mmdet.checkpoints.weights import WeightsError, check_weights
from m2det_mmdet.engine import WeightsCheckHook


def network() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))


def without(*names: str) -> dict[str, Tensor]:
    return {k: v for k, v in network().state_dict().items() if k not in names}


def test_what_fits_passes() -> None:
    check_weights({'state_dict': without()}, network(), complete=True)
    # An old file, of several processes, with more than the model needs.
    old = {f'module.{name}': value for name, value in without().items()}
    del old['module.1.num_batches_tracked']
    old['module.teacher.weight'] = torch.zeros(1)
    check_weights(old, network(), complete=True)


def test_a_test_needs_all_weights() -> None:
    weights = without('0.weight', '1.bias')
    weights['1.weight'] = torch.zeros(5)
    with pytest.raises(
        WeightsError,
        match=r'of 6 tensors it lacks 2 \(0\.weight, 1\.bias\) and has 1 \(1\.weight\) '
        'of another shape; take the config',
    ):
        check_weights(weights, network(), complete=True)
    # A training may start with a part, and says what the rest is.
    assert check_weights(weights, network(), complete=False) is None
    del weights['1.running_mean']
    assert check_weights(weights, network(), complete=False) == (
        'Of 6 tensors of the model the checkpoint lacks 3 (0.weight, 1.bias, '
        '1.running_mean) and has 1 (1.weight) of another shape: these begin with '
        'random values.'
    )


@pytest.mark.parametrize('complete', [True, False])
def test_weights_that_are_no_fractions_stop_in_either_mode(complete: bool) -> None:
    weights = without()
    weights['1.bias'] = torch.full((4,), torch.nan)
    with pytest.raises(WeightsError, match=r'tensor 1\.bias holds NaN'):
        check_weights(weights, network(), complete=complete)
    weights['0.weight'] = weights['0.weight'].long()
    with pytest.raises(WeightsError, match=r'tensor 0\.weight is of int64 where'):
        check_weights(weights, network(), complete=complete)
    # Lower precision is none of them, nor is what the model does not need.
    fine = {k: v.half() for k, v in without().items()}
    fine['other'] = torch.tensor(torch.nan)
    check_weights(fine, network(), complete=complete)


def test_a_training_does_not_start_from_nothing() -> None:
    with pytest.raises(
        WeightsError,
        match=r'shares no tensor with the model: it has 1 \(fc\.weight\), and the '
        r'model 6 \(0\.weight, .*; take a checkpoint of a detector',
    ):
        check_weights({'fc.weight': torch.ones(1)}, network(), complete=False)
    detector = nn.Module()
    detector.backbone = network()
    with pytest.raises(WeightsError, match=r'these are weights of a backbone: name'):
        check_weights(without(), detector, complete=False)


def test_what_is_no_tensor_is_left_out() -> None:
    weights = {**without(), 'extra_state': {'a': 1}}
    check_weights({'model': weights, 'epoch': 3}, network(), complete=True)
    with pytest.raises(WeightsError, match='no state dict but one list'):
        check_weights([1], network(), complete=True)


class Renaming(nn.Sequential):
    """A network that also reads files in which its layers have another name."""

    def load_state_dict(self, weights: dict[str, Tensor], **options: bool) -> object:
        renamed = {k.removeprefix('old.'): v for k, v in weights.items()}
        return super().load_state_dict(renamed, **options)


# PyTorch warns where a counter of batches is copied to a model without values.
@pytest.mark.filterwarnings('error')
def test_names_that_the_model_itself_changes_are_not_missing() -> None:
    model = Renaming(*network())
    old = {f'old.{name}': value for name, value in without().items()}
    check_weights(old, model, complete=True)
    # The trial leaves the model where it was.
    assert not any(value.is_meta for value in model.state_dict().values())
    del old['old.0.bias']
    with pytest.raises(WeightsError, match='does not fit'):
        check_weights(old, model, complete=True)


def test_a_long_list_is_cut() -> None:
    with pytest.raises(WeightsError, match=r'lacks 6 \(0.weight, 0.bias, 1.weight, \.'):
        check_weights({'x': torch.zeros(1)}, network(), complete=True)


@pytest.mark.parametrize('complete', [True, False])
@pytest.mark.parametrize('prefix', ['', 'module.'])
@pytest.mark.parametrize(
    ('name', 'whose'),
    [
        ('unet1.layers.0.conv.weight', "M2Det's authors"),
        ('arm_conf.0.weight', "RefineDet's PyTorch port"),
    ],
)
def test_unconverted_checkpoints_stop_in_either_mode(
    name: str, whose: str, prefix: str, complete: bool
) -> None:
    weights = {f'{prefix}{name}': torch.zeros(1)}
    with pytest.raises(WeightsError, match=f'of {whose}, .*m2det convert'):
        check_weights(weights, network(), complete=complete)


def test_a_training_may_start_from_a_part() -> None:
    hook = WeightsCheckHook()
    loop = object.__new__(EpochBasedTrainLoop)
    checkpoint = {'state_dict': without('0.bias')}

    training = SimpleNamespace(model=network(), _train_loop=loop)
    hook.after_load_checkpoint(training, checkpoint)
    # Before it is needed, the loop is still a config.
    testing = SimpleNamespace(model=network(), _train_loop={'type': 'x'})
    with pytest.raises(WeightsError, match=r'0\.bias'):
        hook.after_load_checkpoint(testing, checkpoint)
