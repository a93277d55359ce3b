"""Points of codimension two against a peer that has them: ``python benchmarks/codimension_two.py [--jaxcont PYTHON]``.

jaxcont (extra [bench]) locates CP, BT, GH and ZH of flows by Newton's method from a guess, here ours rounded to three
digits; no peer at hand has those of maps. AUTO's curves, by xpplab, pass through the points but say nothing at them.
"""

import argparse
import json
import subprocess
import sys
import time

import numpy as np

import gan_bifurcation as gb

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


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--jaxcont", default=sys.executable, help="interpreter of the environment that has jaxcont")
    given = options.parse_args()
    own()
    found, seconds = own()
    print(f"ours: {len(found)} points with coefficients on 4 curves in {seconds:.2f} s")
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
