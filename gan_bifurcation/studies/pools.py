"""Where runs are made: this process, some processes of this machine, or a Dask cluster."""

from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from typing import Any, Final

from gan_bifurcation.errors import MisuseError

MOST_JOBS: Final = 256
# Seconds in which a scheduler must answer.
_PATIENCE: Final = 10


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
