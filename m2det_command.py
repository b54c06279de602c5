"""The command ``m2det``, which parses its arguments before MMDetection is imported.

While this module is loaded, importing ``m2det_mmdet`` does not import MMDetection,
which takes some seconds: the command does that later, and ``m2det --help`` never.
"""

import sys

# By this name the package knows that it is the command which imports it.
sys.modules.setdefault('m2det_command', sys.modules[__name__])

import m2det_mmdet  # noqa: E402

# A folder without ``__init__.py`` passes for a package and hides the installed one.
if getattr(m2det_mmdet, '__file__', None) is None:
    folders = ', '.join(m2det_mmdet.__path__)
    sys.exit(
        f'm2det: {folders} holds no package, only what an earlier installation left, '
        'and hides the installed one: remove that folder.'
    )

from m2det_mmdet.cli import main  # noqa: E402

__all__ = ['main']

if __name__ == '__main__':
    sys.exit(main())
