# SPDX-License-Identifier: Apache-2.0
"""Files of runs, up and down, through MLflow's own client."""

import hashlib
import os
import pathlib
import tempfile
import unittest
import uuid

import mlflow
import numpy as np
from mlflow.exceptions import MlflowException

MAJOR = int(mlflow.__version__.split(".")[0])
NAMES = ("plain.txt", "with space.txt", "größe äöü.csv", "日本.bin", "1 & more+.txt", "a'b.txt", "noending")


def digest(path):
    with open(path, "rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


class Artifacts(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.experiment = mlflow.MlflowClient().create_experiment("artifacts-%s" % uuid.uuid4().hex[:8])

    def setUp(self):
        self.client = mlflow.MlflowClient()
        mlflow.set_experiment(experiment_id=self.experiment)  # where load_table looks for runs
        self.run = self.client.create_run(self.experiment).info.run_id
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.dir = pathlib.Path(folder.name)

    def paths(self, folder=None):
        return [(f.path, f.is_dir, f.file_size) for f in self.client.list_artifacts(self.run, folder)]

    def test_files_of_any_name_come_back_as_they_went(self):
        up = self.dir / "up"
        (up / "sub folder" / "deep").mkdir(parents=True)
        want = {}
        for i, name in enumerate(NAMES):
            for folder in (up, up / "sub folder" / "deep"):
                (folder / name).write_bytes(name.encode() * i)  # the first is empty
                want[str((folder / name).relative_to(up))] = name.encode() * i
        self.client.log_artifacts(self.run, str(up), "data/é")
        down = pathlib.Path(mlflow.artifacts.download_artifacts(run_id=self.run, artifact_path="data", dst_path=str(self.dir)))
        got = {str(p.relative_to(down / "é")): p.read_bytes() for p in down.rglob("*") if p.is_file()}
        self.assertEqual(got, want)
        self.assertEqual(self.paths(), [("data", True, None)])
        listed = self.paths("data/é")
        self.assertEqual({p for p, _, _ in listed}, {"data/é/" + n for n in NAMES} | {"data/é/sub folder"})
        self.assertEqual({p: s for p, d, s in listed if not d}["data/é/with space.txt"], len("with space.txt"))

    def test_text_objects_and_tables_are_written_and_read(self):
        self.client.log_text(self.run, "héllo\n", "notes/text.txt")
        self.client.log_dict(self.run, {"a": [1, None]}, "config.json")
        self.client.log_image(self.run, np.zeros((2, 2, 3), dtype=np.uint8), "black.png")
        self.client.log_table(self.run, {"a": [1, 2]}, "table.json")
        self.client.log_table(self.run, {"a": [3]}, "table.json")  # is read, added to and written again
        root = "runs:/%s/" % self.run
        self.assertEqual(mlflow.artifacts.load_text(root + "notes/text.txt"), "héllo\n")
        self.assertEqual(mlflow.artifacts.load_dict(root + "config.json"), {"a": [1, None]})
        self.assertEqual(mlflow.artifacts.load_image(root + "black.png").size, (2, 2))
        self.assertEqual(sorted(mlflow.load_table("table.json", run_ids=[self.run])["a"]), [1, 2, 3])
        self.assertEqual([p for p, _, _ in self.paths()], ["black.png", "config.json", "notes", "table.json"])

    def test_a_file_is_written_over(self):
        for text in ("a longer text", "short"):
            self.client.log_text(self.run, text, "f.txt")
        self.assertEqual(mlflow.artifacts.load_text("runs:/%s/f.txt" % self.run), "short")
        self.assertEqual(self.paths(), [("f.txt", False, 5)])

    def test_what_is_missing_is_an_empty_listing_and_an_error(self):
        self.assertEqual(self.paths(), [])
        self.assertEqual(self.paths("none"), [])
        with self.assertRaises(Exception) as c:
            mlflow.artifacts.download_artifacts(run_id=self.run, artifact_path="none.txt", dst_path=str(self.dir))
        self.assertNotIn("500", str(c.exception))

    def test_a_file_is_not_its_own_child(self):
        self.client.log_text(self.run, "x", "d/f.txt")
        self.assertEqual(self.paths("d"), [("d/f.txt", False, 1)])
        self.assertEqual(self.paths("d/f.txt"), [])

    def test_a_large_file_comes_back_bit_for_bit(self):
        size = int(os.environ.get("FLYBALL_TEST_MB", "100")) << 20
        path = self.dir / "large.bin"
        with open(path, "wb") as f:
            chunk = os.urandom(1 << 20)
            for i in range(size >> 20):
                f.write(chunk[i % 1024 :] + chunk[: i % 1024])
        want = digest(path)
        self.client.log_artifact(self.run, str(path))
        path.unlink()
        self.assertEqual(self.paths(), [("large.bin", False, size)])
        got = mlflow.artifacts.download_artifacts(run_id=self.run, artifact_path="large.bin", dst_path=str(self.dir / "down"))
        self.assertEqual(digest(got), want)

    def test_artifacts_are_deleted_with_the_repository(self):
        from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

        self.client.log_text(self.run, "x", "d/a.txt")
        self.client.log_text(self.run, "y", "b.txt")
        repository = get_artifact_repository(self.client.get_run(self.run).info.artifact_uri)
        repository.delete_artifacts("d")
        repository.delete_artifacts("d")  # what is gone may be deleted again
        self.assertEqual(self.paths(), [("b.txt", False, 1)])

    def test_paths_that_lead_out_are_refused(self):
        import requests

        root = os.environ["MLFLOW_TRACKING_URI"] + "/api/2.0/mlflow-artifacts/artifacts/"
        for path in ("%2e%2e/%2e%2e/etc/passwd", "0/%252e%252e/x", "0/a%00b", "0/a%5c..%5cb", "0//etc/passwd"):
            for verb in ("GET", "PUT", "DELETE"):
                answer = requests.request(verb, root + path, data=b"x" if verb == "PUT" else None, timeout=30)
                self.assertIn(answer.status_code, (400, 404), "%s %s: %s" % (verb, path, answer.text))
                self.assertNotIn("root:", answer.text)


if __name__ == "__main__":
    unittest.main()
