# SPDX-License-Identifier: Apache-2.0
"""Functions of float64 in the same bits as Flyball's own, whatever NumPy was built with: only
+, -, * and / are asked of it, in the same order.

log and log1p are those of FreeBSD's msun (Sun Microsystems, 1993), exp too, sin and cos those of
the Cephes library (S. Moshier), as Go's package math and Flyball's package stat have them."""

from __future__ import annotations

from typing import Any, Callable, Dict

import numpy as np

Array = Any  # of float64, or one

_LN2_HIGH = 6.93147180369123816490e-01
_LN2_LOW = 1.90821492927058770002e-10
_HALF_ROOT = 0.70710678118654752440
_L = (
    6.666666666666735130e-01,
    3.999999999940941908e-01,
    2.857142874366239149e-01,
    2.222219843214978396e-01,
    1.818357216161805012e-01,
    1.531383769920937332e-01,
    1.479819860511658591e-01,
)
_SIN = (
    1.58962301576546568060e-10,
    -2.50507477628578072866e-8,
    2.75573136213857245213e-6,
    -1.98412698295895385996e-4,
    8.33333333332211858878e-3,
    -1.66666666666666307295e-1,
)
_COS = (
    -1.13585365213876817300e-11,
    2.08757008419747316778e-9,
    -2.75573141792967388112e-7,
    2.48015872888517045348e-5,
    -1.38888888888730564116e-3,
    4.16666666666665929218e-2,
)
_PI4 = (7.85398125648498535156e-1, 3.77489470793079817668e-8, 2.69515142907905952645e-15)
_FAR = 2.0**29  # from here on the octant needs more digits of pi


def log(x: Array) -> Array:
    """The natural logarithm."""
    with np.errstate(all="ignore"):
        good = (x > 0) & (x < np.inf)
        f, k = np.frexp(np.where(good, x, 1.0))
        k = k.astype(np.float64)
        low = f < _HALF_ROOT
        f, k = np.where(low, f * 2, f) - 1, np.where(low, k - 1, k)
        s = f / (2 + f)
        s2 = s * s
        s4 = s2 * s2
        t1 = s2 * (_L[0] + s4 * (_L[2] + s4 * (_L[4] + s4 * _L[6])))
        t2 = s4 * (_L[1] + s4 * (_L[3] + s4 * _L[5]))
        half = 0.5 * f * f
        y = k * _LN2_HIGH - ((half - (s * (half + (t1 + t2)) + k * _LN2_LOW)) - f)
        rest = np.where(x == 0, -np.inf, np.where(x < 0, np.nan, x))
        return np.where(good, y, rest)


def log1p(x: Array) -> Array:
    """log(1+x) without the loss where x is small."""
    with np.errstate(all="ignore"):
        good = (x > -1) & (x < np.inf)
        v = np.where(good, x, 0.0)
        size = np.abs(v)
        short = (size < 4.142135623730950488017e-01) & (v > -2.928932188134524755992e-01)
        big = size >= 2.0**53
        u = np.where(big, v, 1.0 + v)
        bits = u.view(np.uint64) if u.ndim else np.asarray(u).reshape(1).view(np.uint64)[0]
        k = (bits >> np.uint64(52)).astype(np.int64) - 1023
        c = np.where(k > 0, 1.0 - (u - v), v - (u - 1.0)) / u
        c = np.where(big, 0.0, c)
        mantissa = bits & np.uint64(0x000FFFFFFFFFFFFF)
        below = mantissa < np.uint64(0x0006A09E667F3BCD)
        one = (mantissa | np.where(below, np.uint64(0x3FF0000000000000), np.uint64(0x3FE0000000000000))).view(np.float64)
        rest = np.where(below, mantissa, (np.uint64(0x0010000000000000) - mantissa) >> np.uint64(2))
        k = np.where(short, 0, np.where(below, k, k + 1)).astype(np.float64)
        f = np.where(short, v, one - 1.0)
        tiny = ~short & (rest == 0)
        half = 0.5 * f * f
        s = f / (2.0 + f)
        z = s * s
        r = z * (_L[0] + z * (_L[1] + z * (_L[2] + z * (_L[3] + z * (_L[4] + z * (_L[5] + z * _L[6]))))))
        near = half * (1.0 - 0.66666666666666666 * f)
        y = np.where(
            k == 0,
            f - (half - s * (half + r)),
            k * _LN2_HIGH - ((half - (s * (half + r) + (k * _LN2_LOW + c))) - f),
        )
        none = np.where(k == 0, 0.0, k * _LN2_HIGH + (c + k * _LN2_LOW))
        few = np.where(k == 0, f - near, k * _LN2_HIGH - ((near - (k * _LN2_LOW + c)) - f))
        y = np.where(tiny, np.where(f == 0, none, few), y)
        y = np.where(size < 2.0**-29, np.where(size < 2.0**-54, v, v - v * v * 0.5), y)
        bad = np.where(x == -1, -np.inf, np.where(x == np.inf, np.inf, np.nan))
        return np.where(good, y, bad)


def exp(x: Array) -> Array:
    """e to the x."""
    with np.errstate(all="ignore"):
        good = (x >= -7.45133219101941108420e02) & (x <= 7.09782712893383973096e02)
        v = np.where(good, x, 0.0)
        k = np.trunc(1.44269504088896338700e00 * v + np.copysign(0.5, v))
        high = v - k * _LN2_HIGH
        low = k * _LN2_LOW
        r = high - low
        t = r * r
        p = -1.65339022054652515390e-06 + t * 4.13813679705723846039e-08
        p = 6.61375632143793436117e-05 + t * p
        p = -2.77777777770155933842e-03 + t * p
        p = 1.66666666666666019037e-01 + t * p
        c = r - t * p
        y = 1 - ((low - (r * c) / (2 - c)) - high)
        whole = k.astype(np.int64)
        half = whole >> 1
        y = y * _power(half) * _power(whole - half)
        return np.where(good, y, np.where(x > 0, np.inf, np.where(x < 0, 0.0, x)))


def _power(k: Array) -> Array:
    """2 to the k, from -1022 to 1023."""
    return np.ldexp(1.0, k)


def sin(x: Array) -> Array:
    """The sine of x radians."""
    return _wave(x, False)


def cos(x: Array) -> Array:
    """The cosine of x radians."""
    return _wave(x, True)


def _wave(x: Array, cosine: bool) -> Array:
    with np.errstate(all="ignore"):
        size = np.abs(x)
        good = size < _FAR
        v = np.where(good, size, 0.0)
        j = np.trunc(v * (4 / np.pi))
        j = np.where(j % 2 == 1, j + 1, j)
        z = ((v - j * _PI4[0]) - j * _PI4[1]) - j * _PI4[2]
        octant = j % 8
        negative = octant > 3
        octant = np.where(negative, octant - 4, octant)
        if cosine:
            negative = negative ^ (octant > 1)
        else:
            negative = negative ^ (x < 0)
        zz = z * z
        s, c = _SIN, _COS
        sine = z + z * zz * ((((((s[0] * zz) + s[1]) * zz + s[2]) * zz + s[3]) * zz + s[4]) * zz + s[5])
        cosn = 1.0 - 0.5 * zz + zz * zz * ((((((c[0] * zz) + c[1]) * zz + c[2]) * zz + c[3]) * zz + c[4]) * zz + c[5])
        other = (octant == 1) | (octant == 2)
        y = np.where(other, sine, cosn) if cosine else np.where(other, cosn, sine)
        y = np.where(negative, -y, y)
        if not cosine:
            y = np.where(x == 0, x, y)
        far = np.cos(x) if cosine else np.sin(x)
        return np.where(good, y, far)


def round_half_away(x: Array) -> Array:
    """To the nearest whole number, halves away from zero."""
    size = np.abs(x)
    low = np.floor(size)
    return np.copysign(low + (size - low >= 0.5), x)


FUNCTIONS: "Dict[str, Callable[[Array], Array]]" = {
    "log": log, "log1p": log1p, "exp": exp, "sqrt": np.sqrt, "sin": sin, "cos": cos,
    "abs": np.abs, "floor": np.floor, "ceil": np.ceil, "round": round_half_away,
}  # fmt: skip
