"""What a state dict must be to fit a model, and what to change where it does not."""

import re
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from .error import ConversionError, Shape, indented
from .names import COUNTER, Names, Table

# The first convolution, which tells the backbone.
_BACKBONES = {'base.0.weight': 'SSDVGG', 'base.conv1.weight': 'ResNet'}


def check_fit(
    source: Mapping[str, Tensor],
    model: nn.Module,
    table: Table,
    ignored: Names,
    reverse: bool,
) -> None:
    """Raise unless ``source`` has the tensors of ``model``, and no others."""
    shapes = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    release = {name: shapes[ours[0]] for ours, theirs in table for name in theirs}
    expected, other = (shapes, release) if reverse else (release, shapes)
    found = {name: tuple(value.shape) for name, value in source.items()}
    missing = [name for name in expected.keys() - found if not name.endswith(COUNTER)]
    unexpected = found.keys() - expected - set(ignored)
    misshapen = [
        (name, found[name], expected[name])
        for name in expected.keys() & found
        if found[name] != expected[name]
    ]
    if not (missing or unexpected or misshapen):
        return
    if len(other.keys() & found) > len(expected.keys() & found):
        advice = [
            'Its names are those of the other side: convert '
            + ('without --to-release.' if reverse else 'with --to-release.')
        ]
    elif reverse:
        advice = ['Take the config with which the checkpoint was trained.']
    else:
        advice = _hints(_settings(found), _settings(release))
    raise ConversionError(
        f'{"The checkpoint" if reverse else "The release checkpoint"} does not fit the '
        f'model: of {len(expected)} tensors {len(missing)} are missing and '
        f'{len(misshapen)} have another shape; {len(unexpected)} are unexpected.',
        missing=missing,
        unexpected=unexpected,
        misshapen=misshapen,
        advice=advice,
    )


def check_values(source: Mapping[str, Tensor], table: Table, reverse: bool) -> None:
    """Raise if a tensor is not finite, or the copies of a shared one differ."""
    infinite: list[str] = []
    differing: list[str] = []
    for ours, theirs in table:
        names = [name for name in (ours if reverse else theirs) if name in source]
        infinite += [name for name in names if not _is_finite(source[name])]
        first = source[names[0]] if names else None
        others = [name for name in names[1:] if not _identical(source[name], first)]
        differing += names[:1] + others if others else []
    if infinite:
        raise ConversionError(
            'The checkpoint is damaged, or its training diverged: these tensors hold '
            f'values that are not finite.\n{indented(infinite)}'
        )
    if differing:
        advice = (
            'Train with model.neck.share_leach=True, and with SFAM share_sfam=True.'
            if reverse
            else 'The file was changed or is damaged.'
        )
        raise ConversionError(
            'The release uses one leach layer for all levels, and one SFAM layer for '
            f'all scales; here they differ.\n{indented(differing)}\n{advice}'
        )


def _settings(shapes: Mapping[str, Shape]) -> dict[str, int | bool | str]:
    """Read a config's settings from tensors under the release's names."""

    def count(pattern: str) -> int:
        matches = (re.match(pattern, name) for name in shapes)
        return len({match[1] for match in matches if match})

    settings: dict[str, int | bool | str] = {
        'model.neck.num_levels': count(r'unet(\d+)\.'),
        'model.neck.num_scales': count(r'loc\.(\d+)\.'),
        'model.neck.smooth': bool(count(r'unet1\.(smooth)\.')),
        'model.neck.sfam': bool(count(r'(sfam_module)\.')),
        'model.neck.extra_norm': bool(count(r'(Norm)\.')),
    }
    for name, backbone in _BACKBONES.items():
        if name in shapes:
            settings['model.backbone.type'] = backbone
    width = shapes.get('unet1.toplayer.0.conv.weight')
    if width:
        settings['model.neck.tum_channels'] = width[0]
    rows = [
        (shapes.get(f'conf.{i}.bias', ()), shapes.get(f'loc.{i}.bias', ()))
        for i in range(settings['model.neck.num_scales'])
    ]
    # An anchor has four rows in loc, and one more than there are classes in conf.
    classes = {4 * conf[0] / loc[0] - 1 for conf, loc in rows if conf and any(loc)}
    if len(classes) == 1 and (num_classes := classes.pop()).is_integer():
        settings['model.bbox_head.num_classes'] = int(num_classes)
    return settings


def _hints(found: Mapping[str, object], expected: Mapping[str, object]) -> list[str]:
    """Name the settings that differ, and what else to try."""
    hints = [
        f'The checkpoint has {key.rpartition(".")[2]}={value}, the config '
        f'{expected[key]}: set {key}={value}.'
        for key, value in found.items()
        # A file without any level is of another network altogether.
        if found['model.neck.num_levels'] and expected.get(key, value) != value
    ]
    fallback = "If it is a checkpoint of the authors' release, take its config: "
    return [*hints, f'{fallback}m2det_*_release.']


def _is_finite(value: Tensor) -> bool:
    # Types of eight bits have no such test of their own.
    wide = torch.promote_types(value.dtype, torch.float32)
    return bool(value.to(wide).isfinite().all())


def _identical(value: Tensor, other: Tensor) -> bool:
    return value.dtype == other.dtype and torch.equal(value, other)
