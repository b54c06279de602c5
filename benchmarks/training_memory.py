"""Count the memory of a training step, with and without what saves some.

python benchmarks/training_memory.py [CONFIG] [--batch-sizes 2 3 4] [--options ...]

Counted are the bytes of the tensors that autograd keeps for the backward pass, each
storage once and without the parameters: the same on every device, and not the peak of
an allocator, which also holds what a convolution needs for itself. Weights are random,
so are images and boxes. On CUDA the allocator's peak is printed beside it.
"""

import argparse
import json
import statistics
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.structures import InstanceData
from torch import Tensor, nn

import m2det_mmdet  # noqa: F401
from m2det_mmdet.analysis.complexity import test_image_size
from m2det_mmdet.analysis.machine import describe_machine, versions
from m2det_mmdet.analysis.random_weights import build_random
from m2det_mmdet.analysis.speed import Timing, time_calls
from m2det_mmdet.utils.devices import peak_memory, reset_peak_memory

CONFIG = Path(__file__).parents[1] / 'configs' / 'm2det' / 'm2det_vgg_320.py'
OPTIONS = ('plain', 'with_cp', 'bf16', 'with_cp+bf16', 'fused')
_BOXES = 5
_NOTE = (
    'Saved: tensors that autograd keeps for the backward pass, each storage once, '
    "without parameters; a count, not the allocator's peak. With with_cp one TUM's own "
    'come on top while it is computed again (column recomputed). Fixed: parameters, '
    'gradients and state of the optimiser. Times of a step are medians, in brackets '
    'the 10th and 90th percentile; the options take turns, and "by plain" is the '
    'median over the turns.'
)


@dataclass(frozen=True)
class Cost:
    """What a training step takes.

    Args:
        option: Of :data:`OPTIONS`.
        batch_size: Images a step.
        saved: Bytes of tensors kept for the backward pass.
        recomputed: Bytes that the largest TUM keeps while it is computed again; 0
            where none is.
        fixed: Bytes of parameters, gradients and state of the optimiser.
        step: How long a step takes.
        by_plain: Its time by that of ``plain``; ``None`` if that was not measured.
        allocated: Bytes, the allocator's peak on CUDA; else ``None``.
    """

    option: str
    batch_size: int
    saved: int
    recomputed: int
    fixed: int
    step: Timing
    by_plain: float | None
    allocated: int | None


class SavedBytes:
    """Counts what autograd saves while :meth:`counting`."""

    def __init__(self, model: nn.Module) -> None:
        self._parameters = {_address(x) for x in model.parameters()}
        self._storages: dict[int, int] = {}

    @property
    def total(self) -> int:
        """Bytes of the storages that were saved."""
        return sum(self._storages.values())

    @contextmanager
    def counting(self) -> Iterator[None]:
        """Count, as long as the graph that is built meanwhile is not used up."""
        with torch.autograd.graph.saved_tensors_hooks(self._pack, lambda x: x):
            yield

    def _pack(self, tensor: Tensor) -> Tensor:
        address = _address(tensor)
        if address not in self._parameters:
            self._storages[address] = tensor.untyped_storage().nbytes()
        # An operator's own output would refer to the graph that holds it.
        return tensor.detach()


class Trainer:
    """A detector in training, with one of :data:`OPTIONS` at a time.

    Args:
        config: Config of the detector.
        device: Where to train.
    """

    def __init__(self, config: Config, device: torch.device) -> None:
        torch.manual_seed(0)
        self.model = build_random(config).to(device).train()
        self.device = device
        self.bf16 = False
        self.optimizer = build_optim_wrapper(self.model, config.optim_wrapper)

    def use(self, option: str) -> None:
        """Set what the config's keys ``with_cp`` and ``fused`` would set, and bf16."""
        parts = option.split('+')
        self.bf16 = 'bf16' in parts
        for module in self.model.modules():
            if hasattr(module, 'with_cp'):
                module.with_cp = 'with_cp' in parts
        for group in self.optimizer.optimizer.param_groups:
            group['fused'] = 'fused' in parts

    def step(self, batch: dict[str, Any]) -> None:
        """Train on a batch."""
        self.optimizer.update_params(self.loss(batch))

    def loss(self, batch: dict[str, Any]) -> Tensor:
        """Sum of the losses of a batch."""
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16):
            losses = self.model(**batch, mode='loss')
        return self.model.parse_losses(losses)[0]

    def saved(self, batch: dict[str, Any]) -> int:
        """Bytes saved for the backward pass."""
        counter = SavedBytes(self.model)
        with counter.counting():
            # Kept until all is counted: what is freed leaves its address to others.
            loss = self.loss(batch)
        del loss
        return counter.total

    def recomputed(self, batch: dict[str, Any]) -> int:
        """Bytes that the largest TUM saves while it is computed again, if one is."""
        neck = self.model.neck
        if not getattr(neck, 'with_cp', False):
            return 0
        counter = SavedBytes(self.model)
        sizes, handles = _watch(neck.tums, counter)
        neck.with_cp = False
        with counter.counting():
            loss = self.loss(batch)
        neck.with_cp = True
        for handle in handles:
            handle.remove()
        del loss
        return max(sizes)

    def fixed(self) -> int:
        """Bytes of parameters, gradients and, after a step, the optimiser's state."""
        parameters = list(self.model.parameters())
        gradients = [x for x in parameters if x.requires_grad]
        state = [
            value
            for values in self.optimizer.optimizer.state.values()
            for value in values.values()
            if isinstance(value, Tensor)
        ]
        return sum(x.nbytes for x in (*parameters, *gradients, *state))


def _watch(modules: Iterable[nn.Module], counter: SavedBytes) -> tuple[list[int], list]:
    """Note by how many bytes ``counter`` grows in each call of ``modules``.

    Returns:
        The bytes, and handles of the hooks to remove.
    """
    sizes: list[int] = []

    def enter(*_: object) -> None:
        sizes.append(-counter.total)

    def leave(*_: object) -> None:
        sizes[-1] += counter.total

    handles = []
    for module in modules:
        handles.append(module.register_forward_pre_hook(enter))
        handles.append(module.register_forward_hook(leave))
    return sizes, handles


def measure(
    trainer: Trainer, options: Sequence[str], batch_size: int, size: int, *, steps: int
) -> list[Cost]:
    """Measure training steps on images of ``size``, one entry an option.

    The options take turns, so that what else the machine does weighs on all alike.
    """
    batch = make_batch(trainer.model, batch_size, size)
    durations: dict[str, list[float]] = {option: [] for option in options}
    allocated = dict.fromkeys(options, 0)
    for number in range(steps + 1):
        for option in options:
            trainer.use(option)
            reset_peak_memory(trainer.device)
            seconds = _step_seconds(trainer, batch)
            # The first step of each warms up.
            if number > 0:
                durations[option].append(seconds)
                allocated[option] = peak_memory(trainer.device)
    costs = []
    for option in options:
        trainer.use(option)
        costs.append(
            Cost(
                option=option,
                batch_size=batch_size,
                saved=trainer.saved(batch),
                recomputed=trainer.recomputed(batch),
                fixed=trainer.fixed(),
                step=Timing.of(durations[option]),
                by_plain=_by_plain(durations, option),
                allocated=allocated[option] if trainer.device.type == 'cuda' else None,
            )
        )
    return costs


def _step_seconds(trainer: Trainer, batch: dict[str, Any]) -> float:
    timing = time_calls(
        lambda: trainer.step(batch), repeats=1, warm_up=0, device=trainer.device
    )
    return timing.median


def _by_plain(durations: dict[str, list[float]], option: str) -> float | None:
    """Median over the rounds of a step by that of ``plain``, if that was measured."""
    if 'plain' not in durations:
        return None
    pairs = zip(durations[option], durations['plain'], strict=True)
    return statistics.median(own / plain for own, plain in pairs)


def make_batch(model: nn.Module, batch_size: int, size: int) -> dict[str, Any]:
    """Make random images of ``size`` by ``size`` pixels with random boxes."""
    generator = torch.Generator().manual_seed(0)
    inputs, samples = [], []
    for _ in range(batch_size):
        shape = (3, size, size)
        inputs.append(torch.randint(256, shape, generator=generator, dtype=torch.uint8))
        corners = torch.rand(_BOXES, 2, 2, generator=generator) * (size - 2)
        low, high = corners.amin(dim=1), corners.amax(dim=1) + 2
        sample = DetDataSample(
            metainfo={'img_shape': (size, size), 'ori_shape': (size, size)}
        )
        sample.gt_instances = InstanceData(
            bboxes=torch.cat([low, high], dim=1),
            labels=torch.zeros(_BOXES, dtype=torch.long),
        )
        sample.ignored_instances = InstanceData(
            bboxes=torch.zeros(0, 4), labels=torch.zeros(0, dtype=torch.long)
        )
        samples.append(sample)
    return model.data_preprocessor({'inputs': inputs, 'data_samples': samples}, True)


def to_text(costs: Sequence[Cost], device: torch.device) -> str:
    """Return a Markdown table of ``costs``, under what it was measured with."""
    names = ['option', 'batch', 'saved, MiB', 'recomputed, MiB', 'fixed, MiB']
    names += ['step, s', 'by plain']
    lines = [names + ['allocated, MiB'] * (device.type == 'cuda')]
    lines.append(['---'] * len(lines[0]))
    for cost in costs:
        ratio = '-' if cost.by_plain is None else f'{cost.by_plain:.2f}'
        cells = [cost.option, str(cost.batch_size), _mib(cost.saved)]
        cells += [_mib(cost.recomputed), _mib(cost.fixed), _seconds(cost.step), ratio]
        lines.append(cells + [_mib(cost.allocated or 0)] * (device.type == 'cuda'))
    used = ', '.join(f'{name} {version}' for name, version in versions().items())
    table = [f'| {" | ".join(cells)} |' for cells in lines]
    return '\n'.join([f'{describe_machine(device)}; {used}', _NOTE, '', *table])


def main(argv: Sequence[str] | None = None) -> None:
    """Measure as the command line says."""
    args = _parse(argv)
    config = Config.fromfile(args.config)
    side, _ = test_image_size(config)
    device = torch.device(args.device)
    trainer = Trainer(config, device)
    costs: list[Cost] = []
    for size in args.batch_sizes:
        costs += measure(trainer, args.options, size, side, steps=args.steps)
        print(f'batch size {size} done', file=sys.stderr)
    print(f'{Path(args.config).stem}, {side} pixels')
    print(to_text(costs, device))
    if args.json is not None:
        content = {
            'config': Path(args.config).stem,
            'machine': describe_machine(device),
            'versions': versions(),
            'note': _NOTE,
            'costs': [asdict(cost) for cost in costs],
        }
        args.json.write_text(json.dumps(content, indent=2) + '\n', encoding='utf-8')


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', nargs='?', default=CONFIG, help='path of a config')
    parser.add_argument(
        '--batch-sizes',
        type=_at_least(2),
        nargs='+',
        default=[2, 3, 4],
        help='2 or more: batch norm cannot train on the single cell of one image',
    )
    parser.add_argument('--options', nargs='+', choices=OPTIONS, default=OPTIONS)
    parser.add_argument('--steps', type=_at_least(1), default=3, help='steps to time')
    best = 'cuda' if torch.cuda.is_available() else 'cpu'
    parser.add_argument('--device', default=best, help='default: %(default)s')
    parser.add_argument('--json', type=Path, metavar='FILE', help='write this as well')
    return parser.parse_args(argv)


def _at_least(lowest: int) -> Callable[[str], int]:
    """Return a type for arguments that are numbers from ``lowest`` on."""

    def convert(text: str) -> int:
        number = int(text)
        if number < lowest:
            raise argparse.ArgumentTypeError(f'must be at least {lowest}, got {number}')
        return number

    return convert


def _address(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()


def _seconds(timing: Timing) -> str:
    return f'{timing.median:.2f} [{timing.low:.2f}, {timing.high:.2f}]'


def _mib(count: int) -> str:
    return f'{count / 2**20:.0f}'


if __name__ == '__main__':
    main()
