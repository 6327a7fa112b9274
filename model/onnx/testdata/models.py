# SPDX-License-Identifier: Apache-2.0
# Trains models, converts them to ONNX, and prints for each its rows and what the library
# itself and onnxruntime say of them: JSON by lines. Arguments: the names of models, or
# "all". Environment: scripts/requirements/onnx.txt.
import base64
import json
import sys
import warnings

import numpy as np

warnings.filterwarnings("ignore")
import onnxruntime as rt  # noqa: E402
from skl2onnx import to_onnx  # noqa: E402
from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType, Int64TensorType, StringTensorType  # noqa: E402

rt.set_default_logger_severity(4)
ROWS, COLS = 1000, 8


def numbers(missing=0.0, dtype=np.float32, seed=1):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(ROWS, COLS)) * np.array([1, 5, 0.1, 30, 1, 2, 1, 1]) + np.array([0, 3, 0, 100, 0, 0, 1, 0])
    x = x.astype(dtype)
    if missing:
        x[rng.random(x.shape) < missing] = np.nan
    return x


def target(kind, x, seed=2):
    rng = np.random.default_rng(seed)
    z = np.nan_to_num(x.astype(np.float64))
    s = z[:, 0] + z[:, 1] / 5 + np.sin(z[:, 4]) + (z[:, 3] - 100) / 30 + rng.normal(size=len(z)) * 0.3
    if kind == "regression":
        return s * 10
    if kind == "binary":
        return (s > np.median(s)).astype(np.int64)
    if kind == "text":
        return np.array(["no", "yes"])[(s > np.median(s)).astype(int)]
    return np.digitize(s, np.quantile(s, [0.3, 0.6]))


def b64(a):
    return base64.b64encode(np.ascontiguousarray(a).tobytes()).decode()


def emit(name, kind, onx, columns, feed, want, loses=False):
    session = rt.InferenceSession(onx.SerializeToString(), providers=["CPUExecutionProvider"])
    got = session.run(None, feed)
    ort = got[0] if kind == "regression" else got[1]
    if isinstance(ort, list):
        ort = np.array([[r[k] for k in r] for r in ort])
    ort = np.asarray(ort, dtype=np.float64).reshape(len(want), -1)
    want = np.asarray(want, dtype=np.float64).reshape(len(want), -1)
    if kind == "binary" and want.shape[1] == 2:
        want, ort = want[:, 1:], ort[:, 1:]
    print(json.dumps({
        "name": name, "kind": kind, "onnx": base64.b64encode(onx.SerializeToString()).decode(),
        "columns": columns, "want": b64(want), "ort": b64(ort), "width": want.shape[1], "loses": loses,
        "ops": sorted({n.op_type for n in onx.graph.node}),
    }), flush=True)


def columns_of(x):
    return [{"name": f"input_{i}", "num": b64(x[:, i].astype(np.float64))} for i in range(x.shape[1])]


MODELS = {}


def model(kind, missing=0.0, loses=False, dtype=np.float32, y=None, x=None, **options):
    def register(make):
        def run():
            rows = numbers(missing, dtype) if x is None else x()
            labels = target(y or kind, rows)
            m = make().fit(rows, labels)
            opts = None
            if kind != "regression" and not options.get("zipmap", True):
                opts = {id(m): {"zipmap": False}}
            typ = DoubleTensorType if dtype == np.float64 else FloatTensorType
            onx = to_onnx(m, initial_types=[("X", typ([None, rows.shape[1]]))], options=opts, target_opset=options.get("opset"))
            want = m.predict(rows) if kind == "regression" else m.predict_proba(rows)
            emit(make.__name__, kind, onx, columns_of(rows), {"X": rows}, want, loses)
        MODELS[make.__name__] = run
        return make
    return register


@model("regression")
def linear_regression():
    from sklearn.linear_model import LinearRegression
    return LinearRegression()


@model("regression", dtype=np.float64)
def linear_regression_double():
    from sklearn.linear_model import LinearRegression
    return LinearRegression()


@model("regression")
def ridge():
    from sklearn.linear_model import Ridge
    return Ridge()


@model("regression")
def lasso_scaled():
    from sklearn.linear_model import Lasso
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    return make_pipeline(StandardScaler(), Lasso(0.1))


@model("regression")
def elastic_net_minmax():
    from sklearn.linear_model import ElasticNet
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import MinMaxScaler
    return make_pipeline(MinMaxScaler(), ElasticNet(0.01))


@model("regression")
def bayesian_ridge():
    from sklearn.linear_model import BayesianRidge
    return BayesianRidge()


@model("binary")
def logistic_regression():
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    return make_pipeline(StandardScaler(), LogisticRegression())


@model("binary", y="text")
def logistic_regression_text():
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import RobustScaler
    return make_pipeline(RobustScaler(), LogisticRegression())


@model("multiclass", zipmap=False)
def logistic_regression_many():
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import MaxAbsScaler
    return make_pipeline(MaxAbsScaler(), LogisticRegression())


@model("binary")
def sgd():
    from sklearn.linear_model import SGDClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    return make_pipeline(StandardScaler(), SGDClassifier(loss="log_loss", random_state=0))


@model("multiclass")
def sgd_many():
    from sklearn.linear_model import SGDClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    return make_pipeline(StandardScaler(), SGDClassifier(loss="log_loss", random_state=0))


@model("binary")
def decision_tree():
    from sklearn.tree import DecisionTreeClassifier
    return DecisionTreeClassifier(max_depth=8, random_state=0)


@model("regression")
def decision_tree_regressor():
    from sklearn.tree import DecisionTreeRegressor
    return DecisionTreeRegressor(max_depth=8, random_state=0)


@model("binary")
def random_forest():
    from sklearn.ensemble import RandomForestClassifier
    return RandomForestClassifier(100, random_state=0)


@model("multiclass")
def random_forest_many():
    from sklearn.ensemble import RandomForestClassifier
    return RandomForestClassifier(50, random_state=0)


@model("regression")
def random_forest_regressor():
    from sklearn.ensemble import RandomForestRegressor
    return RandomForestRegressor(100, random_state=0)


@model("binary", missing=0.1, loses=True)  # its converter does not know missing values
def random_forest_missing():
    from sklearn.ensemble import RandomForestClassifier
    return RandomForestClassifier(50, random_state=0, max_depth=10)


@model("multiclass")
def extra_trees():
    from sklearn.ensemble import ExtraTreesClassifier
    return ExtraTreesClassifier(50, random_state=0)


@model("binary")
def gradient_boosting():
    from sklearn.ensemble import GradientBoostingClassifier
    return GradientBoostingClassifier(random_state=0)


@model("multiclass")
def gradient_boosting_many():
    from sklearn.ensemble import GradientBoostingClassifier
    return GradientBoostingClassifier(n_estimators=30, random_state=0)


@model("regression")
def gradient_boosting_regressor():
    from sklearn.ensemble import GradientBoostingRegressor
    return GradientBoostingRegressor(random_state=0)


@model("binary", missing=0.1)
def hist_gradient_boosting():
    from sklearn.ensemble import HistGradientBoostingClassifier
    return HistGradientBoostingClassifier(random_state=0)


@model("multiclass", missing=0.1)
def hist_gradient_boosting_many():
    from sklearn.ensemble import HistGradientBoostingClassifier
    return HistGradientBoostingClassifier(max_iter=30, random_state=0)


@model("regression", missing=0.1)
def hist_gradient_boosting_regressor():
    from sklearn.ensemble import HistGradientBoostingRegressor
    return HistGradientBoostingRegressor(random_state=0)


@model("binary", dtype=np.float64, zipmap=False)
def random_forest_double():
    from sklearn.ensemble import RandomForestClassifier
    return RandomForestClassifier(30, max_depth=8, random_state=0)


@model("multiclass", dtype=np.float64, zipmap=False)
def mlp_double():
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    return make_pipeline(StandardScaler(), MLPClassifier((16, 8), max_iter=60, random_state=0))


@model("binary")
def ada_boost():
    from sklearn.ensemble import AdaBoostClassifier
    return AdaBoostClassifier(n_estimators=20, random_state=0)


@model("regression")
def bagging():
    from sklearn.ensemble import BaggingRegressor
    from sklearn.tree import DecisionTreeRegressor
    return BaggingRegressor(DecisionTreeRegressor(max_depth=5), random_state=0)


@model("binary")
def mlp():
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    return make_pipeline(StandardScaler(), MLPClassifier((32, 16), max_iter=60, random_state=0))


@model("multiclass")
def mlp_many():
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    return make_pipeline(StandardScaler(), MLPClassifier((20,), activation="tanh", max_iter=60, random_state=0))


@model("regression")
def mlp_regressor():
    from sklearn.neural_network import MLPRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    return make_pipeline(StandardScaler(), MLPRegressor(hidden_layer_sizes=(32,), activation="logistic", max_iter=100, random_state=0))


@model("multiclass", dtype=np.float64, zipmap=False)
def gaussian_nb():
    from sklearn.naive_bayes import GaussianNB
    return GaussianNB()


@model("binary")
def bernoulli_nb():
    from sklearn.naive_bayes import BernoulliNB
    return BernoulliNB()


@model("multiclass")
def lda():
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    return LinearDiscriminantAnalysis()


@model("binary")
def svc():
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC
    return make_pipeline(StandardScaler(), SVC(probability=True, random_state=0))


@model("multiclass")
def svc_many():
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC
    return make_pipeline(StandardScaler(), SVC(probability=True, random_state=0))


@model("regression")
def svr():
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVR
    return make_pipeline(StandardScaler(), SVR())


@model("regression")
def linear_svr():
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import LinearSVR
    return make_pipeline(StandardScaler(), LinearSVR(random_state=0))


@model("binary", missing=0.1)
def imputed():
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    return make_pipeline(SimpleImputer(strategy="median"), StandardScaler(), LogisticRegression())


@model("binary", missing=0.1)
def imputed_indicator():
    from sklearn.impute import SimpleImputer
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.pipeline import make_pipeline
    return make_pipeline(SimpleImputer(strategy="mean"), RandomForestClassifier(20, random_state=0))


@model("regression")
def polynomial():
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import PolynomialFeatures, StandardScaler
    return make_pipeline(StandardScaler(), PolynomialFeatures(2), Ridge())


@model("binary")
def bins():
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import KBinsDiscretizer
    return make_pipeline(KBinsDiscretizer(5, encode="onehot-dense", quantile_method="averaged_inverted_cdf"), LogisticRegression())


@model("regression")
def normalized():
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import Normalizer
    return make_pipeline(Normalizer("l2"), Ridge())


@model("regression")
def feature_union():
    from sklearn.decomposition import PCA
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import FeatureUnion, make_pipeline
    from sklearn.preprocessing import StandardScaler
    return make_pipeline(StandardScaler(), FeatureUnion([("pca", PCA(3)), ("all", StandardScaler())]), Ridge())


@model("binary")
def selected():
    from sklearn.feature_selection import SelectKBest
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    return make_pipeline(StandardScaler(), SelectKBest(k=4), LogisticRegression())


@model("binary")
def voting():
    from sklearn.ensemble import RandomForestClassifier, VotingClassifier
    from sklearn.naive_bayes import GaussianNB
    return VotingClassifier([("f", RandomForestClassifier(20, random_state=0, max_depth=6)), ("n", GaussianNB())], voting="soft", flatten_transform=False)


@model("multiclass")
def stacking():
    from sklearn.ensemble import RandomForestClassifier, StackingClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.tree import DecisionTreeClassifier
    return StackingClassifier([("f", RandomForestClassifier(10, random_state=0, max_depth=4)), ("t", DecisionTreeClassifier(max_depth=4, random_state=0))], LogisticRegression())


@model("binary")
def calibrated():
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.ensemble import RandomForestClassifier
    return CalibratedClassifierCV(RandomForestClassifier(20, random_state=0, max_depth=6), method="sigmoid", cv=3)


@model("binary", loses=True)  # its converter does not interpolate
def calibrated_isotonic():
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.ensemble import RandomForestClassifier
    return CalibratedClassifierCV(RandomForestClassifier(20, random_state=0, max_depth=6), method="isotonic", cv=3)


@model("multiclass")
def one_vs_rest():
    from sklearn.linear_model import LogisticRegression
    from sklearn.multiclass import OneVsRestClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    return make_pipeline(StandardScaler(), OneVsRestClassifier(LogisticRegression()))


@model("binary", opset={"": 12, "ai.onnx.ml": 1})
def old_opset():
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    return make_pipeline(StandardScaler(), LogisticRegression())


def table():
    """Columns of texts and numbers, as a ColumnTransformer takes them."""
    import pandas as pd
    rng = np.random.default_rng(3)
    x = numbers(0.1)
    city = rng.choice(["ams", "ber", "cph", "dub"], ROWS)
    size = rng.choice(["s", "m", "l"], ROWS)
    f = pd.DataFrame({f"n{i}": x[:, i] for i in range(4)})
    f["city"], f["size"] = city, size
    y = target("binary", x) ^ (city == "ams")
    return f, y.astype(np.int64)


def column_transformer(name, make, kind="binary"):
    def run():
        f, y = table()
        unseen = f.copy()
        m = make().fit(f, y)
        unseen.loc[:20, "city"] = "nowhere"
        types = [(c, StringTensorType([None, 1]) if f[c].dtype == object else FloatTensorType([None, 1])) for c in f.columns]
        onx = to_onnx(m, initial_types=types)
        feed = {c: unseen[[c]].values.astype(object if f[c].dtype == object else np.float32) for c in f.columns}
        columns = [{"name": c, "text": list(f2)} if f[c].dtype == object else {"name": c, "num": b64(f2.astype(np.float64))}
                   for c, f2 in ((c, unseen[c].values) for c in f.columns)]
        want = m.predict(unseen) if kind == "regression" else m.predict_proba(unseen)
        emit(name, kind, onx, columns, feed, want)
    MODELS[name] = run


def transformer_one_hot():
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler
    return make_pipeline(ColumnTransformer([
        ("n", make_pipeline(SimpleImputer(), StandardScaler()), ["n0", "n1", "n2", "n3"]),
        ("c", OneHotEncoder(handle_unknown="ignore", sparse_output=False), ["city", "size"]),
    ]), LogisticRegression())


def transformer_ordinal():
    from sklearn.compose import ColumnTransformer
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OrdinalEncoder
    return make_pipeline(ColumnTransformer([
        ("c", OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), ["city", "size"]),
        ("n", "passthrough", ["n0", "n1", "n2", "n3"]),
    ]), HistGradientBoostingClassifier(random_state=0, max_iter=30))


def transformer_forest():
    from sklearn.compose import ColumnTransformer
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder
    return make_pipeline(ColumnTransformer([
        ("c", OneHotEncoder(handle_unknown="ignore"), ["city", "size"]),
        ("n", SimpleImputer(strategy="constant", fill_value=-5), ["n0", "n1", "n2", "n3"]),
    ]), RandomForestClassifier(30, max_depth=8, random_state=0))


for made in (transformer_one_hot, transformer_ordinal, transformer_forest):
    column_transformer(made.__name__, made)


def forward(x, nodes, v):
    """The network in numpy's float64."""
    from scipy.special import erf, expit, softmax
    v = {**v, "x": x.astype(np.float64)}
    for n in nodes:
        a = v[n.input[0]]
        v[n.output[0]] = {
            "BatchNormalization": lambda: (a - v["bn.mean"]) / np.sqrt(v["bn.var"] + 1e-5) * v["bn.scale"],
            "Gemm": lambda: a @ v[n.input[1]].T + v[n.input[2]],
            "MatMul": lambda: a @ v[n.input[1]],
            "Add": lambda: a + v[n.input[1]],
            "Relu": lambda: np.maximum(a, 0),
            "Tanh": lambda: np.tanh(a),
            "Gelu": lambda: a * (1 + erf(a / np.sqrt(2))) / 2,
            "Sigmoid": lambda: expit(a),
            "Softmax": lambda: softmax(a, axis=-1),
        }[n.op_type]()
    return v["y"]


def network(name, layers, output, opset, weights_last):
    """A network as torch.onnx (Gemm, weights by output) or tf2onnx (MatMul and Add) write it."""
    def run():
        import onnx
        from onnx import helper, numpy_helper
        rng = np.random.default_rng(4)
        x = numbers()
        nodes, constants, at = [], [], "x"
        sizes = [COLS, *layers, 3 if output == "Softmax" else 1]
        bn = {"scale": 1 / x.std(0), "bias": np.zeros(COLS), "mean": x.mean(0), "var": np.ones(COLS)}
        for k, v in bn.items():
            constants.append(numpy_helper.from_array(v.astype(np.float32), f"bn.{k}"))
        nodes.append(helper.make_node("BatchNormalization", ["x", *(f"bn.{k}" for k in bn)], ["n"]))
        at = "n"
        for i, (a, b) in enumerate(zip(sizes, sizes[1:])):
            w, c = rng.normal(size=(a, b)) / np.sqrt(a), rng.normal(size=b) * 0.1
            constants.append(numpy_helper.from_array(np.ascontiguousarray((w.T if weights_last else w).astype(np.float32)), f"w{i}"))
            constants.append(numpy_helper.from_array(c.astype(np.float32), f"b{i}"))
            if weights_last:
                nodes.append(helper.make_node("Gemm", [at, f"w{i}", f"b{i}"], [f"l{i}"], transB=1))
            else:
                nodes.append(helper.make_node("MatMul", [at, f"w{i}"], [f"m{i}"]))
                nodes.append(helper.make_node("Add", [f"m{i}", f"b{i}"], [f"l{i}"]))
            at = f"l{i}"
            if b != sizes[-1]:
                nodes.append(helper.make_node(["Relu", "Gelu" if opset >= 20 else "Tanh"][i % 2], [at], [f"a{i}"]))
                at = f"a{i}"
        if output:
            nodes.append(helper.make_node(output, [at], ["y"]))
        else:
            nodes[-1].output[0] = "y"
        shape = [None, COLS], [None, sizes[-1]]
        g = helper.make_graph(nodes, name, [helper.make_tensor_value_info("x", 1, shape[0])], [helper.make_tensor_value_info("y", 1, shape[1])], constants)
        onx = helper.make_model(g, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
        onnx.checker.check_model(onx)
        want = forward(x, nodes, {t.name: numpy_helper.to_array(t).astype(np.float64) for t in constants})
        emit(name, "regression", onx, columns_of(x), {"x": x}, want)
    MODELS[name] = run


network("torch_like", [32, 16], "Sigmoid", 20, True)
network("keras_like", [32, 16], "Softmax", 13, False)
network("plain_network", [24], "", 17, True)


def boosted(name, kind, make, missing=0.1):
    def run():
        from onnxmltools import convert_lightgbm, convert_xgboost
        from onnxmltools.convert.common.data_types import FloatTensorType as T
        x = numbers(missing)
        y = target(kind, x)
        m = make().fit(x, y)
        convert = convert_xgboost if "xgboost" in name else convert_lightgbm
        onx = convert(m, initial_types=[("X", T([None, COLS]))], target_opset=15)
        want = m.predict(x) if kind == "regression" else m.predict_proba(x)
        emit(name, kind, onx, columns_of(x), {"X": x}, want)
    MODELS[name] = run


def xgb(cls, **options):
    def make():
        import xgboost
        return getattr(xgboost, cls)(n_estimators=40, max_depth=5, n_jobs=1, **options)
    return make


def lgb(cls, **options):
    def make():
        import lightgbm
        return getattr(lightgbm, cls)(n_estimators=40, n_jobs=1, verbose=-1, **options)
    return make


boosted("xgboost_regressor", "regression", xgb("XGBRegressor"))
boosted("xgboost_binary", "binary", xgb("XGBClassifier"))
boosted("xgboost_many", "multiclass", xgb("XGBClassifier"))
boosted("lightgbm_regressor", "regression", lgb("LGBMRegressor"))
boosted("lightgbm_binary", "binary", lgb("LGBMClassifier"))
boosted("lightgbm_many", "multiclass", lgb("LGBMClassifier"))

names = sys.argv[1:]
if names == ["all"]:
    names = list(MODELS)
if names == ["list"]:
    print("\n".join(MODELS))
    names = []
for n in names:
    try:
        MODELS[n]()
    except Exception as e:  # a converter that fails is told, not hidden
        print(json.dumps({"name": n, "failed": f"{type(e).__name__}: {str(e)[:300]}"}), flush=True)
