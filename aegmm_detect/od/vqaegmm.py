"""OutlierVQAEGMM: the detector with a vector-quantised code."""

from typing import Any, ClassVar

import keras

from aegmm_detect.configs.aegmm import FitConfig, ScoreType, VQAEGMMConfig
from aegmm_detect.configs.nets import CodeConfig, NetSizes
from aegmm_detect.configs.rows import NanPolicy, Normalize
from aegmm_detect.nets.checks import code_width
from aegmm_detect.nets.codes import QuantizedCode
from aegmm_detect.numerics.features import eucl_cosim_features
from aegmm_detect.numerics.objective import Extra, Term
from aegmm_detect.od.building import Building, ThreeNets, checked_net
from aegmm_detect.od.mixture import MixtureDetector
from aegmm_detect.training.codes import first_codebook
from aegmm_detect.training.prepare import TrainingRows
from aegmm_detect.types import ReconFeatures


class OutlierVQAEGMM(Building):
    """Vector-quantised autoencoder (VQ-VAE) with a Gaussian mixture of [code, features].

    The encoder's output is replaced by the nearest vector of a codebook. The codebook starts from
    k-means of the training rows' codes; then each vector follows the rows that choose it. The
    mixture also models the reconstruction features: with codes alone, a component with a single
    vector would have no variance.

    Parameters
    ----------
    threshold, encoder_net, decoder_net, gmm_density_net, n_gmm, recon_features, data_type
        As for `OutlierAEGMM`; `encoder_net` must declare the width of its output.
    n_codes
        Number of vectors in the codebook. Default 16, as in the DAGMM-VQ-VAE project.
    w_commitment
        Weight of the mean squared distance between the encoder's output and its vector. Default
        .25, as in van den Oord et al. (2017).
    normalize, nan_policy, score_type, seed, fit_config
        As for `OutlierAEGMM`.

    Raises
    ------
    NetTypeError, ConfigurationError
        As for `OutlierAEGMM`.

    """

    CONFIG: ClassVar[type[VQAEGMMConfig]] = VQAEGMMConfig

    config: VQAEGMMConfig

    def __init__(
        self,
        threshold: float | None = None,
        encoder_net: keras.Model | None = None,
        decoder_net: keras.Model | None = None,
        gmm_density_net: keras.Model | None = None,
        n_gmm: int | None = None,
        recon_features: ReconFeatures = eucl_cosim_features,
        data_type: str | None = None,
        *,
        n_codes: int = 16,
        w_commitment: float = 0.25,
        normalize: Normalize | None = None,
        nan_policy: NanPolicy = "raise",
        score_type: ScoreType = "energy",
        seed: int | None = None,
        fit_config: FitConfig | None = None,
    ) -> None:
        config = VQAEGMMConfig.of(
            n_gmm=n_gmm,
            data_type=data_type,
            normalize=normalize,
            nan_policy=nan_policy,
            score_type=score_type,
            seed=seed,
            n_codes=n_codes,
            w_commitment=w_commitment,
        )
        code = QuantizedCode(config.n_codes, code_width(encoder_net))
        nets = ThreeNets(encoder_net, decoder_net, gmm_density_net)
        net = checked_net(None, None, nets, n_gmm, recon_features, code)
        # Skip Building.__init__: it would build the net without the code.
        MixtureDetector.__init__(self, net, threshold, config, fit_config or self.FIT_CONFIG())

    @classmethod
    def _more_of_nets(cls, config: VQAEGMMConfig, sizes: NetSizes) -> dict[str, Any]:
        return {"code": CodeConfig(kind="quantized", n_codes=config.n_codes)}

    def code_terms(self, settings: FitConfig) -> tuple[Term, ...]:
        """The commitment loss and, with weight 0 for the log, the perplexity of the codebook."""
        return (
            Term(
                "commitment",
                self.config.w_commitment,
                Extra("commitment"),
                of_rows=True,
            ),
            Term("perplexity", 0.0, Extra("perplexity")),
        )

    def start(self, net: Any, prepared: TrainingRows, settings: FitConfig) -> None:
        """Initialise the codebook from the codes of the training rows."""
        n_codes = self.config.n_codes
        vectors = first_codebook(net.encoder, prepared.normal_rows, n_codes, settings.seed)
        net.code.start(vectors)
