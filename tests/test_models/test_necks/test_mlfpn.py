import pytest
import torch
from torch import Tensor, nn

from m2det_mmdet.models.necks import MLFPN
from m2det_mmdet.utils.errors import M2DetError

TINY = {
    'in_channels': (4, 8),
    'ffm_channels': (2, 4),
    'num_levels': 2,
    'num_scales': 3,
    'tum_channels': 4,
    'sfam_reduction': 2,
}


def inputs(height: int = 12, width: int = 12) -> tuple[Tensor, Tensor]:
    torch.manual_seed(0)
    deep = torch.rand(2, 8, (height + 1) // 2, (width + 1) // 2)
    return torch.rand(2, 4, height, width), deep


def num_parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_the_release_has_as_many_parameters_as_its_checkpoint() -> None:
    # 132,633,140 of the released VGG-320 network, less 20,483,904 of the backbone
    # and 9 * 2048 * 6 * (81 + 4) * 6 weights + 3,060 biases of the head.
    with torch.device('meta'):
        neck = MLFPN((512, 1024), sfam=False, share_leach=True, extra_norm=True)
    assert num_parameters(neck) == 132_633_140 - 20_483_904 - 56_401_920 - 3_060


def test_a_level_sees_the_base_feature_and_the_level_before() -> None:
    neck = MLFPN(**TINY, sfam=False).eval()
    x = inputs()
    seen: list[Tensor] = []
    for tum in neck.tums:
        tum.register_forward_hook(lambda _, args, outs: seen.extend([*args, outs[0]]))
    neck(x)
    first_in, first_out, second_in, _ = seen
    base = neck.base_fusion(x)

    torch.testing.assert_close(first_in, neck.level_fusions[0].leach(base))
    thinned = neck.level_fusions[1].leach(base)
    torch.testing.assert_close(second_in, torch.cat([thinned, first_out], dim=1))


def test_without_reuse_only_the_first_level_sees_the_base_feature() -> None:
    neck = MLFPN(**TINY, reuse_base=False)
    seen: list[Tensor] = []
    for tum in neck.tums:
        tum.register_forward_hook(lambda _, args, outs: seen.extend([*args, outs[0]]))
    neck(inputs())

    assert len(neck.level_fusions) == 1
    assert seen[2] is seen[1]


@pytest.mark.parametrize('reuse_base', [True, False])
def test_a_residual_path_sums_the_largest_maps_of_all_earlier_levels(
    reuse_base: bool,
) -> None:
    config = {**TINY, 'num_levels': 4, 'sfam': False, 'reuse_base': reuse_base}
    torch.manual_seed(0)
    neck = MLFPN(**config, residual=True).eval()
    inputs_of: list[Tensor] = []
    largest: list[Tensor] = []
    for tum in neck.tums:
        tum.register_forward_hook(lambda _, args, outs: inputs_of.append(args[0]))
        tum.register_forward_hook(lambda _, args, outs: largest.append(outs[0]))
    maps = neck(inputs())

    for level in range(1, 4):
        expected = sum(largest[:level])
        torch.testing.assert_close(inputs_of[level][:, -4:], expected)
    # The pyramid has what each level itself makes.
    torch.testing.assert_close(maps[0], torch.cat(largest, dim=1))
    torch.manual_seed(0)
    plain = MLFPN(**config).eval().state_dict()
    assert plain.keys() == neck.state_dict().keys()
    assert all(torch.equal(plain[k], v) for k, v in neck.state_dict().items())


def test_over_a_residual_path_a_gradient_passes_one_tum() -> None:
    neck = MLFPN(**{**TINY, 'num_levels': 4, 'reuse_base': False}, residual=True)
    # No gradient passes the levels between the first and the last.
    for tum in neck.tums[1:3]:
        tum.register_forward_hook(lambda _, args, outs: [x.detach() for x in outs])
    _, levels = neck.forward_with_levels(inputs())
    levels[3][0].sum().backward()

    assert all(x.grad.any() for x in neck.tums[0].top.parameters() if x.dim() > 1)
    assert all(x.grad is None for x in neck.tums[1].parameters())


def test_levels_come_with_the_pyramid() -> None:
    neck = MLFPN(**TINY, sfam=False, tum_out_channels=5).eval()
    maps, levels = neck.forward_with_levels(inputs())

    assert neck.level_channels == 5
    assert [len(level) for level in levels] == [3, 3]
    for scale, found in enumerate(neck(inputs())):
        torch.testing.assert_close(found, maps[scale])
        torch.testing.assert_close(found, torch.cat([x[scale] for x in levels], dim=1))


def test_levels_are_concatenated_in_ascending_order() -> None:
    neck = MLFPN(**TINY, sfam=False).eval()
    outputs: list[tuple[Tensor, ...]] = []
    for tum in neck.tums:
        tum.register_forward_hook(lambda _, args, outs: outputs.append(outs))
    maps = neck(inputs())

    for scale, feature in enumerate(maps):
        torch.testing.assert_close(
            feature, torch.cat([level[scale] for level in outputs], dim=1)
        )


@pytest.mark.parametrize(('thin_channels', 'found'), [(None, 2), (5, 5)])
def test_the_base_feature_is_thinned_to_as_many_channels_as_asked(
    thin_channels: int | None, found: int
) -> None:
    neck = MLFPN(**TINY, thin_channels=thin_channels)

    assert [x.leach.out_channels for x in neck.level_fusions] == [found] * 2
    # The second TUM gets the level before, too.
    widths = [tum.encoder[0].in_channels for tum in neck.tums]
    assert widths == [found, found + 4]


def test_shared_leach_is_one_module_called_by_every_level() -> None:
    neck = MLFPN(**TINY, share_leach=True)
    calls: list[Tensor] = []
    neck.level_fusions[0].leach.register_forward_hook(lambda *args: calls.append(args))
    neck(inputs())

    assert len(neck.level_fusions) == 1
    assert len(calls) == TINY['num_levels']


def test_extra_norm_acts_on_the_largest_scale_alone_without_activation() -> None:
    neck = MLFPN(**TINY, extra_norm=True).eval()
    x = inputs()
    before = neck(x)
    nn.init.constant_(neck.norm.weight, -1.0)
    largest, *rest = neck(x)

    torch.testing.assert_close(largest, -before[0])
    for old, new in zip(before[1:], rest, strict=True):
        torch.testing.assert_close(old, new)


@pytest.mark.parametrize('options', [{}, {'residual': True, 'use_depthwise': True}])
def test_checkpointing_changes_neither_values_nor_gradients(options: dict) -> None:
    torch.manual_seed(1)
    config = {**TINY, 'num_levels': 3, **options}
    plain, saving = MLFPN(**config), MLFPN(**config, with_cp=True)
    saving.load_state_dict(plain.state_dict())
    gradients = []
    for neck in (plain, saving):
        maps = neck(inputs())
        sum(x.square().sum() for x in maps).backward()
        gradients.append([p.grad for p in neck.parameters()])

    for ours, theirs in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize(
    'config',
    [
        {},
        {'out_channels': 5, 'exact_strides': True},
        {'sfam': 'eca', 'use_depthwise': True, 'residual': True, 'num_levels': 3},
    ],
)
def test_gradient_reaches_every_parameter(config: dict) -> None:
    torch.manual_seed(0)
    neck = MLFPN(**{**TINY, 'sfam_reduction': 1, **config}, extra_norm=True)
    sum((x * torch.rand_like(x)).sum() for x in neck(inputs(13, 14))).backward()

    assert [n for n, p in neck.named_parameters() if not p.grad.any()] == []


def test_three_backbone_maps_fuse_into_one_base_feature() -> None:
    config = {**TINY, 'in_channels': (4, 8, 8), 'ffm_channels': (2, 4, 4)}
    shallow, deep = inputs()
    maps = MLFPN(**config)((shallow, deep, deep[..., :3, :3]))

    assert [tuple(x.shape) for x in maps] == [(2, 8, n, n) for n in (12, 6, 4)]


@pytest.mark.parametrize('size', [(320, 320), (333, 500), (800, 1344)])
def test_exact_strides_are_powers_of_two_at_any_size(size: tuple[int, int]) -> None:
    neck = MLFPN(**TINY, exact_strides=True, out_channels=7)
    grid = [-(-side // 8) for side in size]
    maps = neck((torch.zeros(1, 4, *grid), torch.zeros(1, 8, 2, 2)))

    assert neck.strides(size) == [(8.0, 8.0), (16.0, 16.0), (32.0, 32.0)]
    assert neck.out_channels == [7, 7, 7]
    for (stride, _), feature in zip(neck.strides(size), maps, strict=True):
        assert feature.shape[1] == 7
        cells = [-(-side // int(stride)) for side in size]
        assert list(feature.shape[2:]) == cells


def test_strides_follow_the_maps_of_the_input_size() -> None:
    neck = MLFPN(**{**TINY, 'num_scales': 6})
    assert neck.strides((320, 320))[-2:] == [(320 / 3, 320 / 3), (320.0, 320.0)]
    assert neck.strides((512, 800))[-1] == (512 / 2, 800 / 5)


def test_a_too_small_input_names_the_scale_and_what_fits() -> None:
    neck = MLFPN(**{**TINY, 'num_scales': 6})
    maps = (torch.zeros(1, 4, 32, 40), torch.zeros(1, 8, 16, 20))
    # 32 16 8 4 2 0: the unpadded convolution needs three cells.
    message = r'32x40 cells.*num_scales=6: scale 5 would vanish; .* fits is 5'
    # A sentence for the user, without the place in the code.
    with pytest.raises(M2DetError, match=message):
        neck(maps)
    with pytest.raises(ValueError, match=message):
        neck.strides((256, 320))


@pytest.mark.parametrize(
    ('channels', 'got'),
    [
        ((4,), r'\[4\]'),
        ((4, 8, 8), r'\[4, 8, 8\]'),
        ((8, 4), r'\[8, 4\]'),
        ((4, 6), r'\[4, 6\]'),
    ],
)
@pytest.mark.parametrize('exact_strides', [False, True])
def test_maps_that_it_was_not_built_for_are_named(
    channels: tuple[int, ...], got: str, exact_strides: bool
) -> None:
    neck = MLFPN(**TINY, exact_strides=exact_strides)
    maps = [torch.zeros(2, count, 12, 12) for count in channels]
    message = (
        r'built for 2 maps of \[4, 8\] channels and got '
        rf'{len(channels)} of {got}: .*out_indices'
    )
    with pytest.raises(ValueError, match=message):
        neck(maps)


def test_no_map_at_all_is_named() -> None:
    with pytest.raises(ValueError, match=r'\[4, 8\] channels and got 0 of \[\]'):
        MLFPN(**TINY)(())


@pytest.mark.parametrize('cells', [1, 2, 3])
def test_exact_strides_hold_any_number_of_scales(cells: int) -> None:
    neck = MLFPN(**{**TINY, 'num_scales': 6}, exact_strides=True).eval()
    maps = neck((torch.zeros(1, 4, cells, cells), torch.zeros(1, 8, 1, 1)))

    assert [x.shape[2] for x in maps[1:]] == [max(1, cells - 1), 1, 1, 1, 1]


def test_a_2x2_map_fits_no_pyramid() -> None:
    with pytest.raises(ValueError, match='no num_scales fits'):
        MLFPN(**TINY).strides((16, 16))


@pytest.mark.parametrize(
    ('key', 'number', 'smallest'),
    [
        ('num_levels', 0, 1),
        ('num_scales', 1, 2),
        ('tum_channels', 1, 2),
        ('thin_channels', 0, 1),
        ('tum_out_channels', 0, 1),
        ('out_channels', 0, 1),
        ('num_levels', 2.0, 1),
    ],
)
def test_an_empty_pyramid_is_refused(key: str, number: float, smallest: int) -> None:
    message = f'{key} must be a whole number from {smallest} on, got {number}'
    with pytest.raises(ValueError, match=message):
        MLFPN(**{**TINY, key: number})


def test_one_image_cannot_train_batch_norm_on_one_cell() -> None:
    neck = MLFPN(**{**TINY, 'num_scales': 6})
    one = (torch.zeros(1, 4, 40, 40), torch.zeros(1, 8, 20, 20))
    with pytest.raises(ValueError, match='batch_size of two or more'):
        neck(one)
    assert neck.eval()(one)[-1].shape == (1, 8, 1, 1)


def test_with_group_norm_an_image_trains_as_if_alone() -> None:
    both = inputs()
    alone = tuple(x[:1] for x in both)
    group = MLFPN(**TINY, norm_cfg={'type': 'GN', 'num_groups': 2})

    for found, y in zip(group(both), group(alone), strict=True):
        torch.testing.assert_close(found[:1], y)
    batch = MLFPN(**TINY)
    assert (batch(both)[0][:1] - batch(alone)[0]).abs().max() > 0.01


@pytest.mark.parametrize(
    ('options', 'calls'), [({}, 2), ({'share_leach': True}, 1), ({'num_levels': 3}, 3)]
)
def test_merged_leaches_are_one_convolution(options: dict, calls: int) -> None:
    torch.manual_seed(0)
    neck = MLFPN(**{**TINY, 'norm_cfg': None, **options}).eval()
    for leach in (fusion.leach for fusion in neck.level_fusions):
        nn.init.normal_(leach.conv.bias)
    expected = neck(inputs())
    neck.merge_leaches()

    assert neck.leach.conv.out_channels == calls * 2
    assert not any(isinstance(x, nn.Conv2d) for x in neck.level_fusions.modules())
    for found, y in zip(neck(inputs()), expected, strict=True):
        torch.testing.assert_close(found, y)


@pytest.mark.parametrize(
    'options', [{}, {'norm_cfg': None, 'act_cfg': {'type': 'PReLU'}}]
)
def test_leaches_with_a_norm_or_an_activation_that_learns_stay(options: dict) -> None:
    neck = MLFPN(**{**TINY, **options})
    neck.merge_leaches()

    assert neck.leach is None
