"""Make the golden detector: what this release saves, later ones must load.

``python -m tests.golden.make`` from the root of the repository, once for each format version, with
the oldest Keras that is supported (older ones cannot load what newer ones write):

* ``detector_v<format>.aegmm``, and
* ``scores_v<format>.npz``, its scores of some rows.
"""

from pathlib import Path

import numpy as np

from aegmm_detect.configs.nets import NetSizes
from aegmm_detect.nets.blueprint import Blueprint
from aegmm_detect.numerics.features import concat, log_euclidean, negative_cosine
from aegmm_detect.od import OutlierAEGMM
from aegmm_detect.saving import save_detector
from aegmm_detect.saving.manifest import FORMAT_VERSION

FOLDER = Path(__file__).parent
NAMES = ("a", "b", "c", "d")


def make() -> None:
    """A small detector with all that the format knows: ensemble, parts, projection, scaling."""
    target = FOLDER / f"detector_v{FORMAT_VERSION}.aegmm"
    if target.exists():
        raise FileExistsError(f"{target} exists: a golden file is never made again.")
    import pandas as pd

    rng = np.random.default_rng(0)
    rows = rng.normal(size=(2000, 4)) @ rng.normal(size=(4, 4))
    blueprint = Blueprint(
        NetSizes.of(n_features=4, comp_hiddens=(6, 2), est_hiddens=(5, 2)),
        concat(log_euclidean, negative_cosine),
        members=2,
    )
    auto = OutlierAEGMM.auto(4).fit_config
    density = auto.density.replace(n_components=3, principal_components=2)
    config = auto.replace(density=density, n_steps=200)
    detector = OutlierAEGMM.from_blueprint(blueprint, config, normalize="robust", seed=0)
    detector.fit(pd.DataFrame(rows, columns=NAMES), verbose=0)
    detector.infer_threshold(pd.DataFrame(rows, columns=NAMES), 95.0)
    save_detector(detector, target)
    some = np.concatenate([rows[:30], 5.0 * rows[:10]])
    threshold = detector.threshold
    scores = {}
    for score_type in ("energy", "reconstruction", "both"):
        detector.score_type = score_type
        scores[score_type] = detector.score(some)
    np.savez(FOLDER / f"scores_v{FORMAT_VERSION}.npz", rows=some, threshold=threshold, **scores)


if __name__ == "__main__":
    make()
