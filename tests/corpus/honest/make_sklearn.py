"""Make the families ``sklearn`` and ``joblib``: fitted estimators, as pickles and as joblib files."""

# mypy: disable-error-code="import-not-found,import-untyped,no-untyped-call"
# (these are in an environment of their own)

from __future__ import annotations

import pickle
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import scipy.sparse
import sklearn
from making import Case, make
from sklearn import (
    calibration,
    cluster,
    compose,
    covariance,
    cross_decomposition,
    decomposition,
    discriminant_analysis,
    dummy,
    ensemble,
    feature_selection,
    gaussian_process,
    impute,
    isotonic,
    kernel_approximation,
    linear_model,
    manifold,
    mixture,
    model_selection,
    multiclass,
    multioutput,
    naive_bayes,
    neighbors,
    neural_network,
    pipeline,
    preprocessing,
    random_projection,
    svm,
    tree,
)
from sklearn.feature_extraction import DictVectorizer, text
from sklearn.gaussian_process import kernels

PACKAGES = ["scikit-learn", "joblib", "numpy", "scipy", "lz4"]
TEXTS = ["a barge on the canal", "the lock of the canal", "weights and a scale", "the weight of a barge"] * 3

rows = np.random.default_rng(0)
X = rows.random((24, 3))
y = np.arange(24) % 2
z = X @ np.array([1.0, -2.0, 0.5]) + 0.1
names = np.array(["left", "right"])[y]


def fitted(estimator: Any, data: Any = X, target: Any = y) -> Any:
    return estimator.fit(data, target)


ESTIMATORS: dict[str, Callable[[], Any]] = {
    "logistic": lambda: fitted(linear_model.LogisticRegression()),
    "logistic-cv": lambda: fitted(linear_model.LogisticRegressionCV(Cs=2, cv=2)),
    "logistic-names": lambda: fitted(linear_model.LogisticRegression(), X, names),
    "linear": lambda: fitted(linear_model.LinearRegression(), X, z),
    "ridge": lambda: fitted(linear_model.RidgeCV(), X, z),
    "lasso": lambda: fitted(linear_model.LassoCV(cv=2, alphas=3), X, z),
    "elastic-net": lambda: fitted(linear_model.ElasticNet(), X, z),
    "bayesian-ridge": lambda: fitted(linear_model.BayesianRidge(), X, z),
    "huber": lambda: fitted(linear_model.HuberRegressor(), X, z),
    "poisson": lambda: fitted(linear_model.PoissonRegressor(), X, np.abs(z)),
    "tweedie": lambda: fitted(linear_model.TweedieRegressor(power=1.5), X, np.abs(z) + 1),
    "ransac": lambda: fitted(linear_model.RANSACRegressor(random_state=0), X, z),
    "sgd-classifier": lambda: fitted(linear_model.SGDClassifier(random_state=0)),
    "sgd-modified-huber": lambda: fitted(linear_model.SGDClassifier(loss="modified_huber", random_state=0)),
    "sgd-regressor": lambda: fitted(linear_model.SGDRegressor(random_state=0), X, z),
    "perceptron": lambda: fitted(linear_model.Perceptron(random_state=0)),
    "svc": lambda: fitted(svm.SVC()),
    "linear-svc": lambda: fitted(svm.LinearSVC()),
    "one-class-svm": lambda: fitted(svm.OneClassSVM()),
    "decision-tree": lambda: fitted(tree.DecisionTreeClassifier(random_state=0)),
    "regression-tree": lambda: fitted(tree.DecisionTreeRegressor(max_depth=3, random_state=0), X, z),
    "random-forest": lambda: fitted(ensemble.RandomForestClassifier(3, random_state=0)),
    "random-forest-state": lambda: fitted(ensemble.RandomForestClassifier(2, random_state=np.random.RandomState(0))),
    "extra-trees": lambda: fitted(ensemble.ExtraTreesRegressor(2, max_depth=3, random_state=0), X, z),
    "gradient-boosting": lambda: fitted(ensemble.GradientBoostingClassifier(n_estimators=2, random_state=0)),
    "gradient-boosting-regressor": lambda: fitted(
        ensemble.GradientBoostingRegressor(n_estimators=2, loss="quantile"), X, z
    ),
    "histogram-boosting": lambda: fitted(ensemble.HistGradientBoostingClassifier(max_iter=2, min_samples_leaf=4)),
    "histogram-boosting-regressor": lambda: fitted(
        ensemble.HistGradientBoostingRegressor(max_iter=2, min_samples_leaf=4), X, z
    ),
    "histogram-boosting-poisson": lambda: fitted(
        ensemble.HistGradientBoostingRegressor(max_iter=2, min_samples_leaf=4, loss="poisson"), X, np.abs(z)
    ),
    "ada-boost": lambda: fitted(ensemble.AdaBoostClassifier(n_estimators=2, random_state=0)),
    "bagging": lambda: fitted(ensemble.BaggingClassifier(n_estimators=2, random_state=0)),
    "isolation-forest": lambda: fitted(ensemble.IsolationForest(n_estimators=2, random_state=0)),
    "voting": lambda: fitted(
        ensemble.VotingClassifier([("a", linear_model.LogisticRegression()), ("b", naive_bayes.GaussianNB())])
    ),
    "stacking": lambda: fitted(ensemble.StackingClassifier([("a", naive_bayes.GaussianNB())], cv=2)),
    "neighbours": lambda: fitted(neighbors.KNeighborsClassifier(3, algorithm="brute")),
    "neighbours-kd-tree": lambda: fitted(neighbors.KNeighborsClassifier(3, algorithm="kd_tree")),
    "neighbours-ball-tree": lambda: fitted(neighbors.KNeighborsRegressor(3, algorithm="ball_tree"), X, z),
    "local-outlier-factor": lambda: fitted(neighbors.LocalOutlierFactor(3, novelty=True)),
    "kernel-density": lambda: fitted(neighbors.KernelDensity()),
    "nearest-centroid": lambda: fitted(neighbors.NearestCentroid()),
    "naive-bayes": lambda: fitted(naive_bayes.GaussianNB()),
    "multinomial-naive-bayes": lambda: fitted(naive_bayes.MultinomialNB()),
    "discriminant": lambda: fitted(discriminant_analysis.LinearDiscriminantAnalysis()),
    "perceptron-layers": lambda: fitted(
        neural_network.MLPClassifier((3,), max_iter=5, random_state=0, n_iter_no_change=2, tol=10.0)
    ),
    "k-means": lambda: fitted(cluster.KMeans(2, random_state=0, n_init=1)),
    "k-means-batches": lambda: fitted(cluster.MiniBatchKMeans(2, random_state=0, n_init=1, batch_size=1024)),
    "dbscan": lambda: fitted(cluster.DBSCAN()),
    "agglomerative": lambda: fitted(cluster.AgglomerativeClustering()),
    "spectral": lambda: fitted(cluster.SpectralClustering(2, random_state=0)),
    "birch": lambda: fitted(cluster.Birch(n_clusters=2, threshold=0.5)),
    "pca": lambda: fitted(decomposition.PCA(2)),
    "kernel-pca": lambda: fitted(decomposition.KernelPCA(2, kernel="rbf")),
    "svd": lambda: fitted(decomposition.TruncatedSVD(2, random_state=0)),
    "nmf": lambda: fitted(decomposition.NMF(2, random_state=0, tol=0.1)),
    "topics": lambda: fitted(decomposition.LatentDirichletAllocation(2, random_state=0, max_iter=2)),
    "pls": lambda: fitted(cross_decomposition.PLSRegression(2), X, z),
    "covariance": lambda: fitted(covariance.EllipticEnvelope(random_state=0)),
    "manifold": lambda: fitted(manifold.Isomap(n_neighbors=10)),
    "mixture": lambda: fitted(mixture.GaussianMixture(2, random_state=0)),
    "gaussian-process": lambda: fitted(
        gaussian_process.GaussianProcessRegressor(kernels.RBF() + kernels.WhiteKernel(), optimizer=None), X, z
    ),
    "gaussian-process-classifier": lambda: fitted(gaussian_process.GaussianProcessClassifier(1.0 * kernels.Matern())),
    "isotonic": lambda: fitted(isotonic.IsotonicRegression(out_of_bounds="clip"), X[:, 0], z),
    "calibrated": lambda: fitted(calibration.CalibratedClassifierCV(svm.LinearSVC(), cv=2)),
    "one-against-rest": lambda: fitted(multiclass.OneVsRestClassifier(linear_model.LogisticRegression())),
    "several-outputs": lambda: fitted(multioutput.MultiOutputRegressor(linear_model.Ridge()), X, np.c_[z, z]),
    "dummy": lambda: fitted(dummy.DummyClassifier()),
    "scaler": lambda: fitted(preprocessing.StandardScaler()),
    "min-max": lambda: fitted(preprocessing.MinMaxScaler()),
    "robust-scaler": lambda: fitted(preprocessing.RobustScaler()),
    "one-hot": lambda: fitted(preprocessing.OneHotEncoder(), np.array([["a", "x"], ["b", "y"]]), None),
    "ordinal": lambda: fitted(preprocessing.OrdinalEncoder(), np.array([["a"], ["b"]], object), None),
    "label-encoder": lambda: preprocessing.LabelEncoder().fit(names),
    "label-binarizer": lambda: preprocessing.LabelBinarizer().fit(names),
    "polynomial": lambda: fitted(preprocessing.PolynomialFeatures(2)),
    "splines": lambda: fitted(preprocessing.SplineTransformer(n_knots=3)),
    "quantiles": lambda: fitted(preprocessing.QuantileTransformer(n_quantiles=5)),
    "power": lambda: fitted(preprocessing.PowerTransformer()),
    "bins": lambda: fitted(preprocessing.KBinsDiscretizer(3, quantile_method="averaged_inverted_cdf")),
    "logarithm": lambda: fitted(preprocessing.FunctionTransformer(np.log1p, np.expm1)),
    "target-encoder": lambda: fitted(preprocessing.TargetEncoder(cv=2), names.reshape(-1, 1)),
    "imputer": lambda: fitted(impute.SimpleImputer()),
    "neighbour-imputer": lambda: fitted(impute.KNNImputer()),
    "select-best": lambda: fitted(feature_selection.SelectKBest(feature_selection.f_classif, k=2)),
    "select-chi2": lambda: fitted(feature_selection.SelectPercentile(feature_selection.chi2)),
    "eliminated": lambda: fitted(feature_selection.RFE(linear_model.LogisticRegression(), n_features_to_select=2)),
    "random-features": lambda: fitted(kernel_approximation.RBFSampler(n_components=4, random_state=0)),
    "projection": lambda: fitted(random_projection.SparseRandomProjection(2, random_state=0)),
    "counts": lambda: text.CountVectorizer().fit(TEXTS),
    "tf-idf": lambda: text.TfidfVectorizer(ngram_range=(1, 2)).fit(TEXTS),
    "hashing": lambda: text.HashingVectorizer(n_features=16),
    "dictionaries": lambda: DictVectorizer().fit([{"length": 20, "load": "coal"}]),
    "text-pipeline": lambda: fitted(
        pipeline.make_pipeline(text.TfidfVectorizer(), linear_model.LogisticRegression()), TEXTS, y[:12]
    ),
    "scaled-pipeline": lambda: fitted(
        pipeline.Pipeline([("scale", preprocessing.StandardScaler()), ("model", ensemble.RandomForestClassifier(2))])
    ),
    "columns": lambda: fitted(
        pipeline.make_pipeline(
            compose.ColumnTransformer(
                [("numbers", preprocessing.StandardScaler(), [0, 1]), ("rest", "passthrough", slice(2, 3))]
            ),
            linear_model.Ridge(),
        ),
        X,
        z,
    ),
    "union": lambda: fitted(
        pipeline.FeatureUnion([("pca", decomposition.PCA(1)), ("best", feature_selection.SelectKBest(k=1))])
    ),
    "transformed-target": lambda: fitted(
        compose.TransformedTargetRegressor(linear_model.Ridge(), func=np.log1p, inverse_func=np.expm1), X, np.abs(z)
    ),
    "grid-search": lambda: fitted(model_selection.GridSearchCV(svm.SVC(), {"C": [0.5, 1.0]}, cv=2)),
    "grid-search-scored": lambda: fitted(
        model_selection.GridSearchCV(linear_model.Ridge(), {"alpha": [1.0]}, cv=model_selection.KFold(2), scoring="r2"),
        X,
        z,
    ),
    "random-search": lambda: fitted(
        model_selection.RandomizedSearchCV(linear_model.Ridge(), {"alpha": [0.1, 1.0]}, n_iter=2, cv=2, random_state=0),
        X,
        z,
    ),
    "unfitted": lambda: sklearn.base.clone(ensemble.RandomForestClassifier()),
    "sparse": lambda: scipy.sparse.csr_matrix(np.eye(3)),
    "several": lambda: {"model": fitted(linear_model.Ridge(), X, z), "columns": ["a", "b", "c"], "version": 3},
}
JOBLIB = ("logistic", "random-forest", "text-pipeline", "scaled-pipeline", "histogram-boosting", "ordinal")
COMPRESSIONS: dict[str, Any] = {
    "joblib": 0,
    "joblib.z": True,
    "joblib.gz": ("gzip", 3),
    "joblib.bz2": ("bz2", 3),
    "joblib.xz": ("xz", 3),
    "joblib.lzma": ("lzma", 3),
    "joblib.lz4": ("lz4", 3),
}


def pickled(value: Callable[[], Any], protocol: int, path: Path) -> None:
    path.write_bytes(pickle.dumps(value(), protocol))


def dumped(value: Callable[[], Any], compress: Any, path: Path) -> None:
    joblib.dump(value(), path, compress=compress)


def pickles() -> dict[str, Case]:
    cases: dict[str, Case] = {
        f"{name}.pkl": partial(pickled, value, (4, 5)[place % 2])
        for place, (name, value) in enumerate(ESTIMATORS.items())
    }
    for protocol in (0, 1, 2, 3):
        cases[f"pipeline-protocol-{protocol}.pkl"] = partial(pickled, ESTIMATORS["scaled-pipeline"], protocol)
    return cases


def joblibs() -> dict[str, Case]:
    return {
        f"{name}.{ending}": partial(dumped, ESTIMATORS[name], compress)
        for name in JOBLIB
        for ending, compress in COMPRESSIONS.items()
        if ending in {"joblib", "joblib.z"} or name in {"logistic", "random-forest"}
    } | {
        "objects.joblib": partial(dumped, lambda: {"names": names.astype(object), "order": np.asfortranarray(X)}, 0),
        "protocol-5.joblib": lambda path: joblib.dump({"X": X}, path, protocol=5),
    }


if __name__ == "__main__":
    make("sklearn", pickles(), PACKAGES)
    make("joblib", joblibs(), PACKAGES)
