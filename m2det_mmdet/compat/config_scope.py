"""Lets a config in any folder inherit from one of ours, ``m2det::FOLDER/NAME.py``.

MMEngine finds such names for the packages of OpenMMLab alone, in a folder ``.mim`` of
the package, which an editable install of this one does not have. What is replaced is
the method that finds the file of a base; names without ``m2det::`` go on to it.

A tool that reads its config before it imports this package does not know the name: for
it ``m2det config`` writes a config with all that it inherits.
"""

import logging

from mmengine.config import Config

from ..utils.configs import SCOPE, find_config

_find_other = Config._get_cfg_path


def install() -> None:
    """Replace MMEngine's method; again does nothing more."""
    Config._get_cfg_path = staticmethod(find_base)


def find_base(cfg_path: str, filename: str) -> tuple[str, str | None]:
    """Return path and scope of a base, as MMEngine's method does.

    Ours have no scope: they name MMDetection's modules and ours as a config does that
    names a base by its path.

    Args:
        cfg_path: What a config names as its base.
        filename: The config.

    Raises:
        M2DetError: If there is no such config of ours; names similar ones.
    """
    if not cfg_path.startswith(SCOPE):
        return _find_other(cfg_path, filename)
    path = find_config(cfg_path)
    logging.getLogger('m2det_mmdet').info(
        'm2det_mmdet has found %s for MMEngine: %s', cfg_path, path
    )
    return str(path), None
