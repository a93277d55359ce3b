"""Repairs of single modules of PyDSTool 0.91.0, applied right after such a module was loaded."""

from __future__ import annotations

import math
import sys
import types
from collections.abc import Callable
from typing import Any, Final

from gan_bifurcation.interop import _legacy

__all__ = ["repair"]

_MOST_ROWS: Final = 8
_ROUNDING: Final = 1e-12


def repair(module: types.ModuleType) -> None:
    """Apply what `module` needs; most modules need nothing."""
    change = _REPAIRS.get(module.__name__)
    if change is not None:
        change(module)


# -- PyDSTool.common ---------------------------------------------------------------------------------------------------
def _common(module: Any) -> None:
    module.array = _legacy.numpy_one_array
    module._scalar_diff = _scalar_difference
    module.interp0d.__call__ = _between(_midway)
    module.interp1d.__call__ = _between(_on_line)


def _scalar_difference(function: Callable[[Any], Any], at: float, step: float) -> tuple[float, float, float]:
    """Derivative by central differences and Richardson's extrapolation in double precision.

    PyDSTool keeps its table in single precision, which NumPy 2 no longer widens (NEP 50), and starts from steps of
    1.5e-8.  Steps here are powers of two, so that `at` plus and minus a step loses no digits, and begin at 1e-3
    relative to `at`; they shrink to `step` where the function cannot be evaluated so far away.
    Returns the derivative, an estimate of its error and the last step.
    """
    smallest = 2.0 ** math.floor(math.log2(step))
    width = max(smallest, 2.0 ** math.floor(math.log2(max(abs(at), 0.125)) - 10))
    best, error = float("nan"), float("inf")
    previous: list[float] = []
    for _ in range(_MOST_ROWS):
        row, width = _central_difference(function, at, width, smallest)
        for column, coarser in enumerate(previous):
            factor = 4.0 ** (column + 1)
            row.append((factor * row[column] - coarser) / (factor - 1.0))
            estimate = max(abs(row[-1] - row[-2]), abs(row[-1] - coarser))
            if estimate <= error:
                best, error = row[-1], estimate
        # Rounding takes over once the diagonal moves by more than twice the best estimate of the error.
        if previous and (error <= _ROUNDING * abs(best) or abs(row[-1] - previous[-1]) >= 2.0 * error > 0.0):
            break
        previous = row
        width /= 2.0
    # PyDSTool's functions write their argument into a point that the next derivative starts from: put it back.
    function(at)
    return best, error, width


def _central_difference(
    function: Callable[[Any], Any], at: float, width: float, smallest: float
) -> tuple[list[float], float]:
    """The first entry of a row, and the width at which the function could be evaluated on both sides."""
    import numpy as np

    while True:
        try:
            # The values may share memory: PyDSTool's functions return one array again and again.
            high = np.asarray(function(at + width), dtype=float).item()
            low = np.asarray(function(at - width), dtype=float).item()
            if math.isfinite(high - low) or width <= smallest:
                return [(high - low) / (2.0 * width)], width
        except (ArithmeticError, ValueError):
            if width <= smallest:
                raise
        width /= 4.0


def _midway(_x: Any, _x_low: Any, _x_high: Any, low: Any, high: Any) -> Any:
    return (low + high) / 2.0


def _on_line(x: Any, x_low: Any, x_high: Any, low: Any, high: Any) -> Any:
    return (high - low) / (x_high - x_low) * (x - x_low) + low


def _between(value: Callable[..., Any]) -> Callable[..., Any]:
    """The call of an interpolating table, without assigning to ``array.shape`` (deprecated by NumPy 2.5)."""

    def call(self: Any, x_new: Any) -> Any:
        import numpy as np

        x = np.atleast_1d(x_new)
        outside = self._check_bounds(x)
        high = np.clip(np.searchsorted(self.x, x), 1, len(self.x) - 1)
        low = high - 1
        found = value(x, self.x[low], self.x[high], np.take(self.y, low, axis=-1), np.take(self.y, high, axis=-1))
        if outside.any():
            found = np.where(outside, self.fill_value, found)
        found = np.swapaxes(found, -1, self.axis)
        return found if np.ndim(x_new) else found[0]

    return call


# -- PyDSTool.Generator.Vode_ODEsystem ---------------------------------------------------------------------------------
def _vode(module: Any) -> None:
    import scipy
    from scipy.integrate import ode

    major, minor = (int(part) for part in scipy.__version__.split(".")[:2])
    if (major, minor) < (1, 17):
        return

    class SoundOde(ode):  # type: ignore[misc]
        """SciPy's ``ode`` with LSODA in place of VODE wherever a Jacobian would be used.

        The C translation of VODE in SciPy 1.17 takes fifty times the steps with a Jacobian (van der Pol, mu = 100) or
        fails outright (Robertson); without one it is sound.
        """

        def set_integrator(self, name: str, **options: Any) -> Any:
            if name == "vode" and (options.get("method") == "bdf" or options.get("with_jacobian")):
                name = "lsoda"
                options.pop("method", None)
            return super().set_integrator(name, **options)

    module.ode = SoundOde


# -- PyDSTool.PyCont ---------------------------------------------------------------------------------------------------
def _continuation_class(module: Any) -> None:
    original = module.ContClass.newCurve

    def new_curve(self: Any, initargs: Any) -> Any:
        """Intern the names of points to look for: PyDSTool compares them by identity."""
        for key in ("LocBifPoints", "StopAtPoints"):
            wanted = getattr(initargs, key, None)
            if isinstance(wanted, str):
                setattr(initargs, key, sys.intern(wanted))
            elif isinstance(wanted, (list, tuple)):
                setattr(initargs, key, [sys.intern(name) if isinstance(name, str) else name for name in wanted])
        return original(self, initargs)

    new_curve.__doc__ = original.__doc__
    module.ContClass.newCurve = new_curve


def _plotting(module: Any) -> None:
    """Removing artists: since Matplotlib 3.7 the lists of an axes cannot be written to."""
    plots = module.pargs
    clear_others, delete_others = plots.clear, plots.delete

    def take_off(artists: Any) -> None:
        for artist in artists:
            if artist.axes is not None:
                artist.remove()

    def clear(self: Any, refresh: bool = True) -> None:
        if "point" not in self or any(name in self for name in ("deleted", "fig", "axes", "curve")):
            clear_others(self, refresh)
            return
        take_off([self.point[0], self.text])
        for name in [name for name in self.keys() if name != "point"]:
            self.pop(name)
        if refresh:
            self.refresh()
        self.deleted = True

    def delete(self: Any, refresh: bool = True) -> None:
        kind = next((name for name in ("fig", "axes", "curve", "cycle") if name in self), "")
        if "deleted" in self or kind not in ("curve", "cycle"):
            delete_others(self, refresh)
            return
        self.clear(refresh=False)
        take_off(self[kind])
        if refresh:
            self.refresh()
        self.deleted = True

    plots.clear, plots.delete = clear, delete


_REPAIRS: Final[dict[str, Callable[[Any], None]]] = {
    "PyDSTool.common": _common,
    "PyDSTool.Generator.Vode_ODEsystem": _vode,
    "PyDSTool.PyCont.ContClass": _continuation_class,
    "PyDSTool.PyCont.Plotting": _plotting,
}
