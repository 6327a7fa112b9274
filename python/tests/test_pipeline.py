# SPDX-License-Identifier: Apache-2.0
"""What flyball.pipeline takes, gives and refuses. That its bits are those of Flyball is tested
beside the pipeline, in Go."""

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
