"""Elementary functions of one number and their derivatives, in compiled code."""

from math import acos, asin, atan, cos, cosh, erf, erfc, exp, log, log1p, sin, sinh, sqrt, tan, tanh

import numpy as np

from gan_bifurcation import opcodes as op
from gan_bifurcation.compiling import leaf

TWO_OVER_SQRT_PI = 1.1283791670955126


@leaf
def sigmoid(x: float) -> float:
    if x >= 0.0:
        return 1.0 / (1.0 + exp(-x))
    e = exp(x)
    return e / (1.0 + e)


@leaf
def softplus(x: float) -> float:
    return max(x, 0.0) + log1p(exp(-abs(x)))


@leaf
def integer_power(x: float, n: int) -> float:
    result = 1.0
    base = x
    k = abs(n)
    while k > 0:
        if k & 1:
            result *= base
        base *= base
        k >>= 1
    return 1.0 / result if n < 0 else result


@leaf
def unary_value(code: int, x: float) -> float:
    if code == op.NEG:
        return -x
    if code == op.SQRT:
        return sqrt(x) if x >= 0.0 else np.nan
    if code == op.EXP:
        return exp(x) if x < 709.78 else np.inf
    if code == op.LOG:
        return log(x) if x > 0.0 else (-np.inf if x == 0.0 else np.nan)
    if code == op.SIN:
        return sin(x) if abs(x) < np.inf else np.nan
    if code == op.COS:
        return cos(x) if abs(x) < np.inf else np.nan
    if code == op.TAN:
        return tan(x) if abs(x) < np.inf else np.nan
    if code == op.SINH:
        return sinh(x) if abs(x) < 710.0 else x * np.inf
    if code == op.COSH:
        return cosh(x) if abs(x) < 710.0 else np.inf
    if code == op.TANH:
        return tanh(x)
    if code == op.ASIN:
        return asin(x) if abs(x) <= 1.0 else np.nan
    if code == op.ACOS:
        return acos(x) if abs(x) <= 1.0 else np.nan
    if code == op.ATAN:
        return atan(x)
    if code == op.ERF:
        return erf(x)
    if code == op.ERFC:
        return erfc(x)
    if code == op.SIGMOID:
        return float(sigmoid(x))
    if code == op.LOG_SIGMOID:
        return -float(softplus(-x))
    if code == op.SOFTPLUS:
        return float(softplus(x))
    if code == op.ABS:
        return abs(x)
    # SIGN; zero at zero
    return 1.0 if x > 0.0 else (-1.0 if x < 0.0 else x)


@leaf
def unary_derivatives(code: int, x: float, y: float) -> tuple[float, float]:
    """First and second derivative of a unary operation at x, given its value y."""
    if code == op.NEG:
        return -1.0, 0.0
    if code == op.SQRT:
        d = 0.5 / y
        return d, -0.5 * d / x
    if code == op.EXP:
        return y, y
    if code == op.LOG:
        return 1.0 / x, -1.0 / (x * x)
    if code == op.SIN:
        return cos(x), -y
    if code == op.COS:
        return -sin(x), -y
    if code == op.TAN:
        d = 1.0 + y * y
        return d, 2.0 * y * d
    if code == op.SINH:
        return cosh(x), y
    if code == op.COSH:
        return sinh(x), y
    if code == op.TANH:
        d = 1.0 - y * y
        return d, -2.0 * y * d
    if code == op.ASIN:
        d = 1.0 / sqrt(1.0 - x * x)
        return d, x * d * d * d
    if code == op.ACOS:
        d = 1.0 / sqrt(1.0 - x * x)
        return -d, -x * d * d * d
    if code == op.ATAN:
        d = 1.0 / (1.0 + x * x)
        return d, -2.0 * x * d * d
    if code == op.ERF or code == op.ERFC:
        d = TWO_OVER_SQRT_PI * exp(-x * x)
        if code == op.ERFC:
            d = -d
        return d, -2.0 * x * d
    if code == op.SIGMOID:
        s = sigmoid(-x)
        return y * s, y * s * (s - y)
    if code == op.LOG_SIGMOID:
        s = sigmoid(-x)
        return s, -s * sigmoid(x)
    if code == op.SOFTPLUS:
        s = sigmoid(x)
        return s, s * sigmoid(-x)
    if code == op.ABS:
        return (1.0 if x > 0.0 else (-1.0 if x < 0.0 else 0.0)), 0.0
    return 0.0, 0.0
