"""Make a golden artefact of every class of detector: what this release saves, later ones must load.

``python -m tests.golden.make_classes`` from the root of the repository, once for each format
version: ``v<format>/<class>.aegmm``, and ``v<format>/<class>.npz``, its scores of some rows.
"""

from pathlib import Path

import keras
import numpy as np

from aegmm_detect.numerics.features import concat, log_euclidean, negative_cosine
from aegmm_detect.od import OutlierAEGMM
from aegmm_detect.registry import get_detector
from aegmm_detect.saving import save_detector
from aegmm_detect.saving.manifest import FORMAT_VERSION
from tests.own_detectors import OWN

FOLDER = Path(__file__).parent
N_FEATURES = 4
# Two nets with small densities: a file for good should be small.
QUICK = {"epochs": 2, "batch_size": 64, "verbose": 0}


def rows() -> np.ndarray:
    """400 correlated rows."""
    rng = np.random.default_rng(0)
    return rng.normal(size=(400, N_FEATURES)) @ rng.normal(size=(N_FEATURES, N_FEATURES))


def own_nets() -> OutlierAEGMM:
    """A detector of a user's own nets, with several kinds of layers and features."""
    dense, norm = keras.layers.Dense, keras.layers.BatchNormalization
    return OutlierAEGMM(
        encoder_net=keras.Sequential([keras.Input((4,)), dense(6, "tanh"), norm(), dense(2)]),
        decoder_net=keras.Sequential([keras.Input((2,)), dense(6, "leaky_relu"), dense(4)]),
        gmm_density_net=keras.Sequential(
            [keras.Input((4,)), dense(5, keras.activations.elu), dense(2, "softmax")]
        ),
        n_gmm=2,
        recon_features=concat(log_euclidean, negative_cosine),
        normalize="minmax",
        seed=0,
    )


def make() -> None:
    """One small fitted detector for each class of the registry, and one of a user's own nets."""
    folder = FOLDER / f"v{FORMAT_VERSION}"
    folder.mkdir(exist_ok=True)
    data = rows()
    labels = np.repeat(["a", "b"], len(data) // 2)
    some = np.concatenate([data[:30], 5.0 * data[:10]]).astype(np.float32)
    for name in [*sorted(OWN), "own_nets"]:
        target = folder / f"{name}.aegmm"
        if target.exists():
            raise FileExistsError(f"{target} exists: a golden file is never made again.")
        if name == "own_nets":
            detector = own_nets()
        else:
            detector = get_detector(name).auto(N_FEATURES, ensemble=2, seed=3)
        given = {} if name != "PerClassAEGMM" else {"y": labels}
        detector.fit(data, **given, **QUICK)
        detector.infer_threshold(data, 95.0)
        save_detector(detector, target)
        np.savez(
            folder / f"{name}.npz",
            rows=some,
            threshold=detector.threshold,
            scores=detector.score(some),
        )


if __name__ == "__main__":
    make()
