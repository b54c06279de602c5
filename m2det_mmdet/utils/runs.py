"""How the folder of a run is known, so that its pictures are no images of data."""

from collections.abc import Collection

CONFIG, ARGUMENTS, PICTURE = 'config.py', 'args.json', 'train_images.jpg'


def is_run(names: Collection[str]) -> bool:
    """Whether a folder that holds files of these names is that of a run."""
    return {CONFIG, ARGUMENTS, PICTURE} <= {*names}
