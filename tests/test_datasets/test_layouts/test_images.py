from pathlib import Path

import mmcv
import pytest
from PIL import Image

from m2det_mmdet.datasets.layouts.images import image_size

TURNED = Image.Exif()
TURNED[0x0112] = 6
NO_EXIF = b'Exif\0\0no EXIF at all'


@pytest.mark.parametrize(
    ('suffix', 'exif', 'size'),
    [
        ('jpg', TURNED, (20, 40)),
        ('png', TURNED, (20, 40)),
        ('tif', TURNED, (20, 40)),
        # Whether OpenCV turns WebP depends on its version.
        ('webp', TURNED, None),
        # It turns nothing by a damaged entry.
        ('webp', NO_EXIF, (40, 20)),
        ('jpg', NO_EXIF, (40, 20)),
    ],
)
def test_the_size_is_that_of_the_image_as_it_is_read(
    suffix: str, exif: Image.Exif | bytes, size: tuple[int, int] | None, tmp_path: Path
) -> None:
    path = tmp_path / f'a.{suffix}'
    Image.new('RGB', (40, 20)).save(path, exif=exif)

    read = mmcv.imread(path).shape[1::-1]
    assert image_size(path) == read
    assert size in (read, None)
