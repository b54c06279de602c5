"""Moves what hooks and heads begin in an epoch to a training of another length."""

from collections.abc import Iterator
from dataclasses import dataclass
from inspect import signature
from typing import Any

from mmdet.registry import HOOKS
from mmengine.config import Config

from ..utils.pipelines import kind_of

# Settings of hooks that name an epoch, from the start or from the end.
_OF_HOOKS = ('switch_epoch', 'begin_epoch', 'num_last_epochs')
# Settings of a detector that do.
_OF_MODELS = ('initial_epoch',)


@dataclass(frozen=True)
class Switch:
    """A setting that names the epoch in which a phase of the training begins.

    Args:
        owner: Whose setting it is.
        settings: Where it stands; changed by :meth:`move`.
        key: Its name.
        value: Its value.
    """

    owner: str
    settings: dict[str, Any]
    key: str
    value: float

    def time(self, epochs: int) -> float:
        """Epochs of ``epochs`` before the phase."""
        if self.key == 'num_last_epochs':
            # mmdet's hook acts an epoch earlier than its name says.
            return epochs - 1 - self.value
        # The EMA begins in the epoch of this number, the others after so many.
        return self.value - 1 if self.key == 'begin_epoch' else self.value

    def move(self, time: int, epochs: int) -> int:
        """Let the phase begin after ``time`` of ``epochs``; return the new value."""
        if self.key == 'num_last_epochs':
            value = epochs - 1 - time
        elif self.key == 'begin_epoch':
            value = min(time + 1, epochs)
        else:
            value = time
        self.settings[self.key] = value
        return value


def find_switches(cfg: Config) -> list[Switch]:
    """List the settings of hooks and of the detector that name an epoch."""
    default = (cfg.get('default_hooks') or {}).values()
    hooks = [*default, *(cfg.get('custom_hooks') or [])]
    found = [switch for hook in hooks if hook for switch in _of_hook(hook)]
    return [*found, *_of_model(cfg.get('model'))]


def move_switches(cfg: Config, old: int, new: int) -> list[str]:
    """Move the beginnings of phases from a run of ``old`` epochs to one of ``new``.

    Each lies at the same part of the run, rounded so that each phase that had an epoch
    still has one. Where there are more phases than epochs, the longer ones have them.

    Returns:
        What changed, in words.
    """
    switches = find_switches(cfg)
    places = _spread({switch.time(old) for switch in switches}, old, new)
    remarks = []
    for switch in switches:
        value = switch.move(places[switch.time(old)], new)
        name = f'{switch.owner}.{switch.key}'
        remarks.append(f'{name}={switch.value} of {old} epochs became {value} of {new}')
    return remarks if old != new else []


def _spread(times: set[float], old: int, new: int) -> dict[float, int]:
    """Find a place among ``new`` epochs for each of ``times`` among ``old``."""
    inner = sorted(time for time in times if 0 < time < old)
    places = {time: 0 if time <= 0 else new for time in times}
    before = 0
    for index, time in enumerate(inner):
        place = round(time * new / old)
        if new > len(inner):
            # An epoch for this phase, and one for each that follows.
            place = min(max(place, before + 1), new - len(inner) + index)
        places[time] = before = place
    return places


def _of_hook(hook: dict[str, Any]) -> Iterator[Switch]:
    kind = kind_of(hook)
    registered = HOOKS.get(str(hook.get('type')))
    known = {} if registered is None else signature(registered).parameters
    for key in _OF_HOOKS:
        value = hook.get(key, known[key].default if key in known else None)
        # An average that begins at 0 begins with the run.
        if isinstance(value, int | float) and not (key == 'begin_epoch' and not value):
            yield Switch(kind, hook, key, value)


def _of_model(settings: Any) -> Iterator[Switch]:
    if isinstance(settings, dict):
        for key in _OF_MODELS:
            if isinstance(settings.get(key), int | float):
                yield Switch('model', settings, key, settings[key])
        settings = list(settings.values())
    if isinstance(settings, list | tuple):
        for value in settings:
            yield from _of_model(value)
