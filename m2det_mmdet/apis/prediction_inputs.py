"""The images of a prediction, from the disk and from the web, each with a name."""

import os
import re
import shutil
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path, PurePosixPath
from tempfile import mkdtemp
from types import TracebackType
from urllib.parse import unquote, urlsplit

from ..datasets.coco import CheckedCOCO
from ..evaluation.coco_records import CocoIds
from ..utils.errors import M2DetError
from ..utils.image_search import find_images
from ..utils.image_urls import fetch_image, is_url
from ..utils.images import common_folder
from ..utils.passed_over import PassedOver, Reason

_LISTED = 3  # names in a sentence


@dataclass(frozen=True)
class InputImage:
    """An image.

    Attributes:
        source: Path or URL.
        name: Its name in results, with ``/``: unlike those of all other images.
        image_id: Its id in results.
    """

    source: str
    name: str
    image_id: int

    @property
    def path(self) -> Path:
        """Path of a file; of an image of the web, its name as a path."""
        return Path(self.name if is_url(self.source) else self.source)


@dataclass
class PredictionInputs:
    """All images, iterated as paths: those of the web are fetched one by one.

    Use it as a context, which removes what was fetched at its end.

    Attributes:
        images: The images in their order.
        passed_over: What was found and left out.
        absent: Names that the annotations list, and that are not among the images.
    """

    images: list[InputImage]
    passed_over: PassedOver
    absent: list[str] = field(default_factory=list)
    _left_out: frozenset[str] = frozenset()
    _folder: Path | None = None
    _by_path: dict[Path, InputImage] = field(default_factory=dict)
    _problems: dict[Path, str] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        """Names of the images."""
        return [image.name for image in self.images]

    def digest(self) -> str:
        """Return a fingerprint of which images there are, and of their ids."""
        known = sha256()
        for image in self.images:
            line = f'{image.image_id} {image.source}'
            known.update(os.fsencode(line) + b'\0')
        return known.hexdigest()

    def leave_out(self, names: Container[str]) -> list[InputImage]:
        """Leave images out of those that are iterated, and return them."""
        self._left_out = frozenset(x.name for x in self.images if x.name in names)
        return [image for image in self.images if image.name in names]

    def left(self) -> list[InputImage]:
        """Return the images that are iterated."""
        return [image for image in self.images if image.name not in self._left_out]

    def __len__(self) -> int:
        return len(self.images) - len(self._left_out)

    def __iter__(self) -> Iterator[Path]:
        for image in self.left():
            path = self._fetch(image) if is_url(image.source) else Path(image.source)
            self._by_path[path] = image
            yield path

    def __enter__(self) -> 'PredictionInputs':
        if any(is_url(image.source) for image in self.images):
            self._folder = Path(mkdtemp(prefix='m2det-'))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def take(self, path: Path, problem: str | None) -> tuple[InputImage, str | None]:
        """Return the image of a path that is done, and forget the path.

        Args:
            path: As it was iterated.
            problem: What is wrong with it, in a sentence with the path.

        Returns:
            The image, and the sentence with its own name, or on its download.
        """
        image = self._by_path.pop(path)
        told = self._problems.pop(path, problem)
        if is_url(image.source):
            path.unlink(missing_ok=True)
            told = told and told.replace(str(path), image.source)
        return image, told

    def _fetch(self, image: InputImage) -> Path:
        """Download an image; one that cannot be is a path of no file."""
        folder = self._folder / str(image.image_id)
        try:
            return fetch_image(image.source, folder)
        except M2DetError as error:
            path = folder / 'absent'
            self._problems[path] = f'{error} It was skipped.'
            return path


def find_inputs(
    inputs: Sequence[str], annotations: CheckedCOCO | None, exclude: Path | None
) -> PredictionInputs:
    """Find the images that a user names.

    Args:
        inputs: Images, folders, patterns and URLs, which come last.
        annotations: If given, the images that they list are taken, with their ids.
        exclude: Folder whose content is left out.

    Raises:
        M2DetError: If there is no input, or one names nothing, or no image.
        ValueError: If the annotations list none of the images, or one of them twice.
    """
    if not inputs:
        raise M2DetError(
            'No image is named: give images, folders, patterns or URLs; the list of '
            'them is empty.'
        )
    passed_over = PassedOver()
    local = [name for name in inputs if not is_url(name)]
    found = find_images(local, exclude, passed_over) if local else []
    sources = dict.fromkeys([*map(str, found), *filter(is_url, inputs)])
    ids = _ids(sources, annotations, passed_over)
    names = _names(list(ids))
    images = [InputImage(x, name, ids[x]) for x, name in names.items()]
    absent = []
    if annotations is not None:
        absent = CocoIds((), annotations).absent(set(ids.values()))
    return PredictionInputs(images, passed_over, absent)


def absent_sentence(absent: Sequence[str], ann_file: str | Path) -> str:
    """Say which images of the annotations are not among the inputs."""
    rest = len(absent) - _LISTED
    more = f' and {rest} more' if rest > 0 else ''
    return (
        f'{ann_file} lists {len(absent)} images that are not in the inputs: '
        f'{", ".join(absent[:_LISTED])}{more}.'
    )


def _ids(
    sources: dict[str, None], annotations: CheckedCOCO | None, passed_over: PassedOver
) -> dict[str, int]:
    """Number the images, or take the ids of those that the annotations list."""
    if annotations is None:
        return {source: number for number, source in enumerate(sources, start=1)}
    paths = {
        Path(urlsplit(source).path if is_url(source) else source): source
        for source in sources
    }
    ids = CocoIds((), annotations).images(paths)
    root = common_folder(paths)
    for path in paths:
        if path not in ids:
            name = path.relative_to(root).as_posix()
            passed_over.add(root, Reason.UNLISTED, name)
    return {paths[path]: id_ for path, id_ in ids.items()}


def _names(sources: Sequence[str]) -> dict[str, str]:
    """Give each image a name: its path below the folder of all, or that of its URL."""
    local = [Path(source) for source in sources if not is_url(source)]
    root = common_folder(local) if local else Path()
    names = {str(path): path.relative_to(root).as_posix() for path in local}
    taken = set(names.values())
    for source in filter(is_url, sources):
        names[source] = _unlike(_name_of_url(source), taken)
        taken.add(names[source])
    return names


def _name_of_url(url: str) -> str:
    """Return the host and the path of a URL as a relative path of plain signs."""
    parts = urlsplit(url)
    words = [parts.hostname or 'web', *unquote(parts.path).split('/')]
    plain = [re.sub(r'[^\w.-]+', '_', word).strip('._') for word in words]
    return '/'.join(word[:100] for word in plain if word)


def _unlike(name: str, taken: set[str]) -> str:
    path, number = PurePosixPath(name), 1
    while str(path) in taken:
        number += 1
        plain = PurePosixPath(name)
        path = plain.with_name(f'{plain.stem}-{number}{plain.suffix}')
    return str(path)
