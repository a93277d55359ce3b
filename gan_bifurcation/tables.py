"""Tables: what a model's own computation hands to a study, as plain columns, numbers and fields."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.errors import MisuseError

__all__ = ["Table"]


@dataclass(frozen=True, eq=False)
class Table:
    """Numbers that a model computes about itself: a theory, a comparison, a surface.

    Models offer functions with keyword-only settings that return one (see :func:`gan_bifurcation.models.tables`); a
    study asks for it by name, prints it in its report, draws it, and holds claims against its numbers.

    Parameters
    ----------
    columns : mapping of str to sequence
        Columns of numbers or of text, all of the same length.
    numbers : mapping of str to float
        What a claim may refer to by name.
    axes : mapping of str to array
        The two coordinates of `fields`, in the order of their dimensions.
    fields : mapping of str to array
        Surfaces over the axes, shape (len(first axis), len(second axis)).

    Raises
    ------
    MisuseError
        If lengths or shapes do not fit.

    Examples
    --------
    >>> squares = Table({"x": [1.0, 2.0], "square": [1.0, 4.0]}, numbers={"largest": 4.0})
    >>> squares.columns["square"].tolist(), squares.numbers["largest"]
    ([1.0, 4.0], 4.0)
    """

    columns: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    numbers: Mapping[str, float] = field(default_factory=dict)
    axes: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    fields: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        columns = {name: _column(name, values) for name, values in self.columns.items()}
        lengths = {name: len(values) for name, values in columns.items()}
        if len(set(lengths.values())) > 1:
            raise MisuseError(f"The columns of a table have one length, but got {lengths}.")
        axes = {name: np.array(values, dtype=float) for name, values in self.axes.items()}
        fields = {name: np.array(values, dtype=float) for name, values in self.fields.items()}
        shape = tuple(len(values) for values in axes.values())
        for name, values in fields.items():
            if len(axes) != 2 or values.shape != shape:
                raise MisuseError(
                    f"The field '{name}' has shape {values.shape}, but the axes {list(axes)} give {shape}."
                )
        numbers = {name: float(value) for name, value in self.numbers.items()}
        for array in (*columns.values(), *axes.values(), *fields.values()):
            array.setflags(write=False)
        for name, frozen in (("columns", columns), ("numbers", numbers), ("axes", axes), ("fields", fields)):
            object.__setattr__(self, name, MappingProxyType(frozen))

    @property
    def rows(self) -> list[dict[str, float | str]]:
        """The rows, as plain values by the names of the columns."""
        names = list(self.columns)
        lists = [self.columns[name].tolist() for name in names]
        return [dict(zip(names, row, strict=True)) for row in zip(*lists, strict=True)]

    def to_csv(self) -> str:
        """The columns as comma-separated text with all digits.

        >>> Table({"n": [1, 2], "word": ["a", "b,c"]}).to_csv().splitlines()
        ['n,word', '1.0,a', '2.0,"b,c"']
        """
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        writer.writerow(self.columns)
        writer.writerows(row.values() for row in self.rows)
        return buffer.getvalue()


def _column(name: str, values: Sequence[Any] | NDArray[Any]) -> NDArray[Any]:
    array = np.array(values)
    if array.ndim != 1 or (array.size and array.dtype.kind not in "fiubU"):
        raise MisuseError(
            f"The column '{name}' of a table holds numbers or text, one per row; got {array.dtype} {array.shape}."
        )
    return array if array.dtype.kind == "U" else array.astype(float)
