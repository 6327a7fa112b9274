# SPDX-License-Identifier: Apache-2.0
"""Models: logged, registered, found by alias, loaded, judged by evaluate, served."""

import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.request
import uuid
import warnings

import lightgbm
import mlflow
import mlflow.lightgbm
import mlflow.sklearn
import mlflow.xgboost
import numpy as np
import pandas as pd
import xgboost
from click.testing import CliRunner
from mlflow.cli import cli
from mlflow.exceptions import MlflowException
from mlflow.models import infer_signature
from sklearn.linear_model import LogisticRegression

MAJOR = int(mlflow.__version__.split(".")[0])

_random = np.random.default_rng(7)
X = pd.DataFrame(_random.normal(size=(200, 4)), columns=["a", "b", "c", "d"])
Y = (X["a"] + X["b"] > 0).astype(int)


def fresh(word):
    return "%s-%s" % (word, uuid.uuid4().hex[:8])


def log_model(model, name, flavor=mlflow.sklearn, **kwargs):
    """log_model as each MLflow wants its place named.

    The requirements are given: to infer them takes MLflow some seconds a model, in a
    process of its own. Autologging still infers them.
    """
    place = {"name": name} if MAJOR >= 3 else {"artifact_path": name}
    kwargs.setdefault("pip_requirements", ["scikit-learn"])
    return flavor.log_model(model, signature=infer_signature(X, model.predict(X)), **place, **kwargs)


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.client = mlflow.MlflowClient()
        cls.experiment = mlflow.set_experiment(fresh("models")).experiment_id
        cls.fitted = LogisticRegression().fit(X, Y)

    def setUp(self):
        mlflow.set_experiment(experiment_id=self.experiment)

    def same(self, model):
        np.testing.assert_array_equal(np.asarray(model.predict(X)), self.fitted.predict(X))


class Autolog(Case):
    def logged(self, flavor, fit):
        """The run of a fit under autologging, with the model that it logged."""
        flavor.autolog(log_input_examples=True)
        try:
            with mlflow.start_run() as run:
                fit()
        finally:
            flavor.autolog(disable=True)
        got = mlflow.get_run(run.info.run_id)
        self.assertEqual(got.info.status, "FINISHED")
        self.assertTrue(got.inputs.dataset_inputs)
        if MAJOR >= 3:
            self.assertEqual(len(got.outputs.model_outputs), 1)
            found = mlflow.get_logged_model(got.outputs.model_outputs[0].model_id)
            self.assertEqual((found.status, found.source_run_id), ("READY", run.info.run_id))
        return got, mlflow.pyfunc.load_model("runs:/%s/model" % run.info.run_id)

    def test_scikit_learn(self):
        run, model = self.logged(mlflow.sklearn, lambda: LogisticRegression(C=0.5).fit(X, Y))
        self.assertEqual(run.data.params["C"], "0.5")
        self.assertGreater(run.data.metrics["training_accuracy_score"], 0.9)
        self.assertEqual(run.data.tags["estimator_name"], "LogisticRegression")
        files = {f.path for f in self.client.list_artifacts(run.info.run_id)}
        self.assertIn("training_confusion_matrix.png", files)
        self.assertEqual(len(model.predict(X)), 200)

    def test_xgboost(self):
        made = []

        def fit():
            data = xgboost.DMatrix(X, label=Y)
            made.append(xgboost.train({"objective": "binary:logistic", "max_depth": 3}, data, 8, [(data, "train")], verbose_eval=False))

        run, model = self.logged(mlflow.xgboost, fit)
        self.assertEqual((run.data.params["max_depth"], run.data.params["num_boost_round"]), ("3", "8"))
        history = self.client.get_metric_history(run.info.run_id, "train-logloss")
        self.assertEqual([m.step for m in history], list(range(8)))
        self.assertEqual(run.data.metrics["train-logloss"], history[-1].value)
        np.testing.assert_array_equal(model.predict(X), made[0].predict(xgboost.DMatrix(X)))

    def test_lightgbm(self):
        made = []

        def fit():
            data = lightgbm.Dataset(X, label=Y)
            made.append(lightgbm.train({"objective": "binary", "verbose": -1, "num_leaves": 5}, data, 6, [data], ["train"]))

        run, model = self.logged(mlflow.lightgbm, fit)
        self.assertEqual(run.data.params["num_leaves"], "5")
        history = self.client.get_metric_history(run.info.run_id, "train-binary_logloss")
        self.assertEqual(len(history), 6)
        np.testing.assert_array_equal(model.predict(X), made[0].predict(X))


class Registry(Case):
    def test_a_model_is_registered_while_it_is_logged(self):
        name = fresh("while")
        with mlflow.start_run() as run:
            log_model(self.fitted, "model", registered_model_name=name)
        v = self.client.get_model_version(name, "1")
        self.assertEqual((v.run_id, v.status, v.current_stage), (run.info.run_id, "READY", "None"))
        self.same(mlflow.pyfunc.load_model("models:/%s/1" % name))
        self.same(mlflow.sklearn.load_model("models:/%s/latest" % name))
        self.same(mlflow.sklearn.load_model("runs:/%s/model" % run.info.run_id))

    def test_a_model_in_each_serialization_loads(self):
        kinds = {"pickle": {}, "cloudpickle": {}}
        if MAJOR >= 3:
            kinds["skops"] = {}
        for kind in kinds:
            with self.subTest(kind):
                with mlflow.start_run():
                    info = log_model(self.fitted, "model", serialization_format=kind)
                self.same(mlflow.sklearn.load_model(info.model_uri))
                self.same(mlflow.pyfunc.load_model(info.model_uri))
                self.assertEqual(mlflow.models.get_model_info(info.model_uri).signature.inputs.input_names(), list("abcd"))

    def test_a_model_is_registered_afterwards(self):
        name = fresh("after")
        with mlflow.start_run() as run:
            log_model(self.fitted, "m")
        for number in ("1", "2"):
            v = mlflow.register_model("runs:/%s/m" % run.info.run_id, name, tags={"n": number})
            self.assertEqual((v.version, v.run_id, v.tags), (number, run.info.run_id, {"n": number}))
        self.same(mlflow.pyfunc.load_model("models:/%s/2" % name))

    def test_aliases_move_and_go(self):
        name = fresh("alias")
        self.two(name)
        self.client.set_registered_model_alias(name, "champion", 1)
        self.client.set_registered_model_alias(name, "b-2", 1)
        self.client.set_registered_model_alias(name, "champion", "2")
        self.assertEqual(self.client.get_model_version_by_alias(name, "champion").version, "2")
        self.assertEqual(self.client.get_model_version(name, "1").aliases, ["b-2"])
        self.assertEqual(self.client.get_registered_model(name).aliases, {"champion": "2", "b-2": "1"})
        self.same(mlflow.pyfunc.load_model("models:/%s@champion" % name))
        self.client.delete_registered_model_alias(name, "champion")
        self.client.delete_registered_model_alias(name, "champion")
        with self.assertRaises(MlflowException) as c:
            self.client.get_model_version_by_alias(name, "champion")
        self.assertEqual(c.exception.error_code, "INVALID_PARAMETER_VALUE")
        self.assertIn("Registered model alias champion not found.", str(c.exception))
        for bad in ("latest", "v3", "a b"):
            with self.assertRaises(MlflowException):
                self.client.set_registered_model_alias(name, bad, 1)

    def test_stages_move_and_archive(self):
        name = fresh("stage")
        self.two(name)
        self.client.transition_model_version_stage(name, "1", "Production")
        self.client.transition_model_version_stage(name, "2", "production", archive_existing_versions=True)
        self.assertEqual([self.client.get_model_version(name, v).current_stage for v in "12"], ["Archived", "Production"])
        self.same(mlflow.pyfunc.load_model("models:/%s/Production" % name))
        self.assertEqual([v.version for v in self.client.get_latest_versions(name, ["Archived"])], ["1"])
        self.assertEqual({v.version for v in self.client.get_latest_versions(name)}, {"1", "2"})

    def test_tags_and_descriptions_are_kept(self):
        name = fresh("tags")
        self.two(name)
        self.client.update_registered_model(name, "what it is")
        self.client.set_registered_model_tag(name, "team", "bikes")
        self.client.update_model_version(name, "1", "the first")
        self.client.set_model_version_tag(name, "1", "k", "é")
        self.client.set_model_version_tag(name, "1", "gone", "x")
        self.client.delete_model_version_tag(name, "1", "gone")
        m, v = self.client.get_registered_model(name), self.client.get_model_version(name, "1")
        self.assertEqual((m.description, m.tags), ("what it is", {"team": "bikes"}))
        self.assertEqual((v.description, v.tags), ("the first", {"k": "é"}))
        self.client.delete_registered_model_tag(name, "team")
        self.assertEqual(self.client.get_registered_model(name).tags, {})
        self.assertEqual([x.version for x in self.client.search_model_versions("name='%s' AND tags.k = 'é'" % name)], ["1"])

    def test_models_are_searched_in_pages(self):
        word = fresh("pages")
        names = ["%s-%d" % (word, i) for i in range(5)]
        for n in names:
            self.client.create_registered_model(n, tags={"word": word})
        found, token = [], None
        while True:
            page = self.client.search_registered_models("name LIKE '%s%%'" % word, 2, ["name DESC"], token)
            found += [m.name for m in page]
            token = page.token
            if not token:
                break
        self.assertEqual(found, names[::-1])
        self.assertEqual([m.name for m in self.client.search_registered_models("tags.word = '%s'" % word)], names)
        with self.assertRaises(MlflowException) as c:
            self.client.create_registered_model(names[0])
        self.assertEqual(c.exception.error_code, "RESOURCE_ALREADY_EXISTS")

    def test_a_model_is_renamed_and_deleted(self):
        name = fresh("rename")
        self.two(name)
        self.client.set_registered_model_alias(name, "live-one", 2)
        self.client.rename_registered_model(name, name + "2")
        self.assertEqual(self.client.get_model_version_by_alias(name + "2", "live-one").version, "2")
        self.client.delete_model_version(name + "2", "2")
        with self.assertRaises(MlflowException) as c:
            self.client.get_model_version(name + "2", "2")
        self.assertEqual(c.exception.error_code, "RESOURCE_DOES_NOT_EXIST")
        self.assertEqual(self.client.get_registered_model(name + "2").aliases, {})
        v = mlflow.register_model(self.source, name + "2")
        self.assertEqual(v.version, "3")  # a number is never used again
        self.client.delete_registered_model(name + "2")
        with self.assertRaises(MlflowException) as c:
            self.client.get_registered_model(name + "2")
        self.assertEqual(c.exception.error_code, "RESOURCE_DOES_NOT_EXIST")

    def test_a_version_is_copied_to_another_model(self):
        name = fresh("copy")
        self.two(name)
        self.client.set_registered_model_alias(name, "best", 2)
        for source in ("models:/%s/1" % name, "models:/%s@best" % name):
            v = self.client.copy_model_version(source, name + "-to")
            self.assertEqual(v.run_id, self.run)
        self.assertEqual(v.version, "2")
        self.same(mlflow.pyfunc.load_model("models:/%s-to/1" % name))

    def test_what_is_not_there_is_an_error_of_its_own(self):
        name = fresh("none")
        for uri in ("models:/%s/1" % name, "models:/%s@live" % name, "runs:/%s/model" % ("0" * 32)):
            with self.subTest(uri), self.assertRaises(MlflowException) as c:
                mlflow.pyfunc.load_model(uri)
            self.assertEqual(c.exception.error_code, "RESOURCE_DOES_NOT_EXIST")

    def two(self, name):
        """Registers the same model twice."""
        with mlflow.start_run() as run:
            info = log_model(self.fitted, "model")
        self.run, self.source = run.info.run_id, "runs:/%s/model" % run.info.run_id
        for _ in "12":
            mlflow.register_model(self.source, name)
        return info


class Evaluate(Case):
    def test_evaluate_logs_metrics_and_plots(self):
        data = X.assign(y=Y)
        with mlflow.start_run() as run:
            info = log_model(self.fitted, "model")
            result = mlflow.models.evaluate(info.model_uri, data, targets="y", model_type="classifier", evaluators=["default"])
        got = mlflow.get_run(run.info.run_id)
        self.assertEqual(got.data.metrics["accuracy_score"], result.metrics["accuracy_score"])
        self.assertGreater(got.data.metrics["roc_auc"], 0.9)
        files = {f.path for f in self.client.list_artifacts(run.info.run_id)}
        self.assertTrue({"confusion_matrix.png", "roc_curve_plot.png"} <= files, files)


@unittest.skipIf(MAJOR < 3, "MLflow 2 has no logged models")
class LoggedModels(Case):
    def test_logged_models_are_searched_tagged_and_deleted(self):
        with mlflow.start_run() as run:
            info = log_model(self.fitted, "searched", params={"C": 1.0}, tags={"kind": "linear"})
            mlflow.log_metric("auc", 0.75, model_id=info.model_id)
            mlflow.log_metric("auc", 0.8, step=2, model_id=info.model_id)
        got = mlflow.get_logged_model(info.model_id)
        self.assertEqual((got.name, got.params, got.tags["kind"]), ("searched", {"C": "1.0"}, "linear"))
        self.assertIn(0.8, [m.value for m in got.metrics])
        for what in ("name = 'searched'", "params.C = '1.0'", "metrics.auc > 0.79", "tags.kind = 'linear'", "source_run_id = '%s'" % run.info.run_id):
            found = mlflow.search_logged_models([self.experiment], filter_string=what, output_format="list")
            self.assertIn(info.model_id, [m.model_id for m in found], what)
        ordered = mlflow.search_logged_models(
            [self.experiment], order_by=[{"field_name": "metrics.auc", "ascending": False}], output_format="list"
        )
        self.assertEqual(ordered[0].model_id, info.model_id)
        self.same(mlflow.pyfunc.load_model("models:/" + info.model_id))
        mlflow.set_logged_model_tags(info.model_id, {"more": "1"})
        mlflow.delete_logged_model_tag(info.model_id, "kind")
        tags = mlflow.get_logged_model(info.model_id).tags
        self.assertEqual((tags.get("more"), tags.get("kind")), ("1", None))
        self.client.delete_logged_model(info.model_id)
        with self.assertRaises(MlflowException):
            mlflow.get_logged_model(info.model_id)


class Serve(Case):
    def test_a_registered_model_is_served(self):
        name = fresh("served")
        with mlflow.start_run():
            log_model(self.fitted, "model", registered_model_name=name)
        self.client.set_registered_model_alias(name, "live-one", 1)
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        with tempfile.TemporaryFile() as said:
            command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", "models:/%s@live-one" % name]
            command += ["--env-manager", "local", "--port", str(port)]
            path = os.path.dirname(sys.executable) + os.pathsep + os.environ["PATH"]  # where uvicorn lies
            server = subprocess.Popen(command, stdout=said, stderr=said, start_new_session=True, env=dict(os.environ, PATH=path))
            try:
                url = "http://127.0.0.1:%d" % port
                until = time.monotonic() + 120
                while not self.up(url):
                    said.seek(0)
                    self.assertIsNone(server.poll(), said.read().decode())
                    self.assertLess(time.monotonic(), until, "it does not come up")
                    time.sleep(0.2)
                body = json.dumps({"dataframe_split": {"columns": list("abcd"), "data": X[:5].values.tolist()}}).encode()
                request = urllib.request.Request(url + "/invocations", body, {"Content-Type": "application/json"})
                with urllib.request.urlopen(request, timeout=60) as answer:
                    got = json.load(answer)
                self.assertEqual(got, {"predictions": self.fitted.predict(X[:5]).tolist()})
            finally:
                if server.poll() is None:
                    os.killpg(server.pid, 15)
                server.wait(60)

    @staticmethod
    def up(url):
        try:
            with urllib.request.urlopen(url + "/ping", timeout=5) as answer:
                return answer.status == 200
        except (urllib.error.URLError, OSError):
            return False


class Commands(Case):
    def run_cli(self, *args):
        """Runs a command in this process: to start one takes MLflow some seconds."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            done = CliRunner().invoke(cli, args, catch_exceptions=False)
        self.assertEqual(done.exit_code, 0, done.output)
        return done.stdout

    def test_the_command_starts_by_itself(self):
        command = [sys.executable, "-W", "ignore", "-m", "mlflow", "experiments", "search"]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        self.assertIn(self.client.get_experiment(self.experiment).name, said)

    def test_the_command_line_lists_and_carries_files(self):
        run = self.client.create_run(self.experiment, run_name="for the command line").info.run_id
        self.assertIn(self.experiment, self.run_cli("experiments", "search"))
        self.assertIn(run, self.run_cli("runs", "list", "--experiment-id", self.experiment))
        self.assertEqual(json.loads(self.run_cli("runs", "describe", "--run-id", run))["info"]["run_name"], "for the command line")
        with tempfile.TemporaryDirectory() as d:
            (pathlib.Path(d) / "up.txt").write_text("héllo")
            self.run_cli("artifacts", "log-artifact", "--run-id", run, "--local-file", d + "/up.txt", "--artifact-path", "dir")
            self.assertEqual(json.loads(self.run_cli("artifacts", "list", "--run-id", run, "--artifact-path", "dir"))[0]["path"], "dir/up.txt")
            self.run_cli("artifacts", "download", "--run-id", run, "--artifact-path", "dir", "--dst-path", d + "/down")
            self.assertEqual((pathlib.Path(d) / "down" / "dir" / "up.txt").read_text(), "héllo")
        made = self.run_cli("experiments", "create", "--experiment-name", fresh("made by the command line"))
        id = made.strip().split()[-1]
        self.run_cli("experiments", "delete", "--experiment-id", id)
        self.assertEqual(self.client.get_experiment(id).lifecycle_stage, "deleted")


if __name__ == "__main__":
    unittest.main()
