"""What is wrong with the data of a folder: one file a kind of fault.

A check looks at a :class:`.DataFolder` and reports what it finds to :class:`.Faults`.
"""

from collections.abc import Callable

from ..faults import Faults
from ..layouts.folder import DataFolder
from .balance import check_balance
from .frames import check_frames
from .geometry import check_geometry
from .repeats import check_repeats
from .tasks import check_tasks

Check = Callable[[DataFolder, Faults], None]

# All checks that need nothing but what the labels say.
CHECKS: tuple[Check, ...] = (
    check_frames,
    check_geometry,
    check_repeats,
    check_tasks,
    check_balance,
)

__all__ = ['CHECKS', 'Check']
