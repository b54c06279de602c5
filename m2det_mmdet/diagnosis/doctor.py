"""Puts one check after the other, whatever becomes of those before."""

import json
import platform
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace

from ..compat.environment import installed_versions
from ..version import __version__
from .checks import CHECKS, Check
from .children import Child, ChildError
from .findings import Diagnosis, Finding, State, note, stop, without_home
from .packages import PACKAGES

# Seconds: of a slow disk the first import of PyTorch takes half a minute.
LIMIT = 60.0


def diagnose(
    *, limit: float = LIMIT, on_finding: Callable[[Finding], None] | None = None
) -> Diagnosis:
    """Look at an installation, and try what it is made of.

    It does not raise: what goes wrong is a finding.

    Args:
        limit: Seconds after which a check is given up.
        on_finding: Called with each finding as soon as it is there.
    """
    diagnosis = Diagnosis(_versions())
    for finding in _findings(CHECKS, limit):
        finding = without_home(finding)
        diagnosis.findings.append(finding)
        if on_finding is not None:
            on_finding(finding)
    return diagnosis


def _versions() -> dict[str, str]:
    names = [name for package in PACKAGES.values() for name in package.distributions]
    return {
        'm2det': __version__,
        'python': platform.python_version(),
        'system': platform.platform(),
        **installed_versions([*names, 'onedl-mim', 'openmim']),
    }


def _findings(checks: tuple[Check, ...], limit: float) -> Iterator[Finding]:
    """Yield what the checks find, in their order."""
    ward = _Ward(limit)
    with closing(ward):
        for check in checks:
            try:
                found = ward.findings(check)
            except OSError as error:
                fix = 'free memory, or let this user have more processes'
                yield stop('process', f'no process can be started ({error})', fix)
                return
            for finding in found:
                yield replace(finding, topic=check.topic)


class _Ward:
    """Where checks are carried out; remembers what failed.

    Args:
        limit: Seconds after which a check is given up.
    """

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._child: Child | None = None
        # Checks that failed, and those of them that ended the process.
        self._failed: set[str] = set()
        self._deadly: set[str] = set()

    def findings(self, check: Check) -> list[Finding]:
        """Carry out a check, unless something that it needs has failed.

        Raises:
            OSError: If no process can be started.
        """
        lacking = [x for x in check.needs if x in self._failed]
        lacking += [x for x in check.uses if x in self._deadly]
        if lacking:
            self._failed.add(check.name)
            return [note(check.name, f'not tried, because of {lacking[0]}')]
        try:
            found = self._ask(check)
        except ChildError as error:
            self.close()
            self._deadly.add(check.name)
            found = [check.died(str(error))]
        if any(finding.state >= State.PROBLEM for finding in found):
            self._failed.add(check.name)
        return found

    def close(self) -> None:
        """End the process, if there is one."""
        if self._child is not None:
            self._child.close()
        self._child = None

    def _ask(self, check: Check) -> list[Finding]:
        if self._child is None:
            self._child = Child()
        question = {
            'name': check.name,
            'module': f'.{check.module}',
            'function': check.function,
            'arguments': check.arguments,
        }
        rows = json.loads(self._child.ask(json.dumps(question), self._limit))
        return [Finding(n, State(state), found, fix) for n, state, found, fix in rows]
