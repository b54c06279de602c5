"""The command ``m2det``, which parses its arguments before MMDetection is imported.

Where this module is loaded, ``import m2det_mmdet`` leaves it to the command when to
import MMDetection, which takes some seconds: ``m2det --help`` does without.
"""

import sys

from m2det_mmdet.cli import main

if __name__ == '__main__':
    sys.exit(main())
