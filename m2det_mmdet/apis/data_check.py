"""What is wrong with a data folder, before an hour of training is spent on it."""

import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import perf_counter

from mmengine.config import Config

from ..analysis.anchors import check_fit
from ..datasets.checks import CHECKS
from ..datasets.checks.balance import count_objects
from ..datasets.checks.images.check import check_images
from ..datasets.error import DatasetError
from ..datasets.faults import Faults, Finding, Level
from ..datasets.layouts.folder import DATA_UNREADABLE, DataFolder, read_folder
from ..utils.arguments import check_path
from ..utils.configs import load_config
from ..utils.errors import our_errors
from ..utils.logs import prints_to, quiet_log


@dataclass(frozen=True)
class DataCheck:
    """What a data folder holds, and what is wrong with it.

    Attributes:
        root: The folder.
        form: Its form: ``'coco'``, ``'voc'`` or ``'yolo'``; empty where too little can
            be read.
        classes: Names of the classes.
        images: Number of images by split.
        objects: Number of objects by split and class, crowds left out.
        split_seed: The seed by which ``train`` and ``val`` were split here; ``None`` if
            the folder says how it is split.
        findings: Kinds of faults, the worst first.
        seconds: Duration of the check.
    """

    root: Path
    form: str
    classes: tuple[str, ...]
    images: dict[str, int]
    objects: dict[str, dict[str, int]]
    split_seed: int | None
    findings: list[Finding]
    seconds: float

    @property
    def level(self) -> Level:
        """That of the worst fault."""
        return max((x.kind.level for x in self.findings), default=Level.NOTE)

    def to_json(self) -> str:
        """Return all of it as JSON; levels are written as words."""
        content = {
            'data': str(self.root),
            'form': self.form,
            'status': int(self.level),
            'split_seed': self.split_seed,
            'classes': self.classes,
            'splits': {
                split: {'images': count, 'objects': self.objects[split]}
                for split, count in self.images.items()
            },
            'findings': [
                {
                    'name': finding.kind.name,
                    'level': finding.kind.level.name.lower(),
                    'count': finding.count,
                    'what': finding.kind.what,
                    'fix': finding.kind.fix,
                    'examples': finding.examples,
                }
                for finding in self.findings
            ],
            'seconds': round(self.seconds, 3),
        }
        return json.dumps(content, indent=2) + '\n'


@our_errors()
def check_data(
    data: str | Path,
    *,
    config: str | Path | Config | None = None,
    images: bool = False,
    seed: int = 0,
    allow_outside: bool = False,
) -> DataCheck:
    """Tell what is wrong with a data folder; nothing in it is changed.

    Args:
        data: The folder, in COCO's, VOC's or YOLO's form or as a labelling tool leaves
            it; or the ``data.yaml`` of one in YOLO's form.
        config: A config whose anchors are compared with the objects.
        images: Whether each image is read whole, which takes about as long as an epoch
            without a network; else their headers are, and more where files are of one
            size, have 16 bits a channel, or have to be divided into splits.
        seed: Decides the split where the folder has none.
        allow_outside: Whether images may lie outside of the folder, as links or names
            with ``..`` say.

    Raises:
        M2DetError: If nothing can be read, or the config cannot be used.
    """
    started = perf_counter()
    check_path('data', data)
    with prints_to(quiet_log()):
        # An error in it shall show before the data are read.
        cfg = None if config is None else load_config(config)
        folder, faults = inspect_data(
            Path(data), images=images, seed=seed, allow_outside=allow_outside
        )
        if cfg is not None and folder.parts:
            check_fit(cfg, folder, faults)
    return summarize(folder, faults, perf_counter() - started)


def inspect_data(
    data: Path, *, images: bool, seed: int, allow_outside: bool = False
) -> tuple[DataFolder, Faults]:
    """Read a data folder, and find what is wrong with it whatever the detector.

    Args:
        data: As of :func:`check_data`.
        images: Likewise.
        seed: Likewise.
        allow_outside: Likewise.

    Returns:
        What training reads, with all that could be repaired; and the faults.

    Raises:
        M2DetError: If nothing can be read.
    """
    faults = Faults()
    # Boxes of turned images are turned before anything else looks at them.
    check = partial(check_images, pixels=images)
    try:
        folder = read_folder(
            data, faults, seed=seed, check=check, allow_outside=allow_outside
        )
    except DatasetError as error:
        # What was found before tells why.
        if not faults.findings:
            raise
        faults.report(DATA_UNREADABLE, str(error))
        return DataFolder(data, '', (), {}), faults
    for look in CHECKS:
        look(folder, faults)
    return folder, faults


def summarize(folder: DataFolder, faults: Faults, seconds: float) -> DataCheck:
    """Say what a data folder holds, and what is wrong with it.

    Args:
        folder: What was read of it.
        faults: What is wrong.
        seconds: How long it took to find out.
    """
    return DataCheck(
        root=folder.root,
        form=folder.kind,
        classes=folder.classes,
        images={
            split: len(part.content['images']) for split, part in folder.parts.items()
        },
        objects=count_objects(folder),
        split_seed=folder.split_seed,
        # Of one level in the order in which they were found.
        findings=sorted(faults.findings.values(), key=lambda x: -x.kind.level),
        seconds=seconds,
    )
