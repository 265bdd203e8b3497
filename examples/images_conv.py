"""
Images, with a convolutional encoder
====================================

Any Keras nets will do, as long as the encoder ends in a flat code and the decoder gives back the
shape of its input. Here small grey images of one soft stroke each are normal, and strokes cut into
stripes of the same mean brightness are not.
"""

# %%
# The data
# --------
#
# Train on normal images only; set the threshold on a mixed batch; test on a third.

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import matplotlib.pyplot as plt
import numpy as np
from keras import layers
from sklearn.decomposition import PCA
from sklearn.metrics import f1_score, roc_auc_score

from aegmm_detect.datasets import make_images
from aegmm_detect.od import OutlierAEGMM

X_train, _ = make_images(1000, seed=0)
X_mixed, _ = make_images(500, seed=1, anomaly_rate=0.1)
X_test, y_test = make_images(1000, seed=2, anomaly_rate=0.1)

figure, axes = plt.subplots(2, 6, figsize=(7, 2.5), layout="constrained")
for row, (label, name) in zip(axes, [(0, "normal"), (1, "anomaly")], strict=True):
    for axis, image in zip(row, X_test[y_test == label], strict=False):
        axis.imshow(image[..., 0], cmap="gray", vmin=0, vmax=1)
        axis.set(xticks=[], yticks=[])
    row[0].set_ylabel(name)

# %%
# The nets
# --------
#
# The density net's input is the code and the two default reconstruction features, its output a
# softmax over the components. Initial weights of your own nets are yours to seed.

LATENT, N_FEATURES, N_GMM = 4, 2, 2
keras.utils.set_random_seed(0)

encoder = keras.Sequential(
    [
        layers.Input((28, 28, 1)),
        layers.Conv2D(8, 3, strides=2, padding="same", activation="relu"),
        layers.Conv2D(16, 3, strides=2, padding="same", activation="relu"),
        layers.Flatten(),
        layers.Dense(LATENT),
    ]
)
decoder = keras.Sequential(
    [
        layers.Input((LATENT,)),
        layers.Dense(7 * 7 * 16, activation="relu"),
        layers.Reshape((7, 7, 16)),
        layers.Conv2DTranspose(8, 3, strides=2, padding="same", activation="relu"),
        layers.Conv2DTranspose(1, 3, strides=2, padding="same", activation="sigmoid"),
    ]
)
density = keras.Sequential(
    [
        layers.Input((LATENT + N_FEATURES,)),
        layers.Dense(10, activation="tanh"),
        layers.Dense(N_GMM, activation="softmax"),
    ]
)
detector = OutlierAEGMM(
    encoder_net=encoder,
    decoder_net=decoder,
    gmm_density_net=density,
    n_gmm=N_GMM,
    data_type="image",
    seed=0,
)

# %%
# Train
# -----
#
# The reconstruction error is a mean over 784 pixels, most of them black, so it is small: about .02.
# With their usual weights the two other terms would drown it, and the nets would not learn to draw.
# These two were picked among seven pairs by the AUROC of other draws of these very toys: they show
# how, and the score below is no measure of what the detector does on images of yours.

history = detector.fit(
    X_train,
    epochs=20,
    optimizer=keras.optimizers.Adam(1e-3),
    w_energy=0.01,
    w_cov_diag=1e-5,
    verbose=0,
)
print("reconstruction error:", " -> ".join(f"{history.history['recon'][i]:.3f}" for i in (0, -1)))

# %%
# Judge
# -----
#
# The baseline keeps 20 principal components of the pixels and takes what they leave over as the
# score. On this toy it is hard to beat: stripes are made of directions that no normal image has.
# Ask such a baseline first whenever you reach for a net.

detector.infer_threshold(X_mixed, threshold_perc=90)
data = detector.predict(X_test)["data"]


def pixels(images):
    return images.reshape(len(images), -1)


def left_over(images):
    return np.square(pixels(images) - pca.inverse_transform(pca.transform(pixels(images)))).sum(1)


pca = PCA(20, random_state=0).fit(pixels(X_train))
limit = np.percentile(left_over(X_mixed), 90)

print(f"{'':20s}{'AUROC':>7s}{'F1':>7s}")
for name, scores, decided in [
    ("OutlierAEGMM", data["instance_score"], data["is_outlier"]),
    ("PCA of the pixels", left_over(X_test), left_over(X_test) > limit),
]:
    print(f"{name:20s}{roc_auc_score(y_test, scores):7.3f}{f1_score(y_test, decided):7.3f}")

plt.show()
