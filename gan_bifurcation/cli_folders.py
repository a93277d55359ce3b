"""Commands that can be killed and go on: what was asked for, finished pieces and the result are in a folder."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, Final

import click

from gan_bifurcation.cli_arguments import say
from gan_bifurcation.errors import ResultsError

_KINDS: Final = ("map", "noise", "stack")


class Folder:
    """What was asked for when the result in a folder was made, and the result.

    Parameters
    ----------
    folder : Path
    kind : str
        What is made: its file is ``KIND.json``.
    made : System
    options : dict
        All that the result depends on.

    Raises
    ------
    ResultsError
        If the folder holds other files, or cannot be read or written.
    """

    def __init__(self, folder: Path, kind: str, made: Any, options: dict[str, Any]) -> None:
        from gan_bifurcation.records import write_atomically
        from gan_bifurcation.regimes.work_units import fingerprint

        self.folder, self.kind, self.stored = folder, kind, folder / "request.json"
        request = json.dumps({"kind": kind, "system": fingerprint(made), **options}, default=repr, indent=1)
        try:
            files = [p.name for p in folder.iterdir() if not p.name.startswith(".")] if folder.exists() else []
            before = self.stored.read_text(encoding="utf-8") if self.stored.exists() else None
        except (OSError, UnicodeDecodeError) as error:
            raise ResultsError(
                f"'{folder}' cannot be read as a folder of results ({type(error).__name__}); choose another one."
            ) from error
        others = {f"{other}.json" for other in _KINDS if other != kind}
        if (before is None and files and f"{kind}.json" not in files) or others.intersection(files):
            raise ResultsError(
                f"'{folder}' holds other files and no {kind}; choose an empty folder or one of an earlier run."
            )
        if before != request:
            if files:
                say(f"What is asked for is not what was made in '{folder}': it is made anew.")
            (folder / f"{kind}.json").unlink(missing_ok=True)
            write_atomically(self.stored, request.encode())

    def finished(self, load: Callable[[Path], Any]) -> Any:
        """The result, if an earlier run came to its end and its files are whole."""
        if not (self.folder / f"{self.kind}.json").exists():
            return None
        try:
            return load(self.folder)
        except ResultsError as error:
            say(f"{error} It is made anew.")
            return None

    def finish(self, figure: str, draw: Callable[[Any], Any]) -> None:
        """Once the result is saved: its figure, and away with the pieces."""
        from gan_bifurcation import figures
        from gan_bifurcation.regimes.work_units import clear

        clear(self.folder / "work")
        figures.save(draw(figures), self.folder / figure)


@dataclass(frozen=True)
class Making:
    """Where the runs of a command are made, and where their result is kept."""

    jobs: int
    dask: str
    out: Path | None

    def result(
        self, kind: str, system: Any, options: dict[str, Any], make: Callable[..., Any], load: Callable[[Path], Any],
        figure: str, draw: Callable[[Any, Any], Any],
    ) -> Any:  # fmt: skip
        """The finished result in the folder; or what is made, which goes there with its figure.

        Parameters
        ----------
        kind : str
            What is made: its file is ``KIND.json``.
        system : System
        options : dict
            All else that the result depends on.
        make : callable
            Makes it with an ``executor`` and a folder for pieces of ``work``, or None.
        load : callable
            Reads it from a folder.
        figure : str
            The name of its figure.
        draw : callable
            Draws it: the module of figures, and what was made.
        """
        from gan_bifurcation.studies.pools import pool

        folder = None if self.out is None else Folder(self.out, kind, system, options)
        found = None if folder is None else folder.finished(load)
        if found is None:
            with pool(self.jobs, self.dask) as executor:
                found = make(executor=executor, work=None if self.out is None else self.out / "work")
            if folder is not None:
                found.save(folder.folder)
                folder.finish(figure, lambda figures: draw(figures, found))
        return found


def making(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options --jobs, --dask and --out of a command, which gets them as `Making`."""

    @wraps(command)
    def with_making(*arguments: Any, jobs: int, dask: str, out: Path | None, **others: Any) -> Any:
        return command(*arguments, making=Making(jobs, dask, out), **others)

    made = with_making
    for option in (
        click.option(
            "--out",
            type=click.Path(path_type=Path),
            default=None,
            help="Folder to save the result and its figure in; a killed run goes on from it.",
        ),
        click.option("--dask", default="", metavar="ADDRESS", help="Make the runs on this Dask cluster."),
        click.option(
            "--jobs", default=1, show_default=True, help="Processes for runs; the result does not depend on it."
        ),
    ):
        made = option(made)
    return made
