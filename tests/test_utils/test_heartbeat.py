import threading
import time

import pytest
from torch.distributed import HashStore

from m2det_mmdet.utils import heartbeat
from m2det_mmdet.utils.heartbeat import Heartbeat, sentence_on


@pytest.fixture(autouse=True)
def quick_beats(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeat, 'INTERVAL', 0.02)


def _heartbeat(store: HashStore, rank: int, ended: threading.Event) -> Heartbeat:
    return Heartbeat(store, rank, 2, silence=0.3, end=lambda *_: ended.set())


def test_a_process_that_is_silent_is_lost() -> None:
    store, ended = HashStore(), threading.Event()
    first, _ = (_heartbeat(store, rank, ended) for rank in range(2))

    first.start()

    assert ended.wait(5)
    assert first.lost() == [1]
    first.stop()


def test_who_holds_the_store_waits_for_the_last_word_of_the_others() -> None:
    store, ended = HashStore(), threading.Event()
    first, other = (_heartbeat(store, rank, ended) for rank in range(2))
    for beat in (first, other):
        beat.start()
    threading.Timer(0.5, other.stop).start()
    first.stop()

    begin = time.monotonic()
    first.wait_until_all_left(30)

    assert 0.3 < time.monotonic() - begin < 20


def test_who_holds_the_store_waits_for_a_silent_process_for_a_time_only() -> None:
    store, ended = HashStore(), threading.Event()
    first, _ = (_heartbeat(store, rank, ended) for rank in range(2))
    first.start()
    first.stop()

    begin = time.monotonic()
    first.wait_until_all_left(0.2)

    assert time.monotonic() - begin >= 0.2


def test_processes_that_beat_or_have_left_are_not_lost() -> None:
    store, ended = HashStore(), threading.Event()
    first, other = (_heartbeat(store, rank, ended) for rank in range(2))
    for beat in (first, other):
        beat.start()

    assert not ended.wait(1)
    other.stop()
    assert not ended.wait(1)
    first.stop()


def test_the_time_in_which_a_process_was_stopped_itself_does_not_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store, ended = HashStore(), threading.Event()
    first, other = (_heartbeat(store, rank, ended) for rank in range(2))
    clock = time.monotonic
    for beat in (first, other):
        beat.start()

    # An hour passes at once, as it does for a process that goes on.
    monkeypatch.setattr(heartbeat.time, 'monotonic', lambda: clock() + 3600)

    assert not ended.wait(1)
    first.stop()
    other.stop()


def test_the_sentence_names_the_lost_processes() -> None:
    assert sentence_on([1, 3], 25).startswith(
        'rank 1, 3 has not been heard of for 25 s'
    )
