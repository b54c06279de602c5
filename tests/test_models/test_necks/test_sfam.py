import pytest
import torch
from torch import Tensor, nn

from m2det_mmdet.models.necks import SFAM


def levels() -> list[list[Tensor]]:
    """Two levels of two scales, one channel each, constant maps."""
    return [
        [torch.full((1, 1, 2, 2), 1.0), torch.full((1, 1, 1, 1), 2.0)],
        [torch.full((1, 1, 2, 2), 3.0), torch.full((1, 1, 1, 1), 4.0)],
    ]


def test_without_attention_it_concatenates_levels_in_ascending_order() -> None:
    fine, coarse = SFAM(2, num_scales=2, attention=False)(levels())

    assert fine[0, :, 0, 0].tolist() == [1, 3]
    assert coarse[0, :, 0, 0].tolist() == [2, 4]


@pytest.mark.parametrize(('shared', 'num_layers'), [(True, 1), (False, 2)])
def test_attention_gates_each_channel_by_the_pooled_map(
    shared: bool, num_layers: int
) -> None:
    sfam = SFAM(2, num_scales=2, reduction=1, shared=shared)
    assert len(sfam.attention) == num_layers
    for layer in sfam.attention:
        nn.init.dirac_(layer.conv1.conv.weight)
        nn.init.dirac_(layer.conv2.conv.weight)

    fine, coarse = sfam(levels())

    # Both layers copy: the gate of a channel is the sigmoid of its mean.
    expected = torch.tensor([1.0, 3.0]) * torch.tensor([1.0, 3.0]).sigmoid()
    torch.testing.assert_close(fine[0, :, 1, 1], expected)
    expected = torch.tensor([2.0, 4.0]) * torch.tensor([2.0, 4.0]).sigmoid()
    torch.testing.assert_close(coarse[0, :, 0, 0], expected)


@pytest.mark.parametrize(('shared', 'num_layers'), [(True, 1), (False, 2)])
def test_eca_gates_each_channel_by_the_pooled_map(
    shared: bool, num_layers: int
) -> None:
    sfam = SFAM(2, num_scales=2, attention='eca', reduction=99, shared=shared)
    assert len(sfam.attention) == num_layers
    for layer in sfam.attention:
        nn.init.ones_(layer.conv.weight)

    fine, coarse = sfam(levels())

    # With two channels the kernel has one tap.
    expected = torch.tensor([1.0, 3.0]) * torch.tensor([1.0, 3.0]).sigmoid()
    torch.testing.assert_close(fine[0, :, 1, 1], expected)
    expected = torch.tensor([2.0, 4.0]) * torch.tensor([2.0, 4.0]).sigmoid()
    torch.testing.assert_close(coarse[0, :, 0, 0], expected)


@pytest.mark.parametrize(('name', 'flag'), [('se', True), ('none', False)])
def test_attentions_have_names(name: str, flag: bool) -> None:
    named, flagged = (SFAM(4, attention=x, reduction=2) for x in (name, flag))

    assert [*named.state_dict()] == [*flagged.state_dict()]
    assert len(named.attention) == (6 if flag else 0)


@pytest.mark.parametrize('attention', ['cbam', None, 1, ['se']])
def test_an_unknown_attention_is_refused(attention: object) -> None:
    with pytest.raises(ValueError, match=r"sfam must be 'se' .*, got "):
        SFAM(2, num_scales=2, reduction=1, attention=attention)


@pytest.mark.parametrize('reduction', [0, 3])
def test_a_reduction_that_leaves_no_channel_is_refused(reduction: int) -> None:
    with pytest.raises(ValueError, match=f'the 2 channels.*got {reduction}'):
        SFAM(2, num_scales=2, reduction=reduction)
