"""The folder of a command that can be killed and goes on: what was asked for, finished pieces, the result."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

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
