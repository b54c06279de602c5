"""What is wrong with the files of a data set."""

from ..utils.errors import M2DetError


class DatasetError(M2DetError, ValueError):
    """The files of a dataset do not fit its config."""


class ImageFileError(DatasetError):
    """An image of a data set that cannot be read, or is not to be decoded."""
