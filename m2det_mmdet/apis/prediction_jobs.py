"""Shards of the images of a prediction as jobs of other processes or machines."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from copy import deepcopy
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from platform import node
from uuid import uuid4

from ..analysis.machine import check_versions, versions
from ..checkpoints.sources import find_checkpoint
from ..export.runtimes.opening import files_of
from ..jobs import Again, Ended, Engine, Job, Told
from ..utils.errors import M2DetError
from ..utils.exported import is_exported
from ..utils.image_urls import is_url
from ..utils.logs import quiet_log
from ..utils.passed_over import PassedOver
from .class_choice import ClassChoice
from .prediction_inputs import InputImage, PredictionInputs
from .prediction_look import BuiltDetector, DetectorPlan, Looked, Pictures

_LONGEST = 64  # images of a shard
_ROUNDS = 4  # shards that each process gets at least, where there are enough images


@dataclass(frozen=True)
class Look:
    """What all shards have in common.

    Attributes:
        plan: How the detector is built.
        choice: The classes that count, and their lowest scores.
        batch_size: Images at a time.
        versions: Of what computes where the prediction was started.
        key: Tells one prediction from another in a process that does both.
    """

    plan: DetectorPlan
    choice: ClassChoice
    batch_size: int
    versions: Mapping[str, str] = field(default_factory=versions)
    key: str = field(default_factory=lambda: uuid4().hex)


@dataclass(frozen=True)
class Shard:
    """Some of the images.

    Attributes:
        images: The images.
        pictures: Paths of their pictures by their names; ``None`` without pictures.
    """

    images: list[InputImage]
    pictures: dict[str, Path] | None


def classes_of(plan: DetectorPlan) -> tuple[str, ...]:
    """Build a detector here, on the CPU, for the names of its classes.

    What is wrong with it is told before any process is started.

    Raises:
        M2DetError: If it does not build, or the checkpoint does not fit.
    """
    here = replace(plan, cfg=deepcopy(plan.cfg), device='cpu', acceleration={})
    return here.build().classes


def look_by_jobs(
    engine: Engine,
    look: Look,
    inputs: PredictionInputs,
    pictures: Pictures | None,
) -> Iterator[Looked]:
    """Yield each image as soon as it is done, in any order.

    Of a shard whose process dies the images that are not done are tried again.

    Args:
        engine: Does the jobs.
        look: What they have in common.
        inputs: The images.
        pictures: Gives the paths of pictures; ``None`` without pictures.

    Raises:
        M2DetError: If a job fails by what the user can change, or its process dies
            again and again.
        RuntimeError: If it fails by something else.
    """
    if not engine.shares_disk:
        look = replace(look, plan=_with_content(look.plan))
    done: set[str] = set()
    jobs = (
        Job(shard, partial(_rest, shard, done, pictures))
        for shard in _shards(inputs.left(), look.batch_size, engine.size)
    )
    with closing(engine.run(look_at_shard, jobs, look)) as events:
        for job, event in events:
            if isinstance(event, Told):
                done.add(event.message.image.name)
                yield event.message
            elif isinstance(event, Again):
                quiet_log().warning(
                    'A process died (%s): another does its images.', event.reason
                )
            elif isinstance(event, Ended) and event.reason is not None:
                _raise(event, [x for x in job.key if x.name not in done])


_built: dict[str, BuiltDetector] = {}


def look_at_shard(look: Look, shard: Shard) -> Iterator[Looked]:
    """Look at the images of a shard; a process builds the detector once.

    Raises:
        M2DetError: If this machine has other versions, or not the images.
    """
    if look.key not in _built:
        check_versions(look.versions)
        _built.clear()
        _built[look.key] = look.plan.build()
    for image in shard.images:
        if not is_url(image.source) and not image.path.parent.is_dir():
            raise M2DetError(
                f'{node()} has no folder {image.path.parent}: all machines need the '
                'images under the same paths.'
            )
    pictures = None if shard.pictures is None else shard.pictures.__getitem__
    with PredictionInputs(shard.images, PassedOver()) as inputs:
        yield from _built[look.key].look_at(
            inputs, look.choice, look.batch_size, pictures
        )


def _with_content(plan: DetectorPlan) -> DetectorPlan:
    """Let a checkpoint travel; one that is on no disk is read everywhere."""
    if is_exported(plan.checkpoint):
        files = files_of(plan.checkpoint)
    elif (found := find_checkpoint(plan.checkpoint)) is not None:
        files = [Path(found.path)]
    else:
        return plan
    contents = {file.name: file.read_bytes() for file in files}
    return replace(plan, checkpoint=str(files[0]), contents=contents)


def _shards(
    images: Sequence[InputImage], batch_size: int, size: int | None
) -> Iterator[list[InputImage]]:
    """Cut a list of images into parts of whole batches."""
    fair = _LONGEST if size is None else -(-len(images) // (_ROUNDS * size))
    batches = -(-min(max(fair, 1), _LONGEST) // batch_size)
    length = batches * batch_size
    for start in range(0, len(images), length):
        yield list(images[start : start + length])


def _rest(
    images: Sequence[InputImage],
    done: set[str],
    pictures: Callable[[str], Path] | None,
) -> Shard:
    """Return what is left of a shard."""
    left = [image for image in images if image.name not in done]
    places = None if pictures is None else {x.name: pictures(x.name) for x in left}
    return Shard(left, places)


def _raise(event: Ended, left: Sequence[InputImage]) -> None:
    place = f'At {left[0].source}, or soon after: ' if left else ''
    error = M2DetError if event.is_mendable else RuntimeError
    raise error(f'{place}{event.reason}')
