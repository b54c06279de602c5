"""Amends a config by settings of a command, and says which of them do nothing.

A config takes any key. One that nothing reads is found where that can be told: on the
top level, whose readers are known. Within, an argument that a module does not take
fails when it is built (:mod:`.builds`), and any new key draws a warning that resembles
one beside it.
"""

import inspect
import logging
from collections.abc import Mapping
from typing import Any

from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.runner import Runner

from .builds import did_you_mean
from .errors import M2DetError
from .texts import one_line

# What MMEngine, MMDetection's tools and this package's commands read of a config's top
# level, besides the arguments of the runner.
_READ = {
    'activation_checkpointing',
    'compile',
    'efficient_conv_bn_eval',
    'find_unused_parameters',
    'model_wrapper_cfg',
    'runner_type',
    'strategy',
    'sync_bn',
    'tta_model',
    'tta_pipeline',
}


def amend(cfg: Config, settings: Mapping[str, Any], name: str) -> None:
    """Merge settings into a config, in place.

    Args:
        cfg: The config.
        settings: Values by their dotted keys.
        name: What messages call the config.

    Raises:
        M2DetError: If a setting does not fit the config, or if nothing would read it;
            names similar keys.
    """
    for key, value in settings.items():
        setting = f'The setting {key}={one_line(value, 60)}'
        _check(cfg, key, setting, name)
        try:
            cfg.merge_from_dict({key: value})
        except (KeyError, TypeError, AssertionError) as error:
            reason = one_line(error.args[0], 120)
            raise M2DetError(
                f'{setting} does not fit the config {name}: {reason}'
            ) from error


def _check(cfg: Config, key: str, setting: str, name: str) -> None:
    """Stop at a key that nothing reads; warn of one that probably nothing reads."""
    # A runner of another kind may read more.
    if 'runner_type' in cfg:
        return
    first, *_ = parts = key.split('.')
    read = {*inspect.signature(Runner).parameters} | _READ
    if first not in cfg and first not in read:
        hint = did_you_mean(first, sorted(read | {*cfg})) or 'check its name.'
        raise M2DetError(
            f'{setting} would change nothing, since neither the config {name} nor '
            f'the runner knows {first}: {hint}'
        )
    if first not in read:
        _warn(
            f'{setting} alone changes nothing: {first} is a variable, whose value the '
            f'config {name} has used already; set what was made of it, as '
            f'`m2det config {name}` prints it.'
        )
    elif question := _resemblance(cfg, parts):
        _warn(f'{setting} is new in the config {name}: {question}')


def _resemblance(cfg: Config, parts: list[str]) -> str:
    """Return a question, if a key is new beside one that it resembles."""
    found: Any = cfg
    for part in parts:
        if not isinstance(found, Mapping | Config):
            break
        if part not in found:
            return did_you_mean(part, sorted(map(str, found)), likeness=0.8)
        found = found[part]
    return ''


def _warn(message: str) -> None:
    print_log(message, logger='current', level=logging.WARNING)
