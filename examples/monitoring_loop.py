"""
A monitoring loop
=================

Batches arrive one after the other. The detector judges each; the loop counts outliers, writes one
JSON record per batch, and raises an alert when there are more outliers among the last batches than
chance allows. Later in the stream one source starts to fail, and a sensor drops values.
"""

# %%
# Train, and keep a quiet batch aside
# -----------------------------------
#
# The threshold comes from rows that were not trained on. It calls 2.5 % of that quiet period
# outliers, and that share is what the alert compares with.
#
# A row with a missing value cannot be scored. With ``nan_policy="flag"`` its score is NaN and it
# counts as an outlier; it is never passed off as normal, and the loop goes on.

import json
import os
from collections import deque

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from scipy.stats import binom

from aegmm_detect.datasets import load_thyroid
from aegmm_detect.od import OutlierAEGMM

thyroid = load_thyroid()
rng = np.random.default_rng(0)
normal = rng.permutation(thyroid.X[thyroid.y == 0])
anomalies = thyroid.X[thyroid.y == 1]
X_train, X_quiet, X_stream = np.split(normal, [1800, 2800])

QUIET_PERC = 97.5
detector = OutlierAEGMM.auto(n_features=6, nan_policy="flag", data_type="tabular", seed=0)
detector.fit(X_train, verbose=0)
threshold = detector.infer_threshold(X_quiet, threshold_perc=QUIET_PERC)
print(f"threshold: {threshold:.2f}")

# %%
# The stream
# ----------
#
# 60 batches of 50 rows. In batches 30 to 39 a sixth of the rows are anomalies; in batches 50 to 52
# the second column is missing in some rows.

N_BATCHES, BATCH_SIZE = 60, 50
INCIDENT, DROP_OUT = range(30, 40), range(50, 53)


def stream():
    for number in range(N_BATCHES):
        batch = rng.choice(X_stream, BATCH_SIZE, replace=False)
        if number in INCIDENT:
            batch[: BATCH_SIZE // 6] = rng.choice(anomalies, BATCH_SIZE // 6, replace=False)
        if number in DROP_OUT:
            batch[:7, 1] = np.nan
        yield batch


# %%
# Records
# -------
#
# ``predict`` returns ``{"data": {...}, "meta": {...}}`` with arrays in ``data``. JSON has neither
# arrays nor NaN, so arrays become lists and NaN becomes null.


def to_record(number, prediction):
    data = {
        key: None if values is None else values.tolist()
        for key, values in prediction["data"].items()
    }
    data["instance_score"] = [None if np.isnan(s) else s for s in data["instance_score"]]
    return json.dumps({"batch": number, **prediction, "data": data}, allow_nan=False)


# %%
# Alerts
# ------
#
# If nothing has changed, the outliers among the last n rows follow a binomial distribution with the
# quiet period's share. An alert is raised where so many or more would turn up less than once in
# 10,000 looks, and once per incident rather than once per batch.

LAST_BATCHES, P_LIMIT = 5, 1e-4
share = 1 - QUIET_PERC / 100

window = deque(maxlen=LAST_BATCHES)
records, alerts, n_rows, n_outliers, n_unusable = [], [], 0, 0, 0
alarmed = False
for number, batch in enumerate(stream()):
    prediction = detector.predict(batch)
    records.append(to_record(number, prediction))
    is_outlier = prediction["data"]["is_outlier"]
    unusable = np.isnan(prediction["data"]["instance_score"])

    n_rows += len(batch)
    n_outliers += int(is_outlier.sum())
    n_unusable += int(unusable.sum())

    window.append((len(batch), int(is_outlier.sum()), int(unusable.sum())))
    rows, outliers, missing = np.sum(window, axis=0)
    p_value = binom.sf(outliers - 1, rows, share)
    if p_value < P_LIMIT and not alarmed:
        alerts.append(number)
        print(
            f"ALERT at batch {number}: {outliers} outliers in the last {rows} rows "
            f"({rows * share:.1f} expected, p = {p_value:.0e}), {missing} with missing values"
        )
    elif alarmed and p_value >= P_LIMIT:
        print(f"quiet again at batch {number}")
    alarmed = bool(p_value < P_LIMIT)

print(f"{n_rows:,} rows, {n_outliers} outliers, of which {n_unusable} with missing values")
print(f"a record: {records[0][:100]}...")
print(f"its meta: {json.loads(records[0])['meta']}")

# %%
# Both incidents were seen soon after they began, and nothing else was.

assert len(alerts) == 2
assert alerts[0] in INCIDENT
assert alerts[1] in DROP_OUT
assert n_unusable == 7 * len(DROP_OUT)
