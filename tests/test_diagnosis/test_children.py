"""A child that crashes, hangs or speaks is told of, and ends with all it started."""

import json
import time
from contextlib import closing

import pytest

from m2det_mmdet.diagnosis.child import answer
from m2det_mmdet.diagnosis.children import Child, ChildError


def question(module: str, function: str, *arguments: object) -> dict:
    return {
        'name': 'tried',
        'module': module,
        'function': function,
        'arguments': arguments,
    }


@pytest.mark.parametrize(
    ('asked', 'how'),
    [
        (('faulthandler', '_sigsegv'), r'ends Python \(SIGSEGV\)'),
        (('os', '_exit', 3), r'ends Python \(exit status 3\)'),
        (
            ('faulthandler', '_fatal_error_c_thread'),
            r'ends Python \(SIGABRT\): Fatal Python error: ',
        ),
        # What it has started ends with it, else closing would wait for that.
        (('subprocess', 'call', ['sleep', '30']), r'gives no answer in 0\.5 s'),
    ],
)
def test_a_child_without_an_answer_is_told_of(asked: tuple, how: str) -> None:
    begin = time.monotonic()
    with closing(Child()) as child:
        first = json.loads(child.ask(json.dumps(question('.variables', 'note')), 30))
        with pytest.raises(ChildError, match=how):
            child.ask(json.dumps(question(*asked)), 0.5)

    # A function that takes other arguments ends nothing.
    assert first[0][2].startswith('fails: TypeError: note() missing')
    assert time.monotonic() - begin < 5


def test_an_answer_holds_what_came_before_an_error() -> None:
    found = answer(question(__name__, 'two_and_an_error'))

    assert found[0] == ['first', 0, 'is there', '']
    assert found[1][:2] == ['tried', 2]
    assert found[1][2].startswith('fails: SystemExit: 4 (')


def two_and_an_error() -> object:
    from m2det_mmdet.diagnosis.findings import ok

    yield ok('first', 'is there')
    raise SystemExit(4)
