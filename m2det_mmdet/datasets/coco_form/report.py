"""Reports of what is wrong with an annotation file."""

from dataclasses import dataclass

from ..faults import Faults, Kind


@dataclass
class FileReport:
    """Reports faults of a file.

    Attributes:
        source: The file's name.
        faults: Gets them.
        changed: Whether there were any, each of which is mended or left out.
    """

    source: str
    faults: Faults
    changed: bool = False

    def __call__(self, kind: Kind, clause: str) -> None:
        """Report a fault, which changes the content.

        Args:
            kind: Its kind.
            clause: What follows the name of the file.
        """
        self.changed = True
        self.faults.report(kind, f'The annotation file {self.source} {clause}.')
