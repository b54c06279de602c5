"""How fast an MLFPN of one to eight levels begins to learn, and what changes that.

python benchmarks/levels_learning.py [--data DATA] [--steps N] [--seeds 0 1]
    [--runs RUN ...]

Each run is a config of configs/m2det/levels with some settings (RUNS), trained for the
first steps of its own schedule: the warm-up, then the whole rate. All runs of a seed
see the same batches of generated scenes. Two tables are printed.

By run: the mean loss of the last tenth of the steps; then the loss on the images of the
validation split, normalised by the statistics of their batches ("batch") and by the
running ones ("running"), the mean of the seeds. The loss is that of the detector
itself, without what auxiliary heads add.

By level, of the first seed: gradient by weight (the norm of the gradient of a part,
before it is clipped, by that of its weights; the median of the first and of the last
tenth of the steps), the standard deviation of a level's largest map and the mean of
SFAM's weights for its channels, over all scales, at the end.
"""

import argparse
import statistics
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from mmengine.runner import Runner, set_random_seed
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR

from m2det_mmdet.analysis.machine import describe_machine, versions
from m2det_mmdet.analysis.random_weights import build_random
from m2det_mmdet.datasets.scenes import write_scenes
from m2det_mmdet.models.utils.memory_format import to_channels_last
from m2det_mmdet.utils.configs import load_config

_NECK = 'model.neck.'
_DEEP = 'levels_8x26_scenes'
_RATE = 'optim_wrapper.optimizer.lr'
_LATE = {'custom_keys': {f'neck.tums.{i}.': {'lr_mult': 2} for i in range(4, 8)}}
_NORMAL = {'type': 'Normal', 'layer': 'Conv2d', 'std': 0.01}
_GAINS = {'type': 'Constant', 'layer': 'BatchNorm2d', 'val': 0.2}
# Name, config and settings.
RUNS: dict[str, tuple[str, dict[str, Any]]] = {
    # At equal parameters.
    '1 x 100': ('levels_1x100_scenes', {}),
    '2 x 63': ('levels_2x63_scenes', {}),
    '4 x 41': ('levels_4x41_scenes', {}),
    '8 x 26': (_DEEP, {}),
    # Width or depth.
    '1 x 26': (_DEEP, {f'{_NECK}num_levels': 1}),
    '2 x 26': (_DEEP, {f'{_NECK}num_levels': 2}),
    '4 x 26': (_DEEP, {f'{_NECK}num_levels': 4}),
    '1 x 100, base 13': ('levels_1x100_scenes', {f'{_NECK}thin_channels': 13}),
    '1 x 100, rate x 2': ('levels_1x100_scenes', {_RATE: 6e-3}),
    '8 x 63': ('levels_2x63_scenes', {f'{_NECK}num_levels': 8}),
    # What may mend it.
    'residual': (_DEEP, {f'{_NECK}residual': True}),
    'no attention': (_DEEP, {f'{_NECK}sfam': 'none'}),
    'eca': (_DEEP, {f'{_NECK}sfam': 'eca'}),
    'base 26': (_DEEP, {f'{_NECK}thin_channels': 26}),
    'residual, base 26': (
        _DEEP,
        {f'{_NECK}residual': True, f'{_NECK}thin_channels': 26},
    ),
    'auxiliary 1 to 4': (_DEEP, {'model.aux_levels': [0, 1, 2, 3]}),
    'momentum 0.01': (_DEEP, {f'{_NECK}norm_cfg.momentum': 0.01}),
    'rate x 2': (_DEEP, {_RATE: 6e-3}),
    'rate x 4': (_DEEP, {_RATE: 12e-3}),
    'rate of levels 5 to 8 x 2': (_DEEP, {'optim_wrapper.paramwise_cfg': _LATE}),
    'head N(0, 0.01)': (_DEEP, {'model.bbox_head.init_cfg': _NORMAL}),
    'gains of norms 0.2': (_DEEP, {f'{_NECK}init_cfg': _GAINS}),
    'gains of norms 0.2, rate x 2': (
        _DEEP,
        {f'{_NECK}init_cfg': _GAINS, _RATE: 6e-3},
    ),
    '1 x 100, gains of norms 0.2': (
        'levels_1x100_scenes',
        {f'{_NECK}init_cfg': _GAINS},
    ),
}


@dataclass
class Course:
    """What was seen of a training.

    Attributes:
        losses: The loss of each step.
        ratios: For each part the norm of its gradient by that of its weights, at each
            step.
        spreads: The standard deviation of each level's largest map, at the last step.
        gates: The mean weight that SFAM gives each level's channels, at the last step.
        batch: The loss on other images, normalised by the statistics of their batches.
        running: The same, by the running statistics.
    """

    losses: list[float] = field(default_factory=list)
    ratios: dict[str, list[float]] = field(default_factory=dict)
    spreads: list[float] = field(default_factory=list)
    gates: list[float] = field(default_factory=list)
    batch: float = 0.0
    running: float = 0.0


def settings(run: str, data: Path) -> Config:
    """Return the config of a run, which reads the scenes in ``data``."""
    name, options = RUNS[run]
    cfg = load_config(name, options)
    init_default_scope(cfg.default_scope)
    for loader in (cfg.train_dataloader, cfg.val_dataloader):
        loader.update(num_workers=0, persistent_workers=False)
        loader.dataset.data_root = f'{data}/'
    # Other images, prepared alike.
    cfg.val_dataloader.dataset.update(
        pipeline=cfg.train_dataloader.dataset.pipeline, test_mode=False
    )
    return cfg


def batches(loader: Config, seed: int) -> Iterator[dict[str, Any]]:
    """Yield batches, epoch after epoch; those of a seed are always the same."""
    set_random_seed(seed)
    built = Runner.build_dataloader(loader, seed=seed)
    return chain.from_iterable(built for _ in iter(int, 1))


def train(
    cfg: Config,
    seen: Sequence[dict[str, Any]],
    unseen: Sequence[dict[str, Any]],
    seed: int,
) -> Course:
    """Train on batches, then look at others."""
    set_random_seed(seed)
    model = build_random(cfg).train()
    to_channels_last(model)
    wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    warm_up = cfg.param_scheduler[0]
    schedule = LambdaLR(
        wrapper.optimizer,
        lambda step: min(1.0, warm_up.start_factor + step / warm_up.end),
    )
    course = Course()
    for step, batch in enumerate(seen):
        last = step == len(seen) - 1
        handles = _watch(model, course) if last else []
        losses = _losses(model, batch, training=True)
        course.losses.append(_own(losses))
        model.parse_losses(losses)[0].backward()
        for name, ratio in _ratios(model):
            course.ratios.setdefault(name, []).append(ratio)
        wrapper.step()
        wrapper.zero_grad()
        schedule.step()
        for handle in handles:
            handle.remove()
    with torch.no_grad():
        # In training mode later: that changes the running statistics.
        for mode, name in ((False, 'running'), (True, 'batch')):
            model.train(mode)
            found = [_own(_losses(model, batch, training=False)) for batch in unseen]
            setattr(course, name, statistics.mean(found))
    return course


def _losses(
    model: nn.Module, batch: Mapping[str, Any], *, training: bool
) -> dict[str, Tensor]:
    data = model.data_preprocessor(dict(batch), training)
    return model(**data, mode='loss')


def _own(losses: Mapping[str, Tensor]) -> float:
    """Sum the losses of the detector's own head."""
    own = (x.detach() for name, x in losses.items() if name.startswith('loss'))
    return float(sum(own))


def _ratios(model: nn.Module) -> Iterator[tuple[str, float]]:
    """Yield the parts and the norms of their gradients by those of their weights."""
    parts = {
        'backbone': model.backbone,
        'base': model.neck.base_fusion,
        **{f'level {i}': tum for i, tum in enumerate(model.neck.tums, start=1)},
        'head': model.bbox_head,
    }
    for name, part in parts.items():
        weights = [x for x in part.parameters() if x.grad is not None]
        norms = torch._foreach_norm([x.grad for x in weights])
        sizes = torch._foreach_norm([x.detach() for x in weights])
        yield name, float(torch.stack(norms).norm() / torch.stack(sizes).norm())


def _watch(model: nn.Module, course: Course) -> list[Any]:
    """Note what the levels make and how SFAM weighs it; return the hooks to remove."""
    neck = model.neck

    def see_level(tum: nn.Module, args: tuple, maps: tuple[Tensor, ...]) -> None:
        course.spreads.append(float(maps[0].detach().std()))

    def see_sfam(sfam: nn.Module, args: tuple, maps: tuple[Tensor, ...]) -> None:
        levels = zip(*args[0], strict=True)
        gates = [
            # Of a channel: what is left of its sum.
            (after.sum((0, 2, 3)) / torch.cat(before, dim=1).sum((0, 2, 3)))
            for before, after in zip(levels, maps, strict=True)
        ]
        by_level = torch.stack(gates).detach().unflatten(1, (len(neck.tums), -1))
        course.gates.extend(by_level.nanmean(dim=(0, 2)).tolist())

    handles = [tum.register_forward_hook(see_level) for tum in neck.tums]
    return [*handles, neck.aggregation.register_forward_hook(see_sfam)]


def by_run(
    found: Mapping[str, Sequence[Course]],
    seeds: Sequence[int],
    parameters: Mapping[str, int],
) -> str:
    """Return the table of the runs."""
    names = ['run', 'parameters (M)', *(f'loss, seed {seed}' for seed in seeds)]
    rows = [[*names, 'loss', 'other images, batch', 'running']]
    for run, courses in found.items():
        ends = [statistics.mean(_tenths(course.losses)[1]) for course in courses]
        other = [[getattr(x, name) for x in courses] for name in ('batch', 'running')]
        figures = [*ends, statistics.mean(ends), *map(statistics.mean, other)]
        size = f'{parameters[run] / 1e6:.2f}'
        rows.append([run, size, *(f'{x:.3f}' for x in figures)])
    return _table(rows)


def by_level(found: Mapping[str, Sequence[Course]]) -> str:
    """Return the table of the parts and levels, of the first seed."""
    names = ['run', 'part', 'gradient by weight, first', 'last', 'map', 'SFAM']
    rows = [names]
    for run, (course, *_) in found.items():
        pairs = zip(course.spreads, course.gates, strict=True)
        own = {f'level {i}': pair for i, pair in enumerate(pairs, start=1)}
        for part, ratios in course.ratios.items():
            ends = [f'{statistics.median(x):.3f}' for x in _tenths(ratios)]
            seen = [f'{x:.2f}' for x in own.get(part, ())] or ['-', '-']
            rows.append([run, part, *ends, *seen])
    return _table(rows)


def _tenths(values: Sequence[float]) -> tuple[Sequence[float], Sequence[float]]:
    """Return the first and the last tenth."""
    count = max(1, len(values) // 10)
    return values[:count], values[-count:]


def _table(rows: Sequence[Sequence[str]]) -> str:
    head, *rest = rows
    lines = [head, ['---'] * len(head), *rest]
    return '\n'.join(f'| {" | ".join(cells)} |' for cells in lines)


def main(argv: Sequence[str] | None = None) -> None:
    """Train the runs and print the tables."""
    args = _arguments(argv)
    # It would name each parameter that has a rate of its own.
    MMLogger.get_current_instance().setLevel('WARNING')
    used = ', '.join(f'{name} {version}' for name, version in versions().items())
    print(f'{describe_machine(torch.device("cpu"))}; {used}')
    print(f'{args.steps} steps, seeds {", ".join(map(str, args.seeds))}')
    found: dict[str, list[Course]] = {run: [] for run in args.runs}
    parameters = {}
    with TemporaryDirectory() as folder:
        data = args.data
        if data is None:
            data = Path(folder, 'scenes')
            write_scenes(data, num_test=1, size=(128, 128))
        for seed in args.seeds:
            cfg = settings(args.runs[0], data)
            with redirect_stdout(sys.stderr):
                seen = list(islice(batches(cfg.train_dataloader, seed), args.steps))
                unseen = list(islice(batches(cfg.val_dataloader, seed), args.unseen))
            for run in args.runs:
                cfg = settings(run, data)
                found[run].append(train(cfg, seen, unseen, seed))
                parameters[run] = sum(x.numel() for x in build_random(cfg).parameters())
                loss = statistics.mean(_tenths(found[run][-1].losses)[1])
                print(f'seed {seed}, {run}: {loss:.3f}', file=sys.stderr)
    print(f'\n{by_run(found, args.seeds, parameters)}\n\n{by_level(found)}')


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--data', type=Path, help='scenes; by default they are written')
    parser.add_argument('--steps', type=int, default=500)
    parser.add_argument('--seeds', type=int, nargs='+', default=[0, 1])
    parser.add_argument('--runs', nargs='+', choices=RUNS, default=list(RUNS))
    parser.add_argument(
        '--unseen', type=int, default=12, help='batches of other images'
    )
    return parser.parse_args(argv)


if __name__ == '__main__':
    main()
