# SPDX-License-Identifier: Apache-2.0
"""What flyball.pipeline takes, gives and refuses. That its bits are those of Flyball is tested
beside the pipeline, in Go."""

import base64
import datetime
import json
import unittest

import numpy as np

import flyball
from flyball import pipeline

DOCUMENT = {
    "format": "flyball.pipeline/v1",
    "semantics": 1,
    "spec": {
        "inputs": {"x": "number", "city": "text", "at": "time"},
        "steps": [
            {"op": "one_hot", "in": "city"},
            {"op": "datetime", "in": "at", "parts": ["hour", "yearday"]},
            {"op": "expr", "as": "twice", "expr": "x * 2 + (1 < x < 3 ? 100 : 0)"},
        ],
    },
    "states": [{"kept": [["a", "b"]], "rare": [[]]}, {}, {}],
}
NAMES = ["x", "city=a", "city=b", "city=other", "at_hour", "at_yearday", "twice"]


def changed(**keys):
    return pipeline.Pipeline({**DOCUMENT, **keys})


def step(spec, state=None):
    return changed(
        spec={"inputs": {"x": "number"}, "steps": [spec]},
        states=[state or {}],
    )


class Table:
    """A table as pandas has it."""

    def __init__(self, columns):
        self.columns, self._columns = list(columns), columns

    def __getitem__(self, name):
        return self._columns[name]


class Features(unittest.TestCase):
    def setUp(self):
        self.p = pipeline.load(json.dumps(DOCUMENT).encode())

    def test_they_have_names(self):
        self.assertEqual(self.p.features, NAMES)

    def test_rows_and_columns_and_a_table_give_the_same(self):
        rows = [
            {"x": 2, "city": "b", "at": "2024-12-31T23:59:00Z", "more": 1},
            {"x": None, "city": None, "at": None},
            {"x": float("inf"), "city": "new", "at": "1969-12-31 10:00"},
        ]
        want = np.array(
            [
                [2, 0, 1, 0, 23, 366, 104],
                [np.nan, 0, 0, 0, np.nan, np.nan, np.nan],
                [np.nan, 0, 0, 1, 10, 365, np.nan],
            ],
            dtype=np.float32,
        )
        columns = {n: [r[n] for r in rows] for n in ("x", "city", "at")}
        for given in (rows, columns, Table(columns)):
            got = self.p.transform(given)
            self.assertEqual(got.dtype, np.float32)
            np.testing.assert_array_equal(got, want)

    def test_times_in_every_form(self):
        for at, hour in (
            (datetime.datetime(2024, 1, 1, 5, 30), 5),
            (datetime.datetime(2024, 1, 1, 5, tzinfo=datetime.timezone(datetime.timedelta(hours=-2))), 7),
            (datetime.date(2024, 1, 1), 0),
            ("2024-01-01T05:30:01.1234567+02:30", 3),
            (np.datetime64("2024-01-01T08", "s"), 8),
        ):
            got = self.p.transform([{"x": 1, "city": "a", "at": at}])
            self.assertEqual(got[0, 4], hour, at)
        whole = np.array([0, 3_600_000_000], dtype="datetime64[us]")
        got = self.p.transform({"x": [1, 1], "city": ["a", "a"], "at": whole})
        self.assertEqual(got[:, 4].tolist(), [0, 1])

    def test_no_rows(self):
        self.assertEqual(self.p.transform({"x": [], "city": [], "at": []}).shape, (0, len(NAMES)))

    def test_what_is_wrong_is_told_with_its_place(self):
        good = {"x": 1, "city": "a", "at": None}
        for bad, want in (
            ({"x": 1, "city": "a"}, "row 0: column 'at' is absent"),
            ({**good, "x": "1"}, "row 0, column 'x': '1' is no number"),
            ({**good, "city": 5}, "row 0, column 'city': 5 is no text"),
            ({**good, "at": "yesterday"}, "row 0, column 'at': 'yesterday' is no time"),
            ({**good, "at": "2023-02-29"}, "row 0, column 'at': '2023-02-29' is no time"),
        ):
            with self.assertRaises(flyball.Invalid) as caught:
                self.p.transform([bad])
            self.assertIn(want, str(caught.exception))
        with self.assertRaises(flyball.Invalid) as caught:
            self.p.transform({"x": [1], "city": ["a", "b"], "at": [None]})
        self.assertIn("column 'city' has 2 rows", str(caught.exception))


def golden(x=1.5):
    """Two golden rows, the second with everything missing."""
    nan = float("nan")
    want = np.array([[x, 1, 0, 0, 0, 1, 103], [nan, 0, 0, 0, nan, nan, nan]], dtype="<f4")
    b64 = lambda a: base64.b64encode(a.tobytes()).decode()  # noqa: E731
    return {
        "rows": 2,
        "inputs": [b64(np.array([1.5, nan], "<f8")), ["a", None], b64(np.array([0, -(2**63)], "<i8"))],
        "features": b64(want),
    }


class Session:
    """A session of onnxruntime that gives what it is told to."""

    def __init__(self, gives):
        self.gives, self.fed = gives, None

    def get_inputs(self):
        return [type("Input", (), {"name": n}) for n in ("x", "city", "at")]

    def get_overridable_initializers(self):
        return [type("Input", (), {"name": "city.missing"})]

    def run(self, _, feed):
        self.fed = feed
        return [self.gives]


class Golden(unittest.TestCase):
    def test_rows_that_come_out_the_same_are_taken(self):
        changed(golden=golden())

    def test_a_bit_that_differs_is_refused(self):
        with self.assertRaises(flyball.Invalid) as caught:
            changed(golden=golden(x=1.5000001))
        self.assertIn("golden row 0, feature 'x' is 1.5, not 1.5", str(caught.exception))

    def test_rows_of_another_shape_are_refused(self):
        for keys in ({"rows": 3}, {"features": ""}, {"inputs": golden()["inputs"][:2]}):
            with self.assertRaises(flyball.Invalid):
                changed(golden={**golden(), **keys})

    def test_a_session_is_held_to_them(self):
        p = changed(golden=golden())
        good = p.transform([{"x": 1.5, "city": "a", "at": 0}, {"x": None, "city": None, "at": None}])
        s = Session(good)
        p.check(s)
        self.assertEqual(s.fed["city.missing"].tolist(), [[False], [True]])
        good[0, 0] = 2
        with self.assertRaises(flyball.Invalid):
            p.check(s)
        with self.assertRaises(flyball.Invalid):
            changed().check(s)


class Refused(unittest.TestCase):
    def test_another_format(self):
        for keys in ({"format": "x"}, {"semantics": 2}):
            with self.assertRaises(flyball.Invalid):
                changed(**keys)
        with self.assertRaises(flyball.Invalid):
            pipeline.load(b"PK")

    def test_an_operation_of_tomorrow_is_named(self):
        with self.assertRaises(flyball.Refused) as caught:
            step({"op": "wavelet", "in": "x"})
        self.assertIn("'wavelet'", str(caught.exception))

    def test_an_expression_beyond_numbers_is_named(self):
        for source, want in (
            ("len(x)", "the function len"),
            ("let a = x; a", "'let'"),
            ("x | abs()", "'|'"),
            ("x in [1, 2] ? 1 : 2", "in of anything but a text and texts"),
            ("x % 2", "'%'"),
            ("(x", "')'"),
            ("x +", "it ends too early"),
            ("9007199254740993 + x", "2^53"),
        ):
            with self.assertRaises(flyball.Refused) as caught:
                step({"op": "expr", "as": "y", "expr": source})
            self.assertIn(want, str(caught.exception), source)


if __name__ == "__main__":
    unittest.main()
