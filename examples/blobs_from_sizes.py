"""
Two planted outliers, nets from lists of sizes
==============================================

Five Gaussian blobs in five dimensions and two rows that belong to none of them. Each of the two is
inside the range of the data in every column, so no single column gives them away. The nets are
given as lists of layer sizes, as in the TensorFlow projects named DAGMM.
"""

# %%
# The data
# --------

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import matplotlib.pyplot as plt
import numpy as np

from aegmm_detect.datasets import make_blobs_with_outliers
from aegmm_detect.od import OutlierAEGMM

X, planted = make_blobs_with_outliers(seed=123)
print(f"{len(X)} rows of {X.shape[1]} numbers; planted: rows {planted.tolist()}")

# %%
# Nets and training
# -----------------
#
# Compression net 5-16-8-1 and back, estimation net with 8 hidden units and 4 components; the error
# of a row is summed over its features. The two outliers are trained on like every other row: nobody
# knows of them.
#
# Those projects train for 1,000 epochs with a learning rate of 1e-4; a larger one needs fewer.

detector = OutlierAEGMM.from_sizes(
    5,
    [16, 8, 1],
    [8, 4],
    est_dropout_ratio=0.25,
    recon_reduction="sum",
    normalize="standard",
    seed=0,
)
history = detector.fit(
    X, epochs=150, batch_size=128, optimizer=keras.optimizers.Adam(1e-3), verbose=0
)
print(f"loss {history.history['loss'][0]:.2f} -> {history.history['loss'][-1]:.2f}")
print(f"weights of the mixture's components: {np.round(np.sort(detector.phi)[::-1], 3).tolist()}")

# %%
# The verdict
# -----------
#
# No threshold is needed to rank rows.

energy = detector.score(X)
limit = np.percentile(energy, 99)
print(f"99th percentile of the energies: {limit:.2f}")
for row in planted:
    print(f"row {row}: energy {energy[row]:.2f}, rank {1 + (energy > energy[row]).sum()}")

assert (energy[planted] > limit).all(), "a planted outlier hides among the blobs"

# %%
# Every row and the two
# ---------------------

figure, axes = plt.subplots(figsize=(7, 3.5), layout="constrained")
axes.plot(energy, ".", color="tab:blue", markersize=3)
axes.plot(planted, energy[planted], "o", color="tab:red", label="planted")
axes.axhline(limit, color="black", linestyle="--", linewidth=1, label="99th percentile")
axes.set(xlabel="row", ylabel="energy (nats)")
axes.legend()
plt.show()
