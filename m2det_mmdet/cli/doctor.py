"""Tell whether the installation works, and what to do where it does not.

m2det doctor [--json]

It tries what m2det is made of: packages, operators, devices, a detector, folders. What
crashes or hangs is told, too. It needs no MMDetection.

The exit status is 0 if all is sound, 1 if m2det works in part, slower or less safely,
and 2 if it does not work.
"""

import argparse
from typing import TYPE_CHECKING

from .arguments import positive

if TYPE_CHECKING:
    from ..diagnosis import Diagnosis, Finding

# It looks for what is missing.
NEEDS_FRAMEWORK = False
_VERDICTS = (
    'Sound.',
    'm2det works, but not all of it: mend what is called a problem.',
    'm2det does not work: mend what is called a stop first.',
)
# Columns of the states and of most names.
_STATE, _NAME = 7, 23


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        '--json', action='store_true', help='print all of it as JSON, for a report'
    )
    parser.add_argument(
        '--timeout',
        type=positive,
        default=60.0,
        metavar='SECONDS',
        help='give a check up after that time (default: 60)',
    )


def run(args: argparse.Namespace) -> int:
    """Look at the installation, and print what was found.

    Returns:
        The exit status: 0, 1 or 2 as the worst finding.
    """
    from ..diagnosis import diagnose

    if args.json:
        diagnosis = diagnose(limit=args.timeout)
        print(diagnosis.to_json())
    else:
        diagnosis = diagnose(limit=args.timeout, on_finding=_Table().add)
        print(f'\n{fixes_of(diagnosis)}{_VERDICTS[diagnosis.status]}')
    return diagnosis.status


class _Table:
    """Prints findings as they come, each under its topic."""

    def __init__(self) -> None:
        self._topic = ''

    def add(self, finding: 'Finding') -> None:
        """Print a line."""
        if finding.topic != self._topic:
            self._topic = finding.topic
            print(self._topic)
        print(_line(finding, finding.name, finding.found), flush=True)


def fixes_of(diagnosis: 'Diagnosis') -> str:
    """Write a line for each thing to do, the most needed first."""
    by_fix: dict[str, list[Finding]] = {}
    for finding in sorted(diagnosis.findings, key=lambda x: -x.state):
        if finding.fix:
            by_fix.setdefault(finding.fix, []).append(finding)
    lines = [
        _line(findings[0], ', '.join(dict.fromkeys(x.name for x in findings)), fix)
        for fix, findings in by_fix.items()
    ]
    return '\n'.join(['What to do', *lines, '', '']) if lines else ''


def _line(finding: 'Finding', name: str, text: str) -> str:
    return f'  {finding.state.name.lower():<{_STATE}}  {name:<{_NAME}}  {text}'
