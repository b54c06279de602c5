"""A data folder in memory: its splits, in COCO's form."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class Part:
    """A split of a data folder.

    Attributes:
        images: Folder to which the ``file_name`` of an image is relative, absolute.
        content: What a COCO file would hold: ``images``, ``annotations`` and
            ``categories``, sound by their form (see :func:`.check_annotations`).
        sources: The files that the labels were read of, by the id of an image, where
            each image has one of its own (VOC, YOLO).
        ann_file: The COCO file that holds exactly ``content``; ``None`` if there is
            none, because labels were converted, repaired or split.
    """

    images: Path
    content: dict[str, list[dict[str, Any]]]
    sources: dict[int, Path] = field(default_factory=dict)
    ann_file: Path | None = None


@dataclass
class DataFolder:
    """A data folder.

    Attributes:
        root: The folder, absolute.
        kind: Its form: ``'coco'``, ``'voc'`` or ``'yolo'``.
        classes: Names in the order of the categories.
        parts: The splits: ``train``, ``val`` and, where there is one, ``test``.
        split_seed: The seed by which ``train`` and ``val`` were split here; ``None`` if
            the folder says how it is split.
    """

    root: Path
    kind: str
    classes: tuple[str, ...]
    parts: dict[str, Part]
    split_seed: int | None = None
