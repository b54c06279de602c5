"""Processes that this one has started: how they ended, and how to end them."""

import signal
import subprocess

_PATIENCE = 10.0  # seconds that a process has to end when it is asked to


def signal_name(number: int) -> str:
    """Name a signal, as ``SIGKILL``."""
    try:
        return signal.Signals(number).name
    except ValueError:
        # Those of real time have no names.
        return f'signal {number}'


def end_process(process: subprocess.Popen) -> None:
    """End a process: ask it to, then kill it."""
    process.terminate()
    try:
        process.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
