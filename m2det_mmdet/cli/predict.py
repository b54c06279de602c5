"""Detect objects in images, or in a video.

m2det predict MODEL INPUT... [-o OUT]
m2det predict CONFIG CHECKPOINT INPUT... [-o OUT]
m2det predict MODEL VIDEO [--track] [-o OUT]

MODEL is a checkpoint (.pth, .safetensors, or its URL), a run folder, a name of
`m2det zoo`, or an exported file (.onnx, .xml, .pt2). CONFIG and CHECKPOINT are meant
where the first word is a config and the second one a checkpoint. INPUT is an image, a
folder, a glob pattern, a URL, or - for paths and URLs on standard input, one a line.

Writes OUT/pictures, each image with its boxes under its own name; OUT/results.json in
COCO's results format: image_id, file_name, category_id, category_name, bbox (x, y,
width, height in pixels of the image) and score; labels in the forms of --format; and
OUT/predict.json, which tells what was asked for. OUT is work_dirs/predict by default,
then work_dirs/predict-2, and so on.

A run that is killed leaves OUT/results.partial.jsonl, with a line an image; --resume
goes on with it.

VIDEO is a video, the address of a stream (rtsp://...) or the number of a camera (0). Of
it OUT/video.mp4 is written, with boxes and the sound, and OUT/results.jsonl, a line a
frame: frame, time (seconds), boxes (xyxy, pixels), labels, names, scores, and tracks
with --track. Ctrl-C keeps what is done.
"""

import argparse
import os
import shlex
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from ..utils.errors import M2DetError
from ..utils.texts import printable
from .arguments import (
    add_acceleration_arguments,
    add_config_options,
    add_device_argument,
    add_engine_arguments,
    add_runtime_arguments,
    at_least,
    config_options,
    engine_options,
    fraction,
)
from .model_words import split_words

if TYPE_CHECKING:
    from ..apis import ImageDone, PredictionResult, PredictionStarted

_FORMATS = ('coco', 'yolo', 'voc', 'csv', 'none')
_SCORES = '--score-thr'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        'model',
        metavar='MODEL',
        help='checkpoint, run folder, name of the zoo or exported file; or a config '
        'and a checkpoint',
    )
    parser.add_argument(
        'inputs',
        nargs='+',
        metavar='INPUT',
        help='image, folder, glob pattern, URL, or - for a list on standard input; or '
        'one video, stream or number of a camera',
    )
    parser.add_argument(
        '-o', '--out', type=Path, help='output folder; a new one by default'
    )
    parser.add_argument(
        _SCORES,
        action='append',
        type=_threshold,
        metavar='SCORE or CLASS=SCORE',
        help='lowest score that is drawn, labelled and counted (default: 0.3; the '
        'report of a run tells the best); for single classes others: 0.3 car=0.5 '
        '"traffic light=0.2"',
    )
    parser.add_argument(
        '--classes', nargs='+', metavar='CLASS', help='keep these classes alone'
    )
    parser.add_argument(
        '--format',
        nargs='+',
        choices=_FORMATS,
        default=['coco'],
        help='forms of labels, from the lowest score on; coco by default',
    )
    parser.add_argument(
        '--ann-file',
        help='COCO annotations that give the ids; only images that they list are done',
    )
    parser.add_argument(
        '--track',
        action='store_true',
        help='follow the objects of a video, and number them; needs trackers',
    )
    parser.add_argument(
        '--tile',
        type=at_least(1),
        metavar='SIZE',
        help='look at tiles of so many pixels, and at the whole image; needs SAHI',
    )
    parser.add_argument(
        '--tile-overlap',
        type=fraction,
        default=0.2,
        metavar='PART',
        help='part of a tile that the next one has, too (default: 0.2)',
    )
    add_config_options(parser)
    add_device_argument(parser)
    parser.add_argument(
        '--batch-size',
        type=at_least(1),
        default=1,
        help='images or frames at a time (default: 1)',
    )
    add_acceleration_arguments(parser)
    add_runtime_arguments(parser)
    add_engine_arguments(parser, 'processes')
    parser.add_argument(
        '--force', action='store_true', help='replace an earlier prediction in OUT'
    )
    parser.add_argument(
        '--resume',
        action='store_true',
        help='go on with a prediction that ended early: that in OUT, else the last one',
    )
    # Inputs may stand before and after options.
    intermixed = parser.parse_intermixed_args
    parser.parse_args = lambda argv: intermixed(_with_single_scores(argv))


def run(args: argparse.Namespace) -> int:
    """Predict as the arguments say.

    The exit status is 1 if an image was skipped or has no picture or labels; of a video
    if a frame was skipped or the sound could not be kept.
    """
    with _noticed_interrupt() as check_interrupt:
        from ..apis import predict
        from .console import bar
        from .predict_video import find_video, run_video

        model, checkpoint, inputs = split_words(args.model, args.inputs)
        inputs = list(_with_standard_input(inputs))
        if not inputs:
            raise M2DetError('There is no image: standard input names none.')
        out = True if args.out is None else args.out
        options = {'checkpoint': checkpoint, **_options(args)}
        if (video := find_video(args, inputs)) is not None:
            options['track'] = args.track
            return run_video(model, video, out, check_interrupt, **options)
        with bar('Predicting') as advance:
            watch = _Watch(advance, check_interrupt)
            try:
                result = predict(
                    model,
                    inputs,
                    out,
                    formats=args.format,
                    ann_file=args.ann_file,
                    resume=args.resume,
                    # A run over many images takes no more memory than over few.
                    keep=False,
                    on_event=watch.show,
                    **options,
                    **engine_options(args),
                )
            except BaseException:
                watch.tell_end()
                raise
    for path, problem in result.problems.items():
        if path not in watch.told:
            print(printable(problem), file=sys.stderr)
    _tell(result)
    return int(bool(result.problems))


def _options(args: argparse.Namespace) -> dict[str, Any]:
    """Return what is the same for images and for a video."""
    scores = [pair for pair in args.score_thr or [] if pair[0] is None]
    return {
        'score_thr': scores[-1][1] if scores else 0.3,
        'class_score_thr': dict(x for x in args.score_thr or [] if x[0]),
        'classes': args.classes,
        'tile': args.tile,
        'tile_overlap': args.tile_overlap,
        'device': args.device,
        'batch_size': args.batch_size,
        'fast': args.fast,
        'compile': args.compile,
        'autocast': args.autocast,
        'threads': args.threads,
        'provider': args.provider,
        'force': args.force,
        'options': config_options(args.cfg_options),
    }


class _Watch:
    """Shows how far a prediction is.

    Args:
        advance: Gets how many images are done, and of how many.
        check_interrupt: Raises where the user has interrupted.

    Attributes:
        told: Images of which a problem was told.
    """

    def __init__(
        self, advance: Callable[[int, int], None], check_interrupt: Callable[[], None]
    ) -> None:
        self.advance, self.check_interrupt = advance, check_interrupt
        self.out: Path | None = None
        self.total = self.written = 0
        self.told: set[Path] = set()

    def show(self, event: 'PredictionStarted | ImageDone') -> None:
        """Show what has happened."""
        from ..apis import PredictionStarted

        if isinstance(event, PredictionStarted):
            self.out, self.total = event.out, event.num_images
            self.written = event.num_done
            for remark in event.remarks:
                print(printable(remark), file=sys.stderr)
            return
        self.written += not event.skipped
        if event.problem is not None:
            self.told.add(event.path)
            print(printable(event.problem), file=sys.stderr)
        self.advance(event.done, event.total)
        self.check_interrupt()

    def tell_end(self) -> None:
        """Tell how far it came where it ends early, and how to go on."""
        if self.written:
            print(
                f'Stopped after {self.written} of {self.total} images: {self.out}. Go '
                f'on by -o {shlex.quote(str(self.out))} --resume.',
                file=sys.stderr,
            )


def _tell(result: 'PredictionResult') -> None:
    """Print what was found, and where everything is."""
    from .console import found_in

    tally = result.tally
    if tally.num_images:
        print(printable(found_in(tally, 'images')))
    total = tally.num_images + len(result.skipped)
    files = ', '.join(result.files)
    print(
        printable(f'{tally.num_images} of {total} images done: {result.out} ({files})')
    )


def _threshold(text: str) -> tuple[str | None, float]:
    """Read ``0.3`` or ``car=0.5``."""
    name, is_named, number = text.rpartition('=')
    return (name if is_named else None), fraction(number)


def _with_single_scores(argv: Sequence[str]) -> list[str]:
    """Repeat ``--score-thr`` for each of several scores behind it.

    An option that takes several words would take images behind it, too.
    """
    words: list[str] = []
    is_among_scores = False
    for word in argv:
        if is_among_scores and words[-1] != _SCORES and not _is_score(word):
            is_among_scores = False
        if is_among_scores and words[-1] != _SCORES:
            words.append(_SCORES)
        words.append(word)
        is_among_scores = is_among_scores or word == _SCORES
    return words


def _is_score(word: str) -> bool:
    try:
        float(word.rpartition('=')[2])
    except ValueError:
        return False
    return True


def _with_standard_input(inputs: Sequence[str]) -> Iterator[str]:
    """Yield inputs, with the lines of standard input in the place of ``-``."""
    for name in inputs:
        if name == '-':
            lines = map(os.fsdecode, sys.stdin.buffer)
            yield from filter(None, (line.rstrip('\r\n') for line in lines))
        else:
            yield name


@contextmanager
def _noticed_interrupt() -> Iterator[Callable[[], None]]:
    """Keep in mind that the user interrupts.

    Python drops an interrupt that arrives in a finalizer, and some libraries' imports
    take it for their own failure. A shell has jobs in the background ignore interrupts;
    they do so here, too.

    Yields:
        A function that raises once more what was dropped.
    """
    noticed = False

    def note(number: int, frame: FrameType | None) -> None:
        nonlocal noticed
        noticed = True
        raise KeyboardInterrupt

    def check() -> None:
        if noticed:
            raise KeyboardInterrupt

    is_ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    # Only the main thread may choose what signals do.
    if is_ignored or threading.current_thread() is not threading.main_thread():
        yield check
        return
    former = signal.signal(signal.SIGINT, note)
    try:
        yield check
    finally:
        signal.signal(signal.SIGINT, former)
