"""Evaluate a checkpoint.

m2det test CONFIG CHECKPOINT [--tta] [--fast] [--out FILE.pkl] [--show-dir DIR]
"""

import argparse

from mmdet.engine.hooks.utils import trigger_visualization_hook
from mmdet.evaluation import DumpDetResults
from mmengine.config import Config, ConfigDict

from ..checkpoints.loading import check_checkpoint
from ..engine.runner import build_runner
from ..utils.errors import M2DetError
from .acceleration import acceleration_options, add_acceleration_arguments
from .arguments import add_config_arguments, add_launch_arguments, launch_config

# Of CocoMetric and of VOCMetric.
_AP_KEYS = ('coco/bbox_mAP', 'pascal_voc/mAP')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of mmdet's ``test.py``."""
    add_config_arguments(parser)
    parser.add_argument('checkpoint', help='path or URL of the checkpoint')
    add_launch_arguments(parser)
    parser.add_argument('--out', help='write the predictions to this pickle file')
    parser.add_argument('--show', action='store_true', help='show the predictions')
    parser.add_argument(
        '--show-dir', help='folder, in the work folder, of pictures with predictions'
    )
    parser.add_argument(
        '--wait-time', type=float, default=2, help='seconds each picture is shown'
    )
    parser.add_argument(
        '--tta', action='store_true', help="use the config's multi-scale and flip test"
    )
    add_acceleration_arguments(parser)


def run(args: argparse.Namespace) -> None:
    """Test as the arguments say, and print the AP in one line."""
    check_checkpoint(args.checkpoint)
    if args.out is not None and not args.out.endswith(('.pkl', '.pickle')):
        raise M2DetError(f'--out must end in .pkl or .pickle, got {args.out}.')
    cfg = launch_config(args)
    cfg.load_from = args.checkpoint
    if args.show or args.show_dir:
        cfg = trigger_visualization_hook(cfg, args)
    if args.tta:
        _use_tta(cfg)
    if options := acceleration_options(args):
        hooks = cfg.get('custom_hooks') or []
        cfg.custom_hooks = [*hooks, {'type': 'AccelerationHook', **options}]
    runner = build_runner(cfg)
    if args.out is not None:
        runner.test_evaluator.metrics.append(DumpDetResults(out_file_path=args.out))
    metrics = runner.test()
    if runner.rank == 0:
        _print_ap(metrics)


def _use_tta(cfg: Config) -> None:
    for key in ('tta_model', 'tta_pipeline'):
        if key not in cfg:
            raise M2DetError(f'--tta needs {key} in {cfg.filename}: add it there.')
    cfg.model = ConfigDict(**cfg.tta_model, module=cfg.model)
    cfg.test_dataloader.dataset.pipeline = cfg.tta_pipeline


def _print_ap(metrics: dict[str, float]) -> None:
    """Print AP and, behind it, AP by IoU, by size and by what else the metric tells."""
    for key in _AP_KEYS:
        if key in metrics:
            parts = {
                name.removeprefix(key): value
                for name, value in metrics.items()
                if name.startswith(key)
            }
            ordered = sorted(parts.items(), key=lambda part: part[0] != '')
            print(' | '.join(f'AP{name} {value:.3f}' for name, value in ordered))
