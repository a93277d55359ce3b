"""The figures of a study."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from gan_bifurcation import figures
from gan_bifurcation.branch import Branch
from gan_bifurcation.continuation.bifurcation_set import BifurcationSet
from gan_bifurcation.errors import MisuseError, Outcome
from gan_bifurcation.figures.fields import told_apart
from gan_bifurcation.figures.surfaces import panel_grid
from gan_bifurcation.regimes.basin_picture import BasinPicture
from gan_bifurcation.simulate import Orbit
from gan_bifurcation.studies.schema import FigureSpec
from gan_bifurcation.system import System
from gan_bifurcation.tables import Table

_ASPECTS: Mapping[str, float] = {
    "basins": 1.05, "noise_map": 0.85,
    "bifurcation_set": 0.95, "regime_map": 0.95, "regime_graph": 0.95, "vector_field": 0.98, "spectrum_path": 0.82,
    "landscape": 0.85, "heat_map": 0.85, "profile": 0.9, "profiles": 0.46, "tongues": 0.95,
}  # fmt: skip
# As a figure's own style has it, which is over when the title comes.
_TITLE = figures.style.STYLE["axes.titlesize"]
_DPI = figures.style.STYLE["savefig.dpi"]
_OF_PROFILES = ("profile", "profiles", "staircase", "tongues")
_OF_TABLES = ("lines", "time_series", "heat_map", "landscape")


@dataclass(frozen=True, eq=False)
class Drawer:
    """Draws figures of parts; `get` gives a part and `system_of` the system of an orbit."""

    get: Callable[[str], Any]
    system_of: Callable[[str], System]
    folder: Path

    def draw(self, section: FigureSpec) -> None:
        """Draw a figure and write it as SVG and PNG."""
        parts = {name: self.get(name) for name in section.of}
        if section.kind == "field_panels":
            figure = self._panels(section, parts)
        elif section.kind == "staircase" and isinstance(parts[section.of[0]], Table):
            figure = self._staircase(section, parts)
        elif section.kind in _OF_PROFILES:
            figure = _profiles(section, parts)
        else:
            figure = self._of_tables(section, parts) if section.kind in _OF_TABLES else self._on_axes(section, parts)
        whole = figures.style.figure_of(figure) if isinstance(figure, Axes) else figure
        whole.set_dpi(_DPI)
        try:
            figures.save(figure, self.folder / "figures" / section.name)
        except ValueError as error:
            # Mathematics in labels is read when it is drawn.
            said = " ".join(str(error).split())[:200]
            raise MisuseError(f"The words of the figure cannot be drawn; mathematics between '$'? {said}") from error

    def _on_axes(self, section: FigureSpec, parts: Mapping[str, Any]) -> Any:
        several = list(parts.values())
        first = several[0]
        if section.kind in ("bifurcation_diagram", "spectral_radius", "spectrum_path", "bifurcation_set"):
            kinds = (Branch, BifurcationSet) if section.kind == "bifurcation_set" else (Branch,)
            _demand(section, parts, "branches or curves", lambda part: isinstance(part, kinds))
            several = [c for part in several for c in (part.curves if isinstance(part, BifurcationSet) else [part])]
        elif section.kind in ("regime_map", "regime_graph"):
            from gan_bifurcation.regimes.regime import RegimeMap

            _demand(section, parts, "a map", lambda part: isinstance(part, RegimeMap))
        elif section.kind in ("noise_map", "noise_spreads"):
            from gan_bifurcation.regimes.noise_map import NoiseMap

            _demand(section, parts, "noise", lambda part: isinstance(part, NoiseMap))
        elif section.kind == "basins":
            _demand(section, parts, "basins", lambda part: isinstance(part, BasinPicture))
        else:
            _demand(section, parts, "orbits", _is_orbit)
        figure, ax = _figure(section.width, _aspect(section))
        if section.kind == "bifurcation_diagram":
            figures.bifurcation_diagram(several, section.state, amplitude=section.amplitude, ax=ax)
        elif section.kind == "spectral_radius":
            figures.spectral_radius(several, ax=ax)
        elif section.kind == "spectrum_path":
            figures.spectrum_path(first, ax=ax)
        elif section.kind == "bifurcation_set":
            figures.bifurcation_set(several, self.get(section.map) if section.map else None, ax=ax)
        elif section.kind == "regime_map":
            figures.regime_map(first, ax=ax)
        elif section.kind == "regime_graph":
            figures.regime_graph(first, ax=ax)
        elif section.kind == "noise_map":
            figures.noise_map(first, ax=ax)
        elif section.kind == "noise_spreads":
            figures.noise_spreads(parts, ax=ax)
        elif section.kind == "basins":
            figures.basins(first, ax=ax)
        else:
            system = self.system_of(section.of[0]).with_parameters(**first["parameters"])
            paths = [part["states"] for part in several]
            plane = (section.states[0], section.states[1]) if section.states else None
            words = told_apart([part["parameters"] for part in several])
            figures.vector_field(system, paths, plane, window=section.window, labels=words, ax=ax)
        if section.title:
            ax.set_title(section.title, fontsize=_TITLE)
        return figure

    def _panels(self, section: FigureSpec, parts: Mapping[str, Any]) -> Any:
        _demand(section, parts, "orbits", _is_orbit)
        items = {section.labels.get(name, name): self._orbit(name, part) for name, part in parts.items()}
        return figures.orbit_panels(items, window=section.window, width=section.width)

    def _of_tables(self, section: FigureSpec, parts: Mapping[str, Any]) -> Any:
        if section.kind == "lines":
            return _lines(section, parts)
        if section.kind == "time_series":
            return self._time_series(section, parts)
        _demand(section, dict([next(iter(parts.items()))]), "a table", lambda part: isinstance(part, Table))
        table, over = next(iter(parts.values())), dict(list(parts.items())[1:])
        if section.kind == "landscape":
            _demand(section, over, "orbits or branches", lambda part: isinstance(part, Branch) or _is_orbit(part))
            figure, ax = _figure(section.width, _aspect(section))
            items = {k: v if isinstance(v, Branch) else self._orbit(k, v) for k, v in over.items()}
            figures.landscape(table, section.field, items, x=section.x, log=section.log, labels=section.labels, ax=ax)
            if section.title:
                ax.set_title(section.title, fontsize=_TITLE)
            return figure
        fields = section.fields or [name for name in table.fields if name != section.contour]
        # Panels are as high as three of them side by side are wide.
        rows, across = panel_grid(len(fields))
        aspect = _aspect(section) if len(fields) == 1 else 1.32 * rows / max(across, 2)
        figure, axes = _figure(section.size, aspect, rows, across)
        curves = {field: [self.get(name) for name in names] for field, names in section.panels.items()}
        for group in curves.values():
            _demand(section, dict(enumerate(group)), "curves in its panels", lambda part: isinstance(part, Branch))
        figures.heat_map(
            table, fields, x=section.x, log=section.log, curves=curves, threshold=section.threshold,
            contour=section.contour, categories=section.categories, labels=section.labels, axes=axes,
        )  # fmt: skip
        return figure

    def _time_series(self, section: FigureSpec, parts: Mapping[str, Any]) -> Any:
        _demand(section, parts, "orbits", _is_orbit)
        runs = {name: self._orbit(name, part) for name, part in parts.items()}
        count = len(section.states or next(iter(runs.values())).names[:6]) if len(runs) > 1 else 1
        size = 0.62 if count == 1 else 0.3 + 0.32 * count
        figure, axes = _figure(section.width, size * (0.62 if section.width == "page" else 1.0), count, 1)
        given = runs if len(runs) > 1 else next(iter(runs.values()))
        figures.time_series(
            given, section.states, log=section.log, labels=section.labels, window=section.window,
            reference=section.reference, axes=axes,
        )  # fmt: skip
        if section.title:
            np.ravel(axes)[0].set_title(section.title, fontsize=_TITLE)
        return figure

    def _staircase(self, section: FigureSpec, parts: Mapping[str, Any]) -> Any:
        from gan_bifurcation.studies.stairs import from_table

        name = section.of[0]
        if len(parts) > 1:
            raise MisuseError(f"A figure shows one staircase of runs, but 'of' names {len(parts)} parts.")
        figure, ax = _figure(section.width, _aspect(section))
        figures.staircase(from_table(parts[name], self.system_of(name)), ax=ax)
        if section.title:
            ax.set_title(section.title)
        return figure

    def _orbit(self, name: str, data: Mapping[str, Any]) -> Orbit:
        system = self.system_of(name).with_parameters(**data["parameters"])
        return Orbit(system, data["times"], data["states"], Outcome("stored", data["outcome"], True))


def _profiles(section: FigureSpec, parts: Mapping[str, Any]) -> Any:
    """Cycles, circles, and where circles lock."""
    plane = section.states
    if section.kind == "tongues":
        _demand(section, parts, "tongues, and curves", lambda part: isinstance(part, Branch | list))
        found = [tongue for part in parts.values() if isinstance(part, list) for tongue in part]
        figure, ax = _figure(section.width, _aspect(section))
        figures.tongues(found, [part for part in parts.values() if isinstance(part, Branch)], ax=ax)
    else:
        _demand(section, parts, "branches of cycles or circles", _turns)
        several = list(parts.values())
        columns = 2 if section.kind == "profiles" else 1
        figure, axes = _figure(section.size, _aspect(section), 1, columns)
        ax = axes if columns == 1 else axes[0]
        if section.kind == "profiles":
            figures.profiles(several, plane, count=section.count, axes=axes)
        elif section.kind == "profile":
            figures.profile(several, plane, count=section.count, ax=ax)
        else:
            figures.staircase(several, ax=ax)
    if section.title:
        ax.set_title(section.title, fontsize=_TITLE)
    return figure


def _lines(section: FigureSpec, parts: Mapping[str, Any]) -> Any:
    _demand(section, parts, "tables", lambda part: isinstance(part, Table))
    if section.panel:
        ax = None
    else:
        _, ax = _figure(section.width, _aspect(section))
    drawn = figures.lines(
        parts, section.x, section.y, group=section.group, panel=section.panel, log=section.log, labels=section.labels,
        window=section.window, reference=section.reference, width=section.size, ax=ax,
    )  # fmt: skip
    if section.title and ax is not None:
        ax.set_title(section.title, fontsize=_TITLE)
    return drawn


def _figure(*wanted: Any) -> tuple[Any, Any]:
    """A figure as fine as its PNG file: text that was measured for the layout is not measured again."""
    made, axes = figures.figure(*wanted)
    made.set_dpi(_DPI)
    return made, axes


def _aspect(section: FigureSpec) -> float:
    return _ASPECTS.get(section.kind, 0.72) * (0.62 if section.width == "page" else 1.0)


def _turns(part: Any) -> bool:
    return isinstance(part, Branch) and bool(part.profiles)


def _is_orbit(part: Any) -> bool:
    return isinstance(part, dict) and "states_names" in part


def _demand(section: FigureSpec, parts: Mapping[Any, Any], what: str, fits: Callable[[Any], bool]) -> None:
    for name, part in parts.items():
        if not fits(part):
            raise MisuseError(
                f"A figure of kind '{section.kind}' is drawn of {what}, but '{name}' is none of these; change 'of'."
            )
