"""Make the families ``xgboost``, ``lightgbm`` and ``skops``: their own formats, and pickles of them."""

# mypy: disable-error-code="import-not-found,import-untyped,no-untyped-call"
# (these are in an environment of their own)

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import joblib
import lightgbm
import numpy as np
import skops.io
import xgboost
from making import make
from sklearn import compose, ensemble, feature_extraction, linear_model, pipeline, preprocessing

rows = np.random.default_rng(0)
X = rows.random((24, 3))
y = np.arange(24) % 2
z = X @ np.array([1.0, -2.0, 0.5])


def xgb(**more: Any) -> xgboost.Booster:
    settings = {"max_depth": 2, "nthread": 1, "objective": "binary:logistic", **more}
    return xgboost.train(settings, xgboost.DMatrix(X, y, feature_names=["a", "b", "c"]), num_boost_round=2)


def lgb(**more: Any) -> lightgbm.Booster:
    settings = {"num_leaves": 3, "min_data_in_leaf": 2, "num_threads": 1, "verbose": -1, "objective": "binary", **more}
    return lightgbm.train(settings, lightgbm.Dataset(X, y), num_boost_round=2)


def pickled(value: Callable[[], Any], path: Path) -> None:
    path.write_bytes(pickle.dumps(value(), 4))


def packed(value: Callable[[], Any], method: int, path: Path) -> None:
    skops.io.dump(value(), path, compression=method)


def xgboosts() -> dict[str, Any]:
    return {
        "model.json": lambda path: xgb().save_model(path),
        "model.ubj": lambda path: xgb().save_model(path),
        "linear.json": lambda path: xgb(booster="gblinear", updater="coord_descent").save_model(path),
        "dart.ubj": lambda path: xgb(booster="dart").save_model(path),
        "several-classes.json": lambda path: xgb(objective="multi:softprob", num_class=2).save_model(path),
        "classifier.json": lambda path: xgboost.XGBClassifier(n_estimators=2, max_depth=2).fit(X, y).save_model(path),
        "booster.pkl": partial(pickled, xgb),
        "classifier.pkl": partial(pickled, lambda: xgboost.XGBClassifier(n_estimators=2, max_depth=2).fit(X, y)),
    }


def lightgbms() -> dict[str, Any]:
    return {
        "model.txt": lambda path: lgb().save_model(path),
        "regression.txt": lambda path: lgb(objective="regression").save_model(path),
        "linear-trees.txt": lambda path: lgb(objective="regression", linear_tree=True).save_model(path),
        "booster.pkl": partial(pickled, lgb),
        "regressor.joblib": lambda path: joblib.dump(
            lightgbm.LGBMRegressor(n_estimators=2, num_leaves=3, min_child_samples=2, verbose=-1).fit(X, z), path
        ),
    }


def skopses() -> dict[str, Any]:
    columns = compose.ColumnTransformer([("scale", preprocessing.StandardScaler(), [0, 1])], remainder="passthrough")
    values: dict[str, Callable[[], Any]] = {
        "logistic": lambda: linear_model.LogisticRegression().fit(X, y),
        "forest": lambda: ensemble.RandomForestClassifier(2, max_depth=3, random_state=0).fit(X, y),
        "boosting": lambda: ensemble.HistGradientBoostingClassifier(max_iter=2, min_samples_leaf=4).fit(X, y),
        "columns": lambda: pipeline.make_pipeline(columns, linear_model.Ridge()).fit(X, z),
        "words": lambda: feature_extraction.text.TfidfVectorizer().fit(["a barge", "a canal"]),
        "logarithm": lambda: preprocessing.FunctionTransformer(np.log1p).fit(X),
    }
    stored = {"logistic", "logarithm", "words"}
    return {
        f"{name}.skops": partial(packed, value, zipfile.ZIP_STORED if name in stored else zipfile.ZIP_DEFLATED)
        for name, value in values.items()
    }


if __name__ == "__main__":
    make("xgboost", xgboosts(), ["xgboost", "numpy"])
    make("lightgbm", lightgbms(), ["lightgbm", "numpy", "joblib"])
    make("skops", skopses(), ["skops", "scikit-learn", "numpy"])
