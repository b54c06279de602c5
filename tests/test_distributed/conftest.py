"""Two processes that train or test together, as a launcher starts them."""

import os
import pickle
import socket
import sys
import time
import traceback
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, NamedTuple

import pytest


class Ended(NamedTuple):
    """How a process has ended.

    Attributes:
        result: What its function returned; ``None`` if it did not.
        code: Exit code.
        seconds: Duration.
        said: What it wrote to standard error.
    """

    result: Any
    code: int
    seconds: float
    said: str


@pytest.fixture
def run_processes(tmp_path: Path) -> Callable[..., list[Ended]]:
    """Run a function in two processes, which are copies of this one.

    They have what torchrun tells them in their environment.
    """
    folder = tmp_path / 'processes'
    folder.mkdir()

    def run(
        function: Callable[[int], Any],
        *,
        meanwhile: Callable[[list[BaseProcess]], None] | None = None,
        seconds: float = 120.0,
        **variables: str,
    ) -> list[Ended]:
        port = _free_port()
        context = get_context('fork')
        processes = [
            context.Process(
                target=_child, args=(function, rank, port, folder, variables)
            )
            for rank in range(2)
        ]
        begin = time.monotonic()
        for process in processes:
            process.start()
        if meanwhile is not None:
            meanwhile(processes)
        ended = []
        for rank, process in enumerate(processes):
            left = seconds - (time.monotonic() - begin)
            # One that got a signal may stand still for ever.
            process.join(1.0 if meanwhile and rank else max(0.0, left))
            took = time.monotonic() - begin
            process.kill()
            process.join()
            file = folder / f'{rank}.pkl'
            result = pickle.loads(file.read_bytes()) if file.is_file() else None
            said = (folder / f'{rank}.txt').read_text()
            ended.append(Ended(result, process.exitcode, took, said))
        return ended

    return run


def _child(
    function: Callable[[int], Any],
    rank: int,
    port: int,
    folder: Path,
    variables: dict[str, str],
) -> None:
    os.environ.update(
        RANK=str(rank),
        LOCAL_RANK=str(rank),
        WORLD_SIZE='2',
        MASTER_ADDR='127.0.0.1',
        MASTER_PORT=str(port),
        **variables,
    )
    with (folder / f'{rank}.txt').open('w', buffering=1) as out:
        # Of a copy of pytest's process nobody reads the output.
        os.dup2(out.fileno(), 2)
        sys.stderr = out
        try:
            found = function(rank)
        except BaseException:
            traceback.print_exc(file=out)
            os._exit(1)
        (folder / f'{rank}.pkl').write_bytes(pickle.dumps(found))
        out.flush()
        os._exit(0)


def _free_port() -> int:
    with socket.socket() as server:
        server.bind(('127.0.0.1', 0))
        return server.getsockname()[1]
