# SPDX-License-Identifier: Apache-2.0
"""The SDK against a real server, which the caller of the tests starts.

FLYBALL_URL is its address, FLYBALL_TEST_MODEL a model that is live there,
FLYBALL_TEST_ROW a row of it and FLYBALL_TEST_KEY the key of that row.
"""

import json
import os
import unittest

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
