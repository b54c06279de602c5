"""What the promises of docs/reliability.md cost, and whether memory grows.

python benchmarks/promises.py cost [--rounds N] [--iterations N]
python benchmarks/promises.py memory [--steps N] [--predictions N]

`cost` times iterations of the same training in turn: with MMEngine's loop and no watch
on the loss, with this package's loop (seeds of images and iterations), and with the
watch (FiniteLossHook), too; then the writing of a file by MMEngine and by this package.
`memory` trains for many iterations, and predicts many images, and prints the resident
memory after a tenth of them and at the end.
"""

import argparse
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
import torch
from mmengine.config import Config
from mmengine.fileio import LocalBackend
from mmengine.logging import MessageHub
from mmengine.runner import EpochBasedTrainLoop, Runner

from m2det_mmdet import Detector
from m2det_mmdet.analysis.machine import describe_machine, versions
from m2det_mmdet.compat.whole_files import WholeFilesBackend
from m2det_mmdet.datasets.scenes import write_scenes
from m2det_mmdet.engine.hooks import FiniteLossHook
from m2det_mmdet.engine.loops import ExactEpochBasedTrainLoop
from m2det_mmdet.utils.configs import load_config

CONFIG = Path(__file__).parents[1] / 'configs' / 'm2det' / 'm2det_r18_scenes.py'
IMAGES = 64
# Name, loop, and whether losses are watched.
WAYS = {
    "MMEngine's loop": (EpochBasedTrainLoop, False),
    'own loop': (ExactEpochBasedTrainLoop, False),
    'own loop, losses watched': (ExactEpochBasedTrainLoop, True),
}


def main() -> None:
    """Measure one of the two."""
    args = _arguments()
    about = ', '.join(' '.join(item) for item in versions().items())
    print(f'{describe_machine(torch.device("cpu"))}; {about}')
    with TemporaryDirectory() as folder:
        scenes = Path(folder, 'scenes')
        write_scenes(scenes, num_train=IMAGES, num_val=8, num_test=8, size=(128, 128))
        if args.what == 'cost':
            _print_steps(scenes, args.rounds, args.iterations)
            _print_writes(Path(folder), args.rounds)
        else:
            _print_training_memory(scenes, args.steps)
            _print_prediction_memory(scenes, args.predictions)


def _settings(scenes: Path, *, batch_size: int, max_epochs: int) -> Config:
    cfg = load_config(CONFIG)
    cfg.work_dir = str(scenes.parent / 'work')
    data = f'{scenes}/'
    cfg.train_dataloader.update(
        batch_size=batch_size, num_workers=0, persistent_workers=False
    )
    cfg.train_dataloader.dataset.data_root = data
    cfg.val_dataloader = cfg.val_cfg = cfg.val_evaluator = None
    cfg.test_dataloader = cfg.test_cfg = cfg.test_evaluator = None
    cfg.train_cfg.max_epochs = max_epochs
    cfg.default_hooks = {'checkpoint': None, 'logger': None}
    cfg.custom_hooks, cfg.log_level = [], 'ERROR'
    cfg.randomness = {'seed': 0}
    return cfg


def _steps(scenes: Path, loop: type, *, watched: bool) -> Iterator[float]:
    """Train without an end; yield the seconds of each iteration, with its data."""
    MessageHub._instance_dict.clear()
    runner = Runner.from_cfg(_settings(scenes, batch_size=8, max_epochs=10**6))
    settings = {key: x for key, x in runner._train_loop.items() if key != 'type'}
    runner._train_loop = loop(runner, runner._train_dataloader, **settings)
    if watched:
        runner.register_hook(FiniteLossHook())
    runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    runner.param_schedulers = runner.build_param_scheduler(runner.param_schedulers)
    runner.optim_wrapper.initialize_count_status(runner.model, 0, 10**9)
    trained = runner._train_loop
    runner.call_hook('before_train')
    if loop is ExactEpochBasedTrainLoop:
        trained._start()
    runner.model.train()
    while True:
        runner.call_hook('before_train_epoch')
        batches = (
            trained._batches()
            if loop is ExactEpochBasedTrainLoop
            else iter(trained.dataloader)
        )
        for index in range(len(trained.dataloader)):
            start = time.perf_counter()
            trained.run_iter(index, next(batches))
            if loop is ExactEpochBasedTrainLoop:
                trained._between()
            yield time.perf_counter() - start
        if loop is ExactEpochBasedTrainLoop:
            trained._done = 0
        trained._epoch += 1


def _print_steps(scenes: Path, rounds: int, iterations: int) -> None:
    """Time the ways in turn, so that what else the machine does meets all."""
    running = {
        name: _steps(scenes, loop, watched=watched)
        for name, (loop, watched) in WAYS.items()
    }
    for steps in running.values():
        for _ in range(3):
            next(steps)
    medians: dict[str, list[float]] = {name: [] for name in WAYS}
    for _ in range(rounds):
        for name, steps in running.items():
            times = [next(steps) for _ in range(iterations)]
            medians[name].append(statistics.median(times))
    print(f'An iteration of 8 images of 128 pixels, median of {rounds} rounds:')
    reference = medians[next(iter(WAYS))]
    for name, values in medians.items():
        ratios = [x / y for x, y in zip(values, reference, strict=True)]
        print(
            f'  {name:26} {1e3 * statistics.median(values):7.1f} ms, ratio '
            f'{statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})'
        )


def _print_writes(folder: Path, rounds: int) -> None:
    content = b'\1' * 100_000_000
    ways = {"MMEngine's": LocalBackend(), 'whole, synced': WholeFilesBackend()}
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, backend in ways.items():
            start = time.perf_counter()
            backend.put(content, folder / 'checkpoint.pth')
            times[name].append(time.perf_counter() - start)
    print('Writing 100 MB:')
    for name, values in times.items():
        print(
            f'  {name:26} {1e3 * statistics.median(values):7.1f} ms '
            f'({1e3 * min(values):.1f} to {1e3 * max(values):.1f})'
        )


def _print_training_memory(scenes: Path, steps: int) -> None:
    MessageHub._instance_dict.clear()
    runner = Runner.from_cfg(
        _settings(scenes, batch_size=1, max_epochs=-(-steps // IMAGES))
    )
    sizes: list[int] = []

    class Watch(FiniteLossHook):
        def after_train_iter(self, runner: Runner, *args, **kwargs) -> None:  # noqa: ANN002, ANN003
            super().after_train_iter(runner, *args, **kwargs)
            sizes.append(psutil.Process().memory_info().rss)

    runner.register_hook(Watch())
    runner.train()
    _print_growth(f'{len(sizes)} training steps', sizes)


def _print_prediction_memory(scenes: Path, predictions: int) -> None:
    detector = Detector('m2det_r18_scenes', device='cpu')
    paths = sorted((scenes / 'train').glob('*')) or sorted(scenes.rglob('*.jpg'))
    sizes = []
    for number in range(predictions):
        detector(paths[number % len(paths)])
        sizes.append(psutil.Process().memory_info().rss)
    _print_growth(f'{predictions} predictions', sizes)


def _print_growth(what: str, sizes: list[int]) -> None:
    """Print the peaks of the second and of the last tenth."""
    tenth = len(sizes) // 10
    begin, end = max(sizes[tenth : 2 * tenth]), max(sizes[-tenth:])
    print(
        f'{what}: {begin / 1e6:.1f} MB in the second tenth, {end / 1e6:.1f} MB in the '
        f'last, {end / begin - 1:+.2%}',
        flush=True,
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('what', choices=['cost', 'memory'])
    parser.add_argument('--rounds', type=int, default=7)
    parser.add_argument('--iterations', type=int, default=8)
    parser.add_argument('--steps', type=int, default=2000)
    parser.add_argument('--predictions', type=int, default=5000)
    return parser.parse_args()


if __name__ == '__main__':
    main()
