"""What an exported file tells about itself: one text of JSON in each format."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from ..utils.texts import one_line
from .errors import ExportError

# Key of the text: in ONNX's ``metadata_props``, in OpenVINO's ``rt_info``, and, with
# ``.json`` after it, among the extra files of PyTorch's archive.
KEY = 'm2det'
# Raised where a reader of an earlier version would understand a file wrongly.
FORMAT = 1


@dataclass(frozen=True)
class Preparation:
    """From an image as OpenCV reads it to the network's input.

    Attributes:
        mean: Of each channel, in the order of the network.
        std: Likewise.
        rgb: Whether the network takes RGB; BGR otherwise.
        resize: Pixels ``(height, width)`` that an image is resized to; where it keeps
            its ratio of sides and the network's input is of any size, the long side of
            the image has at most the larger one, its short side at most the smaller.
        keep_ratio: Whether an image keeps its ratio of sides when it is resized.
        pad_divisor: The sides of the input are multiples of it, by padding at the right
            and below.
        pad_value: Pixels of the padding, after the normalisation.
        inside: Whether the graph does it all itself: its input is then
            ``(N, H, W, 3)``, uint8, BGR, of any size, and boxes are in its pixels.
    """

    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    resize: tuple[int, int]
    rgb: bool = False
    keep_ratio: bool = False
    pad_divisor: int = 1
    pad_value: float = 0.0
    inside: bool = False


@dataclass(frozen=True)
class Metadata:
    """What an exported file tells about itself.

    Attributes:
        name: Name of the detector.
        classes: Names of the classes, in the order of the labels.
        size: Pixels ``(height, width)`` of the network's input; ``None``: any.
        batch: Images at a time; ``None``: any number.
        preparation: What is done to an image first.
        suppression: ``score_thr``, ``max_per_img`` and the further options of the
            suppression in the graph; ``None``: the graph gives the boxes and scores of
            all anchors.
        precision: ``fp32``, ``fp16`` or ``int8``.
        config: The detector's config, as text; it is read as data.
        config_sha256: Its digest.
        versions: Versions of what made the file, by name.
        format: Of this text.
    """

    name: str
    classes: tuple[str, ...]
    size: tuple[int, int] | None
    batch: int | None
    preparation: Preparation
    suppression: Mapping[str, Any] | None
    precision: str
    config: str
    config_sha256: str
    versions: Mapping[str, str] = field(default_factory=dict)
    format: int = FORMAT

    def to_json(self) -> str:
        """Return the text for a file."""
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str, source: str) -> 'Metadata':
        """Read the text of a file.

        Args:
            text: What :meth:`to_json` returned.
            source: The file, for messages.

        Raises:
            ExportError: If it is none of ours, or of a later version.
        """
        try:
            values = json.loads(text)
            version = values['format']
            if type(version) is not int or version > FORMAT:
                raise ExportError(
                    f'{source} was exported by a later version of m2det (format '
                    f'{one_line(str(version), 20)}, known to {FORMAT}): update m2det.'
                )
            return cls._of(values)
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            raise ExportError(
                f'The metadata of {source} cannot be read '
                f'({one_line(str(error), 100)}): export the detector again.'
            ) from error

    @classmethod
    def _of(cls, values: Mapping[str, Any]) -> 'Metadata':
        known = {x.name for x in fields(cls)}
        values = {key: value for key, value in values.items() if key in known}
        preparation = dict(values['preparation'])
        for key in ('mean', 'std'):
            preparation[key] = _numbers(preparation[key])
        preparation['resize'] = _sides(preparation['resize'])
        size = values['size']
        return cls(
            **{
                **values,
                'classes': tuple(map(str, values['classes'])),
                'size': None if size is None else _sides(size),
                'preparation': Preparation(**preparation),
            }
        )


def _numbers(values: Any) -> tuple[float, float, float]:
    first, second, third = map(float, values)
    return first, second, third


def _sides(values: Any) -> tuple[int, int]:
    height, width = map(int, values)
    return height, width
