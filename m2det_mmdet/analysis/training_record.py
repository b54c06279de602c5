"""What a training has left of its course: losses, learning rate, figures."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..utils.values import is_number

# Of a training and of a validation, in the lines that MMEngine writes.
_LOSS, _RATE, _STEP, _EPOCH = 'loss', 'lr', 'step', 'epoch'
# They tell of the machine, not of the detector.
_OF_MACHINE = ('time', 'data_time', 'memory', 'iter')
# Below a work folder.
RECORDS = '*/vis_data/scalars.json'
Series = dict[int, float]


@dataclass(frozen=True)
class TrainingRecord:
    """The course of a training.

    Attributes:
        losses: Name of a loss, the sum first, to its values by iteration.
        learning_rates: Rate of the first group of parameters by iteration.
        figures: Name of a figure of the validation to its values by epoch; by iteration
            where a training counts these.
        by_epoch: Whether it counts epochs.
    """

    losses: dict[str, Series] = field(default_factory=dict)
    learning_rates: Series = field(default_factory=dict)
    figures: dict[str, Series] = field(default_factory=dict)
    by_epoch: bool = True


def read_record(work_dir: Path) -> TrainingRecord:
    """Read what MMEngine has written on a training, with its resumptions.

    Each run has a folder of its time with ``vis_data/scalars.json``. A resumed training
    goes on from the middle of the one before: what that one did after the place is not
    part of the training. Nor is anything before a training that began anew, by the
    config that MMEngine keeps beside the file.

    Args:
        work_dir: The work folder; without such files the record is empty.
    """
    lines: list[dict[str, Any]] = []
    for file in sorted(work_dir.glob(RECORDS), reverse=True):
        earlier = list(_lines(file))
        lines = _before(earlier, lines) + lines
        if _began_anew(file.with_name('config.py')):
            break
    return _record(lines)


def _began_anew(config: Path) -> bool:
    """Whether a run did not resume; ``False`` where its config is not there."""
    try:
        text = config.read_text(encoding='utf-8', errors='replace')
    except OSError:
        return False
    # It may hold anything, and is not run.
    return re.search(r'^resume = True$', text, re.MULTILINE) is None


def _before(earlier: list[dict], later: list[dict]) -> list[dict]:
    """Return what comes before ``later`` of a run that it went on with."""
    starts = {}
    for line in later:
        starts.setdefault(_is_training(line), []).append(line[_STEP])
    firsts = {kind: min(steps) for kind, steps in starts.items()}
    return [
        line
        for line in earlier
        if line[_STEP] < firsts.get(_is_training(line), float('inf'))
    ]


def _record(lines: list[dict[str, Any]]) -> TrainingRecord:
    losses: dict[str, Series] = {}
    rates: Series = {}
    figures: dict[str, Series] = {}
    steps = []
    for line in lines:
        step = line[_STEP]
        if not _is_training(line):
            steps.append(step)
            for name, value in _numbers(line).items():
                if name != _STEP:
                    figures.setdefault(name, {})[step] = value
            continue
        for name, value in _numbers(line).items():
            if _LOSS in name:
                losses.setdefault(name, {})[step] = value
            elif name == _RATE:
                rates[step] = value
    ordered = dict(sorted(losses.items(), key=lambda item: item[0] != _LOSS))
    epochs = [line[_EPOCH] for line in lines if is_number(line.get(_EPOCH))]
    by_epoch = not steps or max(steps) <= max(epochs, default=0)
    return TrainingRecord(ordered, rates, figures, by_epoch)


def _is_training(line: Mapping[str, Any]) -> bool:
    return _RATE in line or _LOSS in line


def _numbers(line: Mapping[str, Any]) -> dict[str, float]:
    """Return the figures of a line; infinite ones are no figures to draw."""
    return {
        name: float(value)
        for name, value in line.items()
        if is_number(value) and name not in _OF_MACHINE
    }


def _lines(file: Path) -> Iterator[dict[str, Any]]:
    """Read a file of a JSON object a line; a line that was cut off is left out."""
    with open(file, encoding='utf-8', errors='replace') as text:
        for line in text:
            try:
                values = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if isinstance(values, dict) and is_number(values.get(_STEP)):
                yield values
