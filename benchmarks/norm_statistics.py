"""Whether the batch norms of a trained M2Det see after training what they saw in it.

python benchmarks/norm_statistics.py CONFIG CHECKPOINT [--images 320] [--recompute 60]
    [--out FILE]

In training a batch norm takes mean and variance from its batch, later those that it
kept. Both losses are printed, of images of the test split that are prepared and put
into batches as in training; then the loss by statistics that are taken anew, as the
mean over training batches. With --out these are written as a checkpoint, for
`m2det test`.

By level: how far its smallest map goes from zero in an image, by the kept statistics:
the largest absolute value over cells and channels. If the most of all images is many
times the median, then single images leave the range that the network knows.
"""

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from itertools import chain, islice
from statistics import mean
from typing import Any

import torch
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.registry import init_default_scope
from mmengine.runner import Runner, set_random_seed
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from m2det_mmdet.analysis.machine import describe_machine, versions
from m2det_mmdet.analysis.random_weights import build_random
from m2det_mmdet.checkpoints.loading import load_safely
from m2det_mmdet.utils.configs import load_config


def loaders(cfg: Config) -> tuple[Config, Config]:
    """Return the loaders of the training images and, prepared alike, of the test's."""
    training, test = cfg.train_dataloader, cfg.test_dataloader
    for loader in (training, test):
        loader.update(num_workers=0, persistent_workers=False)
    test.dataset.update(pipeline=training.dataset.pipeline, test_mode=False)
    test.batch_size = training.batch_size
    return training, test


def batches(loader: Config, count: int) -> Iterator[dict[str, Any]]:
    """Yield batches, epoch after epoch, the same ones in each run."""
    set_random_seed(0)
    with redirect_stdout(sys.stderr):
        built = Runner.build_dataloader(loader, seed=0)
    return islice(chain.from_iterable(built for _ in iter(int, 1)), count)


@contextmanager
def by_batch(model: nn.Module) -> Iterator[list[_BatchNorm]]:
    """Normalise by the statistics of each batch, which change the kept ones.

    Norms that a training leaves alone do not change. Yields the others.
    """
    model.train()
    try:
        yield [x for x in model.modules() if isinstance(x, _BatchNorm) and x.training]
    finally:
        model.eval()


@torch.no_grad()
def loss(model: nn.Module, seen: Iterable[dict[str, Any]]) -> float:
    """Return the mean loss, in the mode in which the model is."""
    found = []
    for batch in seen:
        # In both modes the images of a training: with its padding and sizes.
        data = model.data_preprocessor(dict(batch), training=True)
        found.append(float(model.parse_losses(model(**data, mode='loss'))[0]))
    return mean(found)


def recompute(model: nn.Module, seen: Iterable[dict[str, Any]]) -> None:
    """Replace the kept statistics by the means over batches."""
    with by_batch(model) as norms:
        for norm in norms:
            norm.reset_running_stats()
            # Without a momentum each batch counts alike.
            norm.momentum = None
        loss(model, seen)


@torch.no_grad()
def peaks(model: nn.Module, seen: Iterable[dict[str, Any]]) -> list[Tensor]:
    """Return by level and image the largest absolute value of the smallest map."""
    found: list[list[Tensor]] = [[] for _ in model.neck.tums]

    def watch(values: list[Tensor]) -> Any:
        return lambda tum, args, maps: values.append(maps[-1].abs().amax((1, 2, 3)))

    handles = [
        tum.register_forward_hook(watch(values))
        for tum, values in zip(model.neck.tums, found, strict=True)
    ]
    for batch in seen:
        model(model.data_preprocessor(dict(batch), training=True)['inputs'])
    for handle in handles:
        handle.remove()
    return [torch.cat(values) for values in found]


def main(argv: Sequence[str] | None = None) -> None:
    """Print the losses and the table, and write a checkpoint where asked to."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='path of a config, or the name of one of m2det')
    parser.add_argument('checkpoint', help='weights that fit it')
    parser.add_argument('--images', type=int, default=320, help='of the test split')
    parser.add_argument(
        '--recompute', type=int, default=60, help='training batches, for new statistics'
    )
    parser.add_argument('--out', help='write a checkpoint with the new statistics')
    args = parser.parse_args(argv)
    MMLogger.get_current_instance().setLevel('WARNING')
    cfg = load_config(args.config)
    init_default_scope(cfg.default_scope)
    model = build_random(cfg)
    checkpoint = load_safely(args.checkpoint)
    model.load_state_dict(checkpoint['state_dict'])
    model.eval()
    training, test = loaders(cfg)
    seen = list(batches(test, max(1, args.images // test.batch_size)))
    used = ', '.join(f'{name} {version}' for name, version in versions().items())
    print(f'{describe_machine(torch.device("cpu"))}; {used}')
    print(f'{args.checkpoint}: {len(seen)} batches of {test.batch_size} test images')
    kept = loss(model, seen)
    largest = peaks(model, seen)
    with by_batch(model):
        own = loss(model, seen)
    recompute(model, batches(training, args.recompute))
    print(
        f'loss by the statistics of each batch {own:.3f}, by the kept ones {kept:.3f},'
    )
    print(f'by the mean over {args.recompute} training batches {loss(model, seen):.3f}')
    print('| level | smallest map: median | 90 % | most |')
    print('| --- | --- | --- | --- |')
    for level, values in enumerate(largest, start=1):
        points = values.quantile(values.new_tensor([0.5, 0.9, 1])).tolist()
        print(f'| {level} | {" | ".join(f"{x:.1f}" for x in points)} |')
    if args.out:
        checkpoint['state_dict'] = model.state_dict()
        torch.save(checkpoint, args.out)


if __name__ == '__main__':
    main()
