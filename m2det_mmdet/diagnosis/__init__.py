"""Tells whether an installation works, and what to do where it does not.

It has to run where the rest of the package cannot: where MMDetection is missing, or a
package ends the process that imports it. So this folder stands apart, and importing it
needs nothing but Python. ``checks`` lists what is looked at, one file a topic. All that
runs in a process of its own (``child``), which ``children`` starts, waits for and ends;
``doctor`` goes through the list.
"""

from .doctor import diagnose
from .findings import Diagnosis, Finding, State

__all__ = ['Diagnosis', 'Finding', 'State', 'diagnose']
