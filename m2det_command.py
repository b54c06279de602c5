"""The command ``m2det``, which parses its arguments before MMDetection is imported.

While this module is loaded, importing ``m2det_mmdet`` does not import MMDetection,
which takes some seconds: the command does that later, and ``m2det --help`` never.
"""

import sys

from m2det_mmdet.cli import main

if __name__ == '__main__':
    sys.exit(main())
