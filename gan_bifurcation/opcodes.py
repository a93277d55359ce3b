"""Instruction set of the tape: one integer per elementary operation, shared by the builder and by every interpreter."""

from typing import Final

# Binary arithmetic: operands a, b.
ADD: Final = 0
SUB: Final = 1
MUL: Final = 2
DIV: Final = 3
# Powers: POWER_INTEGER takes the exponent itself as operand b, POWER_REAL the slot of a constant.
POWER_INTEGER: Final = 4
POWER_REAL: Final = 5
# Unary, smooth.
NEG: Final = 10
SQRT: Final = 11
EXP: Final = 12
LOG: Final = 13
SIN: Final = 14
COS: Final = 15
TAN: Final = 16
SINH: Final = 17
COSH: Final = 18
TANH: Final = 19
ASIN: Final = 20
ACOS: Final = 21
ATAN: Final = 22
ERF: Final = 23
ERFC: Final = 24
SIGMOID: Final = 25
LOG_SIGMOID: Final = 26
SOFTPLUS: Final = 27
# Not smooth: derivatives are those of the active piece.
ABS: Final = 40
SIGN: Final = 41
MINIMUM: Final = 42
MAXIMUM: Final = 43
SELECT_POSITIVE: Final = 44  # a if c > 0 else b
SELECT_NONNEGATIVE: Final = 45  # a if c >= 0 else b
# Expectation over the rows of a table (nodes and weights): the body between BEGIN and END runs once per row.
LOOP_BEGIN: Final = 60  # a: table
NODE: Final = 61  # a: column of the current table
ACCUMULATE: Final = 62  # a: slot; adds weight * value
LOOP_END: Final = 63  # a: index of the LOOP_BEGIN instruction
# Roots of equations by Newton's method: the unknowns follow BEGIN, the updates come just before END.
SOLVE_BEGIN: Final = 64  # a: number of unknowns; b: index of the SOLVE_END instruction
UNKNOWN: Final = 65  # a: slot of the value to start from
UPDATE: Final = 66  # a: slot of the unknown, b: slot of its step; the unknown less the step
SOLVE_END: Final = 67  # a: index of the SOLVE_BEGIN instruction; b: number of unknowns
# A call of Python: its arguments come just before it, its results just after it.
ARGUMENT: Final = 68  # a: slot
CALL: Final = 69  # a: slot of the function's handle, b: number of arguments, c: number of results
RESULT: Final = 70

UNARY_NAMES: Final = {
    NEG: "neg", SQRT: "sqrt", EXP: "exp", LOG: "log", SIN: "sin", COS: "cos", TAN: "tan", SINH: "sinh", COSH: "cosh",
    TANH: "tanh", ASIN: "asin", ACOS: "acos", ATAN: "atan", ERF: "erf", ERFC: "erfc", SIGMOID: "sigmoid",
    LOG_SIGMOID: "logsigmoid", SOFTPLUS: "softplus", ABS: "abs", SIGN: "sign",
}  # fmt: skip
