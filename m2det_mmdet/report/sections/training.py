"""What was trained on what, and how it went."""

from collections.abc import Iterator
from pathlib import Path

from mmengine.config import Config

from ...analysis.machine import versions
from ...recipes.data import annotation_files
from ...utils.configs import config_name
from ...utils.pipelines import kind_of, resize_of, scale_of
from ...visualization.training_curves import plot_ap, plot_learning_rate, plot_losses
from ..findings import EvaluatedDetector, Findings
from ..page import Part, Picture, Section, Table, plot

# Figures of COCO's metric and of VOC's, and what they are called.
_CURVES = {
    'coco/bbox_mAP': 'AP',
    'coco/bbox_mAP_50': 'AP50',
    'coco/bbox_mAP_75': 'AP75',
    'pascal_voc/mAP': 'mAP of VOC',
}


def section(data: EvaluatedDetector, findings: Findings) -> Section:
    """Show the course of the training, and what the figures were measured with."""
    facts = dict(_facts(data))
    facts['versions'] = ', '.join(f'{x} {y}' for x, y in versions().items())
    table = Table(['what', ''], [*facts.items()], words=2)
    curves = list(_curves(data))
    text = [] if curves else ['The course of the training is not known.']
    return Section('Training', [Part(text=text, pictures=curves), Part(tables=[table])])


def _curves(data: EvaluatedDetector) -> Iterator[Picture]:
    record = data.record
    if record.losses:
        steps = sorted(set().union(*record.losses.values()))
        losses = {
            name: [values.get(step, float('nan')) for step in steps]
            for name, values in record.losses.items()
        }
        yield plot(plot_losses(steps, losses), 'Losses by iteration', 'Losses')
    figures = {
        label: record.figures[name]
        for name, label in _CURVES.items()
        if name in record.figures
    }
    if figures:
        places = sorted(set().union(*figures.values()))
        rows = {
            label: [values.get(place, float('nan')) for place in places]
            for label, values in figures.items()
        }
        unit = 'epoch' if record.by_epoch else 'iteration'
        figure = plot_ap(places, rows)
        figure.axes[0].set_xlabel(unit)
        yield plot(figure, f'AP by {unit}', 'AP on the images to validate on')
    if record.learning_rates:
        rates = record.learning_rates
        figure = plot_learning_rate([*rates], [*rates.values()])
        yield plot(figure, 'Learning rate by iteration', 'Learning rate')


def _facts(data: EvaluatedDetector) -> Iterator[tuple[str, str]]:
    cfg = data.cfg
    yield 'config', config_name(cfg)
    yield 'detector', f'{kind_of(cfg.model)}, {data.parameters / 1e6:.2f} M parameters'
    yield 'checkpoint', data.checkpoint
    resize = resize_of(cfg)
    if resize is not None:
        yield 'size of images', '{} x {}'.format(*scale_of(resize))
    yield from _training_facts(cfg)
    yield 'classes', f'{len(data.classes)}: {", ".join(data.classes)}'
    yield (
        'evaluated on',
        f'{len(data.truth.imgs):,} images ({data.split}) of {data.data}',
    )
    yield 'time to detect', f'{data.seconds:.1f} s'


def _training_facts(cfg: Config) -> Iterator[tuple[str, str]]:
    if cfg.get('train_dataloader') is None:
        return
    files = annotation_files(cfg, 'train')
    if files:
        yield 'trained on', ', '.join(Path(file).as_posix() for file in files)
    loop = cfg.get('train_cfg') or {}
    for key, unit in (('max_epochs', 'epochs'), ('max_iters', 'iterations')):
        if loop.get(key):
            yield 'length', f'{loop[key]:,} {unit}'
    batch = cfg.train_dataloader.get('batch_size')
    if batch:
        yield 'batch', f'{batch} images'
    optimizer = (cfg.get('optim_wrapper') or {}).get('optimizer') or {}
    if optimizer:
        yield (
            'optimizer',
            f'{kind_of(optimizer)}, learning rate {optimizer.get("lr")}',
        )
    seed = (cfg.get('randomness') or {}).get('seed')
    if seed is not None:
        yield 'seed', str(seed)
