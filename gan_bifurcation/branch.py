"""Points and branches: what continuation returns. Plain data, immutable, saved without pickle."""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.errors import Outcome, ResultsError, few, unknown_name
from gan_bifurcation.profiles import Profile, packed, unpacked
from gan_bifurcation.system import System

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]

FORMAT = 3


def is_stable(kind: str, spectrum: ComplexArray) -> Any:
    """Whether all eigenvalues (flows) have negative real part, or all multipliers (maps) lie inside the unit circle."""
    return np.all(spectrum.real < 0.0, axis=-1) if kind == "flow" else np.all(np.abs(spectrum) < 1.0, axis=-1)


@dataclass(frozen=True, eq=False)
class Point:
    """An equilibrium, a fixed point, a cycle, an invariant circle or a bifurcation of one, with its spectrum.

    Attributes
    ----------
    system : System
        With the point's parameter values.
    x : array (n,)
    spectrum : complex array (n,)
        Eigenvalues of the Jacobian (flows) or multipliers (maps).
    label : str
        "" for an ordinary point; LP BP H (flows), LP BP PD NS (maps), or a user's event.
    name : str
        Label and number on its branch, such as "PD1".
    normal_form : mapping
        Coefficients under the textbook's letters, and `criticality` in words; empty for ordinary points.
    residual : float
        Size of the defining equations at the point, relative to the size of their terms.
    free : tuple of str
        The parameters that were free where it was found.
    multiplicity : int
        How many critical eigenvalues (or pairs) cross together.
    note : str
        What is particular, in a sentence.
    vectors : mapping of str to array
        Critical eigenvector `q` and adjoint `p`, complex, with <q,q> = <p,q> = 1.
    index : float
        Where it lies on its branch (between the points of these numbers).
    critical : complex
        The critical eigenvalue or multiplier (of a pair, that with positive imaginary part).
    level : str
        The condition's modulus or real part, as an expression; "" for the stability boundary itself.
    profile : Profile or None
        Of a cycle or an invariant circle: its states over one turn; `x` is the state at phase 0, and the spectrum
        holds multipliers, the trivial one (along the cycle or circle) first. Of a homoclinic orbit: its states from
        end to end; `x` and the spectrum are those of its saddle.
    origin : Point or None
        The point of codimension two at which a curve begins, of the start of such a curve; None for all else.
    """

    system: System
    x: FloatArray
    spectrum: ComplexArray
    label: str = ""
    name: str = ""
    normal_form: Mapping[str, Any] = field(default_factory=dict)
    residual: float = 0.0
    free: tuple[str, ...] = ()
    multiplicity: int = 1
    note: str = ""
    vectors: Mapping[str, ComplexArray] = field(default_factory=dict)
    index: float = np.nan
    critical: complex = complex(np.nan)
    level: str = ""
    condition: str = ""
    profile: Profile | None = None
    origin: "Point | None" = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "normal_form", MappingProxyType(dict(self.normal_form)))

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "normal_form": dict(self.normal_form)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        object.__setattr__(self, "normal_form", MappingProxyType(dict(state["normal_form"])))

    @property
    def state(self) -> dict[str, float]:
        """The state by name."""
        return dict(zip(self.system.states, self.x.tolist(), strict=True))

    @property
    def parameters(self) -> dict[str, float]:
        """All parameter values."""
        return dict(self.system.parameters)

    @property
    def eigenvalues(self) -> ComplexArray:
        return self.spectrum

    @property
    def multipliers(self) -> ComplexArray:
        return self.spectrum

    @property
    def kind(self) -> str:
        """Whether it is an "equilibrium", a "fixed point", a "cycle", a "circle" or a "homoclinic orbit"."""
        if self.condition == "homoclinic":
            return "homoclinic orbit"
        if self.profile is not None:
            return "cycle" if self.system.kind == "flow" else "circle"
        return "equilibrium" if self.system.kind == "flow" else "fixed point"

    @property
    def stable(self) -> bool:
        if self.profile is not None and self.condition != "homoclinic":
            return bool(is_stable("map", self.spectrum[1:]))
        return bool(is_stable(self.system.kind, self.spectrum))

    @property
    def period(self) -> float:
        """The duration of one turn of a cycle; otherwise iterations of the map after which the point returns."""
        return self.system.iterations if self.profile is None else self.profile.period

    @property
    def rotation_number(self) -> float:
        """By how much one step moves the phase of an invariant circle; NaN for everything else."""
        return float("nan") if self.profile is None else self.profile.rotation_number

    @property
    def criticality(self) -> str:
        return str(self.normal_form.get("criticality", ""))

    def __repr__(self) -> str:
        values = ", ".join(f"{k}={self.system.parameters[k]:.10g}" for k in (self.free or tuple(self.parameters)[:4]))
        words = f", {self.criticality}" if self.criticality else ""
        what = self.name or self.label or f"{'stable' if self.stable else 'unstable'} {self.kind}"
        if self.profile is None:
            where = few([f"{k}={v:.6g}" for k, v in self.state.items()])
        elif self.kind == "circle":
            where = f"rotation number {self.rotation_number:.6g}"
        else:
            where = f"period {self.period:.6g}"
        return f"<{what} at {values}{words}: {where}>"


@dataclass(frozen=True, eq=False)
class Branch:
    """A traced curve: a branch of equilibria or fixed points, or a curve of bifurcation points.

    Attributes
    ----------
    system : System
    free : tuple of str
        The free parameters: one for a branch, two for a curve.
    curve : str
        "equilibria", "fixed points", "cycles" or "circles"; or the label of the points it consists of.
    parameters : array (N, len(free))
    states : array (N, n)
    spectrum : complex array (N, n)
    unstable : int array (N,)
        Number of eigenvalues with positive real part, or of multipliers outside the unit circle. Along a curve the
        critical ones are not counted.
    special_points : tuple of Point
    outcome : pair of Outcome
        Why it ends at its first and at its last point.
    closed : bool
    measures : mapping of str to array (N,)
        Further columns, such as the angle `theta` along a Neimark-Sacker curve.
    note : str
    level, condition : str
        As of its points: a curve can be started again from any of them.
    critical : complex array (N,)
        Along a curve, the eigenvalue or multiplier that its condition speaks of; empty on a branch.
    profiles : tuple of Profile
        Of cycles and circles, one for each point; otherwise empty.
    """

    system: System
    free: tuple[str, ...]
    curve: str
    parameters: FloatArray
    states: FloatArray
    spectrum: ComplexArray
    unstable: NDArray[np.int64]
    special_points: tuple[Point, ...]
    outcome: tuple[Outcome, Outcome]
    closed: bool = False
    measures: Mapping[str, FloatArray] = field(default_factory=dict)
    note: str = ""
    level: str = ""
    condition: str = "none"
    critical: ComplexArray = field(default_factory=lambda: np.zeros(0, dtype=complex))
    profiles: tuple[Profile, ...] = ()

    def __len__(self) -> int:
        return len(self.states)

    def __getitem__(self, name: str) -> Point:
        """The special point of this name, as "PD1"; a bare label gives the first of its kind."""
        for point in self.special_points:
            if name in (point.name, point.label):
                return point
        raise unknown_name("special point", name, [p.name for p in self.special_points])

    def __iter__(self) -> Iterator[Point]:
        return (self.point(i) for i in range(len(self)))

    def __repr__(self) -> str:
        labels = ", ".join(p.name for p in self.special_points) or "no special points"
        ends = zip(self.free, self.parameters.min(axis=0), self.parameters.max(axis=0), strict=True)
        over = ", ".join(f"{name} from {low:.6g} to {high:.6g}" for name, low, high in ends)
        what = "Branch" if len(self.free) == 1 else "Curve"
        return f"<{what} of {self.curve} over {over}: {len(self)} points, {labels}>"

    @property
    def stable(self) -> NDArray[np.bool_]:
        """(N,): no unstable eigenvalue."""
        return np.asarray(self.unstable == 0)

    def point(self, index: int) -> Point:
        """The point at a position, with the parameter values it has there."""
        at = self.system.with_parameters(**dict(zip(self.free, self.parameters[index].tolist(), strict=True)))
        label = "" if len(self.free) == 1 else self.curve
        return Point(
            at,
            self.states[index],
            self.spectrum[index],
            label=label,
            free=self.free,
            index=float(index),
            level=self.level,
            condition=self.condition,
            critical=complex(self.critical[index]) if len(self.critical) else complex(np.nan),
            profile=self.profiles[index] if self.profiles else None,
        )

    def column(self, name: str) -> FloatArray:
        """Values of a free parameter, a state or a measure along the curve."""
        if name in self.free:
            return self.parameters[:, self.free.index(name)]
        if name in self.system.states:
            return self.states[:, self.system.states.index(name)]
        if name in self.measures:
            return self.measures[name]
        raise unknown_name("column", name, [*self.free, *self.system.states, *self.measures])

    def to_dataframe(self) -> "pd.DataFrame":
        """One row per point: free parameters, states, measures, number unstable, stability, labels (needs pandas)."""
        import pandas as pd

        table: dict[str, Any] = {k: self.column(k) for k in (*self.free, *self.system.states, *self.measures)}
        table |= {"unstable": self.unstable, "stable": self.stable}
        frame = pd.DataFrame(table)
        frame["label"] = ""
        extra = [
            {
                **{k: p.parameters[k] for k in self.free},
                **p.state,
                "unstable": -1,
                "stable": False,
                "label": p.name,
                "at": p.index,
            }
            for p in self.special_points
        ]
        frame["at"] = np.arange(len(frame), dtype=float)
        return (
            pd.concat([frame, pd.DataFrame(extra)])
            .sort_values("at", kind="stable")
            .drop(columns="at")
            .reset_index(drop=True)
        )

    # -- disk -------------------------------------------------------------------------------------------------------

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write ``path.npz`` (arrays) and ``path.json`` (everything else), each to a temporary name first.

        Raises
        ------
        ResultsError
            If the folder cannot be written.
        """
        from gan_bifurcation.records import point_record, system_record, write_files

        description, arrays = system_record(self.system)
        arrays |= {
            "parameters": self.parameters, "states": self.states, "spectrum": self.spectrum,
            "critical": self.critical, "unstable": self.unstable,
            **{f"measure_{k}": v for k, v in self.measures.items()},
        }  # fmt: skip
        if self.profiles:
            # Those of the branch, then those of its special points that have one.
            arrays |= packed([*self.profiles, *(p.profile for p in self.special_points if p.profile is not None)])
        text = {
            "format": FORMAT,
            "system": description,
            "free": list(self.free),
            "curve": self.curve,
            "closed": self.closed,
            "note": self.note,
            "level": self.level,
            "condition": self.condition,
            "outcome": [[o.code, o.message, o.converged] for o in self.outcome],
            "special_points": [point_record(p) for p in self.special_points],
        }
        return write_files(Path(path), json.dumps(text), arrays)

    @staticmethod
    def load(path: str | os.PathLike[str]) -> "Branch":
        """Read what :meth:`save` wrote; nothing in the files is run.

        Raises
        ------
        ResultsError
            If a file is missing or damaged.
        """
        from gan_bifurcation.records import point_from_record, read_files, system_from_record

        text, arrays = read_files(Path(path))
        try:
            if text["format"] != FORMAT:
                raise ResultsError(
                    f"The branch '{path}' has format {text['format']}, expected {FORMAT}; compute it again."
                )
            system = system_from_record(text["system"], arrays)
            first, last = (Outcome(str(c), str(m), bool(b)) for c, m, b in text["outcome"])
            count = len(arrays["states"])
            columns = {k.removeprefix("measure_"): v for k, v in arrays.items() if k.startswith("measure_")}
            if not all(
                len(v) == count
                for v in (arrays["parameters"], arrays["spectrum"], arrays["unstable"], *columns.values())
            ):
                raise ValueError("columns of different lengths")
            profiles = unpacked(arrays)
            own = iter(profiles[count:])
            points = tuple(
                point_from_record(system, r, next(own) if r["profile"] else None) for r in text["special_points"]
            )
            return Branch(
                system,
                tuple(map(str, text["free"])),
                str(text["curve"]),
                arrays["parameters"],
                arrays["states"],
                arrays["spectrum"],
                arrays["unstable"],
                points,
                (first, last),
                bool(text["closed"]),
                columns,
                str(text["note"]),
                str(text["level"]),
                str(text["condition"]),
                arrays["critical"],
                profiles[:count],
            )
        except (KeyError, TypeError, ValueError, IndexError, StopIteration) as error:
            raise ResultsError(
                f"The branch '{path}' is damaged ({type(error).__name__}: {error}); compute it again."
            ) from error

    def with_points(self, points: tuple[Point, ...]) -> "Branch":
        """The same branch with these special points."""
        return replace(self, special_points=points)
