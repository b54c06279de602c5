"""Train a detector: what ``mim train m2det`` runs.

The package comes first: it supplies compiled operators that mmdet cannot be imported
without.
"""

import sys

import m2det_mmdet  # noqa: F401
from m2det_mmdet.cli import run_command

if __name__ == '__main__':
    sys.exit(run_command('train', sys.argv[1:]))
