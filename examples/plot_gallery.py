"""
Pictures of a detector
======================

All displays of :mod:`aegmm_detect.plot` on one real run: the thyroid function tests that come with
the package. A display draws when it is made, keeps what it drew in its attributes, and its ``ax_``
and ``figure_`` are there for changes of your own.
"""

# %%
# A detector to look at
# ---------------------
#
# Trained on normal rows of one half of the data; the threshold calls 2.5 % of that half outliers.
# The pictures are of the other half. Run as a script, this writes them beside itself; ``--out``
# names another folder.

import argparse
import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import matplotlib
import numpy as np
from sklearn.ensemble import IsolationForest

from aegmm_detect.datasets import load_thyroid
from aegmm_detect.od import OutlierAEGMM
from aegmm_detect.plot import (
    ContributionDisplay,
    CurvesDisplay,
    LatentDisplay,
    ScoreDisplay,
    ScoreHistogramDisplay,
    TrainingDisplay,
)

matplotlib.use("Agg")  # files, not windows

parser = argparse.ArgumentParser(description="Draw all displays for thyroid function tests.")
parser.add_argument("--out", type=Path, default=Path(sys.argv[0]).parent, help="folder")
args = parser.parse_args()


def save(display, name):
    path = args.out / f"plot_{name}.png"
    display.figure_.savefig(path, dpi=90)
    print(f"Picture: {os.path.relpath(path)}")


thyroid = load_thyroid()
order = np.random.default_rng(0).permutation(len(thyroid.X))
first, second = np.array_split(order, 2)
X_train = thyroid.X[first][thyroid.y[first] == 0]
X_test, y_test = thyroid.X[second], thyroid.y[second]

detector = OutlierAEGMM.auto(n_features=X_train.shape[1], seed=0)
history = detector.fit(X_train, verbose=0)
detector.infer_threshold(thyroid.X[first], threshold_perc=97.5)

# %%
# Training
# --------
#
# The loss, and its terms before their weights. ``fit(validation_split=...)`` adds dashed curves of
# held-out rows.

save(TrainingDisplay.from_history(history), "training")

# %%
# Scores, one after the other
# ---------------------------
#
# Without labels, colours show the decision; with ``y=``, they show the labels. ``index=`` takes
# times in place of row numbers.

save(ScoreDisplay.from_detector(detector, X_test, y=y_test), "scores")

# %%
# Scores, by label
# ----------------

save(ScoreHistogramDisplay.from_detector(detector, X_test, y=y_test), "histogram")

# %%
# Rankings
# --------
#
# The curves are scikit-learn's. A point marks the threshold, where a detector has one.

forest = IsolationForest(random_state=0).fit(X_train)
curves = CurvesDisplay.from_scores(
    y_test,
    {"OutlierAEGMM": detector.score(X_test), "IsolationForest": -forest.score_samples(X_test)},
    thresholds={"OutlierAEGMM": detector.threshold},
)
save(curves, "curves")

# %%
# The latent space
# ----------------
#
# Rows where one of the mixtures sees them, on the two principal axes of that mixture, and its
# components at one and two standard deviations. On a plane, rows can lie inside an ellipse that
# other directions tell far from it.

save(LatentDisplay.from_detector(detector, X_test, y=y_test), "latent")

# %%
# Contributions of features
# -------------------------
#
# What ``detector.explain`` finds for the strangest row, and for the twenty strangest.
# ``from_contributions`` draws any other array of that kind.

strangest = np.argsort(-detector.score(X_test))[:20]
for count, name in [(1, "contributions"), (20, "contributions_of_many")]:
    rows = X_test[strangest[:count]]
    save(ContributionDisplay.from_detector(detector, rows, thyroid.feature_names), name)
