"""Three parameters: regime maps over two of them at several values of the third, with faces matched between slices."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np

from gan_bifurcation.errors import MisuseError, ResultsError
from gan_bifurcation.records import write_atomically
from gan_bifurcation.regimes.regime import RegimeMap
from gan_bifurcation.regimes.regime_map import regime_map
from gan_bifurcation.system import System

FORMAT: Final = 1
_MOST: Final = 1000
# Faces of neighbouring slices are one regime if they share more than this part of the smaller one.
_SHARED: Final = 0.3


@dataclass(frozen=True, eq=False)
class RegimeStack:
    """Regime maps at several values of a third parameter. Made by :func:`gan_bifurcation.regime_stack`.

    Attributes
    ----------
    name : str
        The third parameter.
    values : tuple of float
    maps : tuple of RegimeMap
    """

    name: str
    values: tuple[float, ...]
    maps: tuple[RegimeMap, ...]

    @cached_property
    def regimes(self) -> tuple[tuple[int, ...], ...]:
        """For each slice the numbers of its faces' regimes in the whole: the same where faces are matched."""
        numbers: list[list[int]] = []
        highest = -1
        for k, here in enumerate(self.maps):
            own = [-1] * len(here.faces)
            if k:
                before = self.maps[k - 1]
                # The most in common first: a sliver that grows into a large regime does not give it its number.
                pairs = sorted(
                    (-_common(f.shape, g.shape), i, j)
                    for i, f in enumerate(before.faces)
                    for j, g in enumerate(here.faces)
                    if (f.verdict, f.detail) == (g.verdict, g.detail) or f.verdict == g.verdict != "converges"
                )
                taken: set[int] = set()
                for _, i, j in pairs:
                    shared = _shared(before.faces[i].shape, here.faces[j].shape)
                    if shared > _SHARED and own[j] < 0 and i not in taken:
                        own[j] = numbers[-1][i]
                        taken.add(i)
            for j, number in enumerate(own):
                if number < 0:
                    highest += 1
                    own[j] = highest
            numbers.append(own)
        return tuple(map(tuple, numbers))

    @cached_property
    def graph(self) -> Any:
        """A networkx MultiGraph: nodes "slice:face" with `regime`, the number in the whole; edges are borders within a
        slice, and label "slice" between matched faces of neighbouring ones.
        """
        import networkx as nx

        graph = nx.MultiGraph(parameter=self.name, values=list(self.values))
        for k, (value, here) in enumerate(zip(self.values, self.maps, strict=True)):
            for n, attributes in here.graph.nodes(data=True):
                position = [f.number for f in here.faces].index(n)
                graph.add_node(f"{k}:{n}", slice=k, value=value, regime=self.regimes[k][position], **attributes)
            for a, b, attributes in here.graph.edges(data=True):
                graph.add_edge(f"{k}:{a}", f"{k}:{b}", **attributes)
            if k:
                before = self.maps[k - 1]
                for i, f in enumerate(before.faces):
                    for j, g in enumerate(here.faces):
                        if self.regimes[k - 1][i] == self.regimes[k][j]:
                            share = _shared(f.shape, g.shape)
                            graph.add_edge(f"{k - 1}:{f.number}", f"{k}:{g.number}", label="slice", shared=share)
        return graph

    def at(self, value: float) -> RegimeMap:
        """The map of one slice.

        Raises
        ------
        MisuseError
            If there is no slice at that value.
        """
        for here, rmap in zip(self.values, self.maps, strict=True):
            if abs(here - value) <= 1e-9 * max(abs(here), abs(value)):
                return rmap
        shown = ", ".join(f"{v:g}" for v in self.values)
        raise MisuseError(f"The slices are at {self.name} = {shown}, and not at {value:g}; name one of them.")

    def volumes(self) -> dict[int, float]:
        """The part of the block that each regime of the whole fills, by the trapezium rule over the slices."""
        places = np.asarray(self.values)
        if len(places) == 1:
            weights = np.ones(1)
        else:
            steps = np.diff(places) / (places[-1] - places[0])
            weights = 0.5 * (np.concatenate([steps, [0.0]]) + np.concatenate([[0.0], steps]))
        found: dict[int, float] = {}
        for weight, numbers, here in zip(weights.tolist(), self.regimes, self.maps, strict=True):
            for number, face in zip(numbers, here.faces, strict=True):
                found[number] = found.get(number, 0.0) + weight * face.area
        return found

    def to_json(self) -> str:
        """The graph in networkx's node-link form, as text."""
        from gan_bifurcation.regimes.graph import to_json

        return to_json(self.graph)

    def save(self, folder: str | os.PathLike[str]) -> Path:
        """Write a folder with one map for each slice, and stack.json last."""
        path = Path(folder)
        for k, here in enumerate(self.maps):
            here.save(path / f"slice_{k:03d}")
        write_atomically(path / "graph.json", self.to_json().encode())
        text = {"format": FORMAT, "name": self.name, "values": list(self.values)}
        write_atomically(path / "stack.json", json.dumps(text, indent=1).encode())
        return path

    @staticmethod
    def load(folder: str | os.PathLike[str]) -> "RegimeStack":
        """Read what :meth:`save` wrote; nothing in the files is run.

        Raises
        ------
        ResultsError
            If a file is missing or damaged.
        """
        path = Path(folder)
        try:
            text = json.loads((path / "stack.json").read_text(encoding="utf-8"))
            values = tuple(float(v) for v in text["values"])
            if text["format"] != FORMAT or not 1 <= len(values) <= _MOST:
                raise ValueError("format")
            name = str(text["name"])
        except OSError as error:
            raise ResultsError(
                f"'{folder}' holds no stack of maps (stack.json is missing); compute it again."
            ) from error
        except (KeyError, TypeError, ValueError) as error:
            raise ResultsError(
                f"The stack in '{folder}' is damaged ({type(error).__name__}); compute it again."
            ) from error
        return RegimeStack(name, values, tuple(RegimeMap.load(path / f"slice_{k:03d}") for k in range(len(values))))


def _common(a: Any, b: Any) -> float:
    return float(a.intersection(b).area)


def _shared(a: Any, b: Any) -> float:
    """The common area, as a part of the smaller one."""
    return _common(a, b) / max(float(min(a.area, b.area)), 1e-300)


def regime_stack(
    system: System, free: Mapping[str, Any], over: Mapping[str, Sequence[float]], **options: Any
) -> RegimeStack:
    """Regime maps over two parameters at several values of a third one.

    Parameters
    ----------
    system : System
    free : mapping of two parameters to ranges
    over : mapping of one parameter to its values, in increasing order
    **options
        As for :func:`gan_bifurcation.regime_map`; `work` is a folder with one folder of finished pieces a slice.

    Returns
    -------
    RegimeStack

    Raises
    ------
    MisuseError
        If a name or number does not fit.
    """
    if not isinstance(over, Mapping) or len(over) != 1:
        raise MisuseError("A stack of maps is over one further parameter, such as over={'lam': [0.1, 0.2, 0.4]}.")
    ((name, given),) = over.items()
    system.parameter_index(name)
    values = tuple(float(v) for v in given)
    if not values or any(b <= a for a, b in pairwise(values)) or not np.isfinite(values).all():
        raise MisuseError(f"The values of '{name}' must increase and be finite, got {list(values)[:6]}.")
    if len(free) != 2 or name in free:
        raise MisuseError(f"The slices of a stack are over two parameters other than '{name}', got {', '.join(free)}.")
    work = options.pop("work", None)
    maps = []
    for k, value in enumerate(values):
        pieces = None if work is None else Path(work) / f"slice_{k:03d}"
        maps.append(regime_map(system.with_parameters(**{name: value}), free, work=pieces, **options))
    return RegimeStack(str(name), values, tuple(maps))
