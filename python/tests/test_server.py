# SPDX-License-Identifier: Apache-2.0
"""The SDK against a real server, which the caller of the tests starts.

FLYBALL_URL is its address, FLYBALL_TEST_MODEL a model that is live there,
FLYBALL_TEST_ROW a row of it and FLYBALL_TEST_KEY the key of that row.
"""

import gzip
import json
import os
import unittest
import urllib.parse
import urllib.request

import flyball


@unittest.skipUnless("FLYBALL_TEST_MODEL" in os.environ, "no server: FLYBALL_TEST_MODEL is not set")
class Server(unittest.TestCase):
    def setUp(self):
        self.model = os.environ["FLYBALL_TEST_MODEL"]
        self.row = json.loads(os.environ["FLYBALL_TEST_ROW"])
        self.key = os.environ["FLYBALL_TEST_KEY"]
        self.client = flyball.connect()

    def test_rows_are_answered_in_their_order(self):
        answer = self.client.predict(self.model, [self.row, dict(self.row, temp=None)])
        self.assertEqual((answer.model, answer.version, len(answer)), (self.model, 1, 2))
        for p in answer:
            self.assertEqual((p.key, p.arm, p.version), (self.key, "live", 1))
            self.assertGreater(p.value, 0)
            self.assertEqual(len(p.id), 36)
        self.assertNotEqual(answer[0].id, answer[1].id)

    def test_a_truth_by_key_and_by_id_finds_its_prediction(self):
        p = flyball.predict(self.model, self.row)[0]
        self.assertEqual(flyball.label(self.model, {self.key: 16}), flyball.Labeled(1, 0))
        told = self.client.label(self.model, [flyball.Label(17, id=p.id, at="2012-01-01T07:00:00Z")])
        self.assertEqual(told, flyball.Labeled(1, 0))

    def test_a_truth_of_nothing_known_waits(self):
        self.assertEqual(self.client.label(self.model, {"2031-01-01T00:00": 1.5}), flyball.Labeled(1, 1))

    def test_a_prediction_made_elsewhere_is_kept_and_gets_its_truth(self):
        key = "2012-03-01T05:00-05:00"
        row = dict(self.row, ts=key)
        for _ in "12":
            p = self.client.log_prediction(self.model, row, 17.5, version=1, id="0134f0b8-1a00-7000-8000-000000000001")
            self.assertEqual((p.id, p.key, p.value, p.arm), ("0134f0b8-1a00-7000-8000-000000000001", key, 17.5, "live"))
        self.assertEqual(self.client.label(self.model, {key: 16}), flyball.Labeled(1, 0))
        query = urllib.parse.urlencode({"key": key})
        with urllib.request.urlopen("%s/v1/models/%s/predictions?%s" % (self.client.url, self.model, query)) as answer:
            kept = json.load(answer)
        self.assertEqual([(k["scores"], k["Label"]["value"]) for k in kept], [([17.5], "16")])
        with self.assertRaises(flyball.Invalid) as c:
            flyball.log_prediction(self.model, row, 17.5, version=7)
        self.assertIn("version 7, which is not live", str(c.exception))

    def test_what_a_run_predicted_is_kept_beside_it(self):
        made = self.mlflow("runs/create", {"experiment_id": "0"})
        run = made["run"]["info"]["run_id"]
        for prediction in (0.25, 0.75):  # the second replaces the first
            flyball.log_predictions(run, ["a", "b"], [0, 1], [0.5, prediction], columns={"day": ["x", "y"]}, dataset="test")
        with urllib.request.urlopen("%s/api/2.0/mlflow/artifacts/list?run_id=%s&path=evaluation" % (self.client.url, run)) as answer:
            files = sorted(f["path"] for f in json.load(answer)["files"])
        self.assertEqual(files, ["evaluation/evaluation.json", "evaluation/predictions.csv.gz"])
        root = "%s/api/2.0/mlflow-artifacts/artifacts/0/%s/artifacts/" % (self.client.url, run)
        with urllib.request.urlopen(root + files[1]) as answer:
            self.assertEqual(gzip.decompress(answer.read()).decode(), "key,label,prediction,day\na,0,0.5,x\nb,1,0.75,y\n")
        with self.assertRaises(flyball.NotFound) as c:
            flyball.log_predictions("0" * 32, ["a"], [1], [1])
        self.assertIn("not found", str(c.exception))

    def mlflow(self, path, value):
        """Asks MLflow's API, as its client would."""
        request = urllib.request.Request(
            self.client.url + "/api/2.0/mlflow/" + path, json.dumps(value).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)

    def test_a_model_that_nobody_serves_is_not_found(self):
        with self.assertRaises(flyball.NotFound) as c:
            self.client.predict("no-such-model", self.row)
        self.assertEqual(str(c.exception), 'no model "no-such-model" is served; see flyball status')

    def test_a_column_that_is_missing_is_named(self):
        row = dict(self.row)
        del row["temp"]
        with self.assertRaises(flyball.Invalid) as c:
            self.client.predict(self.model, [row])
        self.assertIn('"temp"', str(c.exception))

    def test_a_label_must_name_its_prediction(self):
        with self.assertRaises(flyball.Invalid) as c:
            self.client.label(self.model, [flyball.Label(1)])
        self.assertIn("by id or by key", str(c.exception))


if __name__ == "__main__":
    unittest.main()
