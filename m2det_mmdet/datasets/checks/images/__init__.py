"""What is wrong with the files of images.

``listing`` reads the headers of all images, and each other file looks for one kind of
fault in them.
"""

from .check import check_images
from .depth import used_bits

__all__ = ['check_images', 'used_bits']
