"""Test a detector: what ``mim test m2det`` runs.

``m2det_command`` comes first: it says so where the package is but an empty folder.
"""

import sys

import m2det_command  # noqa: F401
from m2det_mmdet.cli import run_command

if __name__ == '__main__':
    sys.exit(run_command('test', sys.argv[1:]))
