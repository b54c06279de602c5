"""Where prints go: each thread's to a place of its own."""

import logging
import sys
import threading

import pytest

from m2det_mmdet.utils.logs import outside_of_redirection, prints_to


class Lines(logging.Handler):
    """Keeps messages."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


@pytest.fixture
def loggers() -> list[logging.Logger]:
    """Two loggers, whose handlers keep what they are told."""
    made = [logging.Logger(name, logging.INFO) for name in 'ab']
    for logger in made:
        logger.addHandler(Lines())
    return made


def test_prints_become_messages(
    loggers: list[logging.Logger], capsys: pytest.CaptureFixture
) -> None:
    out = sys.stdout
    with prints_to(loggers[0]):
        print('one\n\ntwo', end='')
        with prints_to(loggers[1]):
            print('inner')
        sys.stdout.flush()
        print('!')
    print('after')

    assert loggers[0].handlers[0].lines == ['one', 'two!']
    assert loggers[1].handlers[0].lines == ['inner']
    assert capsys.readouterr().out == 'after\n'
    assert sys.stdout is out


def test_an_error_gives_standard_output_back(loggers: list[logging.Logger]) -> None:
    out = sys.stdout
    with pytest.raises(ZeroDivisionError), prints_to(loggers[0]):
        raise ZeroDivisionError
    assert sys.stdout is out


def test_a_callback_prints_outside(
    loggers: list[logging.Logger], capsys: pytest.CaptureFixture
) -> None:
    say = outside_of_redirection(print)
    with prints_to(loggers[0]):
        say('said')
        within = outside_of_redirection(print)
        print('kept')
    within('kept, too')

    assert capsys.readouterr().out == 'said\n'
    assert loggers[0].handlers[0].lines == ['kept', 'kept, too']


def test_overlapping_threads_keep_their_prints_apart(
    loggers: list[logging.Logger], capsys: pytest.CaptureFixture
) -> None:
    out = sys.stdout
    first_in, second_in, first_out = (threading.Event() for _ in range(3))

    def first() -> None:
        with prints_to(loggers[0]):
            first_in.set()
            second_in.wait(5)
            print('first')
        first_out.set()

    def second() -> None:
        first_in.wait(5)
        with prints_to(loggers[1]):
            second_in.set()
            first_out.wait(5)
            print('second')

    threads = [threading.Thread(target=function) for function in (first, second)]
    for thread in threads:
        thread.start()
    second_in.wait(5)
    print('main')
    for thread in threads:
        thread.join()
    print('end')

    assert [logger.handlers[0].lines for logger in loggers] == [['first'], ['second']]
    assert capsys.readouterr().out == 'main\nend\n'
    assert sys.stdout is out


def test_a_program_without_standard_output_may_print(
    loggers: list[logging.Logger], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, 'stdout', None)
    say = outside_of_redirection(print)
    with prints_to(loggers[0]):
        print('kept')
        say('lost')

    assert loggers[0].handlers[0].lines == ['kept']
    assert sys.stdout is None
