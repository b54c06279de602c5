"""How a folder of predictions is known, so that its pictures are no images."""

from pathlib import Path

# The file that tells of a prediction, and the folder of pictures beside it.
RECORD = 'predict.json'
PICTURES = 'pictures'
# The folders that it may write, with those of labels.
FOLDERS = frozenset((PICTURES, 'labels', 'Annotations'))
# With what the record begins.
SIGN = '{\n "written_by": "m2det predict'


def is_prediction(folder: Path) -> bool:
    """Whether ``m2det predict`` has written to a folder."""
    try:
        with open(folder / RECORD, 'rb') as file:
            return file.read(len(SIGN)) == SIGN.encode()
    except OSError:
        return False


def is_pictures(folder: Path) -> bool:
    """Whether a folder holds the pictures of a prediction."""
    return folder.name == PICTURES and is_prediction(folder.parent)
