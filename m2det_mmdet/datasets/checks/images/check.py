"""What is wrong with the files of images."""

from ...faults import Faults
from ...layouts.folder import DataFolder
from .copies import check_copies, check_similar
from .depth import check_depth
from .kinds import check_kinds
from .listing import list_images
from .orientation import check_orientation
from .pixels import check_pixels


def check_images(folder: DataFolder, faults: Faults, *, pixels: bool = False) -> None:
    """Look for images that are not what their labels say, or that are read wrong.

    It is the first check: boxes that were drawn on an image before it was turned are
    turned, and images that cannot be read are left out with their labels.

    Args:
        folder: The data; what can be repaired is repaired.
        faults: Gets what is wrong.
        pixels: Whether to read each image whole, and to compare how they look. Else
            headers are read, files of one size are compared, and some of 16 bits a
            channel are read.
    """
    images = list_images(folder, faults)
    check_kinds(images, faults)
    check_orientation(folder, images, faults)
    check_depth(images, faults)
    if pixels:
        images = check_pixels(images, faults)
    copies = check_copies(images, faults)
    if pixels:
        check_similar([x for x in images if x not in copies], faults)
