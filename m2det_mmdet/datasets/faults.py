"""Kinds of faults in data, and what becomes of one: it is collected, or it stops."""

from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple

from ..utils.texts import printable
from .error import DatasetError


class Level(IntEnum):
    """How much a fault matters; the number is the status in which a check ends.

    ``NOTE`` costs nothing: it is repaired, or worth knowing. ``FAULT`` costs objects or
    accuracy. With ``STOP`` the data cannot be used.
    """

    NOTE = 0
    FAULT = 1
    STOP = 2


class Kind(NamedTuple):
    """A kind of fault.

    Attributes:
        name: Its name, which programs rely on: ``area-missing``.
        level: How much it matters.
        what: A clause that follows a number: "objects without an area".
        fix: What is done about it, or what to do, as a sentence.
    """

    name: str
    level: Level
    what: str
    fix: str


KINDS: dict[str, Kind] = {}


def new_kind(name: str, level: Level, what: str, fix: str) -> Kind:
    """Declare a kind of fault; the module that looks for it does so, once."""
    assert name not in KINDS
    KINDS[name] = Kind(name, level, what, fix)
    return KINDS[name]


@dataclass
class Finding:
    """All faults of a kind in a data set.

    Attributes:
        kind: Their kind.
        count: How many there are.
        examples: The first of them, a sentence each that names file and value.
    """

    kind: Kind
    count: int = 0
    examples: list[str] = field(default_factory=list)


class Faults:
    """Collects what is wrong with a data set, so that one look finds everything.

    Args:
        shown: How many examples of a kind are kept.
    """

    def __init__(self, shown: int = 3) -> None:
        self.shown = shown
        self.findings: dict[str, Finding] = {}

    def report(self, kind: Kind, example: str, count: int = 1) -> None:
        """Note a fault.

        Args:
            kind: Its kind.
            example: A sentence that names the file and the value.
            count: How many faults the example stands for.
        """
        finding = self.findings.setdefault(kind.name, Finding(kind))
        finding.count += count
        if len(finding.examples) < self.shown:
            # Names of files may hold line ends.
            finding.examples.append(printable(example))

    @property
    def level(self) -> Level:
        """That of the worst fault."""
        return max((x.kind.level for x in self.findings.values()), default=Level.NOTE)


class Strict(Faults):
    """Stops at the first fault that costs objects or accuracy.

    Raises:
        DatasetError: With the example as its sentence.
    """

    def report(self, kind: Kind, example: str, count: int = 1) -> None:
        """Note a fault, or stop."""
        if kind.level > Level.NOTE:
            raise DatasetError(printable(example))
        super().report(kind, example, count)
