"""Detect objects in a video, and follow them."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import Any

from mmengine.config import Config

from ..analysis.machine import versions
from ..utils.arguments import check_callable, check_mapping, texts_of
from ..utils.devices import find_device
from ..utils.errors import M2DetError, our_errors
from ..utils.logs import quiet_log
from ..utils.texts import shown
from ..utils.video_files import shortcomings
from ..utils.videos import Frame, Video
from .checks import check_at_least, check_fraction
from .class_choice import ClassChoice
from .detection import detect_together
from .detector_plan import plan_detector
from .prediction_places import check_out, folder_of, unfinished_last
from .tracking import ObjectTracker, check_tracking
from .video_events import FrameDone, VideoResult, VideoStarted
from .video_folder import VIDEO, VideoFolder
from .video_run import VideoRun


@our_errors()
def predict_video(
    model: str | Path | Config,
    video: str | Path | int,
    out: str | Path | bool | None = None,
    *,
    checkpoint: str | Path | None = None,
    score_thr: float = 0.3,
    class_score_thr: Mapping[str, float] | None = None,
    classes: Sequence[str] | None = None,
    track: bool = False,
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
    options: Mapping[str, Any] | None = None,
    on_event: Callable[[VideoStarted | FrameDone], None] | None = None,
) -> VideoResult:
    """Detect objects in a video, and write it with boxes and a line for each frame.

    A line is on disk as soon as its frame is done. By an error or Ctrl-C the video ends
    with the frames that are done. No frame is held: ``on_event`` gets each.

    Args:
        model: As of :func:`.predict`.
        video: Path of a video, address of a stream, or number of a camera.
        out: Folder for ``video.mp4``, ``results.jsonl`` and ``predict.json``, which
            tells what was asked for; ``True`` for a new folder ``work_dirs/predict``,
            ``work_dirs/predict-2``, and so on.
        checkpoint: As of :func:`.predict`.
        score_thr: Lowest score that is written, drawn and counted.
        class_score_thr: Lowest scores of single classes, by their names.
        classes: Names of the classes to keep; all by default.
        track: Whether to follow objects, each of which gets a number.
        tile: Width and height, pixels, of the tiles that SAHI cuts frames into.
        tile_overlap: Part of a tile that the next one has, too.
        device: ``'cpu'``, ``'cuda'``, ``'cuda:1'``, ...; the best there is by default.
        batch_size: Frames at a time.
        fast: Whether to fold batch norms and store weights channels last.
        compile: Whether to compile the network.
        autocast: ``'bfloat16'`` or ``'float16'`` inside the network.
        threads: Threads of a CPU that run an exported file.
        provider: What runs an exported file, as of :func:`.open_exported`.
        force: Whether what an earlier prediction wrote to ``out`` may be replaced.
        options: Settings of the config to override, by their dotted keys.
        on_event: Gets a :class:`VideoStarted`, then a :class:`FrameDone` after each
            frame.

    Raises:
        M2DetError: One sentence on what is wrong with an argument, a file or a stream;
            if no frame can be read; or if the detector fails with each of them.
    """
    quiet_log()
    check_out(out)
    check_at_least('batch_size', batch_size, 1)
    check_fraction('score_thr', score_thr)
    check_mapping('class_score_thr', class_score_thr)
    check_callable('on_event', on_event)
    classes = None if classes is None else texts_of('classes', classes)
    if device is not None:
        find_device(device)
    if track:
        check_tracking()
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
    arguments = {
        **facts,
        'score_thr': score_thr,
        'class_score_thr': dict(class_score_thr or {}),
        'classes': None if classes is None else [*classes],
        'track': track,
    }
    source = _source(video)
    with ExitStack() as opened:
        left = unfinished_last() if out is True else None
        place = opened.enter_context(folder_of(out, resume=False))
        frames = opened.enter_context(Video(source, batch_size))
        folder = None
        if place is not None:
            _check_apart(frames, place)
            facts = {'versions': versions(), 'arguments': arguments}
            folder = opened.enter_context(
                VideoFolder(
                    place, frames.name, frames.rate, frames.path, facts, force=force
                )
            )
        detector = plan.build()
        choice = ClassChoice(detector.classes, score_thr, class_score_thr, classes)
        tracker = None
        if track:
            tracker = ObjectTracker(frames.rate, min(choice.lowest().values()))
        run = VideoRun(choice, folder, tracker, on_event)
        if on_event is not None:
            on_event(_started(frames, place, left))
        for batch in _batches(frames, batch_size):
            images = [frame.image for frame in batch]
            run.take(batch, detect_together(detector.look, images))
        problems = [x for x in (frames.missing(), run.problem()) if x is not None]
        if folder is not None:
            folder.problems += problems
    return VideoResult(
        tally=run.tally,
        dropped=frames.dropped,
        objects=None if tracker is None else tracker.count,
        problems=problems if folder is None else folder.problems,
        out=None if folder is None else folder.path,
        results=None if folder is None else folder.results,
        video=None if folder is None else folder.video,
        files=() if folder is None else folder.written(),
    )


def _source(video: str | Path | int) -> str:
    is_number = isinstance(video, int) and not isinstance(video, bool)
    if not is_number and not isinstance(video, str | Path):
        raise M2DetError(
            'A video is named by its path, the address of a stream, or the number of a '
            f'camera, got {shown(video)}.'
        )
    return str(video)


def _check_apart(frames: Video, place: Path) -> None:
    """Stop where a video would be replaced while it is read.

    Raises:
        M2DetError: One sentence that names it.
    """
    written = place / VIDEO
    if frames.path is not None and written.exists() and written.samefile(frames.path):
        raise M2DetError(
            f'{frames.name} is what the prediction in {place} wrote: give another '
            'output folder.'
        )


def _batches(frames: Iterable[Frame], size: int) -> Iterator[list[Frame]]:
    iterator = iter(frames)
    while batch := list(islice(iterator, size)):
        yield batch


def _started(frames: Video, place: Path | None, left: str | None) -> VideoStarted:
    remarks = []
    if left is not None:
        remarks.append(f'{left} This one goes to {place}.')
    if place is not None and (lack := shortcomings()) is not None:
        remarks.append(lack)
    return VideoStarted(
        frames.name,
        frames.count,
        frames.rate,
        frames.size,
        frames.is_live,
        place,
        tuple(remarks),
    )
