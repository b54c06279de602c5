"""The process in which trials run: it may crash or hang, and the doctor goes on.

It reads the places of functions and their arguments from standard input, a line of JSON
each, and answers with a line of JSON: what the function found. What is printed
meanwhile goes to standard error.
"""

import json
import logging
import os
import sys
import warnings
from importlib import import_module
from typing import Any

from ..utils.errors import clause_of
from .findings import ELSE_REPORT, Finding, problem


def main() -> None:
    """Answer until there are no more questions."""
    answers = os.fdopen(os.dup(1), 'w', encoding='utf-8')
    os.dup2(2, 1)
    warnings.simplefilter('ignore')
    # What the process said last belongs to what ended it.
    logging.getLogger('m2det_mmdet').setLevel(logging.ERROR)
    for question in sys.stdin:
        answers.write(json.dumps(answer(json.loads(question))) + '\n')
        answers.flush()


def answer(question: dict[str, Any]) -> list[list[Any]]:
    """Run a function, and return the fields of what it found.

    Args:
        question: The function's ``module`` in this package, its ``function``, the
            ``arguments`` and the ``name`` of the trial.
    """
    findings = []
    try:
        module = import_module(question['module'], __package__)
        for finding in getattr(module, question['function'])(*question['arguments']):
            findings.append(finding)
    # A package may also end the process.
    except (Exception, SystemExit) as error:
        findings.append(_failed(question['name'], error))
    return [[x.name, int(x.state), x.found, x.fix] for x in findings]


def _failed(name: str, error: BaseException) -> Finding:
    return problem(name, f'fails: {clause_of(error)}', ELSE_REPORT)
