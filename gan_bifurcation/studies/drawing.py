"""The figures of a study."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from gan_bifurcation import figures
from gan_bifurcation.branch import Branch
from gan_bifurcation.errors import MisuseError
from gan_bifurcation.figures.style import figure_of
from gan_bifurcation.studies.schema import FigureSpec
from gan_bifurcation.system import System

_ASPECTS: Mapping[str, float] = {
    "bifurcation_set": 0.95, "regime_map": 0.95, "regime_graph": 0.95, "vector_field": 0.98, "spectrum_path": 0.82,
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Drawer:
    """Draws figures of parts; `get` gives a part and `system_of` the system of an orbit."""

    get: Callable[[str], Any]
    system_of: Callable[[str], System]
    folder: Path

    def draw(self, section: FigureSpec) -> None:
        """Draw a figure and write it as SVG and PNG."""
        parts = [self.get(name) for name in section.of]
        if section.kind == "heat_map":
            figure = self._heat_map(section, parts[0])
        elif section.kind == "training_runs":
            figure = _training_runs(parts[0])
        else:
            aspect = _ASPECTS.get(section.kind, 0.72) * (0.62 if section.width == "page" else 1.0)
            figure, ax = figures.figure(section.width, aspect)
            self._on_axes(section, parts, ax)
        figures.save(figure, self.folder / "figures" / section.name)

    def _on_axes(self, section: FigureSpec, parts: list[Any], ax: Any) -> None:
        first = parts[0]
        if section.kind in ("bifurcation_diagram", "spectral_radius", "spectrum_path", "bifurcation_set"):
            for name, part in zip(section.of, parts, strict=True):
                if not isinstance(part, Branch):
                    raise MisuseError(
                        f"A {section.kind.replace('_', ' ')} is drawn of branches or curves, but '{name}' is neither."
                    )
        elif section.kind in ("regime_map", "regime_graph") and isinstance(first, Branch | dict):
            raise MisuseError(f"A {section.kind.replace('_', ' ')} is drawn of a map, but '{section.of[0]}' is none.")
        if section.kind == "bifurcation_diagram":
            figures.bifurcation_diagram(parts, section.state, amplitude=section.amplitude, ax=ax)
        elif section.kind == "spectral_radius":
            figures.spectral_radius(parts, ax=ax)
        elif section.kind == "spectrum_path":
            figures.spectrum_path(first, ax=ax)
        elif section.kind == "bifurcation_set":
            figures.bifurcation_set(parts, self.get(section.map) if section.map else None, ax=ax)
        elif section.kind == "regime_map":
            figures.regime_map(first, ax=ax)
        elif section.kind == "regime_graph":
            figures.regime_graph(first, ax=ax)
        else:
            self._vector_field(section, parts, ax)

    def _vector_field(self, section: FigureSpec, parts: list[Any], ax: Any) -> None:
        if not all(isinstance(part, dict) and "states_names" in part for part in parts):
            raise MisuseError("A vector field is drawn of orbits; name an [[orbit]] in 'of'.")
        system = self.system_of(section.of[0]).with_parameters(**parts[0]["parameters"])
        figures.vector_field(system, [part["states"] for part in parts], section.states, window=section.window, ax=ax)

    def _heat_map(self, section: FigureSpec, data: Any) -> Any:
        if not isinstance(data, dict) or "two_points" not in data:
            raise MisuseError(f"A heat map is drawn of a [[heat_map]], but '{section.of[0]}' is none.")
        figure, axes = figures.figure("page", 0.44, 1, 3)
        curves = {panel: [self.get(name) for name in names] for panel, names in section.panels.items()}
        figures.heat_map(SimpleNamespace(**data), curves=curves, axes=axes)
        return figure


def _training_runs(data: Any) -> Any:
    """A panel for each pair of rates; in it the runs for all lam and sigma."""
    if not isinstance(data, dict) or "squares" not in data:
        raise MisuseError("Training runs are drawn of a [[training_table]].")
    rows = data["rows"]
    groups: dict[tuple[float, float], list[int]] = {}
    for k, row in enumerate(rows):
        groups.setdefault((row["eta_d"], row["eta_g"]), []).append(k)
    count = len(groups)
    columns = min(count, 4)
    height = -(-count // columns)
    figure, axes = figures.figure("page", 0.36 * height, height, columns)
    for number, (ax, ((eta_d, eta_g), members)) in enumerate(zip(np.ravel(axes), groups.items(), strict=False)):
        runs = {f"λ={rows[k]['lam']:g}, σ={rows[k]['sigma']:g}": data["squares"][k] for k in members}
        figures.training_runs(
            runs, title=rf"$\eta_d$ = {eta_d:g}, $\eta_g$ = {eta_g:g}", legend=False, ax=ax,
            quantity=r"$x^2$" if number % columns == 0 else "",
        )  # fmt: skip
        ax.set_ylim(1e-18, 1e5)
    handles, labels = np.ravel(axes)[0].get_legend_handles_labels()
    figure_of(np.ravel(axes)[0]).legend(handles, labels, loc="outside lower center", ncols=5, frameon=False, fontsize=7)
    return figure
