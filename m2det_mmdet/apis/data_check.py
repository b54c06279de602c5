"""What is wrong with a data folder, before an hour of training is spent on it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from mmengine.config import Config

from ..datasets.checks import CHECKS, Check
from ..datasets.checks.balance import count_objects
from ..datasets.faults import Faults, Finding, Level
from ..datasets.layouts.folder import DataFolder, read_folder
from ..utils.errors import our_errors


@dataclass(frozen=True)
class DataCheck:
    """What a data folder holds, and what is wrong with it.

    Attributes:
        root: The folder.
        form: Its form: ``'coco'``, ``'voc'`` or ``'yolo'``.
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
) -> DataCheck:
    """Tell what is wrong with a data folder; nothing in it is changed.

    Args:
        data: The folder, in COCO's, VOC's or YOLO's form or as a labelling tool leaves
            it; or the ``data.yaml`` of one in YOLO's form.
        config: A config whose anchors are compared with the objects.
        images: Whether each image is read, which takes about as long as an epoch
            without a network; else only their headers are.
        seed: Decides the split where the folder has none.

    Raises:
        M2DetError: If nothing can be read, or the config cannot be used.
    """
    started = perf_counter()
    faults = Faults()
    folder = read_folder(Path(data), faults, seed=seed)
    for check in _checks(config, images=images):
        check(folder, faults)
    return _result(folder, faults, started)


def _checks(config: str | Path | Config | None, *, images: bool) -> Sequence[Check]:
    """Return the checks to make, those first that mend what others look at."""
    return CHECKS


def _result(folder: DataFolder, faults: Faults, started: float) -> DataCheck:
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
        seconds=perf_counter() - started,
    )
