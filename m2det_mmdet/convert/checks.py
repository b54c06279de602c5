"""Checks whether a state dict fits a model, with advice if it does not."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from .error import ConversionError, Shape, indented
from .formats.m2det import M2DET
from .formats.refinedet import REFINEDET
from .formats.release import COUNTER, Entry, Names, Release, Settings


def check_fit(
    source: Mapping[str, Tensor],
    model: nn.Module,
    release: Release,
    table: Sequence[Entry],
    ignored: Names,
    reverse: bool,
) -> None:
    """Raise unless ``source`` has exactly the tensors of ``model``."""
    shapes = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    theirs = {name: shapes[entry.ours[0]] for entry in table for name in entry.theirs}
    expected, other = (shapes, theirs) if reverse else (theirs, shapes)
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
    # A checkpoint of another network may have names of both sides.
    if len(other.keys() & found) > max(len(expected.keys() & found), len(other) / 2):
        advice = [
            'Its names are those of the other side: convert '
            + (
                'without --to-release.'
                if reverse
                else 'with --to-release, or --format.'
            )
        ]
    elif reverse:
        advice = ['Take the config with which the checkpoint was trained.']
    else:
        advice = _hints(release, found, release.settings(theirs))
    raise ConversionError(
        f'The {"" if reverse else f"{release.name} "}checkpoint does not fit the '
        f'model: of {len(expected)} tensors {len(missing)} are missing and '
        f'{len(misshapen)} have another shape; {len(unexpected)} are unexpected.',
        missing=missing,
        unexpected=unexpected,
        misshapen=misshapen,
        advice=advice,
    )


def check_values(
    source: Mapping[str, Tensor],
    release: Release,
    table: Sequence[Entry],
    reverse: bool,
) -> None:
    """Raise if a tensor is not finite, or the copies of a shared tensor differ."""
    infinite: list[str] = []
    differing: list[str] = []
    for ours, theirs, _ in table:
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
            release.how_to_share if reverse else 'The file was changed or is damaged.'
        )
        raise ConversionError(
            f'The {release.name} uses {release.shared}; here they differ.\n'
            f'{indented(differing)}\n{advice}'
        )


def _hints(
    release: Release, found: Mapping[str, Shape], expected: Settings
) -> list[str]:
    """Return advice: the settings that differ, and other configs to try."""
    for other in (M2DET, REFINEDET):
        if other is not release and any(x.startswith(other.sign) for x in found):
            return [
                f'Its names are those of {other.title}: take one of the configs '
                f'{other.configs}.'
            ]
    hints = [
        f'The checkpoint has {key.rpartition(".")[2]}={value}, the config '
        f'{expected[key]}: set {key}={value}.'
        for key, value in release.settings(found).items()
        if expected.get(key, value) != value
    ]
    fallback = f'If it is a checkpoint of {release.title}, take its config: '
    return [*hints, f'{fallback}{release.configs}.']


def _is_finite(value: Tensor) -> bool:
    # 8-bit dtypes have no isfinite.
    wide = torch.promote_types(value.dtype, torch.float32)
    return bool(value.to(wide).isfinite().all())


def _identical(value: Tensor, other: Tensor) -> bool:
    return value.dtype == other.dtype and torch.equal(value, other)
