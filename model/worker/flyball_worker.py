# SPDX-License-Identifier: Apache-2.0
"""Scores one model for a server of Flyball, over a socket that the server opened.

It needs the standard library alone; numpy and pandas are used where they are, and the
model brings what it needs. docs/formats/worker.md describes what goes over the socket.
It works on one request at a time. Python 3.9 and later.
"""

import array
import base64
import datetime
import importlib
import json
import math
import os
import platform
import socket
import struct
import sys
import time
import traceback

VERSION = 1
MAGIC = 0xF100 | VERSION
HEADER = struct.Struct("<HHIQIIQ")  # magic and version, type, flags, id, meta, tensors, body
HELLO, LOAD, WARMUP, INFER, CANCEL, RESULT, ERROR, PING, PONG, SHUTDOWN = range(1, 11)
MAX_TEXT = 8000  # characters of an error
NAN = float("nan")
NO_TIME = -(1 << 63)

np = None  # numpy and pandas, where they are there; load() looks
pd = None


class Unfit(Exception):
    """The model or its answer is not what its description says."""


# The socket.


class Gone(Exception):
    """The server has closed the socket."""


class Peer:
    """The server at the other end."""

    def __init__(self, sock):
        self.sock = sock

    def _fill(self, n):
        data = bytearray(n)
        view, got = memoryview(data), 0
        while got < n:
            k = self.sock.recv_into(view[got:])
            if k == 0:
                raise Gone
            got += k
        return data

    def read(self):
        """The next frame: its type, its number, its meta and its body."""
        magic, kind, _, number, meta, _, body = HEADER.unpack(self._fill(HEADER.size))
        if magic != MAGIC:
            raise SystemExit("the server speaks another version of the protocol")
        said = json.loads(bytes(self._fill(meta))) if meta else {}
        return kind, number, said, self._fill(body) if body else bytearray()

    def write(self, kind, number, meta=None, tensors=0, body=b""):
        text = json.dumps(meta).encode() if meta is not None else b""
        head = HEADER.pack(MAGIC, kind, 0, number, len(text), tensors, len(body)) + text
        if len(body) < 1 << 16:
            self.sock.sendall(head + bytes(body))
        else:
            self.sock.sendall(head)
            self.sock.sendall(body)


# The rows.


def read_columns(inputs, meta, body):
    """The columns of a request, in the order of inputs: arrays of numpy, or lists."""
    n, at, out = meta["rows"], 0, []
    if np is not None and inputs and not meta.get("null") and all(c["kind"] == "number" for c in inputs):
        return np.frombuffer(body, "<f8").reshape(len(inputs), n)
    for c in inputs:
        if c["kind"] == "text":
            values = []
            for _ in range(n):
                (size,) = struct.unpack_from("<I", body, at)
                at += 4 + size
                text = bytes(body[at - size : at])
                values.append(text if c.get("type") == "binary" else text.decode("utf-8", "replace"))
        elif np is not None:
            values = np.frombuffer(body, "<f8" if c["kind"] == "number" else "<i8", n, at)
            at += 8 * n
        else:
            values = array.array("d" if c["kind"] == "number" else "q")
            values.frombytes(bytes(body[at : at + 8 * n]))
            if sys.byteorder == "big":
                values.byteswap()
            values = values.tolist()
            at += 8 * n
        out.append(values)
    for k in meta.get("null", ()):
        for i in range(n):
            if body[at + i]:
                out[k][i] = None
        at += n
    return out


def typed(values, kind, type):
    """A column as pandas would hold a column of MLflow's type."""
    if kind == "text":
        out = np.empty(len(values), dtype=object)
        out[:] = values
        if type in ("datetime",):
            return pd.to_datetime(pd.Series(out)).astype("datetime64[ns]")
        return out
    if kind == "time":
        return values.view("M8[us]").astype("M8[ns]")
    if type == "float":
        return values.astype("f4")
    if type in ("long", "integer", "boolean"):
        missing = np.isnan(values)
        if not missing.any():
            return values.astype({"long": "i8", "integer": "i4", "boolean": "?"}[type])
        if type == "boolean":
            return np.array([None if m else bool(v) for v, m in zip(values, missing)], dtype=object)
    return values


def table(inputs, columns, types):
    """The rows as a model takes them: a DataFrame of pandas; without pandas a matrix of
    numpy; without numpy a dictionary of lists."""
    names = [c["name"] for c in inputs]
    kinds = [types.get(c["name"]) or c.get("type") or "" for c in inputs]
    plain = all(c["kind"] == "number" for c in inputs)
    if pd is not None:
        if plain and inputs and isinstance(columns, np.ndarray) and all(t in ("", "double") for t in kinds):
            return pd.DataFrame(columns.T, columns=names, copy=False)
        made = {n: typed(v, c["kind"], t) for n, v, c, t in zip(names, columns, inputs, kinds)}
        return pd.DataFrame(made, columns=names, copy=False)
    if np is None:
        return dict(zip(names, columns))
    if plain:
        return np.asarray(columns).T
    out = np.empty((len(columns[0]) if len(columns) else 0, len(names)), dtype=object)
    for k, v in enumerate(columns):
        out[:, k] = v
    return out


# The answers.


def numbers(answer, rows, outputs):
    """The scores as bytes: float64, little endian, row by row."""
    if np is not None:
        try:
            flat = np.asarray(answer, dtype="<f8")
        except (TypeError, ValueError):
            raise Unfit("the model answers with something else than numbers")
        if flat.shape not in ((rows, outputs), (rows,) if outputs == 1 else None):
            raise Unfit("the model answers with the shape %s, not %s" % (list(flat.shape), [rows, outputs]))
        return flat.tobytes()
    answer = list(answer)
    flat = [v for row in answer for v in (row if isinstance(row, (list, tuple)) else (row,))]
    if len(answer) != rows or len(flat) != rows * outputs:
        raise Unfit("the model gives %d answers of %d numbers for %d rows" % (len(answer), len(flat), rows))
    return struct.pack("<%dd" % len(flat), *flat)


def plain(o):
    """What json cannot write by itself, as MLflow's scoring server writes it."""
    if np is not None:
        if isinstance(o, np.ndarray):
            return o.tolist()
        if isinstance(o, np.datetime64):
            return str(np.datetime_as_string(o))
        if isinstance(o, np.generic):
            return o.item()
    if isinstance(o, (bytes, bytearray)):
        return base64.encodebytes(o).decode("ascii")
    if pd is not None and o is pd.NA:
        return None
    if isinstance(o, (datetime.date, datetime.time)):  # a datetime and a Timestamp too
        return o.isoformat()
    if hasattr(o, "model_dump"):
        return o.model_dump()
    raise Unfit("the model answers with a %s, which JSON cannot hold" % type(o).__name__)


def finite(o):
    """o without the numbers that JSON does not have: null stands for them."""
    if isinstance(o, float):
        return o if math.isfinite(o) else None
    if isinstance(o, dict):
        return {k: finite(v) for k, v in o.items()}
    if isinstance(o, (list, tuple)):
        return [finite(v) for v in o]
    if o is None or isinstance(o, (str, int)):
        return o
    return finite(plain(o))


def encode(answer):
    """An answer as the JSON text of MLflow's predictions."""
    if pd is not None and isinstance(answer, pd.Series):
        answer = pd.DataFrame(answer)
    if pd is not None and isinstance(answer, pd.DataFrame):
        answer = answer.to_dict(orient="records")
    elif np is not None and isinstance(answer, np.ndarray):
        answer = answer.tolist()
    try:
        return json.dumps(answer, default=plain, allow_nan=False).encode()
    except ValueError:
        return json.dumps(finite(answer), allow_nan=False).encode()


def cut(answer, parts):
    """An answer as one answer for each part of the rows."""
    if len(parts) == 1:
        return [answer]
    if not hasattr(answer, "__len__") or isinstance(answer, dict) or len(answer) != sum(parts):
        raise Unfit("the model does not give one answer a row")
    answer, out, at = getattr(answer, "iloc", answer), [], 0
    for n in parts:
        out.append(answer[at : at + n])
        at += n
    return out


# The model.


def unpickle(path, form, trusted=None):
    if form == "skops":
        import skops.io

        return skops.io.load(path, trusted=trusted)
    if path.endswith(".joblib"):
        import joblib

        return joblib.load(path)
    try:
        import cloudpickle as pickle
    except ImportError:
        import pickle
    with open(path, "rb") as f:
        return pickle.load(f)


def load_sklearn(folder, conf):
    path = os.path.join(folder, conf.get("pickled_model") or conf.get("data") or "model.pkl")
    return unpickle(path, conf.get("serialization_format"), conf.get("skops_trusted_types"))


def load_xgboost(folder, conf):
    import xgboost

    name = conf.get("model_class", "xgboost.core.Booster")
    model = getattr(importlib.import_module(name.rpartition(".")[0]), name.rpartition(".")[2])()
    model.load_model(os.path.join(folder, conf["data"]))
    return xgboost and model


def load_lightgbm(folder, conf):
    import lightgbm

    path = os.path.join(folder, conf["data"])
    if conf.get("model_class", "lightgbm.basic.Booster") == "lightgbm.basic.Booster":
        return lightgbm.Booster(model_file=path)
    return unpickle(path, conf.get("serialization_format"), conf.get("skops_trusted_types"))


LIBRARIES = {"sklearn": load_sklearn, "xgboost": load_xgboost, "lightgbm": load_lightgbm}


class Model:
    """A model, ready to score, as its description (the meta of LOAD) says."""

    def __init__(self, about):
        self.inputs = about.get("inputs") or []
        self.outputs = about.get("outputs") or 1
        self.kind = about.get("kind") or ""
        self.method = about.get("method") or ""
        self.classes = about.get("classes") or []
        self.tensors = about.get("tensors")  # of MLflow's signature: {name: dtype}, "" names the only one
        self.pyfunc = self.raw = self.schema = None
        folder, flavors = about["folder"], about.get("flavors") or {}
        function = flavors.get("python_function") or {}
        self.predict_fn = function.get("predict_fn") or "predict"
        self._open(folder, flavors, function, about.get("flavor"))
        self.order = self._order()

    def _open(self, folder, flavors, function, flavor):
        for code in (os.path.join(folder, function.get("code") or "code"), folder):
            if os.path.isdir(code):
                sys.path.insert(0, code)
        loader = function.get("loader_module") or ""
        if function and importable("mlflow"):
            self._mlflow(folder)
        elif flavor in LIBRARIES and flavor in flavors:
            self.raw = LIBRARIES[flavor](folder, flavors[flavor])
        elif loader and not loader.startswith("mlflow"):
            data = os.path.join(folder, function.get("data") or function.get("model_path") or "")
            self.raw = importlib.import_module(loader)._load_pyfunc(data)
        elif not function and os.path.exists(os.path.join(folder, "flyball_model.py")):
            self.raw = importlib.import_module("flyball_model")._load_pyfunc(folder)
        else:
            for name, open_ in LIBRARIES.items():
                if name in flavors:
                    self.raw = open_(folder, flavors[name])
                    return
            raise Unfit("the environment has no mlflow, without which a model of %s cannot be loaded" % (loader or "this kind"))

    def _mlflow(self, folder):
        import mlflow.pyfunc

        self.pyfunc = mlflow.pyfunc.load_model(folder)
        self.schema = self.pyfunc.metadata.get_input_schema()
        try:
            self.raw = self.pyfunc.get_raw_model()
        except Exception:
            impl = getattr(self.pyfunc, "_model_impl", None)
            for name in ("sklearn_model", "xgb_model", "lgb_model"):
                self.raw = getattr(impl, name, self.raw)

    def _order(self):
        """The places of the classes among what predict_proba gives; None: as they come."""
        has = [str(c) for c in getattr(self.raw, "classes_", ())] if self.kind == "multiclass" else []
        if has != self.classes and sorted(has) == sorted(self.classes):
            return [has.index(c) for c in self.classes]
        return None

    def score(self, data, rows):
        proba = getattr(self.raw, "predict_proba", None)
        if self.method != "predict" and self.kind in ("binary", "multiclass", "") and proba is not None:
            p = proba(data)
            if self.kind == "binary" and getattr(p, "ndim", 0) == 2 and p.shape[1] == 2:
                p = p[:, 1]
            elif self.kind == "binary" and isinstance(p, list) and p and isinstance(p[0], (list, tuple)):
                p = [row[-1] for row in p]
            if self.order is not None:
                p = p[:, self.order]
            return numbers(p, rows, self.outputs)
        return numbers(self.predict(data), rows, self.outputs)

    def predict(self, data, params=None):
        """What MLflow's pyfunc would answer."""
        if self.pyfunc is not None:
            return self.pyfunc.predict(data, params=params) if params else self.pyfunc.predict(data)
        kind = "%s.%s" % (type(self.raw).__module__, type(self.raw).__name__)
        if kind == "xgboost.core.Booster":
            import xgboost

            return self.raw.predict(xgboost.DMatrix(data))
        fn = getattr(self.raw, self.predict_fn)
        return fn(data, params=params) if params else fn(data)

    def body(self, said):
        """The input of a body that no table can hold, as MLflow's scoring server reads it."""
        if self.pyfunc is not None:
            from mlflow.utils.proto_json_utils import dataframe_from_parsed_json, parse_tf_serving_input

            for orient in ("split", "records"):
                if "dataframe_" + orient in said:
                    return dataframe_from_parsed_json(said["dataframe_" + orient], orient, self.schema)
            return parse_tf_serving_input(said, self.schema)
        if "dataframe_split" in said:
            split = said["dataframe_split"]
            if pd is not None:
                return pd.DataFrame(split["data"], index=split.get("index"), columns=split.get("columns"))
            return np.asarray(split["data"]) if np is not None else split["data"]
        if "dataframe_records" in said:
            records = said["dataframe_records"]
            return pd.DataFrame(records) if pd is not None else records
        values = said["inputs"] if "inputs" in said else said["instances"]
        types = self.tensors or {}
        if np is None:
            return values
        if isinstance(values, dict):
            return {k: np.asarray(v, dtype=types.get(k)) for k, v in values.items()}
        return np.asarray(values, dtype=types.get("") or (next(iter(types.values())) if len(types) == 1 else None))

    def blank(self):
        """A row of zeros, to warm up with."""
        zero = {"number": 0.0, "text": "", "time": 0}
        columns = [[zero[c["kind"]]] for c in self.inputs]
        if np is not None:
            columns = [
                v if c["kind"] == "text" else np.array(v, dtype="f8" if c["kind"] == "number" else "i8")
                for v, c in zip(columns, self.inputs)
            ]
        return table(self.inputs, columns, {})


def importable(name):
    try:
        importlib.import_module(name)
    except ImportError:
        return False
    return True


# One request at a time.


class Worker:
    def __init__(self, peer):
        self.peer = peer
        self.model = None

    def load(self, number, meta, body):
        global np, pd
        try:
            np = importlib.import_module("numpy")
            pd = importlib.import_module("pandas")
        except ImportError:
            pass
        began = time.monotonic()
        self.model = Model(meta)
        versions = {m: getattr(sys.modules[m], "__version__", "") for m in ("numpy", "pandas", "mlflow", "sklearn", "xgboost", "lightgbm") if m in sys.modules}
        self.peer.write(RESULT, number, {"seconds": time.monotonic() - began, "versions": versions})

    def warm(self, number, meta, body):
        began, said = time.monotonic(), ""
        try:
            self.model.score(self.model.blank(), 1)
        except Exception as e:  # a row of zeros need not be one that the model can take
            said = type(e).__name__
        self.peer.write(RESULT, number, {"seconds": time.monotonic() - began, "error": said})

    def infer(self, number, meta, body):
        m = self.model
        if meta.get("body"):
            data = m.body(json.loads(bytes(body)))
        else:
            data = table(m.inputs, read_columns(m.inputs, meta, body), meta.get("types") or {})
        if meta["op"] == "score":
            self.peer.write(RESULT, number, None, 1, m.score(data, meta["rows"]))
            return
        answers = [encode(a) for a in cut(m.predict(data, meta.get("params")), meta["parts"])]
        self.peer.write(RESULT, number, None, 1, b"".join(struct.pack("<I", len(a)) + a for a in answers))

    def fail(self, number, e):
        kind = "memory" if isinstance(e, MemoryError) else "model"
        text = str(e) if isinstance(e, Unfit) else "%s: %s" % (type(e).__name__, e)
        meta = {"kind": kind, "error": text[:MAX_TEXT]}
        if not isinstance(e, (Unfit, MemoryError)):
            meta["traceback"] = "".join(traceback.format_exception(type(e), e, e.__traceback__))[-MAX_TEXT:]
        self.peer.write(ERROR, number, meta)

    def run(self):
        do = {LOAD: self.load, WARMUP: self.warm, INFER: self.infer}
        self.peer.write(HELLO, 0, {"protocol": VERSION, "python": platform.python_version(), "pid": os.getpid()})
        while True:
            kind, number, meta, body = self.peer.read()
            if kind == SHUTDOWN:
                return
            if kind == PING:
                self.peer.write(PONG, number)
            elif kind in do:
                try:
                    do[kind](number, meta, body)
                except BaseException as e:  # sys.exit of a model too
                    self.fail(number, e)


def limit(size):
    """Bounds the memory before the model is there to ask for it."""
    if size:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (size, size))


def main():
    limit(int(os.environ.get("FLYBALL_MEMORY") or 0))
    fd = int(os.environ.get("FLYBALL_SOCKET") or 3)
    os.set_inheritable(fd, False)  # what the model starts does not hold the socket
    try:
        Worker(Peer(socket.socket(fileno=fd))).run()
    except (Gone, OSError):
        pass
    sys.stdout.flush()
    os._exit(0)  # whatever threads the model left


if __name__ == "__main__":
    main()
