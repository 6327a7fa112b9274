# SPDX-License-Identifier: Apache-2.0
"""Experiments, runs and what is logged in them, through MLflow's own client."""

import math
import time
import unittest
import uuid

import mlflow
import numpy as np
import pandas as pd
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag, ViewType
from mlflow.exceptions import MlflowException

MAJOR = int(mlflow.__version__.split(".")[0])


def fresh(word):
    return "%s-%s" % (word, uuid.uuid4().hex[:8])


class Experiments(unittest.TestCase):
    def setUp(self):
        self.client = mlflow.MlflowClient()

    def test_the_default_experiment_is_there(self):
        e = self.client.get_experiment("0")
        self.assertEqual((e.name, e.lifecycle_stage, e.artifact_location), ("Default", "active", "mlflow-artifacts:/0"))

    def test_an_experiment_is_made_found_renamed_deleted_and_restored(self):
        name = fresh("é made")
        made = mlflow.set_experiment(name)
        self.assertEqual(mlflow.get_experiment_by_name(name).experiment_id, made.experiment_id)
        self.assertTrue(made.experiment_id.isdigit())
        self.client.set_experiment_tag(made.experiment_id, "team", "bikes")
        self.client.rename_experiment(made.experiment_id, name + "2")
        e = self.client.get_experiment(made.experiment_id)
        self.assertEqual((e.name, e.tags), (name + "2", {"team": "bikes"}))
        self.assertGreaterEqual(e.last_update_time, e.creation_time)
        run = self.client.create_run(e.experiment_id)
        self.client.delete_experiment(e.experiment_id)
        self.assertEqual(self.client.get_experiment(e.experiment_id).lifecycle_stage, "deleted")
        self.assertEqual(self.client.get_run(run.info.run_id).info.lifecycle_stage, "deleted")
        with self.assertRaises(MlflowException) as c:
            mlflow.set_experiment(name + "2")
        self.assertIn("deleted experiment", str(c.exception))
        with self.assertRaises(MlflowException) as c:
            self.client.create_run(e.experiment_id)
        self.assertIn("must be in the 'active' state", str(c.exception))
        self.client.restore_experiment(e.experiment_id)
        self.assertEqual(self.client.get_experiment(e.experiment_id).lifecycle_stage, "active")
        self.assertEqual(self.client.get_run(run.info.run_id).info.lifecycle_stage, "active")

    def test_a_name_is_taken_once(self):
        name = fresh("taken")
        self.client.create_experiment(name)
        with self.assertRaises(MlflowException) as c:
            self.client.create_experiment(name)
        self.assertEqual(c.exception.error_code, "RESOURCE_ALREADY_EXISTS")

    def test_what_is_not_there_is_none_or_an_error_of_its_own(self):
        self.assertIsNone(mlflow.get_experiment_by_name(fresh("none")))
        for call, code in (
            (lambda: self.client.get_experiment("98765432"), "RESOURCE_DOES_NOT_EXIST"),
            (lambda: self.client.get_run("0" * 32), "RESOURCE_DOES_NOT_EXIST"),
            (lambda: self.client.get_experiment("abc"), "INVALID_PARAMETER_VALUE"),
        ):
            with self.assertRaises(MlflowException) as c:
                call()
            self.assertEqual(c.exception.error_code, code)

    def test_experiments_are_searched_in_pages(self):
        word = fresh("paged")
        ids = [self.client.create_experiment("%s %d" % (word, i), tags={"n": str(i % 2)}) for i in range(5)]
        found, token = [], None
        while True:
            page = self.client.search_experiments(
                filter_string="name LIKE '%s%%'" % word, order_by=["name DESC"], max_results=2, page_token=token
            )
            found += [e.experiment_id for e in page]
            token = page.token
            if not token:
                break
            self.assertEqual(len(page), 2)
        self.assertEqual(found, ids[::-1])
        odd = mlflow.search_experiments(filter_string="tags.n = '1' AND name ILIKE '%s%%'" % word.upper())
        self.assertEqual({e.experiment_id for e in odd}, {ids[1], ids[3]})
        self.client.delete_experiment(ids[0])
        gone = mlflow.search_experiments(ViewType.DELETED_ONLY, filter_string="name = '%s 0'" % word)
        self.assertEqual([e.experiment_id for e in gone], [ids[0]])


class Runs(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.experiment = mlflow.set_experiment(fresh("runs"))

    def setUp(self):
        self.client = mlflow.MlflowClient()
        mlflow.set_experiment(experiment_id=self.experiment.experiment_id)

    def test_a_run_keeps_what_is_logged(self):
        with mlflow.start_run(run_name="first", description="a note", tags={"a": "1"}) as run:
            mlflow.log_param("lr", 0.1)
            mlflow.log_params({"depth": 6, "long": "x" * 6000, "naïve": True})
            mlflow.log_metric("auc", 0.5, step=1)
            mlflow.log_metric("auc", 0.75, step=2)
            mlflow.log_metrics({"loss": 1.25, "f1": -0.0}, step=7)
            mlflow.set_tag("b", "zwei")
            mlflow.set_tags({"c": 3, "gone": ""})
            mlflow.delete_tag("gone")
            self.assertEqual(mlflow.active_run().info.status, "RUNNING")
        got = mlflow.get_run(run.info.run_id)
        self.assertEqual(got.data.params, {"lr": "0.1", "depth": "6", "long": "x" * 6000, "naïve": "True"})
        self.assertEqual(got.data.metrics, {"auc": 0.75, "loss": 1.25, "f1": 0.0})
        tags = {k: v for k, v in got.data.tags.items() if not k.startswith("mlflow.")}
        self.assertEqual(tags, {"a": "1", "b": "zwei", "c": "3"})
        self.assertEqual(got.data.tags["mlflow.runName"], "first")
        self.assertEqual(got.data.tags["mlflow.note.content"], "a note")
        self.assertEqual((got.info.run_name, got.info.status, got.info.lifecycle_stage), ("first", "FINISHED", "active"))
        self.assertGreaterEqual(got.info.end_time, got.info.start_time)
        self.assertEqual(
            got.info.artifact_uri,
            "mlflow-artifacts:/%s/%s/artifacts" % (self.experiment.experiment_id, run.info.run_id),
        )
        history = [(m.value, m.step) for m in self.client.get_metric_history(run.info.run_id, "auc")]
        self.assertEqual(history, [(0.5, 1), (0.75, 2)])

    def test_a_run_that_fails_is_failed(self):
        with self.assertRaises(ZeroDivisionError):
            with mlflow.start_run() as run:
                1 / 0
        self.assertEqual(mlflow.get_run(run.info.run_id).info.status, "FAILED")

    def test_a_run_without_a_name_gets_one(self):
        run = self.client.create_run(self.experiment.experiment_id)
        self.assertRegex(run.info.run_name, r"^[a-z]+-[a-z]+-\d+$")
        self.assertEqual(self.client.get_run(run.info.run_id).data.tags["mlflow.runName"], run.info.run_name)
        self.client.update_run(run.info.run_id, status="KILLED", name="named")
        got = self.client.get_run(run.info.run_id)
        self.assertEqual((got.info.status, got.info.run_name, got.data.tags["mlflow.runName"]), ("KILLED", "named", "named"))

    def test_numbers_that_json_lacks_are_kept(self):
        run = self.client.create_run(self.experiment.experiment_id).info.run_id
        self.client.log_metric(run, "nan", float("nan"))
        self.client.log_metric(run, "inf", float("inf"))
        self.client.log_batch(run, metrics=[Metric("minus", float("-inf"), 5, 0), Metric("tiny", 5e-324, 5, 0)])
        got = self.client.get_run(run).data.metrics
        self.assertTrue(math.isnan(got["nan"]))
        self.assertEqual((got["inf"], got["minus"], got["tiny"]), (1.7976931348623157e308, -1.7976931348623157e308, 5e-324))
        self.assertTrue(math.isnan(self.client.get_metric_history(run, "nan")[0].value))
        self.assertEqual(self._found("metrics.nan > 0 AND attributes.run_id = '%s'" % run), [])
        self.assertEqual(self._found("metrics.inf > 1e300 AND attributes.run_id = '%s'" % run), [run])

    def test_the_latest_value_is_that_of_the_highest_step(self):
        run = self.client.create_run(self.experiment.experiment_id).info.run_id
        for step, value in ((3, 0.3), (-1, 0.9), (2, 0.8)):
            self.client.log_metric(run, "m", value, timestamp=1000, step=step)
        self.client.log_metric(run, "m", 0.3, timestamp=1000, step=3)  # the same point again
        self.assertEqual(self.client.get_run(run).data.metrics, {"m": 0.3})
        history = self.client.get_metric_history(run, "m")
        self.assertEqual([(m.step, m.value, m.timestamp) for m in history], [(-1, 0.9, 1000), (2, 0.8, 1000), (3, 0.3, 1000)])

    def test_a_long_history_comes_back_whole(self):
        run = self.client.create_run(self.experiment.experiment_id).info.run_id
        for at in range(0, 3000, 1000):
            self.client.log_batch(run, metrics=[Metric("m", i / 7, 1000 + i, i) for i in range(at, at + 1000)])
        got = self.client.get_metric_history(run, "m")
        self.assertEqual([(m.step, m.value) for m in got], [(i, i / 7) for i in range(3000)])

    def test_a_param_is_written_once(self):
        run = self.client.create_run(self.experiment.experiment_id).info.run_id
        self.client.log_param(run, "a", 1)
        self.client.log_param(run, "a", 1)
        with self.assertRaises(MlflowException) as c:
            self.client.log_param(run, "a", 2)
        self.assertIn("Changing param values is not allowed. Param with key='a' was already logged with value='1'", str(c.exception))
        with self.assertRaises(MlflowException):
            self.client.log_batch(run, params=[Param("b", "1"), Param("a", "3")], tags=[RunTag("t", "1")])
        self.assertEqual(self.client.get_run(run).data.params, {"a": "1"})

    def test_a_bad_key_is_refused_by_name(self):
        run = self.client.create_run(self.experiment.experiment_id).info.run_id
        with self.assertRaises(MlflowException) as c:
            self.client.log_metric(run, "a$", 1)
        self.assertIn("a$", str(c.exception))
        self.assertEqual(c.exception.error_code, "INVALID_PARAMETER_VALUE")

    def test_a_run_is_resumed(self):
        with mlflow.start_run() as run:
            mlflow.log_metric("m", 1, step=1)
        with mlflow.start_run(run_id=run.info.run_id):
            self.assertEqual(mlflow.get_run(run.info.run_id).info.status, "RUNNING")
            mlflow.log_metric("m", 2, step=2)
        got = mlflow.get_run(run.info.run_id)
        self.assertEqual((got.info.status, got.data.metrics["m"]), ("FINISHED", 2.0))
        self.assertEqual(got.info.start_time, run.info.start_time)

    def test_runs_nest(self):
        with mlflow.start_run() as parent:
            with mlflow.start_run(nested=True) as child:
                mlflow.log_param("x", 1)
        self.assertEqual(mlflow.get_parent_run(child.info.run_id).info.run_id, parent.info.run_id)
        self.assertEqual(self._found("tags.mlflow.parentRunId = '%s'" % parent.info.run_id), [child.info.run_id])

    def test_a_run_is_deleted_and_restored(self):
        run = self.client.create_run(self.experiment.experiment_id).info.run_id
        mlflow.delete_run(run)
        self.assertEqual(self._found("attributes.run_id = '%s'" % run), [])
        self.assertEqual(self._found("attributes.run_id = '%s'" % run, run_view_type=ViewType.DELETED_ONLY), [run])
        with self.assertRaises(MlflowException) as c:
            self.client.log_metric(run, "m", 1)
        self.assertIn("must be in the 'active' state", str(c.exception))
        self.client.restore_run(run)
        self.assertEqual(self._found("attributes.run_id = '%s'" % run), [run])

    def test_logging_from_the_background_arrives(self):
        with mlflow.start_run() as run:
            for i in range(100):
                mlflow.log_metric("m", i, step=i, synchronous=False)
            mlflow.log_params({"p%d" % i: i for i in range(250)}, synchronous=False)
            mlflow.flush_async_logging()
        got = mlflow.get_run(run.info.run_id)
        self.assertEqual((got.data.metrics["m"], len(got.data.params)), (99.0, 250))
        self.assertEqual(len(self.client.get_metric_history(run.info.run_id, "m")), 100)

    def test_datasets_are_kept_with_their_tags(self):
        frame = pd.DataFrame({"a": [1.0, 2.0], "y": [0, 1]})
        with mlflow.start_run() as run:
            mlflow.log_input(mlflow.data.from_pandas(frame, targets="y", name="bikes"), context="training")
            mlflow.log_input(mlflow.data.from_numpy(np.ones((2, 2)), name="ones"), context="test", tags={"k": "v"})
        inputs = {i.dataset.name: i for i in mlflow.get_run(run.info.run_id).inputs.dataset_inputs}
        self.assertEqual(set(inputs), {"bikes", "ones"})
        self.assertEqual({t.key: t.value for t in inputs["bikes"].tags}, {"mlflow.data.context": "training"})
        self.assertEqual({t.key: t.value for t in inputs["ones"].tags}, {"mlflow.data.context": "test", "k": "v"})
        self.assertIn("mlflow_colspec", inputs["bikes"].dataset.schema)
        self.assertEqual(self._found("dataset.name = 'bikes' AND dataset.context = 'training'"), [run.info.run_id])
        other = self.client.create_run(self.experiment.experiment_id).info.run_id
        again = DatasetInput(Dataset(name="bikes", digest=inputs["bikes"].dataset.digest, source_type="x", source="{}"), [InputTag("mlflow.data.context", "eval")])
        self.client.log_inputs(other, [again])
        kept = self.client.get_run(other).inputs.dataset_inputs[0]
        self.assertEqual(kept.dataset.source_type, inputs["bikes"].dataset.source_type)  # the first description stays

    def _found(self, what, **kwargs):
        page = self.client.search_runs([self.experiment.experiment_id], what, **kwargs)
        return [r.info.run_id for r in page]


class Search(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        client = cls.client = mlflow.MlflowClient()
        cls.id = client.create_experiment(fresh("search"))
        cls.runs = []
        for i in range(25):
            run = client.create_run(cls.id, start_time=1000 + i, run_name="run %d" % i).info.run_id
            metrics = [Metric("auc", i / 100, 1, 0)] if i % 5 else []
            client.log_batch(run, metrics, [Param("kind", "gbdt" if i % 2 else "linear")], [RunTag("fold", str(i % 3))])
            cls.runs.append(run)

    def found(self, what="", order=None, size=7):
        out, token = [], None
        while True:
            page = self.client.search_runs([self.id], what, max_results=size, order_by=order, page_token=token)
            out += [self.runs.index(r.info.run_id) for r in page]
            token = page.token
            if not token:
                return out
            self.assertEqual(len(page), size)

    def test_the_newest_come_first(self):
        self.assertEqual(self.found(), list(range(24, -1, -1)))
        self.assertEqual(self.found(size=25), list(range(24, -1, -1)))

    def test_filters_are_read_as_mlflow_reads_them(self):
        for what, want in (
            ("metrics.auc > 0.2", [21, 22, 23, 24]),
            ("metrics.auc >= 0.21 and params.kind = 'gbdt'", [21, 23]),
            ("params.kind LIKE 'lin%' AND tags.fold = '0' AND metrics.auc < 0.1", [6]),
            ("params.kind ILIKE 'LIN%' AND attributes.start_time <= 1004", [0, 2, 4]),
            ("tags.`fold` != '0' AND start_time < 1003", [1, 2]),
            ("attributes.run_name = 'run 7'", [7]),
            ("run_id IN ('%s','%s')" % (self.runs[3], self.runs[9]), [3, 9]),
            ('params."kind" = "gbdt" AND metrics.auc != 0.01 AND start_time < 1006', [3]),
            ("status = 'RUNNING' AND start_time > 1022", [23, 24]),
        ):
            with self.subTest(what):
                self.assertEqual(sorted(self.found(what)), want)

    def test_runs_without_the_metric_come_last_both_ways(self):
        have = [i for i in range(25) if i % 5]
        missing = [20, 15, 10, 5, 0]
        self.assertEqual(self.found(order=["metrics.auc ASC"]), have + missing)
        self.assertEqual(self.found(order=["metrics.auc DESC"], size=4), have[::-1] + missing)
        self.assertEqual(self.found(order=["params.kind", "attributes.start_time"])[:3], [1, 3, 5])

    def test_a_bad_filter_is_refused_with_mlflows_words(self):
        for what, says in (
            ("metrics.auc > 0 OR metrics.auc < 1", "Invalid clause(s) in filter string: 'OR'"),
            ("foo.bar = 1", "Invalid entity type 'foo'."),
            ("metrics.auc > '0.5'", "Expected numeric value type for metric. Found '0.5'"),
            ("attribute.acc = 'x'", "Invalid attribute key 'acc' specified."),
        ):
            with self.subTest(what), self.assertRaises(MlflowException) as c:
                self.client.search_runs([self.id], what)
            self.assertIn(says, str(c.exception))
            self.assertEqual(c.exception.error_code, "INVALID_PARAMETER_VALUE")

    def test_the_table_of_runs_has_their_columns(self):
        name = self.client.get_experiment(self.id).name
        table = mlflow.search_runs(experiment_names=[name], filter_string="metrics.auc > 0.22", order_by=["start_time ASC"])
        self.assertEqual(list(table["run_id"]), [self.runs[23], self.runs[24]])
        self.assertEqual(list(table["metrics.auc"]), [0.23, 0.24])
        self.assertEqual(list(table["params.kind"]), ["gbdt", "linear"])


class Traces(unittest.TestCase):
    def test_traces_do_not_hinder_the_code_that_is_traced(self):
        @mlflow.trace
        def double(x):
            return 2 * x

        began = time.monotonic()
        self.assertEqual(double(21), 42)
        if MAJOR >= 3:
            mlflow.flush_trace_async_logging()
        self.assertLess(time.monotonic() - began, 20)
        with self.assertRaises(MlflowException) as c:
            if MAJOR >= 3:
                mlflow.search_traces(locations=["0"])
            else:
                mlflow.search_traces(experiment_ids=["0"])
        self.assertEqual(c.exception.error_code, "ENDPOINT_NOT_FOUND")


if __name__ == "__main__":
    unittest.main()
