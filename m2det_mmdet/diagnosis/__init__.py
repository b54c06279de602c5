"""Tells whether an installation works, and what to do where it does not.

It has to run where the rest of the package cannot: where MMDetection is missing, or a
package ends the process that imports it. So this folder stands apart, and importing it
needs nothing but Python. The ``checks``, one file a topic, run in a process of their own
(``child``), which ``children`` starts, waits for and ends; ``doctor`` puts the questions.
"""

from .doctor import diagnose
from .findings import Diagnosis, Finding, State

__all__ = ['Diagnosis', 'Finding', 'State', 'diagnose']
