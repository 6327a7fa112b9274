# SPDX-License-Identifier: Apache-2.0
"""Expressions of a pipeline over columns: the part of expr-lang that is numbers, comparisons,
conditions and functions of numbers. What lies beyond is refused by name."""

from __future__ import annotations

import re
from typing import Any, Callable, Dict, List, Optional, Tuple

import numpy as np

from . import _arithmetic as arithmetic
from . import errors

_TOKEN = re.compile(
    r"""\s+|//[^\n]*|/\*.*?\*/
    |(?P<number>(?:0[xX][0-9a-fA-F_]+|0[oO][0-7_]+|0[bB][01_]+)
        |(?:\d[\d_]*(?:\.(?!\.)[\d_]*)?|\.\d[\d_]*)(?:[eE][+-]?[\d_]+)?)
    |(?P<word>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`[^`]*`)
    |(?P<name>[^\W\d]\w*|\$\w*)
    |(?P<sign>\*\*|&&|\|\||==|!=|<=|>=|\?\?|\?\.|::|\.\.|[-+*/%^<>!?:,;.()\[\]{}|\#=])""",
    re.X | re.S,
)

# How tightly operators bind, as expr-lang has it.
_BINARY = {
    "or": 10, "||": 10, "and": 15, "&&": 15, "==": 20, "!=": 20, "<": 20, ">": 20, "<=": 20, ">=": 20, "in": 20,
    "+": 30, "-": 30, "*": 60, "/": 60, "**": 100, "^": 100,
}  # fmt: skip
_UNARY = {"not": 50, "!": 50, "-": 90, "+": 90}
_ORDER = ("<", "<=", ">", ">=")
_WHOLE = 2.0**53

_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}


def _refuse(source: str, what: str) -> errors.Refused:
    return errors.Refused(
        "the expression %r cannot be computed here: %s" % (source, what),
        "only numbers, comparisons, conditions and functions of numbers are",
        "transform with Flyball: flyball pipelines transform",
    )


class Term:
    """A value of an expression: numbers, truths or texts, for each row or the same for all.

    An int is a number that expr-lang would keep as an int; whole bounds it. Below 2^53 its
    arithmetic is that of float64."""

    def __init__(self, kind: str, value: Any, is_int: bool = False, whole: float = 0.0):
        self.kind, self.value, self.int, self.whole = kind, value, is_int, whole


class Expression:
    """An expression, read once. read is told a name and gives its column's Term, None where there is none."""

    def __init__(self, source: str):
        self.source = source
        self._tokens = self._scan()
        self._at = 0
        self._tree = self._expression(0)
        if self._peek() is not None:
            raise _refuse(source, "%r" % (self._peek(),))

    def evaluate(self, read: "Callable[[str], Optional[Term]]") -> Any:
        """The numbers, one a row or one for all."""
        with np.errstate(all="ignore"):
            term = _Evaluation(self.source, read).term(self._tree)
        if term.kind != "number":
            raise _refuse(self.source, "it gives no number")
        return np.asarray(term.value, dtype=np.float64)

    def _scan(self) -> "List[Tuple[str, str]]":
        out: "List[Tuple[str, str]]" = []
        at = 0
        while at < len(self.source):
            found = _TOKEN.match(self.source, at)
            if found is None:
                raise _refuse(self.source, "%r" % self.source[at])
            at = found.end()
            if found.lastgroup is not None:
                out.append((found.lastgroup, found.group(found.lastgroup)))
        return out

    def _peek(self) -> "Optional[str]":
        """The next sign or word of the language; a text stands in its quotes."""
        return self._tokens[self._at][1] if self._at < len(self._tokens) else None

    def _take(self, want: str) -> bool:
        if self._peek() != want:
            return False
        self._at += 1
        return True

    def _expect(self, want: str) -> None:
        if not self._take(want):
            raise _refuse(self.source, "%r stands where %r is looked for" % (self._peek(), want))

    def _expression(self, precedence: int) -> "Tuple[Any, ...]":
        left = self._primary()
        while True:
            sign = self._peek()
            negate = sign == "not" and self._at + 1 < len(self._tokens) and self._tokens[self._at + 1][1] == "in"
            if negate:
                sign = "in"
            binds = _BINARY.get(sign or "", -1)
            if binds < precedence or binds < 0:
                break
            assert sign is not None
            self._at += 2 if negate else 1
            if sign in _ORDER:
                left = self._comparisons(left, sign)
                continue
            right = self._expression(binds if sign in ("**", "^") else binds + 1)
            left = ("binary", sign, left, right)
            if negate:
                left = ("unary", "not", left)
        while precedence == 0 and self._take("?"):
            then = left if self._peek() == ":" else self._expression(0)
            self._expect(":")
            left = ("if", left, then, self._expression(0))
        return left

    def _comparisons(self, left: "Tuple[Any, ...]", sign: str) -> "Tuple[Any, ...]":
        """a < b < c is a < b and b < c."""
        root: "Optional[Tuple[Any, ...]]" = None
        while True:
            right = self._expression(21)
            one = ("binary", sign, left, right)
            root = one if root is None else ("binary", "&&", root, one)
            left, after = right, self._peek()
            if after not in _ORDER:
                return root
            assert after is not None
            sign = after
            self._at += 1

    def _primary(self) -> "Tuple[Any, ...]":
        if self._at >= len(self._tokens):
            raise _refuse(self.source, "it ends too early")
        kind, text = self._tokens[self._at]
        if text in _UNARY and kind != "word":
            self._at += 1
            return ("unary", text, self._expression(_UNARY[text]))
        self._at += 1
        if text == "(":
            inside = self._expression(0)
            self._expect(")")
            return self._after(inside)
        if text == "[":
            return ("list", self._list("]"))
        if kind == "number":
            return self._number(text.replace("_", ""))
        if kind == "word":
            return ("word", self._unquote(text))
        if kind != "name" or text in ("let", "if", "else", "nil"):
            raise _refuse(self.source, "%r" % text)
        if text in ("true", "false"):
            return ("truth", text == "true")
        if self._take("("):
            return self._after(("call", text, self._list(")")))
        if text == "$env":
            self._expect("[")
            if self._at >= len(self._tokens) or self._tokens[self._at][0] != "word":
                raise _refuse(self.source, "$env without the name of a column")
            name = self._unquote(self._tokens[self._at][1])
            self._at += 1
            self._expect("]")
            return self._after(("name", name))
        return self._after(("name", text))

    def _after(self, node: "Tuple[Any, ...]") -> "Tuple[Any, ...]":
        if self._peek() in (".", "[", "?."):
            raise _refuse(self.source, "a member that is no column")
        return node

    def _list(self, end: str) -> "List[Tuple[Any, ...]]":
        out: "List[Tuple[Any, ...]]" = []
        while not self._take(end):
            if out:
                self._expect(",")
                if self._take(end):
                    break
            out.append(self._expression(0))
        return out

    def _number(self, text: str) -> "Tuple[Any, ...]":
        low = text.lower()
        if low.startswith(("0x", "0o", "0b")):
            return ("int", int(low, 0))
        if "." in low or "e" in low:
            return ("float", float(low))
        return ("int", int(low, 10))

    def _unquote(self, text: str) -> str:
        if text[0] == "`":
            return text[1:-1]

        def character(found: "re.Match[str]") -> str:
            code = found.group(1)
            if code[0] in "xuU" and len(code) > 1:
                return chr(int(code[1:], 16))
            if code in _ESCAPES or code in "\\'\"`":
                return _ESCAPES.get(code, code)
            raise _refuse(self.source, "%r" % found.group())

        return re.sub(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)", character, text[1:-1])


class _Evaluation:
    def __init__(self, source: str, read: "Callable[[str], Optional[Term]]"):
        self.source, self.read = source, read

    def refuse(self, what: str) -> errors.Refused:
        return _refuse(self.source, what)

    def term(self, node: "Tuple[Any, ...]") -> Term:
        kind = node[0]
        if kind == "int":
            if abs(node[1]) > _WHOLE:
                raise self.refuse("a whole number above 2^53")
            return Term("number", np.float64(node[1]), True, abs(float(node[1])))
        if kind == "float":
            return Term("number", np.float64(node[1]))
        if kind in ("word", "truth"):
            return Term(kind, node[1])
        if kind == "name":
            found = self.read(node[1])
            if found is None:
                raise self.refuse("the name %r" % node[1])
            return found
        if kind == "unary":
            return self.unary(node[1], self.term(node[2]))
        if kind == "binary":
            return self.binary(node[1], node[2], node[3])
        if kind == "if":
            return self.condition(self.term(node[1]), self.term(node[2]), self.term(node[3]))
        if kind == "call":
            return self.call(node[1], [self.term(n) for n in node[2]])
        raise self.refuse("a list where no in stands")

    def unary(self, sign: str, t: Term) -> Term:
        if t.kind == "number" and sign in "-+":
            return Term("number", -t.value if sign == "-" else t.value, t.int, t.whole)
        if t.kind == "truth" and sign in ("!", "not"):
            return Term("truth", np.logical_not(t.value))
        raise self.refuse("the operator %r" % sign)

    def binary(self, sign: str, left: "Tuple[Any, ...]", right: "Tuple[Any, ...]") -> Term:
        x = self.term(left)
        if sign == "in":
            if right[0] != "list" or x.kind != "word" or any(n[0] != "word" for n in right[1]):
                raise self.refuse("in of anything but a text and texts")
            among = np.zeros(np.shape(x.value), dtype=bool)
            for n in right[1]:
                among = among | np.equal(x.value, n[1])
            return Term("truth", among)
        y = self.term(right)
        if x.kind != y.kind:
            raise self.refuse("the operator %r between two kinds" % sign)
        if x.kind == "number" and sign in "+-*/**^":
            return self.arithmetic(sign, x, y)
        if sign in ("&&", "and", "||", "or") and x.kind == "truth":
            of = np.logical_and if sign in ("&&", "and") else np.logical_or
            return Term("truth", of(x.value, y.value))
        if sign in ("==", "!=") or sign in _ORDER and x.kind != "truth":
            return Term("truth", _COMPARE[sign](x.value, y.value))
        raise self.refuse("the operator %r" % sign)

    def arithmetic(self, sign: str, x: Term, y: Term) -> Term:
        both, whole = x.int and y.int, 0.0
        if sign in "+-":
            whole = x.whole + y.whole
        elif sign == "*":
            whole = x.whole * y.whole
        else:
            both = False
        if both and whole > _WHOLE:
            raise self.refuse("whole numbers above 2^53")
        return Term("number", _ARITHMETIC[sign](x.value, y.value), both, whole)

    def condition(self, c: Term, x: Term, y: Term) -> Term:
        if c.kind != "truth" or x.kind != "number" or y.kind != "number":
            raise self.refuse("a condition whose results are no numbers")
        return Term("number", np.where(c.value, x.value, y.value), x.int or y.int, max(x.whole, y.whole))

    def call(self, name: str, args: "List[Term]") -> Term:
        wrong = self.refuse("the function %s" % name)
        if self.read(name) is not None or any(t.kind != "number" or t.int and name == "abs" for t in args):
            raise wrong
        values = [t.value for t in args]
        if name in ("max", "min") and values:
            best = values[0]
            for x in values[1:]:
                better = x > best if name == "max" else x < best
                best = np.where(better | (x != x), x, best)
            return Term("number", best)
        if name == "mod" and len(values) == 2:
            return Term("number", np.fmod(values[0], values[1]))
        of = arithmetic.FUNCTIONS.get(name)
        if of is None or len(values) != 1:
            raise wrong
        return Term("number", of(values[0]))


_COMPARE: "Dict[str, Callable[[Any, Any], Any]]" = {
    "==": np.equal, "!=": np.not_equal, "<": np.less, "<=": np.less_equal, ">": np.greater, ">=": np.greater_equal,
}  # fmt: skip

_ARITHMETIC: "Dict[str, Callable[[Any, Any], Any]]" = {
    "+": np.add, "-": np.subtract, "*": np.multiply, "/": np.divide, "**": np.power, "^": np.power,
}  # fmt: skip
