"""Points of codimension two: what a normal form and a bifurcation set cost, and a peer that has the points of flows.

``python benchmarks/codimension_two.py [--jaxcont PYTHON]``: CPU times, best of repeats, one thread. Without jaxcont its
part is left out.

jaxcont (extra [bench]) locates CP, BT, GH and ZH of flows by Newton's method from a guess, here ours rounded to three
digits. AUTO's curves of flows, by xpplab, pass through the points but say nothing at them. Points of maps are held
against AUTO-07p and MatContM in tests/test_codimension_two_published.py.
"""

import argparse
import json
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import numpy as np

import gan_bifurcation as gb
from gan_bifurcation.continuation.codimension_two_spectra import PATTERNS

EMPTY = "(1 - x - y - s)"
OSCILLATOR = gb.System.from_equations(
    "flow",
    {
        "x": f"2*q1*{EMPTY}**2 - 2*q5*x**2 - q3*x*y",
        "y": f"q2*{EMPTY} - q6*y - q3*x*y",
        "s": f"q4*{EMPTY} - k*q4*s",
    },
    parameters={"q1": 2.5, "q2": 2.204678, "q3": 10, "q4": 0.0675, "q5": 1.0, "q6": 0.1, "k": 0.4},
    name="catalytic oscillator",
)
LORENZ = gb.System.from_equations(
    "flow",
    {"x": "-y**2 - z**2 - a*x + a*F", "y": "x*y - b*x*z - y + G", "z": "b*x*y + x*z - z"},
    parameters={"a": 0.25, "b": 4.0, "F": 3.0, "G": 0.5},
    name="Lorenz 84",
)

JAXCONT = """
import json, sys, time, warnings
warnings.simplefilter("ignore")
import jax
jax.config.update("jax_enable_x64", True)
import jax.numpy as jnp, jaxcont as jc
def oscillator(u, p, args=None):
    x, y, s = u; q2, k = p; z = 1 - x - y - s
    return jnp.array([5.0*z**2 - 2*x**2 - 10*x*y, q2*z - 0.1*y - 10*x*y, 0.0675*z - k*0.0675*s])
def lorenz(u, p, args=None):
    x, y, z = u; F, G = p
    return jnp.array([-y**2 - z**2 - 0.25*x + 0.25*F, x*y - 4.0*x*z - y + G, 4.0*x*y + x*z - z])
find = {"CP": jc.cusp_point, "BT": jc.bogdanov_takens_point, "GH": jc.generalized_hopf_point, "ZH": jc.zero_hopf_point}
out = []
for name, label, x, p in json.load(sys.stdin):
    f = oscillator if name == "catalytic oscillator" else lorenz
    start = time.process_time()
    found = find[label](f, jnp.array(x), jnp.array(p), tol=1e-10)
    out.append([[float(v) for v in found[1]], bool(found[-1]), time.process_time() - start])
print(json.dumps(out))
"""


def own() -> tuple[list[tuple[str, gb.Point]], float]:
    """The points on the fold and Hopf curves of both systems, and the time for the curves with all coefficients."""
    begin = time.process_time()
    found = []
    for system, start, over, window in (
        (OSCILLATOR, [0.00295, 0.76211, 0.16781], {"q2": (0.5, 2.5)}, {"q2": (0.2, 3.0), "k": (1e-4, 5.0)}),
        (LORENZ, [3.0, 0.0, 0.0], {"F": (0.0, 6.0)}, {"F": (-1.0, 6.0), "G": (-0.1, 6.0)}),
    ):
        branch = gb.trace(gb.point(system, start), over)
        for label in ("LP1", "H1"):
            found += [(system.name, p) for p in gb.trace(branch[label], window).special_points]
    return found, time.process_time() - begin


def seconds_of(work: Callable[[], object], repeats: int = 1, best_of: int = 3) -> float:
    """CPU time of a piece of work, best of some."""
    work()
    times = []
    for _ in range(best_of):
        begin = time.process_time()
        for _ in range(repeats):
            work()
        times.append((time.process_time() - begin) / repeats)
    return min(times)


def point_of(kind: str, label: str, seed: int) -> gb.Point:
    """A point of a type with six states: its linear part in random coordinates, and quadratic and cubic terms."""
    rng, n, flow, pattern = np.random.default_rng(seed), 6, kind == "flow", PATTERNS[kind][label]
    a, i, turn = np.zeros((n, n)), 0, 0.7
    if pattern.double:
        a[0, 0] = a[1, 1] = {"BT": 0.0, "R1": 1.0, "R2": -1.0}[label]
        a[0, 1], i = 1.0, 2
    for letter in pattern.kinds if not pattern.double else "":
        if letter == "z":
            w = 2.0 * np.pi / pattern.resonance if pattern.resonance else turn
            a[i : i + 2, i : i + 2] = [[0, -w], [w, 0]] if flow else [[np.cos(w), -np.sin(w)], [np.sin(w), np.cos(w)]]
            i, turn = i + 2, turn + 1.2
        elif letter != "Z":
            a[i, i], i = -1.0 if letter == "-" else float(not flow), i + 1
    for k in range(i, n):
        a[k, k] = -rng.uniform(0.5, 2.0) if flow else rng.uniform(-0.7, 0.7)
    turned = np.linalg.qr(rng.normal(size=(n, n)))[0]
    a = turned @ a @ turned.T
    c = rng.uniform(-1.0, 1.0, (n, 5))

    def field(x: list, p: object) -> list:
        out = []
        for i in range(n):
            u, v, w = x[i], x[(i + 1) % n], x[(i + 2) % n]
            total = sum(float(a[i, j]) * x[j] for j in range(n))
            out.append(total + u * (float(c[i, 0]) * v + float(c[i, 1]) * u * w) + float(c[i, 2]) * w**3)
        return out

    system = gb.System.from_function(
        field, kind=kind, states=[f"x{i}" for i in range(n)], parameters={"mu": 0.0}, name="six states"
    )
    return replace(gb.point(system, np.zeros(n)), label=label)


def coefficients() -> None:
    """One normal form of every type."""
    print("a normal form of six states, some 130 operations, milliseconds")
    for kind, patterns in PATTERNS.items():
        for label, pattern in patterns.items():
            # Where quintic terms may decide, a point at which they do.
            candidates = (point_of(kind, label, seed) for seed in range(400))
            point = next(p for p in candidates if not pattern.further or "Theta" in gb.normal_form(p))
            spent = seconds_of(lambda p=point: gb.normal_form(p), 20, 5)
            print(f"  {kind:5s}{label:5s}{1e3 * spent:7.3f}{'  with quintic terms' if pattern.further else ''}")


def sets() -> None:
    """Whole sets of systems with six states, as one call makes them."""
    print("bifurcation_set of six states, seconds")
    game = gb.models.kernel_gan(sigma=0.5, lam=0.5, p1=1.0, q1=0.8, modes=2)
    windows = ({"eta_d": (0.01, 3.0), "sigma": (0.02, 3.0)}, {"lam": (0.05, 2.0), "sigma": (0.02, 3.0)},
               {"eta_g": (0.01, 3.0), "eta_d": (0.01, 3.0)})  # fmt: skip
    cases = [
        (f"kernel GAN, {type(rule).__name__.lower()}", gb.system(game, rule, eta_d=0.1, eta_g=0.1), window)
        for rule in (gb.Simultaneous(), gb.Alternating())
        for window in windows
    ]
    ring = {}
    for k in range(3):
        growth = f"(m - x{k}**2 - y{k}**2)"
        ring |= {
            f"x{k}": f"x{k}*{growth} - {1 + 0.3 * k}*y{k} + c*(x{(k + 1) % 3} - x{k})",
            f"y{k}": f"y{k}*{growth} + {1 + 0.3 * k}*x{k} + c*(y{(k + 1) % 3} - y{k})",
        }
    oscillators = gb.System.from_equations("flow", ring, parameters={"m": -0.5, "c": 0.2})
    cases.append(("three coupled oscillators", oscillators, {"m": (-1.0, 1.0), "c": (-0.5, 0.5)}))
    for name, system, window in cases:
        found = gb.bifurcation_set(system, window)
        spent = seconds_of(lambda s=system, w=window: gb.bifurcation_set(s, w), best_of=2)
        labels = Counter(p.label for p in found.points)
        circles = sum("of circles" in name for name in found.names)
        points = ", ".join(f"{number} {label}" for label, number in sorted(labels.items()))
        curves = f"{len(found.curves)} curves, {circles} of circles"
        print(f"  {name:26s}{' '.join(window):12s}{spent:7.2f}   {curves}; {points}")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--jaxcont", help="interpreter of the environment that has jaxcont")
    given = options.parse_args()
    coefficients()
    sets()
    own()
    found, seconds = own()
    print(f"ours: {len(found)} points with coefficients on 4 curves in {seconds:.2f} s")
    if not given.jaxcont:
        return
    asked = []
    # One of each kind: jaxcont compiles for every call.
    found = list({p.label: (name, p) for name, p in reversed(found)}.values())
    for name, p in found:
        values = [p.parameters[k] for k in p.free]
        asked.append([name, p.label, [float(f"{v:.3g}") for v in p.x], [float(f"{v:.3g}") for v in values]])
    text = subprocess.run(
        [given.jaxcont, "-c", JAXCONT], input=json.dumps(asked), capture_output=True, text=True, check=True
    ).stdout
    print(f"{'':24s}{'parameters':>34s}{'residual':>10s}{'difference':>12s}   jaxcont")
    for (name, p), (theirs, converged, spent) in zip(found, json.loads(text), strict=True):
        values = np.array([p.parameters[k] for k in p.free])
        difference = float(np.max(np.abs(values - theirs)))
        where = ", ".join(f"{v:.12f}" for v in values)
        said = f"{'converged' if converged else 'says it did not converge'}, {spent:.1f} s"
        print(f"{name:20s} {p.label}{where:>34s}{p.residual:10.1e}{difference:12.1e}   {said}")


if __name__ == "__main__":
    main()
