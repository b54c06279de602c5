"""A data folder in memory: its splits, in COCO's form."""

from collections.abc import Container, Hashable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# Key of images in COCO's form whose size is that of the file: the labels gave none.
MEASURED = 'size_of_file'


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

    def leave_out(self, image_ids: Container[Hashable]) -> None:
        """Remove images and their annotations."""
        kept = [x for x in self.content['images'] if x['id'] not in image_ids]
        if len(kept) == len(self.content['images']):
            return
        self.content['images'] = kept
        self.content['annotations'] = [
            x for x in self.content['annotations'] if x['image_id'] not in image_ids
        ]
        self.ann_file = None

    def has_objects(self) -> bool:
        """Whether a detector can learn from the part, or be tested on it.

        These are objects with an extent in their image that are no crowds. Boxes in
        0..1 count here, since another check tells of them.
        """
        sizes = {x['id']: (x['width'], x['height']) for x in self.content['images']}
        return any(
            not item.get('iscrowd') and _is_seen(item['bbox'], sizes[item['image_id']])
            for item in self.content['annotations']
        )


def _is_seen(box: Sequence[float], size: tuple[float, float]) -> bool:
    """Whether a box, xywh, has an extent in an image; all in pixels."""
    return all(
        extent > 0 and start < limit and start + extent > 0
        for start, extent, limit in zip(box[:2], box[2:], size, strict=True)
    )


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
        allow_outside: Folders in which images may lie, besides the one of their part;
            ``True`` for any.
    """

    root: Path
    kind: str
    classes: tuple[str, ...]
    parts: dict[str, Part]
    split_seed: int | None = None
    allow_outside: bool | tuple[Path, ...] = ()
