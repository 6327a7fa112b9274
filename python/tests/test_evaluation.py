# SPDX-License-Identifier: Apache-2.0
"""What log_predictions writes, and what it refuses."""

import datetime
import gzip
import json
import unittest

import flyball
from test_transport import Scripted

RUN = {"run": {"info": {"run_id": "r", "artifact_uri": "mlflow-artifacts:/3/r/artifacts"}}}
FOLDER = "/api/2.0/mlflow-artifacts/artifacts/3/r/artifacts/evaluation/"


def logged(*args, **kwargs):
    """evaluation.json and the lines of predictions.csv that a call writes."""
    with Scripted((200, RUN, {}), (200, {}, {}), (200, b"", {}), (200, b"", {})) as s:
        flyball.connect(s.url).log_predictions("r", *args, **kwargs)
    assert [(a[0], a[1]) for a in s.asked] == [
        ("GET", "/api/2.0/mlflow/runs/get?run_id=r"),
        ("DELETE", FOLDER + "predictions.csv"),
        ("PUT", FOLDER + "predictions.csv.gz"),
        ("PUT", FOLDER + "evaluation.json"),
    ], s.asked
    return json.loads(s.asked[3][2]), gzip.decompress(s.asked[2][2]).decode().split("\n")


class Written(unittest.TestCase):
    def test_a_classifier(self):
        about, lines = logged(
            [58543, 58544],
            [False, True],
            [0.0419, 1e-05],
            weights=[1, 2.5],
            blocks=["ann", None],
            columns={"segment": ["Direct", 'Offline, "TA"'], "day": [datetime.date(2026, 1, 2), float("nan")]},
            dataset={"name": "bookings-test", "digest": "a3f1c09e"},
            threshold=0.4,
        )
        self.assertEqual(
            about,
            {
                "format": 1,
                "kind": "binary",
                "dataset": {"name": "bookings-test", "digest": "a3f1c09e"},
                "positive": "1",
                "threshold": 0.4,
            },
        )
        self.assertEqual(
            lines,
            [
                "key,label,prediction,weight,block,segment,day",
                "58543,0,0.0419,1.0,ann,Direct,2026-01-02",
                '58544,1,1e-05,2.5,,"Offline, ""TA""",',
                "",
            ],
        )

    def test_a_regression(self):
        about, lines = logged(["a", "b"], [412, 3.5], [400.25, -1])
        self.assertEqual(about, {"format": 1, "kind": "regression"})
        self.assertEqual(lines, ["key,label,prediction", "a,412.0,400.25", "b,3.5,-1.0", ""])

    def test_the_kind_is_taken_from_the_labels(self):
        for labels, predictions, want in (
            ([0, 1], [0.2, 0.3], "binary"),
            ([1.0, 0.0], [0.2, 1], "binary"),
            ([0, 1], [0.2, 1.3], "regression"),
            ([0, 2], [0.2, 0.3], "regression"),
        ):
            with self.subTest(labels):
                self.assertEqual(logged(["a", "b"], labels, predictions)[0]["kind"], want)
        self.assertEqual(logged(["a", "b"], ["yes", "no"], [0, 1], positive="yes")[0]["positive"], "yes")
        self.assertEqual(logged(["a"], [1], [1], kind="regression")[0], {"format": 1, "kind": "regression"})

    def test_a_dataset_of_mlflow_is_named(self):
        class Dataset:
            name, digest = "bikes", "1234"

        self.assertEqual(logged(["a"], [1], [1], dataset=Dataset())[0]["dataset"], {"name": "bikes", "digest": "1234"})
        self.assertEqual(logged(["a"], [1], [1], dataset="bikes")[0]["dataset"], {"name": "bikes", "digest": ""})


class Refused(unittest.TestCase):
    def test_what_cannot_be_compared_is_refused_with_its_place(self):
        two = ["a", "b"]
        for args, kwargs, says in (
            ((["a", "a"], [0, 1], [0, 1]), {}, "keys 0 and 1 are both 'a'"),
            ((["a", None], [0, 1], [0, 1]), {}, "key 1 is empty"),
            ((["a", "b" * 513], [0, 1], [0, 1]), {}, "key 1 is longer than 512 bytes"),
            ((two, [0], [0, 1]), {}, "2 keys and 1 labels"),
            ((two, [0, 1], [0]), {}, "2 keys and 1 predictions"),
            (([], [], []), {}, "there are no rows"),
            ((two, [0, 1], [0.5, float("nan")]), {}, "prediction 1 is nan"),
            ((two, [0, 1], [0.5, 1.5]), {"kind": "binary"}, "prediction 1 is 1.5: binary wants the probability of yes"),
            ((two, [0, None], [0.5, 0.5]), {"kind": "binary"}, "label 1 is empty"),
            ((two, [0, "x"], [0.5, 0.5]), {"kind": "regression"}, "label 1 is 'x'"),
            ((two, ["yes", "no"], [0, 1]), {}, "the labels are 'no' and 'yes': none of them is 1; pass positive="),
            ((two, ["yes", "no"], [0, 1]), {"positive": "Yes"}, "the labels are 'no' and 'yes': none of them is Yes"),
            ((["a", "b", "c"], ["x", "y", "z"], [0, 1, 1]), {}, "the labels have 3 different values"),
            ((two, [0, 1], [0, 1]), {"kind": "ranking"}, "kind is 'ranking'"),
            ((two, [0, 1], [0, 1]), {"threshold": 1}, "threshold is 1"),
            ((two, [0, 1], [0, 1]), {"weights": [1, 0]}, "weight 1 is 0.0"),
            ((two, [0, 1], [0, 1]), {"blocks": ["x"]}, "2 keys and 1 of 'block'"),
            ((two, [0, 1], [0, 1]), {"columns": {"label": two}}, "a slice column is named 'label'"),
            ((two, [0, 1], [0, 1]), {"columns": {str(i): two for i in range(33)}}, "33 slice columns"),
            ((two, [0, 1], [0, 1]), {"columns": {"c": ["", "x" * 4097]}}, "column 'c', row 1 has 4097 bytes"),
            ((two, [0, 1], [0, 1]), {"dataset": 7}, "dataset has neither name nor digest"),
        ):
            with self.subTest(says), self.assertRaises(flyball.Error) as c:
                flyball.connect("http://127.0.0.1:1", patience=0).log_predictions("r", *args, **kwargs)
            self.assertTrue(str(c.exception).startswith(says), c.exception)

    def test_artifacts_that_the_server_does_not_keep_are_not_written(self):
        elsewhere = {"run": {"info": {"artifact_uri": "s3://bucket/r"}}}
        with Scripted((200, elsewhere, {})) as s, self.assertRaises(flyball.Refused) as c:
            flyball.connect(s.url).log_predictions("r", ["a"], [1], [1])
        self.assertIn("s3://bucket/r", str(c.exception))


if __name__ == "__main__":
    unittest.main()
