"""Detect objects in images."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

from mmengine.config import Config

from ..analysis.machine import versions
from ..datasets.coco import CheckedCOCO, load_annotations
from ..evaluation.coco_records import CocoIds
from ..jobs import Engine, SerialEngine, choose_engine
from ..utils.arguments import check_callable, check_mapping, texts_of
from ..utils.devices import find_device
from ..utils.errors import M2DetError, our_errors
from ..utils.logs import prints_to, quiet_log
from ..utils.predicted import PICTURES
from .checks import check_at_least, check_fraction
from .class_choice import ClassChoice
from .detector_plan import plan_detector
from .prediction_events import ImageDone, PredictionResult, PredictionStarted
from .prediction_folder import PredictionFolder
from .prediction_inputs import PredictionInputs, absent_sentence, find_inputs
from .prediction_jobs import Look, classes_of, look_by_jobs
from .prediction_labels import PredictionLabels, check_formats
from .prediction_look import unless_all_fail
from .prediction_places import check_out, folder_of, unfinished_last
from .prediction_run import PredictionRun


@our_errors()
def predict(
    model: str | Path | Config,
    inputs: str | Path | Sequence[str | Path],
    out: str | Path | bool | None = None,
    *,
    checkpoint: str | Path | None = None,
    score_thr: float = 0.3,
    class_score_thr: Mapping[str, float] | None = None,
    classes: Sequence[str] | None = None,
    formats: str | Sequence[str] = 'coco',
    ann_file: str | Path | None = None,
    tile: int | None = None,
    tile_overlap: float = 0.2,
    device: str | None = None,
    batch_size: int = 1,
    fast: bool = False,
    compile: bool = False,
    autocast: str | None = None,
    threads: int | None = None,
    provider: str | None = None,
    force: bool = False,
    resume: bool = False,
    keep: bool = True,
    options: Mapping[str, Any] | None = None,
    engine: str = 'local',
    jobs: int | None = None,
    ray_address: str | None = None,
    job_cpus: int | None = None,
    on_event: Callable[[PredictionStarted | ImageDone], None] | None = None,
) -> PredictionResult:
    """Detect objects in images, and write boxes, labels and pictures where asked to.

    The names of the classes are those of the checkpoint, else those of the config's
    test data. What is found is on disk as soon as its image is done, in
    ``results.partial.jsonl``; results and labels are made of it at the end, also by an
    error or Ctrl-C. An image that cannot be read, detected in or drawn costs itself
    alone.

    Args:
        model: A run folder, a checkpoint, a name of the zoo or an exported file; or a
            config, and ``checkpoint``.
        inputs: Images, folders (with the folders in them), glob patterns and URLs,
            which come last; or one of them.
        out: Folder for ``results.json``, in COCO's results format, labels, ``pictures``
            and ``predict.json``, which tells what was asked for and passed over;
            ``True`` for a new folder ``work_dirs/predict``, ``work_dirs/predict-2``,
            and so on.
        checkpoint: Path, URL or name of the zoo; it has to hold all weights of the
            model.
        score_thr: Lowest score that is drawn, labelled and counted.
        class_score_thr: Lowest scores of single classes, by their names.
        classes: Names of the classes to keep; all by default.
        formats: Forms of labels: ``'coco'``, ``'yolo'``, ``'voc'``, ``'csv'``, or
            ``'none'``.
        ann_file: COCO annotations that give the ids of images and categories. Only the
            images that they list are done: an image is the one whose ``file_name`` is
            the end of its path. Without them images are numbered from 1, and categories
            have COCO's ids if the classes are COCO's 80, else 1, 2, ... in the order of
            the classes.
        tile: Width and height, pixels, of the tiles that SAHI cuts images into.
        tile_overlap: Part of a tile that the next one has, too.
        device: ``'cpu'``, ``'cuda'``, ``'cuda:1'``, ...; the best there is by default.
        batch_size: Images at a time.
        fast: Whether to fold batch norms and store weights channels last.
        compile: Whether to compile the network.
        autocast: ``'bfloat16'`` or ``'float16'`` inside the network.
        threads: Threads of a CPU that run an exported file.
        provider: What runs an exported file, as of :func:`.open_exported`.
        force: Whether what an earlier prediction wrote to ``out`` may be replaced.
        resume: Whether to go on with a prediction in ``out`` that ended early; images
            that are done are not done again.
        keep: Whether the result holds the predictions. Without them the memory does
            not grow with the images; ``on_event`` gets each.
        options: Settings of the config to override, by their dotted keys.
        engine: ``'local'`` for this machine, or ``'ray'``; the images are shared out to
            processes, and results are in their order all the same.
        jobs: Processes, each with a GPU of its own where there are any; 1 by default,
            which is this one, and with Ray as many as there is room for.
        ray_address: Address of a cluster as Ray has it; that of ``RAY_ADDRESS`` by
            default, else a Ray on this machine, which is started where there is none.
        job_cpus: Threads of each process, and the CPUs that it takes of Ray.
        on_event: Gets a :class:`PredictionStarted`, then an :class:`ImageDone` after
            each image.

    Raises:
        M2DetError: One sentence on what is wrong with an argument or a file; or if the
            detector fails with each of the images.
    """
    quiet_log()
    check_out(out)
    check_at_least('batch_size', batch_size, 1)
    check_fraction('score_thr', score_thr)
    doing = _engine(engine, jobs, ray_address, job_cpus, device)
    formats = check_formats(formats)
    names = [*texts_of('inputs', inputs)]
    classes = None if classes is None else texts_of('classes', classes)
    check_mapping('class_score_thr', class_score_thr)
    check_callable('on_event', on_event)
    plan, facts = plan_detector(
        model,
        checkpoint,
        options,
        tile=tile,
        tile_overlap=tile_overlap,
        device=device,
        threads=threads,
        provider=provider,
        fast=fast,
        compile=compile,
        autocast=autocast,
    )
    # What has to be the same where a prediction goes on.
    arguments = {
        **facts,
        'inputs': names,
        'score_thr': score_thr,
        'class_score_thr': dict(class_score_thr or {}),
        'classes': None if classes is None else [*classes],
        'formats': [*formats],
        'ann_file': None if ann_file is None else str(ann_file),
    }
    truth = None if ann_file is None else _annotations(ann_file)
    with ExitStack() as opened:
        left = unfinished_last() if out is True and not resume else None
        place = opened.enter_context(folder_of(out, resume=resume))
        images = opened.enter_context(_inputs(names, place, truth, ann_file))
        folder = None
        if place is not None:
            folder = _folder(place, images, arguments, force=force, resume=resume)
            opened.enter_context(folder)
        detector = plan.build() if isinstance(doing, SerialEngine) else None
        known = classes_of(plan) if detector is None else detector.classes
        choice = ClassChoice(known, score_thr, class_score_thr, classes)
        ids = _ids(known, truth, ann_file)
        run = PredictionRun(images, folder, choice, ids)
        run.keep, run.on_event = keep, on_event
        if folder is not None:
            folder.labels.set_classes(ids, choice.lowest())
            run.go_on(folder.entries())
        if on_event is not None:
            on_event(_started(run, place, left, ann_file))
        pictures = None if folder is None else folder.picture
        if detector is None:
            look = Look(plan, choice, batch_size)
            looked = look_by_jobs(doing, look, images, pictures)
        else:
            looked = detector.look_at(images, choice, batch_size, pictures)
        with closing(looked):
            run.collect(unless_all_fail(looked))
    return run.result()


def _annotations(ann_file: str | Path) -> CheckedCOCO:
    with _of_annotations(ann_file), prints_to(quiet_log()):
        return load_annotations(ann_file)


def _inputs(
    names: Sequence[str],
    place: Path | None,
    truth: CheckedCOCO | None,
    ann_file: str | Path | None,
) -> PredictionInputs:
    exclude = None if place is None else place / PICTURES
    with _of_annotations(ann_file):
        return find_inputs(names, truth, exclude)


def _folder(
    place: Path,
    images: PredictionInputs,
    arguments: Mapping[str, Any],
    *,
    force: bool,
    resume: bool,
) -> PredictionFolder:
    facts = {
        'versions': versions(),
        'arguments': {**arguments, 'images': images.digest()},
        'passed_over': images.passed_over.to_dict(),
        'absent': images.absent,
    }
    labels = PredictionLabels(arguments['formats'], images.names)
    return PredictionFolder(
        place, images.names, labels, facts, force=force, resume=resume
    )


def _engine(
    engine: str,
    jobs: int | None,
    ray_address: str | None,
    job_cpus: int | None,
    device: str | None,
) -> Engine:
    """Return what does the jobs.

    Raises:
        M2DetError: If the device cannot be used, or is one GPU for several jobs.
    """
    is_cpu = device is not None and str(device).startswith('cpu')
    doing = choose_engine(
        engine, jobs, ray_address=ray_address, job_cpus=job_cpus, use_gpus=not is_cpu
    )
    if doing.shares_disk and device is not None:
        find_device(device)
    if not isinstance(doing, SerialEngine) and ':' in str(device or ''):
        raise M2DetError(
            f'The device {device} is a single one, and there are several jobs: give '
            f'{str(device).partition(":")[0]}, of which each job gets one.'
        )
    return doing


def _started(
    run: PredictionRun,
    place: Path | None,
    left: str | None,
    ann_file: str | Path | None,
) -> PredictionStarted:
    remarks = [f'{line}.' for line in run.inputs.passed_over.sentences()]
    if run.inputs.absent:
        remarks.append(absent_sentence(run.inputs.absent, ann_file))
    if left is not None:
        remarks.append(f'{left} This one goes to {place}.')
    return PredictionStarted(
        len(run.inputs.images), run.num_done, place, tuple(remarks)
    )


def _ids(
    classes: Sequence[str], truth: CheckedCOCO | None, ann_file: str | Path | None
) -> CocoIds:
    with _of_annotations(ann_file):
        return CocoIds(classes, truth)


@contextmanager
def _of_annotations(ann_file: str | Path | None) -> Iterator[None]:
    """Say which file it is that does not fit.

    Raises:
        M2DetError: In the place of what the ids raise.
    """
    try:
        yield
    except M2DetError:
        # It names the file.
        raise
    except ValueError as error:
        if ann_file is None:
            raise
        raise M2DetError(f'ann_file {ann_file}: {error}') from error
