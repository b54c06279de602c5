"""Evaluate a detector."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mmdet.engine.hooks import DetVisualizationHook
from mmdet.evaluation import DumpDetResults
from mmdet.registry import HOOKS, VISUALIZERS
from mmdet.visualization import DetLocalVisualizer
from mmengine.config import Config, ConfigDict
from mmengine.runner import Runner

from ..analysis.random_weights import without_pretrained
from ..compat.device import training_on
from ..engine.data_workers import worker_deaths_told
from ..engine.hooks import Evaluated, ProgressHook, Step
from ..engine.runner import build_runner, logged, set_work_dir
from ..models.detectors import drop_auxiliary
from ..utils.arguments import check_paths
from ..utils.configs import describe
from ..utils.devices import find_device
from ..utils.errors import M2DetError, our_errors
from ..utils.files import check_output
from ..utils.logs import outside_of_redirection, quiet_log
from ..utils.processes import among_processes, wait_for_all
from .checks import (
    acceleration_options,
    check_at_least,
    check_one_of,
    check_run,
    start_processes,
)
from .evaluation_data import SPLITS, choose_images
from .exported import check_classes_of_file, is_exported_config, use_runtime
from .model_source import find_model

# Of CocoMetric and of VOCMetric.
AP_KEYS = ('coco/bbox_mAP', 'pascal_voc/mAP')


@dataclass(frozen=True)
class EvaluationResult:
    """What an evaluation found.

    Attributes:
        metrics: What the metrics gave, by name.
        work_dir: Where logs and pictures are written.
        log: The log file; it has the tables of the metrics.
        pictures: The folder of pictures that were drawn; ``None`` if none were.
        data_problems: What of a folder of your own was left out or repaired, a sentence
            each.
    """

    metrics: dict[str, float]
    work_dir: Path
    log: Path
    pictures: Path | None = None
    data_problems: tuple[str, ...] = ()

    @property
    def ap(self) -> float | None:
        """Box AP of COCO, or VOC's mAP; ``None`` if the metrics give neither."""
        return next((self.metrics[key] for key in AP_KEYS if key in self.metrics), None)


@our_errors()
@among_processes()
def evaluate(
    model: str | Path | Config,
    checkpoint: str | Path | None = None,
    *,
    data: str | Path | None = None,
    split: str | None = None,
    allow_outside: bool = False,
    device: str | None = None,
    work_dir: str | Path | None = None,
    tta: bool = False,
    predictions: str | Path | None = None,
    show: bool = False,
    show_dir: str | Path | None = None,
    wait_time: float = 2.0,
    fast: bool = False,
    compile: bool = False,
    autocast: str | None = None,
    threads: int | None = None,
    provider: str | None = None,
    launcher: str = 'none',
    options: Mapping[str, Any] | None = None,
    on_event: Callable[[Step | Evaluated], None] | None = None,
) -> EvaluationResult:
    """Evaluate a checkpoint on the test data of its config, or on a folder of your own.

    Data, classes and checkpoint are checked before the model is built. MMEngine's log
    goes to a file in the work folder, warnings to standard error.

    Args:
        model: A run folder, a name (``m2det zoo`` lists them), a checkpoint or an
            exported file; or a config, by its path or name or itself, with
            ``checkpoint``.
        checkpoint: Path, URL or name of the zoo, where ``model`` is a config.
        data: A folder of your own, in any form that :func:`.check_data` knows. It may
            have some of the detector's classes, in any order.
        split: ``'train'``, ``'val'`` or ``'test'``; by default ``'test'`` of the
            config's data. Of ``data`` it is by default all images of a folder that is
            not split, else those to test on, or without such those to validate on.
        allow_outside: Whether images of ``data`` may lie outside of it.
        device: ``'cpu'``, ``'cuda'``, ``'cuda:1'``, ...; the best there is by default.
        work_dir: Folder of the log; ``work_dirs/CONFIG`` by default.
        tta: Whether to test several sizes and flips, as the config's ``tta_model`` and
            ``tta_pipeline`` say.
        predictions: Pickle file to write the predictions to; one there is replaced.
        show: Whether to show each picture with its predictions in a window.
        show_dir: Folder, within that of the log, for pictures with predictions; they
            mirror the folders of the images.
        wait_time: Seconds that each picture is shown.
        fast: Whether to fold batch norms and store weights channels last.
        compile: Whether to compile the network.
        autocast: ``'bfloat16'`` or ``'float16'`` inside the network.
        threads: Threads of a CPU that run an exported file.
        provider: What runs an exported file, as of :func:`.open_exported`.
        launcher: ``'none'``, ``'pytorch'``, ``'slurm'`` or ``'mpi'``.
        options: Settings of the config to override, by their dotted keys.
        on_event: Gets a :class:`.Step` after each batch, at the end an
            :class:`.Evaluated`; on rank 0.

    Raises:
        M2DetError: One sentence on what is wrong with the arguments, config, data or
            checkpoint.
    """
    quiet_log()
    check_paths(
        data=data, work_dir=work_dir, predictions=predictions, show_dir=show_dir
    )
    if predictions is not None and Path(predictions).suffix not in ('.pkl', '.pickle'):
        raise M2DetError(
            f'Predictions are written as a pickle, whose name ends in .pkl or '
            f'.pickle, not to {predictions}.'
        )
    if predictions is not None:
        predictions = check_output(Path(predictions), force=True)
    check_at_least('wait_time', wait_time, 0)
    check_one_of('split', split, SPLITS)
    acceleration = acceleration_options(fast=fast, compile=compile, autocast=autocast)
    with training_on(None if device is None else find_device(device)):
        source = find_model(model, checkpoint, options)
        cfg, checkpoint = source.cfg, source.checkpoint
        use_runtime(
            cfg,
            checkpoint,
            device=device,
            threads=threads,
            provider=provider,
            faster=acceleration,
            tta=tta,
        )
        start_processes(cfg, launcher)
        set_work_dir(cfg, work_dir, source.name)
        chosen = choose_images(
            cfg,
            checkpoint,
            data=data,
            split=split,
            default='test',
            out=Path(cfg.work_dir, 'data'),
            allow_outside=allow_outside,
        )
        if show or show_dir:
            _visualize(cfg, show=show, show_dir=show_dir, wait_time=wait_time)
        if tta:
            _use_tta(cfg)
        if acceleration:
            hook = {'type': 'AccelerationHook', **acceleration}
            cfg.custom_hooks = [*(cfg.get('custom_hooks') or []), hook]
        result = _test(cfg, checkpoint, predictions, show_dir, on_event)
        return replace(result, data_problems=chosen.problems)


def _test(
    cfg: Config,
    checkpoint: str,
    predictions: str | Path | None,
    show_dir: str | Path | None,
    on_event: Callable[[Step | Evaluated], None] | None,
) -> EvaluationResult:
    """Test as a config says; arguments as of :func:`evaluate`."""
    runner = build_test(cfg, checkpoint, on_event=on_event)
    if predictions is not None:
        dump = DumpDetResults(out_file_path=str(predictions))
        runner.test_evaluator.metrics.append(dump)
    with logged(runner) as log, worker_deaths_told(runner):
        metrics = runner.test()
    pictures = Path(runner.work_dir, runner.timestamp, show_dir) if show_dir else None
    drawn = pictures is not None and pictures.is_dir()
    return EvaluationResult(
        metrics or {}, Path(runner.work_dir), log, pictures if drawn else None
    )


def build_test(
    cfg: Config,
    checkpoint: str | Path,
    *,
    on_event: Callable[[Step | Evaluated], None] | None = None,
) -> Runner:
    """Check data, classes and checkpoint of a test, and build what runs it.

    Args:
        cfg: The config, with a work folder; changed.
        checkpoint: Path, URL or name of the zoo; it has to hold all weights. Or an
            exported file.
        on_event: As of :func:`evaluate`.

    Raises:
        M2DetError: One sentence on what is wrong.
    """
    is_file = is_exported_config(cfg)
    cfg.load_from = weights = None if is_file else str(checkpoint)
    datasets = check_run(cfg, ('test',), weights, complete=True).datasets
    if is_file:
        check_classes_of_file(cfg, datasets['test'])
    # All weights come from the checkpoint.
    cfg.model = without_pretrained(cfg.model)
    wait_for_all()
    runner = build_runner(cfg, datasets=datasets, on_console=False)
    drop_auxiliary(runner.model)
    if on_event is not None:
        runner.register_hook(ProgressHook(outside_of_redirection(on_event)))
    return runner


def _use_tta(cfg: Config) -> None:
    for key in ('tta_model', 'tta_pipeline'):
        if key not in cfg:
            raise M2DetError(f'tta needs {key} in {describe(cfg)}: add it there.')
    cfg.model = ConfigDict(**cfg.tta_model, module=cfg.model)
    cfg.test_dataloader.dataset.pipeline = cfg.tta_pipeline


def _visualize(
    cfg: Config, *, show: bool, show_dir: str | Path | None, wait_time: float
) -> None:
    """Let mmdet's hook and visualizer draw predictions, or ours in their place."""
    hooks = cfg.get('default_hooks') or {}
    if 'visualization' not in hooks:
        raise M2DetError(
            f'Pictures need default_hooks.visualization in {describe(cfg)}: add '
            "dict(type='DetVisualizationHook')."
        )
    kind = hooks.visualization.type
    if isinstance(kind, str):
        kind = HOOKS.get(kind)
    if kind is DetVisualizationHook:
        hooks.visualization.type = 'MirrorVisualizationHook'
    hooks.visualization.update(
        draw=True,
        show=show,
        wait_time=wait_time,
        test_out_dir=None if show_dir is None else str(show_dir),
    )
    visualizer = cfg.get('visualizer') or {}
    kind = visualizer.get('type')
    if isinstance(kind, str):
        kind = VISUALIZERS.get(kind)
    if kind is DetLocalVisualizer:
        visualizer.type = 'BoxVisualizer'
