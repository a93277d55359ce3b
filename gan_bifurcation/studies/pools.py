"""Where things are made: this process, others of this machine, or a Dask cluster."""

import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager, suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pickle import PickleError
from typing import Any, Final, TypeVar

from gan_bifurcation.errors import MisuseError

MOST_JOBS: Final = 256
# Seconds in which a scheduler must answer.
_PATIENCE: Final = 10

Made = TypeVar("Made")


def can_fork() -> bool:
    """Whether a process that has all that is loaded here can be started: only while no other thread runs."""
    return sys.platform == "linux" and threading.active_count() == 1


@contextmanager
def beside(make: Callable[[], Made]) -> Iterator[Callable[[], Made]]:
    """Make something in a second process while this one does other things; it is to be had from what comes back.

    What cannot be made there, or cannot be sent, is made here when it is asked for: its faults are the caller's.

    Parameters
    ----------
    make : callable
        What it makes must go through a pipe, and be the same wherever it is made.

    Examples
    --------
    >>> with beside(lambda: sum(range(1000))) as total:
    ...     others = len("meanwhile")
    ...     total(), others
    (499500, 9)
    """
    if not can_fork():
        yield make
        return
    context = get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_send, args=(make, sender))
    with warnings.catch_warnings():
        # Python also counts the idle threads of the linear algebra, which do not mind.
        warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
        process.start()
    sender.close()

    def made() -> Made:
        try:
            found: Made = receiver.recv()
        except (EOFError, OSError, PickleError, AttributeError, ImportError, TypeError):
            return make()
        return found

    try:
        yield made
    finally:
        # It may be at work on what nobody wants any more, or wait for somebody to listen.
        process.terminate()
        process.join()
        receiver.close()


def _send(make: Callable[[], Any], sender: Connection) -> None:
    """In the second process: nothing is sent where something fails."""
    # An interrupt reaches every process of the terminal; only the first one answers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(Exception):
        sender.send(make())


@contextmanager
def pool(jobs: int = 1, dask: str = "") -> Iterator[Executor | None]:
    """An executor for the time of the block; None for this process alone.

    Parameters
    ----------
    jobs : int
        Processes of this machine.
    dask : str
        The address of a Dask scheduler, such as ``tcp://192.168.0.2:8786``; then `jobs` counts for nothing.

    Raises
    ------
    MisuseError
        If the number of jobs does not fit, Dask is not installed, or no scheduler answers.
    """
    if isinstance(jobs, bool) or not isinstance(jobs, int) or not 1 <= jobs <= MOST_JOBS:
        raise MisuseError(f"The number of jobs is a whole number from 1 to {MOST_JOBS}, but got {jobs!r}.")
    if dask:
        client = _client(dask)
        try:
            yield client.get_executor(pure=False)
        finally:
            client.close()
    elif jobs == 1:
        yield None
    else:
        # Processes from nothing, since this one may have threads.
        with ProcessPoolExecutor(jobs, get_context("spawn")) as executor:
            yield executor


def _client(address: str) -> Any:
    try:
        from distributed import Client
    except ImportError as error:
        raise MisuseError(
            "A Dask cluster needs the package 'distributed'; install gan_bifurcation[dask], or use --jobs."
        ) from error
    try:
        # The package has no types.
        connect: Any = Client
        client = connect(address, timeout=_PATIENCE, set_as_default=False)
        client.get_versions(check=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise MisuseError(
            f"No Dask scheduler answers at '{address}' within {_PATIENCE} seconds ({type(error).__name__}); start one "
            "with 'dask scheduler' and give the address that it prints."
        ) from error
    return client
