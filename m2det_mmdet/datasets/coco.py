"""A COCO dataset with clear errors for faults in its files."""

import json
import logging
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import mmcv
from mmdet.datasets import CocoDataset
from mmdet.datasets.api_wrappers import COCO
from mmdet.registry import DATASETS
from mmengine.fileio import get
from mmengine.logging import print_log

from ..utils.areas import fill_areas
from ..utils.headers import MOST_PIXELS, size_problem
from ..utils.regular_files import read_regular
from ..utils.values import is_count
from .boundary import Allowed, boundary_of
from .coco_form import check_annotations
from .error import DatasetError, ImageFileError
from .worker_notes import WorkerNotes

# Images in a row; more are a folder that is not there.
_MOST_SKIPPED = 100


class CheckedCOCO(COCO):
    """The content of an annotation file, with checks of what mmdet relies on.

    Raises:
        DatasetError: What is wrong, without the name of the file.
    """

    def __init__(self, annotation_file: str | None = None) -> None:
        try:
            super().__init__(annotation_file)
        except (ValueError, RecursionError, AssertionError) as error:
            raise DatasetError(_reading_problem(error)) from error

    def createIndex(self) -> None:  # noqa: N802
        """Check the form of the file and complete its areas, then index it."""
        check_annotations(self.dataset)
        if filled := fill_areas(self.dataset['annotations']):
            print_log(
                f'{len(filled)} objects without an area, as the object of the id '
                f'{filled[0]["id"]}, get that of their box.',
                logger='current',
                level=logging.WARNING,
            )
        super().createIndex()

    def get_cat_ids(
        self,
        cat_names: Sequence[str] = (),
        sup_names: Sequence[str] = (),
        cat_ids: Sequence[int] = (),
    ) -> list[int]:
        """Compare the classes of the config with the categories of the file."""
        names = [category['name'] for category in self.dataset['categories']]
        _check_classes(cat_names, names)
        ids = super().get_cat_ids(cat_names, sup_names, cat_ids)
        self._warn_of_unnamed(ids)
        return ids

    def _warn_of_unnamed(self, cat_ids: Sequence[int]) -> None:
        counts = Counter(item['category_id'] for item in self.dataset['annotations'])
        unnamed = {
            self.cats[cat_id]['name']: count
            for cat_id, count in counts.items()
            if cat_id not in cat_ids
        }
        if unnamed:
            listing = ', '.join(f'{name} ({unnamed[name]})' for name in sorted(unnamed))
            print_log(
                f'Objects of categories that metainfo.classes does not name are left '
                f'out: {listing}.',
                logger='current',
                level=logging.WARNING,
            )


@DATASETS.register_module()
class CheckedCocoDataset(CocoDataset):
    """mmdet's ``CocoDataset`` with checks of its files.

    Arguments, images, boxes and labels are the same. It differs where the parent fails
    without naming the file, silently drops objects, or swaps the names of classes:

    - an annotation file that is missing, empty or not COCO stops the run;
    - so do classes that the file does not have, or has in another order (mmdet numbers
      classes in the file's order);
    - an object without an area, or with one of 0, gets that of its box (mmdet fails, or
      drops it); the log counts them;
    - categories that the config leaves out are allowed; the log names them with the
      number of their objects;
    - if no image has an object, the run stops (AP would be 0 or -1). To test on images
      without ground truth, use ``CocoDataset``;
    - an image that is missing or unreadable stops the run when it is first read, or is
      skipped in training;
    - so does one that is no regular file, or has too many pixels, before it is decoded;
    - an image outside of the folders of the data stops the run.

    The folders of the data are ``data_root``, that of ``data_prefix['img']`` and that
    of ``ann_file``. Files in a store that MMEngine reaches by ``backend_args`` or an
    address in ``data_prefix`` are not looked at before they are decoded.

    Args:
        *args: Arguments of ``CocoDataset``.
        keep_crowds: Whether crowds are objects to learn, as in M2Det's release,
            instead of ignored boxes.
        inclusive_boxes: Whether ``x2, y2`` are the last pixel inside a box, as in
            M2Det's release: ``x1 + width - 1``. Boxes of one pixel are dropped.
        unreadable: ``'stop'``, or ``'skip'``: in training an image that cannot be read
            gives place to the next one that can, in the order of the data, and
            :attr:`skipped` tells it. In a test all images count.
        max_pixels: The most pixels of an image, by its header. Raise it for images that
            you know, ``None`` does not look.
        allow_outside: ``True`` if images may lie anywhere, or a list of folders in
            which they may lie besides those of the data.
        **kwargs: Arguments of ``CocoDataset``.

    Raises:
        DatasetError: One sentence that names the file and the fix.
    """

    COCOAPI = CheckedCOCO

    def __init__(
        self,
        *args: Any,
        keep_crowds: bool = False,
        inclusive_boxes: bool = False,
        unreadable: str = 'stop',
        max_pixels: int | None = MOST_PIXELS,
        allow_outside: Allowed = False,
        **kwargs: Any,
    ) -> None:
        # Set first, because the parent's constructor reads the annotations.
        self.keep_crowds = keep_crowds
        self.inclusive_boxes = inclusive_boxes
        self.unreadable = unreadable
        self.max_pixels = max_pixels
        self.allow_outside = allow_outside
        _check_choices(unreadable, max_pixels, test_mode=kwargs.get('test_mode', False))
        super().__init__(*args, **kwargs)

    def full_init(self) -> None:
        """Load the annotations, and get ready for the workers of a loader."""
        if not self._fully_initialized:
            super().full_init()
            self.notes = WorkerNotes(len(self))

    def get_subset_(self, indices: Sequence[int] | int) -> None:
        """Keep some of the images."""
        super().get_subset_(indices)
        self.notes = WorkerNotes(len(self))

    def get_subset(self, indices: Sequence[int] | int) -> 'CheckedCocoDataset':
        """Return some of the images."""
        subset = super().get_subset(indices)
        subset.notes = WorkerNotes(len(subset))
        return subset

    @property
    def skipped(self) -> list[str]:
        """The images that were skipped so far, also by workers of a loader."""
        return [self.get_data_info(index)['img_path'] for index in self.notes.skipped]

    def load_data_list(self) -> list[dict]:
        """Load the annotation file."""
        self._boundary = boundary_of(self._folders(), self.allow_outside)
        with _explained(self.ann_file):
            data_list = super().load_data_list()
            self._check_places(data_list)
        return data_list

    def _folders(self) -> list[str]:
        """List the folders of the data."""
        # A path without a folder is one in that which the program runs in.
        named = (self.data_prefix.get('img'), os.path.dirname(self.ann_file))
        folders = [folder or os.curdir for folder in named]
        return [*folders, self.data_root] if self.data_root else folders

    def _check_places(self, data_list: Sequence[dict]) -> None:
        """Stop where the names of images lead out; links of files are seen later."""
        if not self._is_local:
            return
        paths = [info['img_path'] for info in data_list]
        web = [path for path in paths if '://' in path]
        if web:
            raise DatasetError(
                f'names the image {web[0]} by an address ({len(web)} such images): '
                'download it, and give its file_name'
            )
        outside = [path for path in paths if not self._may_be_in(path)]
        if outside:
            raise DatasetError(_outside(outside[0], f'{len(outside)} such images'))

    def _may_be_in(self, path: str) -> bool:
        return self._boundary is None or self._boundary.holds_folder_of(path)

    @property
    def _is_local(self) -> bool:
        """Whether images are files of this machine."""
        backend = (self.backend_args or {}).get('backend', 'local')
        return backend == 'local' and '://' not in self.data_prefix.get('img', '')

    def parse_data_info(self, raw_data_info: dict) -> dict:
        """Parse an image's annotations, and apply ``keep_crowds`` and so on."""
        info = super().parse_data_info(raw_data_info)
        instances = []
        for instance in info['instances']:
            if self.keep_crowds:
                instance['ignore_flag'] = 0
            x1, y1, x2, y2 = instance['bbox']
            if self.inclusive_boxes:
                x2, y2 = x2 - 1, y2 - 1
                instance['bbox'] = [x1, y1, x2, y2]
            if x2 > x1 and y2 > y1:
                instances.append(instance)
        info['instances'] = instances
        return info

    def filter_data(self) -> list[dict]:
        """Filter as the parent, and stop if no object is left."""
        data_list = super().filter_data()
        if all(obj['ignore_flag'] for image in data_list for obj in image['instances']):
            raise DatasetError(
                f'The annotation file {self.ann_file} has no object to '
                f'{"find" if self.test_mode else "learn"} in {len(data_list)} images '
                'after filtering: check its annotations, metainfo.classes and '
                'filter_cfg.'
            )
        return data_list

    def prepare_data(self, idx: int) -> Any:
        """Load and transform an image, or with ``unreadable='skip'`` the next one."""
        if self.unreadable == 'stop':
            return self._prepare(idx)
        for place in range(idx, idx + _MOST_SKIPPED):
            place %= len(self)
            try:
                return self._prepare(place)
            except ImageFileError as error:
                self.notes.skip(place)
                last = error
        raise DatasetError(
            f'{_MOST_SKIPPED} images in a row cannot be read, the last of them since: '
            f'{last}'
        ) from last

    def _prepare(self, idx: int) -> Any:
        """Load and transform an image; if that fails, check whether the file is bad."""
        path = self.get_data_info(idx)['img_path']
        with self.notes.reading(idx):
            self._check_file(path)
            try:
                return super().prepare_data(idx)
            except Exception as error:
                problem = self._image_problem(path)
                if problem is None:
                    raise
                raise self._unusable(path, problem) from error

    def _check_file(self, path: str) -> None:
        """Stop where a file is not to be decoded."""
        if not self._is_local:
            return
        if self._boundary is not None and not self._boundary.holds(path):
            raise DatasetError(
                f'The annotation file {self.ann_file} '
                f'{_outside(path, "perhaps by a link")}.'
            )
        if self.max_pixels is not None:
            problem = size_problem(Path(path), self.max_pixels, limit='max_pixels')
            if problem is not None:
                raise self._unusable(path, problem)

    def _unusable(self, path: str, problem: str) -> ImageFileError:
        return ImageFileError(
            f'The image {path} {problem}, but {self.ann_file} lists it: restore '
            'the file or remove its entry.'
        )

    def _image_problem(self, path: str) -> str | None:
        try:
            image = mmcv.imfrombytes(get(path, backend_args=self.backend_args))
        except FileNotFoundError:
            return 'does not exist'
        except (OSError, cv2.error):
            return 'cannot be read'
        return 'is truncated or no image' if image is None else None


def _check_choices(unreadable: str, max_pixels: int | None, *, test_mode: bool) -> None:
    """Stop where the arguments on files of images cannot be right."""
    if unreadable not in ('stop', 'skip'):
        raise DatasetError(f"unreadable must be 'stop' or 'skip', got {unreadable!r}.")
    if unreadable == 'skip' and test_mode:
        raise DatasetError(
            "unreadable='skip' is for training: the AP of a test without some of its "
            'images would be of other data, so restore them or remove their entries.'
        )
    if max_pixels is not None and not (is_count(max_pixels) and max_pixels):
        raise DatasetError(
            f'max_pixels must be a whole number above 0 or None, got {max_pixels!r}.'
        )


def _outside(path: str, remark: str) -> str:
    """Say in a clause that a file leads out of the data."""
    return (
        f'names the image {path}, which leads out of the folders of the data '
        f'({remark}): move it, or set allow_outside=True if you trust the file'
    )


def load_annotations(ann_file: str | Path) -> CheckedCOCO:
    """Load an annotation file from disk.

    Raises:
        DatasetError: If it is absent or no COCO file.
    """
    with _explained(str(ann_file)):
        return CheckedCOCO(str(ann_file))


def load_content(ann_file: str | Path) -> tuple[Any, bool]:
    """Parse an annotation file, without a look at its form.

    Returns:
        What it holds, and whether pycocotools, which expects UTF-8 without a byte order
        mark, reads it too.

    Raises:
        DatasetError: If it is absent or no JSON.
    """
    with _explained(str(ann_file)):
        try:
            data = read_regular(Path(ann_file))
            encoding = json.detect_encoding(data)
            return json.loads(data.decode(encoding)), encoding == 'utf-8'
        except (ValueError, RecursionError) as error:
            raise DatasetError(_reading_problem(error)) from error


@contextmanager
def _explained(ann_file: str) -> Iterator[None]:
    """Turn what reading ``ann_file`` raises into one sentence that names it."""
    try:
        yield
    except FileNotFoundError as error:
        raise DatasetError(
            f'The annotation file {ann_file} does not exist: check data_root and '
            'ann_file.'
        ) from error
    except OSError as error:
        raise DatasetError(
            f'The annotation file {ann_file} cannot be read ({error.strerror}): '
            'check data_root and ann_file.'
        ) from error
    except DatasetError as error:
        raise DatasetError(f'The annotation file {ann_file} {error}.') from error


def _reading_problem(error: Exception) -> str:
    """Say what reading a JSON file failed at, without the name of the file."""
    if isinstance(error, DatasetError):
        return str(error)
    problem = 'it nests lists or objects too deeply'
    if not isinstance(error, RecursionError):
        # Python refuses numbers of thousands of digits, and says how to allow them.
        problem = str(error).split(';')[0]
    return f'cannot be read as COCO JSON ({problem}): export it again'


def _check_classes(classes: Sequence[str], names: Sequence[str]) -> None:
    if isinstance(classes, str):
        raise DatasetError(
            f'cannot be compared with metainfo.classes {classes!r}, which must be a '
            f'tuple: write ({classes!r},)'
        )
    listing = ', '.join(map(str, names))
    absent = [name for name in classes if name not in names]
    if absent:
        raise DatasetError(
            f'has no category {", ".join(absent)}, which metainfo.classes of the '
            f'dataset names: its categories are {listing}'
        )
    ordered = [name for name in names if name in classes]
    if ordered != list(classes):
        raise DatasetError(
            'has its categories in another order than metainfo.classes, or a name '
            f'twice: write the classes as ({", ".join(map(repr, ordered))})'
        )
