"""Tell on one page what a detector can and cannot do."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any, NamedTuple

from mmengine.config import Config, ConfigDict
from pycocotools.coco import COCO

from ..analysis.training_record import RECORDS, TrainingRecord, read_record
from ..compat.device import training_on
from ..engine.data_workers import worker_deaths_told
from ..engine.hooks import Step
from ..engine.hooks.plain_names_hook import BEST
from ..engine.runner import logged
from ..evaluation.figures import BoxFigures
from ..evaluation.ground_truth import found_in, truth_of
from ..recipes.data import annotation_files, counts_last_pixel, image_files
from ..report import EvaluatedDetector, figures_of, find_out, page_of
from ..report.page_files import SUFFIXES, check_page, write_page
from ..utils.arguments import check_paths
from ..utils.configs import config_name
from ..utils.devices import find_device
from ..utils.errors import M2DetError, our_errors
from ..utils.logs import prints_to, quiet_log
from ..utils.pipelines import without_step
from .checks import check_one_of
from .evaluation import build_test
from .evaluation_data import SPLITS, ChosenImages, choose_images
from .image_loading import take_reader
from .model_source import ModelSource, find_model
from .run_folder import CONFIG

_NAME = 'report'


@dataclass(frozen=True)
class ReportResult:
    """A report, and the most important figures in it.

    Attributes:
        page: The HTML file.
        json: The figures for programs, beside it.
        split: The images that were looked at: ``train``, ``val``, ``test`` or ``all``.
        figures: COCO's figures, of all and of each class.
        score_thr: The threshold on scores at which F1 is best.
        data_problems: What of a folder of one's own was left out or repaired, a
            sentence each.
        seconds_to_detect: How long the detector looked at the images.
        seconds_to_write: How long all else took.
    """

    page: Path
    json: Path
    split: str
    figures: BoxFigures
    score_thr: float
    data_problems: tuple[str, ...]
    seconds_to_detect: float
    seconds_to_write: float


@our_errors()
def report(
    model: str | Path | Config,
    checkpoint: str | Path | None = None,
    *,
    data: str | Path | None = None,
    split: str | None = None,
    allow_outside: bool = False,
    out: str | Path | None = None,
    force: bool = False,
    device: str | None = None,
    options: Mapping[str, Any] | None = None,
    on_event: Callable[[Step], None] | None = None,
) -> ReportResult:
    """Write one HTML page that tells what a detector can and cannot do.

    It has the course of the training, COCO's figures, precision and recall, the best
    threshold on scores, the confusion matrix, the errors by kind (TIDE) and what each
    costs, the best and the worst images, and the objects that no anchor reaches. It
    needs no network. The figures are in a JSON file beside it.

    Args:
        model: A run folder, a name of the zoo, a checkpoint, or a config, as of
            :func:`.find_model`.
        checkpoint: Where ``model`` is a config, or another checkpoint of a run folder.
        data: A folder of one's own; by default the data of the config.
        split: ``train``, ``val`` or ``test``. By default ``val`` of the config's data;
            of a folder all images if it is not split, else ``test`` or ``val``.
        allow_outside: Whether images of ``data`` may lie outside of it.
        out: The HTML file (``.html``); by default ``report.html`` in the run folder, or
            ``report_SPLIT.html`` for another split than the default; without a run
            folder it is written to the current folder.
        force: Whether a file there may be replaced. Those of the default names always
            may.
        device: ``'cpu'``, ``'cuda'``, ``'cuda:1'``, ...; the best there is by default.
        options: Settings of the config to override, by their dotted keys.
        on_event: Gets a :class:`.Step` after each batch.

    Raises:
        M2DetError: One sentence on what is wrong with an argument, the data (no objects
            in the split, classes that the detector does not know), the checkpoint, or
            the place to write to. Nothing is left half-written.
    """
    quiet_log()
    check_one_of('split', split, SPLITS)
    source = find_model(model, checkpoint, options)
    run = source.run or _work_folder(source.checkpoint)
    check_paths(data=data, out=out)
    page = _place(run, data, split) if out is None else _named_page(Path(out))
    page = check_page(page, force=force or out is None)
    started = perf_counter()
    target = None if device is None else find_device(device)
    with TemporaryDirectory() as scratch, training_on(target):
        folder = data and Path(data)
        images = _Images(source, folder, split, Path(scratch), run, allow_outside)
        evaluated = _detect(images, on_event)
        with prints_to(quiet_log()):
            findings = find_out(evaluated)
            figures = figures_of(evaluated, findings)
            text = page_of(evaluated, findings)
    write_page(page, text, figures)
    return ReportResult(
        page,
        page.with_suffix('.json'),
        evaluated.split,
        findings.figures,
        findings.score_thr,
        evaluated.data_problems,
        evaluated.seconds,
        perf_counter() - started - evaluated.seconds,
    )


class _Images(NamedTuple):
    """A detector, and the images that it is to look at.

    Attributes:
        source: The detector.
        data: The folder of the caller, if there is one.
        split: What the caller named.
        scratch: A folder for what nobody keeps.
        run: The work folder of the training, where it is known.
        allow_outside: Whether images of ``data`` may lie outside of it.
    """

    source: ModelSource
    data: Path | None
    split: str | None
    scratch: Path
    run: Path | None
    allow_outside: bool

    def use(self) -> ChosenImages:
        """Let the config test on these images."""
        cfg = self.source.cfg
        chosen = choose_images(
            cfg,
            self.source.checkpoint,
            data=self.data,
            split=self.split,
            default='val',
            out=self.scratch,
            allow_outside=self.allow_outside,
        )
        cfg.test_evaluator = ConfigDict(
            type='DetectionsMetric', inclusive_boxes=counts_last_pixel(cfg)
        )
        cfg.work_dir = str(self.scratch / 'work')
        # Ground truth is that of the data set. To load it with each image costs time,
        # and fails where a detector of masks looks at data without.
        without_step(cfg.test_dataloader.dataset, 'LoadAnnotations')
        # Nothing is to be drawn, shown, or sent to a service as a run of its own.
        cfg.visualizer = ConfigDict(type='Visualizer', vis_backends=[])
        (cfg.get('default_hooks') or {}).pop('visualization', None)
        return chosen

    def seen(self, truth: COCO, split: str) -> tuple[int, bool]:
        """Tell what the training has seen of the images.

        Returns:
            How many images it has learned from, and whether the checkpoint was chosen
            by its AP on some of them.
        """
        cfg = self.source.cfg
        is_best = Path(self.source.checkpoint).stem.startswith(Path(BEST).stem)
        if self.data is None:
            learned = len(truth.imgs) if split == 'train' else 0
            return learned, is_best and split != 'train' and _is_validated(cfg, split)
        own = {Path(x['file_name']).resolve() for x in truth.imgs.values()}
        learned, chosen = (own & image_files(cfg, key) for key in ('train', 'val'))
        return len(learned), is_best and bool(chosen)


def _detect(
    images: _Images, on_event: Callable[[Step], None] | None
) -> EvaluatedDetector:
    """Let the detector look at the images."""
    source, run = images.source, images.run
    (split, problems), cfg = images.use(), source.cfg

    def forward(event: Any) -> None:
        # The test also tells that it is done, with no figures.
        if on_event is not None and isinstance(event, Step):
            on_event(event)

    runner = build_test(cfg, source.checkpoint, on_event=forward)
    started = perf_counter()
    with logged(runner), worker_deaths_told(runner):
        runner.test()
    seconds = perf_counter() - started
    dataset = runner.test_dataloader.dataset
    with prints_to(quiet_log()):
        truth = truth_of(dataset)
        found = found_in(truth, runner.test_evaluator.metrics[0].found)
    learned_from, chosen_on = images.seen(truth, split)
    return EvaluatedDetector(
        name=source.name if run is None else run.resolve().name,
        cfg=cfg,
        checkpoint=source.checkpoint,
        parameters=sum(weight.numel() for weight in runner.model.parameters()),
        split=split,
        data_problems=problems,
        data=str(images.data or getattr(dataset, 'ann_file', '') or config_name(cfg)),
        truth=truth,
        found=found,
        read=take_reader(cfg),
        record=TrainingRecord() if run is None else read_record(run),
        learned_from=learned_from,
        chosen_on=chosen_on,
        seconds=seconds,
    )


def _is_validated(cfg: Config, split: str) -> bool:
    """Whether the images of a split are those that the training is validated on."""
    if split == 'val' or cfg.get('val_dataloader') is None:
        return split == 'val'
    files = annotation_files(cfg, 'test')
    return bool(files) and files == annotation_files(cfg, 'val')


def _named_page(out: Path) -> Path:
    if out.suffix.lower() not in SUFFIXES and not out.is_dir():
        raise M2DetError(
            f'The report is a page, whose name ends in .html, not {out}: its figures '
            'are written beside it, in a file that ends in .json.'
        )
    return out


def _work_folder(checkpoint: str) -> Path | None:
    """Return the work folder of the training that a checkpoint lies in, if it does."""
    folder = Path(checkpoint).parent
    is_file = Path(checkpoint).is_file()
    has_record = any(folder.glob(RECORDS)) or (folder / CONFIG).is_file()
    return folder if is_file and has_record else None


def _place(run: Path | None, data: str | Path | None, split: str | None) -> Path:
    """Return where a report goes whose place the caller does not name."""
    parts = [_NAME]
    if data is not None:
        folder = Path(data).resolve()
        parts.append(folder.name if folder.is_dir() else folder.stem)
    if split is not None and (data is not None or split != 'val'):
        parts.append(split)
    return (run or Path()) / f'{"_".join(parts)}.html'
