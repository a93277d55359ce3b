"""The concrete syntax tree of an expression, as PyDSTool expects it from the standard library of Python < 3.10.

PyDSTool rewrites powers by walking the nested lists that the modules ``parser`` and ``symbol`` used to return; both
left Python with 3.10. This module parses the expressions of Python 3.8 again (operators by precedence, everything
else by recursive descent; no dictionaries and no ``await``) and returns the same lists, with chains of single
children collapsed, as PyDSTool does itself next.
"""

from __future__ import annotations

import keyword
import re
import token
from typing import Any, Final

Node = list[Any]
"""``[number, child, ...]`` for a rule, ``[number, text]`` for a token."""

_RULES: Final = (
    "eval_input", "testlist", "test", "lambdef", "varargslist", "or_test", "and_test", "not_test", "comparison",
    "comp_op", "star_expr", "expr", "xor_expr", "and_expr", "shift_expr", "arith_expr", "term", "factor", "power",
    "atom_expr", "atom", "testlist_comp", "trailer", "subscriptlist", "subscript", "sliceop", "exprlist", "arglist",
    "argument", "sync_comp_for", "comp_if",
)  # fmt: skip
RULE_NAMES: Final[dict[int, str]] = {256 + index: name for index, name in enumerate(_RULES)}
_NUMBER: Final[dict[str, int]] = {name: number for number, name in RULE_NAMES.items()}

# Loosest first; an operator of a later row binds tighter.  Row 2 is the prefix "not", which no infix operator shares.
_LEVELS: Final[tuple[tuple[str, frozenset[str]], ...]] = (
    ("or_test", frozenset({"or"})),
    ("and_test", frozenset({"and"})),
    ("not_test", frozenset()),
    ("comparison", frozenset({"<", ">", "==", ">=", "<=", "!=", "in", "is", "not"})),
    ("expr", frozenset({"|"})),
    ("xor_expr", frozenset({"^"})),
    ("and_expr", frozenset({"&"})),
    ("shift_expr", frozenset({"<<", ">>"})),
    ("arith_expr", frozenset({"+", "-"})),
    ("term", frozenset({"*", "@", "/", "%", "//"})),
)
_LEVEL_OF: Final[dict[str, int]] = {text: level for level, (_, texts) in enumerate(_LEVELS) for text in texts}
_NOT: Final = 2
_EXPR: Final = 4

_EXACT: Final[dict[str, int]] = token.EXACT_TOKEN_TYPES
_OPERATORS: Final = "|".join(re.escape(text) for text in sorted(_EXACT, key=len, reverse=True))
_TOKEN: Final = re.compile(
    r"(?P<skip>[ \t\f]+|\#[^\r\n]*|\\\r?\n)"
    r"|(?P<newline>\r?\n|\r)"
    r"|(?P<number>0[xX](?:_?[0-9a-fA-F])+|0[bB](?:_?[01])+|0[oO](?:_?[0-7])+"
    r"|(?:[0-9](?:_?[0-9])*\.?(?:[0-9](?:_?[0-9])*)?|\.[0-9](?:_?[0-9])*)(?:[eE][-+]?[0-9](?:_?[0-9])*)?[jJ]?)"
    r"|(?P<string>[rRbBuUfF]{0,2}(?:\"\"\"(?:[^\\]|\\.)*?\"\"\"|'''(?:[^\\]|\\.)*?'''"
    r"|\"(?:[^\"\\\r\n]|\\.)*\"|'(?:[^'\\\r\n]|\\.)*'))"
    r"|(?P<name>[^\W\d]\w*)"
    r"|(?P<op>" + _OPERATORS + r")",
    re.DOTALL,
)
_CONSTANTS: Final = frozenset({"None", "True", "False"})
_END: Final = (token.ENDMARKER, "")


def _tokens(text: str) -> list[tuple[int, str]]:
    """Split `text` into (token number, text); line ends count only outside brackets."""
    found: list[tuple[int, str]] = []
    position = depth = 0
    if text[:1] in (" ", "\t"):
        raise SyntaxError("unexpected indent")
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise SyntaxError(f"invalid character {text[position]!r} in expression {text!r}")
        position = match.end()
        kind, piece = match.lastgroup, match.group()
        if kind == "skip":
            continue
        if kind == "newline":
            if depth == 0:
                found.append((token.NEWLINE, ""))
        elif kind == "number":
            if re.fullmatch(r"0[0-9_]*[1-9][0-9_]*", piece):
                raise SyntaxError(f"leading zeros in the integer {piece!r} are not permitted")
            found.append((token.NUMBER, piece))
        elif kind == "string":
            found.append((token.STRING, piece))
        elif kind == "name":
            found.append((token.NAME, piece))
        else:
            depth += (piece in "([{") - (piece in ")]}")
            found.append((_EXACT[piece], piece))
    found.append(_END)
    return found


def _node(rule: str, children: list[Node]) -> Node:
    return children[0] if len(children) == 1 else [_NUMBER[rule], *children]


class _Parser:
    """One pass over the tokens of one expression; each method returns the node of the rule that it is named after."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = _tokens(text)
        self._at = 0

    # -- tokens ------------------------------------------------------------------------------------------------------
    @property
    def _next(self) -> str:
        return self._tokens[self._at][1]

    def _take(self, *wanted: str) -> Node:
        number, text = self._tokens[self._at]
        if wanted and text not in wanted:
            raise SyntaxError(
                f"invalid syntax in expression {self._text!r}: found {text!r}, expected {' or '.join(wanted)}"
            )
        self._at += 1
        return [number, text]

    def _take_name(self) -> Node:
        number, text = self._tokens[self._at]
        if number != token.NAME or keyword.iskeyword(text):
            raise SyntaxError(f"invalid syntax in expression {self._text!r}: found {text!r}, expected a name")
        self._at += 1
        return [number, text]

    def _listed(self, rule: str, item: Any, closing: frozenset[str]) -> Node:
        """``item (',' item)* [',']`` up to a token of `closing` or the end."""
        children = [item()]
        while self._next == ",":
            children.append(self._take())
            if self._next in closing or self._tokens[self._at][0] in (token.NEWLINE, token.ENDMARKER):
                break
            children.append(item())
        return _node(rule, children)

    # -- rules -------------------------------------------------------------------------------------------------------
    def whole(self) -> Node:
        tree = self._listed("testlist", self._test, frozenset())
        while self._tokens[self._at][0] == token.NEWLINE:
            self._at += 1
        if self._tokens[self._at] != _END:
            raise SyntaxError(f"invalid syntax in expression {self._text!r} at {self._next!r}")
        return [_NUMBER["eval_input"], tree, [token.NEWLINE, ""], [token.ENDMARKER, ""]]

    def _test(self) -> Node:
        if self._next == "lambda":
            children = [self._take()]
            if self._next != ":":
                children.append(self._listed("varargslist", self._take_name, frozenset({":"})))
            return [_NUMBER["lambdef"], *children, self._take(":"), self._test()]
        value = self._operation(0)
        if self._next != "if":
            return value
        head = self._take()
        condition = self._operation(0)
        return [_NUMBER["test"], value, head, condition, self._take("else"), self._test()]

    def _operation(self, loosest: int) -> Node:
        """Everything that operators join, down to precedence row `loosest`, without one call per row."""
        unfinished: list[tuple[int, list[Node]]] = []
        while True:
            while self._next == "not":
                if loosest > _NOT or (unfinished and unfinished[-1][0] > _NOT):
                    raise SyntaxError(f"invalid syntax in expression {self._text!r} at 'not'")
                unfinished.append((_NOT, [self._take()]))
            node = self._factor()
            text = self._next if self._tokens[self._at][0] != token.STRING else ""
            level = _LEVEL_OF.get(text, -1)
            if level < loosest:
                level = -1
            while unfinished and unfinished[-1][0] > level:
                row, children = unfinished.pop()
                node = [_NUMBER[_LEVELS[row][0]], *children, node]
            if level < 0:
                return node
            sign = self._comparison_sign() if _LEVELS[level][0] == "comparison" else self._take()
            if unfinished and unfinished[-1][0] == level:
                unfinished[-1][1].extend((node, sign))
            else:
                unfinished.append((level, [node, sign]))

    def _comparison_sign(self) -> Node:
        first = self._take()
        if first[1] == "not" or (first[1] == "is" and self._next == "not"):
            return [_NUMBER["comp_op"], first, self._take("in" if first[1] == "not" else "not")]
        return first

    def _factor(self) -> Node:
        if self._next in ("+", "-", "~"):
            sign = self._take()
            return [_NUMBER["factor"], sign, self._factor()]
        base = self._atom_expr()
        if self._next != "**":
            return base
        return [_NUMBER["power"], base, self._take(), self._factor()]

    def _atom_expr(self) -> Node:
        children = [self._atom()]
        while self._next in ("(", "[", "."):
            opening = self._take()
            if opening[1] == ".":
                children.append([_NUMBER["trailer"], opening, self._take_name()])
                continue
            closing = ")" if opening[1] == "(" else "]"
            rule, item = ("arglist", self._argument) if closing == ")" else ("subscriptlist", self._subscript)
            inside = [] if self._next == closing else [self._listed(rule, item, frozenset({closing}))]
            if closing == "]" and not inside:
                raise SyntaxError(f"invalid syntax in expression {self._text!r}: empty index")
            children.append([_NUMBER["trailer"], opening, *inside, self._take(closing)])
        return _node("atom_expr", children)

    def _atom(self) -> Node:
        number, text = self._tokens[self._at]
        if number == token.STRING:
            strings = []
            while self._tokens[self._at][0] == token.STRING:
                strings.append(self._take())
            return _node("atom", strings)
        if number == token.NUMBER or text == "...":
            return self._take()
        if number == token.NAME:
            return self._take() if text in _CONSTANTS else self._take_name()
        if text == "(" or text == "[":
            opening, closing = self._take(), ")" if text == "(" else "]"
            inside = [] if self._next == closing else [self._sequence(closing)]
            return [_NUMBER["atom"], opening, *inside, self._take(closing)]
        raise SyntaxError(f"invalid syntax in expression {self._text!r} at {text!r}")

    def _sequence(self, closing: str) -> Node:
        """The inside of brackets: a list of items, or one item with the loops of a comprehension."""
        start = self._at
        first = self._starred()
        if self._next == "for":
            return [_NUMBER["testlist_comp"], first, self._comp_for()]
        self._at = start
        return self._listed("testlist_comp", self._starred, frozenset({closing}))

    def _starred(self) -> Node:
        return [_NUMBER["star_expr"], self._take(), self._operation(_EXPR)] if self._next == "*" else self._test()

    def _argument(self) -> Node:
        if self._next in ("*", "**"):
            return [_NUMBER["argument"], self._take(), self._test()]
        value = self._test()
        if self._next == "for":
            return [_NUMBER["argument"], value, self._comp_for()]
        if self._next in ("=", ":="):
            return [_NUMBER["argument"], value, self._take(), self._test()]
        return value

    def _subscript(self) -> Node:
        children = [] if self._next == ":" else [self._test()]
        for rule in ("subscript", "sliceop"):
            if self._next != ":":
                break
            colon = [self._take()]
            if self._next not in (":", ",", "]"):
                colon.append(self._test())
            children.extend(colon if rule == "subscript" else [_node("sliceop", colon)])
        return _node("subscript", children)

    def _comp_for(self) -> Node:
        head = self._take("for")
        targets = self._listed("exprlist", lambda: self._operation(_EXPR), frozenset({"in"}))
        children = [head, targets, self._take("in"), self._operation(0)]
        if self._next == "for":
            children.append(self._comp_for())
        elif self._next == "if":
            children.append(self._comp_if())
        return [_NUMBER["sync_comp_for"], *children]

    def _comp_if(self) -> Node:
        children = [self._take("if"), self._operation(0)]
        if self._next == "for":
            children.append(self._comp_for())
        elif self._next == "if":
            children.append(self._comp_if())
        return [_NUMBER["comp_if"], *children]


class SyntaxTree:
    """The object that ``parser.expr`` returned; PyDSTool only asks for its lists."""

    def __init__(self, tree: Node) -> None:
        self._tree = tree

    def tolist(self) -> Node:
        """Return the tree as nested lists."""
        return self._tree


def expr(text: str) -> SyntaxTree:
    """Parse one expression of Python 3.8; raises SyntaxError where ``parser.expr`` did."""
    return SyntaxTree(_Parser(text).whole())
