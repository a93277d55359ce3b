"""Tables of a study: asked of a model with checked settings, and kept on disk as plain data."""

import inspect
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from gan_bifurcation import models
from gan_bifurcation.errors import GanBifurcationError, MisuseError, ResultsError, unknown_name
from gan_bifurcation.records import read_files, write_atomically, write_files
from gan_bifurcation.tables import Table

# What follows "_" in the name of an array on disk is its number: names of columns may hold any letters.
_KINDS = ("columns", "axes", "fields")


def check_settings(of: str, settings: Mapping[str, Any]) -> None:
    """Whether a table has this name, and the function behind it these settings.

    Raises
    ------
    UnknownNameError
    """
    known = inspect.signature(models.table(of)).parameters
    for name in settings:
        if name not in known:
            raise unknown_name(f"setting of the table '{of}'", name, known)
    for name, parameter in known.items():
        if parameter.default is inspect.Parameter.empty and name not in settings:
            raise MisuseError(f"The table '{of}' needs the setting '{name}'; add it to 'settings'.")


def make_table(of: str, settings: Mapping[str, Any]) -> Table:
    """A table of a model, computed.

    Parameters
    ----------
    of : str
        One of :func:`gan_bifurcation.models.tables`.
    settings : mapping
        What its function takes.

    Raises
    ------
    MisuseError
        If the name or a setting is not known, or a value is refused.

    Examples
    --------
    >>> make_table("kernel_radii", {"cells": 4}).fields["published"].shape
    (4, 4)
    """
    check_settings(of, settings)
    try:
        made = models.table(of)(**settings)
    except GanBifurcationError:
        raise
    except (TypeError, ValueError, OverflowError, ZeroDivisionError) as error:
        raise MisuseError(f"The table '{of}' does not take these settings: {error}.") from error
    if not isinstance(made, Table):
        raise MisuseError(f"What '{of}' returns is no Table, but a {type(made).__name__}; return a Table.")
    return made


def save_table(table: Table, base: Path) -> None:
    """Write a table as ``.npz`` and ``.json``, and its columns as ``.csv`` for other programs."""
    text: dict[str, Any] = {"numbers": dict(table.numbers)}
    arrays: dict[str, Any] = {}
    for kind in _KINDS:
        entries: Mapping[str, Any] = getattr(table, kind)
        text[kind] = list(entries)
        arrays |= {f"{kind}_{k}": values for k, values in enumerate(entries.values())}
    if table.columns:
        write_atomically(base.with_name(base.name + ".csv"), table.to_csv().encode())
    write_files(base, json.dumps(text, indent=1), arrays)


def load_table(base: Path) -> Table:
    """The table that `save_table` wrote.

    Raises
    ------
    ResultsError
        If the files are missing or damaged.
    """
    text, arrays = read_files(base)
    try:
        parts = {kind: {str(n): np.asarray(arrays[f"{kind}_{k}"]) for k, n in enumerate(text[kind])} for kind in _KINDS}
        return Table(**parts, numbers=text["numbers"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ResultsError(f"The table '{base.name}' is damaged; run the study again with the same folder.") from error
