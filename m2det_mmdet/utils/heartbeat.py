"""Tells the processes of a job that one of them is dead, stopped or cut off.

A collective operation of PyTorch waits for all processes up to a time. That time has to
be long where one process may work alone, as on the figures of an evaluation, and short
where a killed process shall end the job. A heartbeat tells the two apart.
"""

import os
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from torch.distributed import Store

# Seconds between two beats, and after which a late watch was stopped itself.
INTERVAL, ASLEEP = 1.0, 5.0
_LEFT = b'left'


class Heartbeat:
    """Writes that this process lives, and looks whether the others do.

    One thread writes a new number into the store every second and reads those of the
    others. Another one ends this process where a number has not changed for
    ``silence`` seconds: it needs no store, which may be gone with the process that
    held it. A time in which this process itself was stopped does not count.

    Args:
        store: The store of the job, on a connection of its own.
        rank: Number of this process.
        world_size: How many there are.
        silence: Seconds without a new number after which a process counts as lost.
        end: Ends this process; gets the numbers of the lost ones and ``silence``.
    """

    def __init__(
        self,
        store: Store,
        rank: int,
        world_size: int,
        *,
        silence: float,
        end: Callable[[list[int], float], None],
    ) -> None:
        self.store = store
        self.rank = rank
        self.silence = silence
        self._end = end
        self._stopped = threading.Event()
        self._others = [x for x in range(world_size) if x != rank]
        self._heard: dict[int, tuple[bytes, float]] = {}
        self._write(b'0')

    def start(self) -> None:
        """Begin; every process has to have been made before."""
        now = time.monotonic()
        self._heard = dict.fromkeys(self._others, (b'', now))
        self._beats = threading.Thread(target=self._beat, daemon=True)
        self._beats.start()
        threading.Thread(target=self._watch, daemon=True).start()

    def stop(self) -> None:
        """Say that this process leaves, and look no more."""
        self._stopped.set()
        self._beats.join(INTERVAL)

    def wait_until_all_left(self, seconds: float) -> None:
        """Wait for the last word of the others, for ``seconds`` at most.

        Call it after :meth:`stop`, in the process that holds the store: the others
        need it until then.
        """
        end = time.monotonic() + seconds
        with suppress(RuntimeError):
            while any(value != _LEFT for value in self._read_others()):
                if time.monotonic() > end:
                    return
                time.sleep(0.02)

    def lost(self) -> list[int]:
        """Return the numbers of the processes that have been silent for too long."""
        latest = time.monotonic() - self.silence
        return [
            rank
            for rank, (value, heard) in self._heard.items()
            if heard < latest and value != _LEFT
        ]

    def _write(self, value: bytes) -> None:
        self.store.set(_key(self.rank), value)

    def _read_others(self) -> list[bytes]:
        return self.store.multi_get([_key(x) for x in self._others])

    def _beat(self) -> None:
        number = 0
        while not self._stopped.wait(INTERVAL):
            number += 1
            # Without its store the process hears of nobody, and that is enough.
            with suppress(RuntimeError):
                self._write(str(number).encode())
                values = self._read_others()
                now = time.monotonic()
                for rank, value in zip(self._others, values, strict=True):
                    if value != self._heard[rank][0]:
                        self._heard[rank] = (value, now)
        with suppress(RuntimeError):
            self._write(_LEFT)

    def _watch(self) -> None:
        before = time.monotonic()
        while not self._stopped.wait(INTERVAL):
            now = time.monotonic()
            if now - before > INTERVAL + ASLEEP:
                self._heard = {x: (value, now) for x, (value, _) in self._heard.items()}
            before = now
            if lost := self.lost():
                self._end(lost, self.silence)
                return


def end_process(lost: list[int], silence: float) -> None:
    """Say who is lost, and end this process at once.

    Its main thread may wait in a collective operation, which nothing interrupts.
    """
    print(f'm2det: {sentence_on(lost, silence)}', file=sys.stderr, flush=True)
    os._exit(1)


def sentence_on(lost: list[int], silence: float) -> str:
    """Say in a sentence who is lost."""
    ranks = ', '.join(map(str, lost))
    return (
        f'rank {ranks} has not been heard of for {silence:g} s, for it was killed, '
        'stopped or cut off, and this process ends: begin again with --resume.'
    )


def _key(rank: int) -> str:
    return f'm2det/beat/{rank}'
