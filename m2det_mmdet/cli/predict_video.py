"""What `m2det predict` does with a video."""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..utils.errors import M2DetError
from ..utils.texts import printable
from .console import bar, found_in

if TYPE_CHECKING:
    from ..apis import FrameDone, VideoResult, VideoStarted

# Options that are for images alone, and what they are without being given.
_FOR_IMAGES = {
    'format': ['coco'],
    'ann_file': None,
    'resume': False,
    'jobs': None,
    'engine': 'local',
    'ray_address': None,
    'job_cpus': None,
}


def find_video(args: argparse.Namespace, inputs: Sequence[str]) -> str | None:
    """Return the video among the inputs; ``None`` if all are images.

    Raises:
        M2DetError: If it is not alone, or an option does not fit.
    """
    from ..utils.videos import is_video, without_password

    found = next(filter(is_video, inputs), None)
    if found is None:
        if args.track:
            raise M2DetError(
                f'--track follows objects through a video, and {inputs[0]} is none: '
                'leave it out.'
            )
        return None
    name = without_password(found)
    if len(inputs) > 1:
        raise M2DetError(
            f'{name} is a video, and there are other inputs: call the command for each '
            'video, and for all images.'
        )
    for option, default in _FOR_IMAGES.items():
        if getattr(args, option) != default:
            raise M2DetError(
                f'--{option.replace("_", "-")} is for images, and {name} is a video: '
                'leave it out.'
            )
    return found


def run_video(
    model: str,
    video: str,
    out: Path | bool,
    check_interrupt: Callable[[], None],
    **options: Any,
) -> int:
    """Predict a video; arguments as of :func:`m2det_mmdet.apis.predict_video`.

    Args:
        model: The model.
        video: The video.
        out: The output folder.
        check_interrupt: Raises where the user has interrupted.
        options: The other arguments.

    Returns:
        The exit status: 1 if a frame was skipped, or the sound could not be kept.
    """
    from ..apis import predict_video

    with bar('Predicting') as advance:
        watch = _Watch(advance, check_interrupt)
        try:
            result = predict_video(model, video, out, on_event=watch.show, **options)
        except BaseException:
            watch.tell_end()
            raise
    for problem in result.problems:
        print(printable(problem), file=sys.stderr)
    _tell(result)
    return int(bool(result.problems))


class _Watch:
    """Shows how far a prediction is.

    Args:
        advance: Gets how many frames are done, and of how many.
        check_interrupt: Raises where the user has interrupted.
    """

    def __init__(
        self,
        advance: Callable[[int, int | None], None],
        check_interrupt: Callable[[], None],
    ) -> None:
        self.advance, self.check_interrupt = advance, check_interrupt
        self.out: Path | None = None
        self.total: int | None = None
        self.done = 0

    def show(self, event: 'VideoStarted | FrameDone') -> None:
        """Show what has happened."""
        from ..apis import VideoStarted

        if isinstance(event, VideoStarted):
            self.out, self.total = event.out, event.num_frames
            for remark in event.remarks:
                print(printable(remark), file=sys.stderr)
            if event.is_live:
                print('Ctrl-C ends it; what is done is kept.', file=sys.stderr)
            return
        self.done += 1
        self.advance(self.done, self.total)
        self.check_interrupt()

    def tell_end(self) -> None:
        """Tell how far it came where it ends early."""
        if self.done:
            total = '' if self.total is None else f' of {self.total}'
            print(
                printable(f'Stopped after {self.done}{total} frames: {self.out}.'),
                file=sys.stderr,
            )


def _tell(result: 'VideoResult') -> None:
    """Print what was found, and where everything is."""
    print(printable(found_in(result.tally, 'frames')))
    if result.objects is not None:
        print(f'Objects that were followed: {result.objects}.')
    if result.dropped:
        print(f'{result.dropped} frames came while others were looked at: left out.')
    files = ', '.join(result.files)
    done = f'{result.tally.num_images} frames done: {result.out} ({files})'
    print(printable(done))
