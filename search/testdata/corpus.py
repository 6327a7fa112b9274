# SPDX-License-Identifier: Apache-2.0
"""Asks MLflow what it makes of a few hundred filters and orders.

Run it with a Python that has MLflow: python corpus.py > corpus.jsonl. Each line of the
output says the subject, the text, and either what MLflow read or how it refused.
"""

import json
import logging
import os
import tempfile

logging.disable(logging.CRITICAL)

import mlflow  # noqa: E402
from mlflow.exceptions import MlflowException  # noqa: E402
from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore as Registry  # noqa: E402
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore as Tracking  # noqa: E402
from mlflow.utils.search_logged_model_utils import parse_filter_string  # noqa: E402
from mlflow.utils import search_utils as su  # noqa: E402

OPS = ["=", "!=", ">", "<=", "LIKE", "ilike", "IN", "not in", "is null", "==", "BETWEEN"]
VALUES = ["'x'", '"x"', "1", "0.5", "x", "('x')", "'1'"]
IDENTS = {
    "runs": ["metrics.a", "metric.a", "params.a", "parameter.a", "tags.a", "tags.mlflow.runName", "attributes.status", "attr.run_id", "run.start_time",
             "run_name", "end_time", "created", "artifact_uri", "user_id", "datasets.name", "dataset.context", "foo.a", "acc", "dataset.foo"],
    "experiments": ["name", "attribute.name", "experiment_id", "creation_time", "last_update_time", "tags.a", "tag.a", "metrics.a", "foo"],
    "models": ["name", "attribute.name", "tags.a", "tag.a", "foo", "metrics.a", "creation_timestamp", "tag.`mlflow.prompt.is_prompt`"],
    "versions": ["name", "attribute.name", "run_id", "source_path", "version_number", "tags.a", "tag.a", "foo", "metrics.a", "creation_timestamp"],
    "logged_models": ["metrics.a", "params.a", "tags.a", "attributes.name", "name", "model_id", "model_type", "source_run_id", "status", "experiment_id",
                      "creation_timestamp", "creation_time", "last_updated_timestamp", "attributes.foo", "foo", "foo.a", "metric.a"],
}
# What all subjects are asked with: the forms of the language.
FORMS = {
    "runs": [
        "", " ", "metrics.a > 1 AND", "metrics.a > 1 and params.b = 'x'", "metrics.a > 1 AND AND params.b = 'x'", "AND metrics.a > 1", "metrics.a > 1 metrics.b > 2",
        "metrics.a > 1 OR metrics.b > 2", "NOT metrics.a > 1", "(metrics.a > 1)", "metrics.a > 1;", "metrics.a > 1; metrics.b > 2", "metrics.a BETWEEN 1 AND 2",
        "metrics.a > 1 AND (metrics.b > 2)", "1 = 1", "'x' = 'x'", "1 > metrics.a", "metrics.a > metrics.b", "metrics.a + 1 > 2", "abs(metrics.a) > 1",
        "metrics.a", "metrics.a >", "> 1", "metrics.a > 1 AND params.b", "metrics", "metrics. > 1", ".a > 1", "metrics.a.b.c > 1", "metrics.`a b` > 1",
        'metrics."a b" > 1', "metrics.'a b' > 1", "metrics.a b > 1", "`metrics`.a > 1", "`metrics.a` > 1", "metrics.`a.b` > 1", 'metrics."a.b" > 1',
        "params.`my-key` = 'x'", "params.my-key = 'x'", "params.a/b = 'x'", "params.a:b = 'x'", "params.`a/b:c` = 'x'", "params.a$b = 'x'", "params.a#b = 'x'",
        "params.ä = 'x'", "params.日本 = 'x'", "params.2x = 'x'", "params.2 = 'x'", "params._x = 'x'", "params.order = 'x'", "params.select = 'x'", "metrics.count > 1",
        "params.date = 'x'", "params.timestamp = 'x'", "params.in = 'x'", "params.and = 'x'", "params.like = 'x'", "params.is = 'x'", "metrics.loss>0.5", "metrics.loss>=-0.5",
        "metrics.a>1 AND metrics.a<2 AND metrics.a!=1.5", "metrics.a > .5", "metrics.a > 5.", "metrics.a > +5", "metrics.a > 1e5", "metrics.a > 1e+5", "metrics.a > 1E5", "metrics.a > 1.5e-3",
        "metrics.a > 0x10", "metrics.a > nan", "metrics.a > inf", "metrics.a > 1_000", "metrics.a > 1,000", "metrics.a > 1 2", "metrics.a > --1", "metrics.a > 1 -- x", "metrics.a > 1 /* x */",
        "params.a = 'it''s'", 'params.a = "it\'s"', "params.a = 'say \"x\"'", 'params.a = "say ""x"""', "params.a = ''", 'params.a = ""', "params.a = 'x", 'params.a = "x',
        "params.a = `x`", "params.a = x y", "params.a = adam", "params.a = 'a' 'b'", "params.a = 'AND'", "params.a = 'x AND y = 1'", "params.a = 'a=b'", "params.a='x'AND params.b='y'",
        "params.a\n=\n'x'\tAND\r\nmetrics.b>1", "params.a = 'a\nb'", "params.a = '\u00e4\u4e2d'", "params.a LIKE '%a_b%'", "params.a ILIKE 'A%'", "params.a Like 'x'", "params.a = null", "params.a = NULL",
        "params.a IS NULL", "params.a is not null", "params.a IS  NOT  NULL", "params.a IS", "params.a IS NOT", "params.a NOT NULL", "params.a ISNULL", "params.a IS 'x'", "tags.a IS NULL AND tags.b IS NOT NULL",
        "metrics.acc IS NULL", "run_id IS NULL", "dataset.name IS NULL", "metrics.acc IS NOT NULL", "tags.a NOT LIKE 'x'", "tags.a IN ('x')", "params.a IN ('x')",
        "run_id IN ('a','b')", "run_id in ('a')", "run_id IN ('A', 'b')", "run_id IN ()", "run_id IN ('a',)", "run_id IN (a)", "run_id IN ('a' 'b')", "run_id IN ('a', 1)", "run_id IN 'a'", "run_id IN",
        "run_id IN ('a'", "run_id NOT IN ('a','b')", "run_id not in ('a')", "run_id NOT ('a')", 'run_id IN ("a", "b")', "run_id IN (\"a\", 'b') AND metrics.a > 1", "status IN ('RUNNING')", "run_id = ('a')", "run_name IN ('a', 'b')",
        "attributes.run_id IN ('a')", "start_time IN (1, 2)", "start_time > 1.5", "start_time > '1'", "start_time = 1", "created > 1", "`Run Name` = 'x'", "`run name` LIKE 'x%'", "attributes.`run name` = 'x'", "attributes.\"Run name\" = 'x'",
        "run name = 'x'", "attributes.artifact_uri LIKE 'mlflow%'", "attribute.user_id = 'x'", "run.status != 'FAILED'", "status = 'nonsense'", "status = 3", "status > 'A'", "datasets.name IN ('a','b')", "dataset.digest NOT IN ('a')",
        "dataset.context LIKE '%train%'", "dataset.context = \"train\"", "datasets.profile = 'x'", "dataset.name > 'x'", "dataset.name = 1", "dataset.name = x", "dataset = 'x'", "params. a = 'x'", "params .a = 'x'",
        "metrics.acc > 0.5 AND params.model = 'rf' AND tags.env = 'prod' AND status = 'FINISHED' AND start_time > 1000", "tags.\"mlflow.source.name\" = 'x'", "tags.`mlflow.user` ILIKE '%x%'", "tags.mlflow.source.git.commit = 'x'",
        "params.a = 'x' , params.b = 'y'", "params.a = 'x' && params.b = 'y'", "params.a == 'x'", "params.a <> 'x'", "params.a => 'x'", "params.a = = 'x'", "metrics.a >> 1", "a.b.c = 1", "metrics.a = '1'", "metrics.a = \"1\"", "SELECT 1", "DROP TABLE runs",
        "'a' = params.x", "params.a = 'x' UNION SELECT 1", "params.a = ('x')", "params.a = (x)", "metrics.a > (1)", "*", "metrics.* > 1", "params.a = 'x' LIMIT 1", "params.a = 'x' ORDER BY params.a", "params.a = 'x' AND NOT params.b = 'y'",
        "params.a = 'x\\'", "params.a = 'x\\'y'", "params.`` = 'x'", "params.\"\" = 'x'", "params.'' = 'x'", "params.`a``b` = 'x'", "'params'.a = 'x'", '"params".a = \'x\'', '"params.a" = \'x\'', "\"run_name\" = 'x'", "`status` = 'x'",
    ],
    "experiments": [
        "", "name = 'x' AND", "name = 'x' OR name = 'y'", "name LIKE '%x'", "name ILIKE 'X%'", "name = x", "name = 1", "name IN ('a')", "experiment_id IN ('1','2')", "experiment_id NOT IN ('1')", "experiment_id = '1'", "experiment_id = 1",
        "experiment_id = 'abc'", "experiment_id IN ('abc')", "experiment_id LIKE '1'", "creation_time > 1", "creation_time > 1.5", "creation_time > '1'", "creation_time > 1.0", "last_update_time <= 10", "creation_time LIKE '1'", "tags.a = 'x'", "tag.`a b` != 'x'", "tags.a IS NULL",
        "tags.a is not null", "name IS NULL", "tags.a IN ('x')", "tags.a > 'x'", "tags.mlflow.note.content ILIKE '%x%'", "attribute.name = 'x'", "(name = 'x')", "1 = 1", "name", "params.a = 'x'", "NOT name = 'x'", "`name` = 'x'", "tags.\"a.b\" = 'x'", "name = 'x' AND tags.a = 'y' AND creation_time > 5",
    ],
    "models": [
        "", "name = 'x'", "name LIKE '%x%'", "name ILIKE 'X'", "name IN ('a','b')", "name NOT IN ('a')", "name > 'a'", "name = x", "name = 1", "tags.a = 'x'", "tag.`a.b` != 'x'", "tags.a IS NULL", "name IS NULL", "name IS NOT NULL", "name = 'a' OR name = 'b'", "(name = 'a')", "run_id = 'x'",
        "tag.`mlflow.prompt.is_prompt` != 'true'", "tags.`mlflow.prompt.is_prompt` = 'true'", "name = 'x' AND tag.`mlflow.prompt.is_prompt` != 'true'", "tags.a > 'x'", "tags.a IN ('x')", "name = 'x' AND", "1 = 1", "attributes.name = 'x'", "name", "tags.\"a b\" = 'x'", "`name` = 'x'", "NOT name = 'x'",
    ],
    "versions": [
        "", "name = 'x'", "name='x' AND run_id = 'y'", "run_id IN ('a','b')", "run_id IN ('A')", "run_id NOT IN ('a')", "name IN ('a')", "source_path = 's3://x'", "source_path LIKE '%x'", "source_path IN ('x')", "run_id LIKE 'x'", "version_number = 1", "version_number > 1.5", "version_number = '1'", "version_number IN (1)",
        "version_number LIKE '1'", "name = 1", "name > 'a'", "tags.a = 'x'", "tag.a LIKE 'x'", "tags.a IS NULL", "name IS NULL", "current_stage = 'x'", "name = 'a' OR name = 'b'", "version_number >= 2 AND name = 'm'", "run_id = ''", "run_id = x", "version_number = x", "version_number = '1.5'", "version_number = 'x'",
    ],
    "logged_models": [
        "", "metrics.a > 1 AND", "metrics.a > 1 OR metrics.b > 2", "metrics.a > '1'", "metrics.a > x", "metrics.a LIKE 'x'", "params.a = 'x'", "params.a = x", "params.a = \"x\"", "params.a IN ('x','y')", "params.a IS NULL", "tags.a LIKE 'x'", "tags.`a b` = 'x'", "name = 'model'", "name IN ('a', 'b')", "name NOT IN ('a')",
        "name ILIKE 'X%'", "name > 'x'", "status = '2'", "creation_timestamp > 1", "creation_time > 1.5", "last_updated_timestamp < 10", "model_id = 'm-1'", "model_type = 'x'", "source_run_id = 'r'", "experiment_id = '1'", "attributes.name = 'x'", "attribute.name = 'x'", "param.a = 'x'", "(name = 'x')", "1 = 1", "name",
        "name = 'a' AND params.b = 'c' AND metrics.d >= 0.5", "lifecycle_stage = 'active'", "last_updated_time > 1",
    ],
}
ORDERS = {
    "runs": ["start_time", "start_time DESC", "start_time desc", "start_time ASC", "attributes.start_time DESC", "attribute.end_time", "metrics.a", "metrics.a DESC", "metrics.`a b` DESC", "metrics.\"a b\" ASC", "params.a", "tags.mlflow.runName DESC", "metrics.acc FOO", "a, b", "metrics.a, metrics.b",
             "", " ", "dataset.name", "dataset.name DESC", "created", "Created DESC", "run_name", "`run name`", "run name", "foo", "foo.a", "status DESC", "run_id", "user_id", "artifact_uri", "metrics.a DESC NULLS LAST", "metrics.a;", "1", "'x'", "metrics.a > 1", "lifecycle_stage", "experiment_id", "metrics", "DESC", "metrics.a  DESC", "metrics.a\tDESC", "attr.status ASC", "param.a asc", "metric.x.y.z desc", "params.a-b", "params.`a-b`", "timestamp", "timestamp DESC"],
    "experiments": ["name", "name DESC", "experiment_id ASC", "creation_time", "last_update_time DESC", "attribute.name", "tags.a", "foo", "name, creation_time", "name FOO", "timestamp", ""],
    "models": ["name", "name DESC", "timestamp", "timestamp DESC", "last_updated_timestamp", "last_updated_timestamp ASC", "creation_timestamp", "creation_timestamp DESC", "attribute.name", "tags.a", "foo", "name FOO", "name, timestamp", ""],
    "versions": ["name", "name DESC", "version_number", "version_number DESC", "creation_timestamp", "last_updated_timestamp ASC", "timestamp", "attribute.name", "tags.a", "run_id", "foo", "name FOO", ""],
}
LISTS = {
    "runs": [["start_time", "start_time"], ["start_time", "created"], ["metrics.a", "metrics.a DESC"], ["metrics.a", "params.a"], ["metrics.a", "metrics.`a`"]],
    "experiments": [["name", "name DESC"], ["name", "experiment_id"]],
    "models": [["name", "name"], ["timestamp", "last_updated_timestamp"]],
    "versions": [["name", "name"], ["name", "version_number DESC"]],
}
FIELDS = [{"field_name": f} for f in ["metrics.a", "metrics.a.b", "metrics.a b", "name", "creation_timestamp", "creation_time", "last_updated_timestamp", "model_id", "model_type", "status", "source_run_id", "experiment_id", "zzz", "params.a", "tags.a", "", "metrics."]]
FIELDS += [{"field_name": "metrics.a", "ascending": False, "dataset_name": "d", "dataset_digest": "x"}, {"field_name": "metrics.a", "dataset_name": "d"}, {"field_name": "metrics.a", "dataset_digest": "x"}]


def pairs(subject):
    """Each identifier with each operator and value that make sense together."""
    for i in IDENTS[subject]:
        for o in OPS:
            if "null" in o.lower():
                yield f"{i} {o}"
            elif o.endswith("IN"):
                for v in ["('x')", "('1', '2')"]:
                    yield f"{i} {o} {v}"
            else:
                for v in VALUES if o == "=" else ["'x'", "1"]:
                    yield f"{i} {o} {v}"


def plain(v):
    return list(v) if isinstance(v, tuple) else v


def read(subject, text):
    if subject == "runs":
        got = su.SearchUtils.parse_search_filter(text)
    elif subject == "experiments":
        got = su.SearchExperimentsUtils.parse_search_filter(text)
    elif subject == "models":
        got = su.SearchModelUtils.parse_search_filter(text)
    elif subject == "versions":
        got = su.SearchModelVersionUtils.parse_search_filter(text)
    else:
        return [[c.entity.type.value, c.entity.key, c.op.upper(), plain(c.value)] for c in parse_filter_string(text)]
    return [[c["type"], c["key"], c["comparator"].upper(), plain(c["value"])] for c in got]


def main():
    where = tempfile.mkdtemp()
    uri = "sqlite:///" + os.path.join(where, "x.db")
    tracking = Tracking(uri, where)
    registry = Registry(uri)
    ask = {
        "runs": lambda f, o: tracking.search_runs(["0"], f, 1, 1, o),
        "experiments": lambda f, o: tracking.search_experiments(1, 1, f, o),
        "models": lambda f, o: registry.search_registered_models(f, 1, o),
        "versions": lambda f, o: registry.search_model_versions(f, 1, o),
        "logged_models": lambda f, o: tracking.search_logged_models(["0"], f, None, 1, o),
    }
    out = []

    def put(subject, filter_, order, said):
        try:
            ask[subject](filter_, order)
            said["read"] = read(subject, filter_) if order is None else []
        except MlflowException as e:
            said["refused"] = e.message
        except Exception as e:  # what MLflow answers with 500
            said["broke"] = type(e).__name__
        out.append(json.dumps(said, ensure_ascii=False))

    for subject, forms in FORMS.items():
        for text in dict.fromkeys(forms + list(pairs(subject))):
            put(subject, text, None, {"of": subject, "filter": text})
    for subject, orders in ORDERS.items():
        for o in [[x] for x in orders] + LISTS[subject]:
            put(subject, "", o, {"of": subject, "order": o})
    for f in FIELDS:
        put("logged_models", "", [f], {"of": "logged_models", "order": [f]})
    print(json.dumps({"mlflow": mlflow.__version__}))
    print("\n".join(out))


main()
