"""A measured speed with all that it depends on: as a table, and as plain data."""

from dataclasses import asdict, dataclass, field
from typing import Any

from ..utils.tables import ABSENT, to_markdown
from .attempts import Failure
from .speed import Speed, Timing

_UNITS = {'time': 'seconds', 'memory': 'bytes', 'flops': 'multiply-add counts as two'}
_RANDOM_WEIGHTS = (
    'The weights are random: the times of suppression and in total, images/s and '
    'boxes/image are not those of a trained detector. Give --checkpoint.'
)
_UNSPLIT = (
    'Network and suppression of this detector cannot be timed apart: only the total '
    'is given.'
)
_INSTRUCTIONS = (
    'The figures hold for processors with the same instructions: others may be several '
    'times slower or faster, above all in bfloat16.'
)
# Jobs beside this one that make its times doubtful.
_BUSY = 0.5
_SHARED = (
    'The machine was at work before ({:.1f} jobs in the last minute): times may be '
    'longer and spread wider than on an idle one.'
)


@dataclass(frozen=True)
class SpeedReport:
    """A measurement with all that it depends on.

    Args:
        config: Name of the config.
        checkpoint: Where the weights are from; ``None`` for random ones.
        images: Where the images are from; ``None`` for random ones.
        distinct_images: How many there were; they are taken in turn.
        machine: The device that computed.
        instructions: What a CPU computes with; ``None`` for other devices.
        load: Jobs that ran or waited for a CPU in the minute before; ``None`` if not
            known.
        versions: Versions of what computed, by name.
        acceleration: Arguments of
            :func:`.accelerate`, if it was called.
        suppression: What the detector suppresses with; ``None`` if not known.
        runtime: What runs an exported file; ``None`` for PyTorch's own networks.
        speeds: One entry a batch size that was timed, at least one.
        flops: Operations of the network for an image; ``None`` if not known.
        product_dtype: Type of the matrices that were multiplied.
        product_flops_per_second: Operations a second of that product; ``None`` if not
            known.
        failures: What was to be measured and failed.
    """

    config: str
    checkpoint: str | None
    images: str | None
    distinct_images: int
    machine: str
    instructions: str | None
    load: float | None
    versions: dict[str, str]
    acceleration: dict[str, Any] | None
    suppression: str | None
    speeds: list[Speed]
    flops: int | None
    product_dtype: str
    product_flops_per_second: float | None
    runtime: str | None = None
    failures: list[Failure] = field(default_factory=list)

    def network_flops_per_second(self, speed: Speed) -> float | None:
        """Operations a second of the network, from the median."""
        if self.flops is None or speed.network is None:
            return None
        return self.flops * speed.batch_size / speed.network.median

    def notes(self) -> list[str]:
        """List what a reader has to know of the figures."""
        memory = (
            "what PyTorch's allocator gave out at most, a batch size"
            if self.machine.startswith('CUDA')
            else 'the peak resident set of the process since its start'
        )
        notes = [
            'Times are medians, in brackets the 10th and 90th percentile; images/s '
            'follow from the total.',
            f'Peak memory is {memory}.',
        ]
        if self.instructions is not None:
            notes.append(_INSTRUCTIONS)
        if any(speed.network is None for speed in self.speeds):
            notes.append(_UNSPLIT)
        if self.load is not None and self.load >= _BUSY:
            notes.append(_SHARED.format(self.load))
        if self.checkpoint is None:
            notes.append(_RANDOM_WEIGHTS)
        return notes

    def to_dict(self) -> dict[str, Any]:
        """Return everything as values that JSON has."""
        speeds = [
            {
                **asdict(speed),
                'images_per_second': speed.images_per_second,
                'network_flops_per_second': self.network_flops_per_second(speed),
            }
            for speed in self.speeds
        ]
        return {
            **asdict(self),
            'speeds': speeds,
            'units': _UNITS,
            'notes': self.notes(),
        }

    def to_text(self) -> str:
        """Return the table, above it what was measured, below it the notes."""
        height, width = self.speeds[0].input_size
        chosen = [f'{key}={value}' for key, value in (self.acceleration or {}).items()]
        lines = [
            f'config        {self.config}, {width}x{height}',
            f'weights       {self.checkpoint or "random"}',
            f'images        {self.images or "random"}, {self.distinct_images}; '
            f'{self.speeds[0].total.calls} calls timed one by one',
            f'acceleration  {", ".join(chosen) or "none"}',
            f'suppression   {self.suppression or ABSENT}',
            *([] if self.runtime is None else [f'runtime       {self.runtime}']),
            f'machine       {self.machine}',
            f'instructions  {self.instructions or ABSENT}',
            f'versions      {", ".join(map(" ".join, self.versions.items()))}',
            '',
            to_markdown([self._row(speed) for speed in self.speeds], aligned=True),
            '',
            *([] if self.flops is None else [_network_line(self.flops)]),
            *self._product_lines(),
            *self.notes(),
            *map(str, self.failures),
        ]
        return '\n'.join(lines)

    def _product_lines(self) -> list[str]:
        rate = self.product_flops_per_second
        if rate is None:
            return []
        product = f'Product of two 2048x2048 matrices, {self.product_dtype}'
        return [f'{product}: {rate / 1e9:.1f} GFLOP/s.']

    def _row(self, speed: Speed) -> dict[str, str]:
        """Return the cells of a batch size by the names of their columns."""
        rate = self.network_flops_per_second(speed)
        product = self.product_flops_per_second
        memory = speed.peak_memory
        return {
            'batch': str(speed.batch_size),
            'network, ms': _milliseconds(speed.network),
            'suppression, ms': _milliseconds(speed.suppression),
            'total, ms': _milliseconds(speed.total),
            'images/s': f'{speed.images_per_second:.2f}',
            'boxes/image': f'{speed.boxes:.1f}',
            'GFLOP/s': ABSENT if rate is None else f'{rate / 1e9:.1f}',
            'of product': ABSENT
            if rate is None or product is None
            else f'{rate / product:.0%}',
            'peak memory, MiB': ABSENT if memory is None else f'{memory / 2**20:.0f}',
        }


def _network_line(flops: int) -> str:
    return (
        f'Network: {flops / 1e9:.1f} GFLOP an image, a multiply-add counted as two; '
        'convolutions and matrix products alone.'
    )


def _milliseconds(timing: Timing | None) -> str:
    if timing is None:
        return ABSENT
    low, median, high = (
        f'{1e3 * value:.2f}' for value in (timing.low, timing.median, timing.high)
    )
    return f'{median} [{low}, {high}]'
