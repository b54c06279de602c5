"""Many jobs: one after the other, in processes of a machine, or on a cluster of Ray.

An engine calls a task, a generator function that can be pickled, with what each job
makes for it, and hands on what the task yields. It is tried again where its process or
machine dies, and not where it raises an error.
"""

from .choice import Engine, choose_engine
from .events import Again, Began, Ended, Event, Job, Told
from .processes import ProcessEngine
from .serial import SerialEngine

__all__ = [
    'Again',
    'Began',
    'Ended',
    'Engine',
    'Event',
    'Job',
    'ProcessEngine',
    'SerialEngine',
    'Told',
    'choose_engine',
]
