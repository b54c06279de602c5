"""What a check finds, and all of it together."""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import IntEnum
from pathlib import Path

# Of what fails for reasons that no check knows.
ELSE_REPORT = 'mend what else is amiss here; if nothing is, report it'


class State(IntEnum):
    """How something is, from good to bad.

    ``NOTE`` costs nothing: it is optional, or worth knowing. With a ``PROBLEM`` m2det
    works, but in part, slower or less safely. With a ``STOP`` it does not work.
    """

    OK = 0
    NOTE = 1
    PROBLEM = 2
    STOP = 3


@dataclass(frozen=True)
class Finding:
    """What one check found.

    Attributes:
        name: What was looked at, in a few words.
        state: How it is.
        found: What was found, in a line.
        fix: What to do, as a clause; empty if there is nothing to do.
        topic: The part of the installation that it belongs to.
    """

    name: str
    state: State
    found: str
    fix: str = ''
    topic: str = ''


def ok(name: str, found: str) -> Finding:
    """Return the finding that something works."""
    return Finding(name, State.OK, found)


def note(name: str, found: str, fix: str = '') -> Finding:
    """Return the finding of something worth knowing."""
    return Finding(name, State.NOTE, found, fix)


def problem(name: str, found: str, fix: str) -> Finding:
    """Return the finding of something that costs a part, time or safety."""
    return Finding(name, State.PROBLEM, found, fix)


def stop(name: str, found: str, fix: str) -> Finding:
    """Return the finding of something without which m2det does not work."""
    return Finding(name, State.STOP, found, fix)


@dataclass(frozen=True)
class Diagnosis:
    """What was found about an installation.

    Attributes:
        versions: Of Python, the system and the packages, by name.
        findings: All findings, topic by topic.
    """

    versions: Mapping[str, str]
    findings: list[Finding] = field(default_factory=list)

    @property
    def worst(self) -> State:
        """The worst state of all."""
        return max((finding.state for finding in self.findings), default=State.OK)

    @property
    def status(self) -> int:
        """Exit status: 0 sound, perhaps with notes; 1 with problems; 2 with a stop."""
        return max(self.worst - State.NOTE, 0)

    def to_json(self) -> str:
        """Return all of it as JSON."""
        findings = [
            {**asdict(finding), 'state': finding.state.name.lower()}
            for finding in self.findings
        ]
        content = {
            'state': self.worst.name.lower(),
            'versions': {**self.versions},
            'findings': findings,
        }
        return json.dumps(content, indent=2, ensure_ascii=False)


def without_home(finding: Finding) -> Finding:
    """Write ``~`` for the user's home folder, whose name is nobody else's business."""
    return replace(finding, found=_shorten(finding.found), fix=_shorten(finding.fix))


def _shorten(text: str) -> str:
    try:
        home = Path.home()
    except RuntimeError:
        return text
    # Links as they are written, and as they are followed.
    for folder in {str(home), str(home.resolve())} - {home.anchor}:
        text = re.sub(rf'{re.escape(folder)}(?![\w.-])', '~', text)
    return text
