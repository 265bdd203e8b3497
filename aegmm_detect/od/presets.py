"""The seven models of the mixture-model DAGMM project under the names that its users know.

Sizes, weights and lengths are that project's: 60-30-10-code and back, tanh; a density net of 10
units, dropout .5 and four components; Adam(1e-4), clipped at a norm of 5, for 200 epochs of batches
of 1,024; inputs scaled to [0, 1]; the 80th percentile of a mixed batch as threshold. What its code
computed wrongly is computed as its report has it, or as the page on variants says.
"""

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from aegmm_detect.configs.nets import NetSizes
from aegmm_detect.exceptions import ConfigurationError
from aegmm_detect.nets.blueprint import Blueprint
from aegmm_detect.numerics.features import eucl_cosim_features
from aegmm_detect.od.aegmm import OutlierAEGMM
from aegmm_detect.od.aelmm import OutlierAELMM
from aegmm_detect.od.building import Building
from aegmm_detect.od.labelled import OutlierLabelledAEGMM
from aegmm_detect.od.vaegmm import OutlierVAEGMM
from aegmm_detect.od.vqaegmm import OutlierVQAEGMM

_TRAINING = {"learning_rate": 1e-4, "batch_size": 1024, "epochs": 200, "clip_norm": 5.0}


def _nothing(n_features: int) -> dict[str, Any]:
    return {}


def _likelihood(n_features: int) -> dict[str, Any]:
    # The likelihood is then the mean squared error of the report, and a constant.
    return {"w_recon": 1.0, "cov_elbo": {"sim": math.sqrt(n_features / 2.0)}, "kl_warmup": 0.25}


class Preset(NamedTuple):
    """One of the models.

    Parameters
    ----------
    detector
        Class that it is a setting of.
    latent_dim
        Width of the code.
    settings
        Of the detector.
    fit
        Of its training, besides what all have.
    of_width
        More of that, which depends on the number of features.
    threshold
        Arguments of ``infer_threshold``.
    """

    detector: type[Building]
    latent_dim: int = 1
    settings: Mapping[str, Any] = MappingProxyType({})
    fit: Mapping[str, Any] = MappingProxyType({})
    of_width: Callable[[int], dict[str, Any]] = _nothing
    threshold: Mapping[str, Any] = MappingProxyType({"threshold_perc": 80.0})


PRESETS: Mapping[str, Preset] = MappingProxyType(
    {
        "dagmm": Preset(OutlierAEGMM),
        # A weight of 1, the project's, drives the divergence to 0 and the code with it.
        "dagmm_vae": Preset(
            OutlierVAEGMM, settings={"samples": 0, "beta": 0.01}, of_width=_likelihood
        ),
        "dagmm_vqvae": Preset(OutlierVQAEGMM, settings={"n_codes": 16, "w_commitment": 0.25}),
        "dagmm_lmm": Preset(OutlierAELMM, latent_dim=10, fit={"epochs": 20}),
        "dagmm_loss_mod": Preset(
            OutlierLabelledAEGMM, fit={"anomaly_loss": "inverse_energy", "w_anomaly": 0.1}
        ),
        "dagmm_infer_mod": Preset(OutlierAEGMM, settings={"score_type": "both"}),
        "dagmm_threshold": Preset(OutlierAEGMM, threshold={"method": "pu"}),
    }
)


def preset(name: str, n_features: int, **settings: Any) -> Building:
    """A detector as the mixture-model DAGMM project sets it up.

    Parameters
    ----------
    name
        'dagmm', 'dagmm_vae', 'dagmm_vqvae', 'dagmm_lmm', 'dagmm_loss_mod' (``fit(X, y=labels)``),
        'dagmm_infer_mod' (energy and reconstruction) or 'dagmm_threshold' (a threshold from
        labelled inliers: ``infer_threshold(X, y=labels, **PRESETS[name].threshold)``).
    n_features
        Width of a row.
    **settings
        `threshold`, `seed` and other settings of the detector, in place of the preset's.

    Returns
    -------
    A detector whose every `fit` starts from fresh weights.

    Raises
    ------
    ConfigurationError
        There is no such name; settings that do not fit.
    """
    if name not in PRESETS:
        raise ConfigurationError(f"No preset is called {name!r}. There are: {', '.join(PRESETS)}.")
    chosen = PRESETS[name]
    sizes = NetSizes.of(
        n_features=n_features, comp_hiddens=(60, 30, 10, chosen.latent_dim), est_hiddens=(10, 4)
    )
    fit = {**_TRAINING, **chosen.fit, **chosen.of_width(n_features)}
    return chosen.detector.from_blueprint(
        Blueprint(sizes, eucl_cosim_features),
        chosen.detector.FIT_CONFIG.of(**fit),
        **{"normalize": "minmax", **chosen.settings, **settings},
    )
