"""How other parameters move a bifurcation point: closed forms, and points located again at changed parameters."""

import numpy as np
import pytest

import gan_bifurcation as gb
from gan_bifurcation import MisuseError

LORENZ = gb.System.from_equations(
    "flow",
    {"x": "s*(y - x)", "y": "r*x - y - x*z", "z": "x*y - b*z"},
    parameters={"s": 10.0, "r": 15.0, "b": 8.0 / 3.0},
)


def test_lorenz_hopf_closed_form() -> None:
    root = np.sqrt(8.0 / 3.0 * 14.0)
    wing = gb.trace(gb.point(LORENZ, [root, root, 14.0]), {"r": (2.0, 40.0)})
    found = gb.sensitivity(wing["H1"])
    # r = s (s + b + 3)/(s - b - 1) and omega^2 = b (s + r) at the Hopf point (Sparrow 1982); derivatives by hand.
    s, b = 10.0, 8.0 / 3.0
    top, bottom = s * (s + b + 3.0), s - b - 1.0
    r = top / bottom
    dr_ds = (2.0 * s + b + 3.0) / bottom - top / bottom**2
    dr_db = s / bottom + top / bottom**2
    assert found.value == pytest.approx(r, rel=1e-10)
    assert found["s"].derivative == pytest.approx(dr_ds, rel=1e-9)
    assert found["b"].derivative == pytest.approx(dr_db, rel=1e-9)
    assert found["b"].relative == pytest.approx(dr_db * b / r, rel=1e-9)
    omega = np.sqrt(b * (s + r))
    assert found["b"].frequency == pytest.approx((s + r + b * dr_db) / (2.0 * omega), rel=1e-9)
    assert found["s"].frequency == pytest.approx(b * (1.0 + dr_ds) / (2.0 * omega), rel=1e-9)
    assert found.knobs[0].parameter == "b"
    assert "is moved most by b" in found.words


def test_dirac_gan_neimark_sacker_does_not_depend_on_the_discriminator_rate() -> None:
    # Linear part [[1 - d gamma, -d/2], [g/2, 1]] for rates d, g: determinant 1 - d gamma + d g/4 = 1, so gamma = g/4.
    steps = gb.system(gb.models.dirac_gan(gamma=0.5), gb.Simultaneous(), eta_d=1.0, eta_g=1.2)
    branch = gb.trace(gb.point(steps), {"gamma": (0.05, 1.0)})
    found = gb.sensitivity(branch["NS1"])
    assert found["eta_g"].derivative == pytest.approx(0.25, abs=1e-10)
    assert found["eta_g"].relative == pytest.approx(1.0, abs=1e-10)
    assert found["eta_d"].derivative == 0.0
    assert found.words.endswith("not by eta_d.")
    # The angle: 2 cos(theta) = trace = 2 - d gamma, at fixed gamma = g/4: d theta/d d = gamma/(2 sin theta).
    cosine = 1.0 - 0.15
    assert found["eta_d"].frequency == pytest.approx(0.3 / (2.0 * np.sqrt(1.0 - cosine**2)), rel=1e-8)


def test_kernel_gan_hopf_elasticities() -> None:
    # lam_H = sqrt(mu q |Delta|)/sigma (Becker et al. 2022), mu = eta_g/eta_d, Delta = p - q; the length of the features
    # is a multiple of sigma, so the law in sigma is exact, and elasticities are rational.
    p, q = 1.0, 1.25
    flow = gb.system(gb.models.kernel_gan(sigma=0.7, lam=0.9, p1=p, q1=q), gb.Flow())
    found = gb.sensitivity(gb.trace(gb.point(flow), {"lam": (0.2, 2.0)})["H1"])
    expected = {
        "sigma": -1.0, "eta_g": 0.5, "eta_d": -0.5, "p1": -0.5 * p / (q - p), "q1": 0.5 * (1.0 + q / (q - p)),
    }  # fmt: skip
    for name, value in expected.items():
        assert found[name].relative == pytest.approx(value, abs=1e-6), name
    assert [k.parameter for k in found][:2] == ["q1", "p1"]


@pytest.mark.parametrize(("label", "name"), [("LP", "c"), ("PD", "c"), ("PD", "b"), ("LP", "b")])
def test_against_points_located_again(label: str, name: str) -> None:
    henon = gb.System.from_equations(
        "map", {"x": "y", "y": "a - b*x - y**2 + c*x*y + sin(c*y)/5"}, parameters={"a": 0.1, "b": 0.3, "c": 0.2}
    )

    def value(**changes: float) -> float:
        branch = gb.trace(gb.point(henon.with_parameters(**changes), [0.05, 0.05]), {"a": (-2.0, 4.0)})
        return branch[label].parameters["a"]

    step, here = 1e-4, henon.parameters[name]
    slope = (value(**{name: here + step}) - value(**{name: here - step})) / (2.0 * step)
    branch = gb.trace(gb.point(henon, [0.05, 0.05]), {"a": (-2.0, 4.0)})
    # Central differences: error of the order of step squared.
    assert gb.sensitivity(branch[label])[name].derivative == pytest.approx(slope, rel=1e-6, abs=1e-7)


@pytest.mark.parametrize("kind", ["flow", "map"])
def test_pairs_against_points_located_again(kind: str) -> None:
    lorenz_84 = {"x": "-y**2 - z**2 - (x - r)/4", "y": "x*y - b*x*z - y + 0.5", "z": "b*x*y + x*z - z"}
    logistic = {"x": "r*x*(1 - y) + z/10", "y": "x", "z": "b*z*(1 - z) + x/10"}
    fields, start, other, window = (
        (lorenz_84, [3.0, 0.0, 0.0], 4.0, (0, 6)) if kind == "flow" else (logistic, [0.5, 0.5, 0.6], 2.5, (1.5, 2.2))
    )

    def value(b: float) -> tuple[gb.Point, float, float]:
        system = gb.System.from_equations(kind, fields, parameters={"r": window[1] / 2, "b": b})  # type: ignore[arg-type]
        if kind == "map":
            system = system.with_parameters(r=1.9)
        point = gb.trace(gb.point(system, start), {"r": window})["H" if kind == "flow" else "NS"]
        speed = abs(point.critical.imag) if kind == "flow" else abs(np.angle(point.critical))
        return point, point.parameters["r"], float(speed)

    step = 1e-4 * other
    (_, high, fast), (_, low, slow) = value(other + step), value(other - step)
    found = gb.sensitivity(value(other)[0], free="r")["b"]
    # Central differences of the location and of the frequency (angle).
    assert found.derivative == pytest.approx((high - low) / (2 * step), rel=1e-6)
    assert found.frequency == pytest.approx((fast - slow) / (2 * step), rel=1e-6)


def test_branch_points() -> None:
    system = gb.System.from_equations(
        "flow", {"x": "(a - c)*x - x**3", "y": "-d*y"}, parameters={"a": -1.0, "c": 0.2, "d": 1.0}
    )
    branch = gb.trace(gb.point(system, [0.0, 0.0]), {"a": (-1.0, 1.0)})
    # The pitchfork is at a = c.
    assert gb.sensitivity(branch["BP1"])["c"].derivative == pytest.approx(1.0, abs=1e-9)
    assert gb.sensitivity(branch["BP1"])["d"].derivative == pytest.approx(0.0, abs=1e-9)


def test_refusals() -> None:
    with pytest.raises(MisuseError, match="got int"):
        gb.sensitivity(3)  # type: ignore[arg-type]
    root = np.sqrt(8.0 / 3.0 * 14.0)
    start = gb.point(LORENZ, [root, root, 14.0])
    with pytest.raises(MisuseError, match="name the parameter"):
        gb.sensitivity(start)
    branch = gb.trace(start, {"r": (2.0, 40.0)})
    with pytest.raises(MisuseError, match="labelled point"):
        gb.sensitivity(branch.point(3))
    with pytest.raises(MisuseError, match="Did you mean"):
        gb.sensitivity(branch["H1"], free="rr")
