"""OutlierVAEGMM: the detector with a variational code."""

import logging
import os
from collections.abc import Sequence
from typing import Any, ClassVar

import keras
import numpy as np

from aegmm_detect.configs.aegmm import FitConfig, ScoreType, VAEGMMConfig, VAEGMMFitConfig
from aegmm_detect.configs.nets import CodeConfig, NetSizes
from aegmm_detect.configs.rows import NanPolicy, Normalize
from aegmm_detect.exceptions import ConfigurationError
from aegmm_detect.nets.aegmm import computes_as_aegmm
from aegmm_detect.nets.codes import GaussianCode
from aegmm_detect.numerics.elbo import ReconCovariance, covariance_of, negative_log_likelihood
from aegmm_detect.numerics.features import eucl_cosim_features, per_member
from aegmm_detect.numerics.objective import Extra, ForwardPass, Term, warmed_up
from aegmm_detect.od.building import Building, ThreeNets, checked_net
from aegmm_detect.od.fitting import fit_detector
from aegmm_detect.od.mixture import MixtureDetector
from aegmm_detect.od.objective import MixtureLoss
from aegmm_detect.training.codes import mean_divergence
from aegmm_detect.training.estimate import rows_per_pass
from aegmm_detect.training.fit import FitOptions
from aegmm_detect.training.prepare import TrainingRows
from aegmm_detect.types import UNSET, FloatArray, LossFn, ReconFeatures

logger = logging.getLogger(__name__)

# A dimension of the code holds no information about the row if its divergence, in nats per row, is
# below this. Burda et al. (2016), Importance weighted autoencoders, call those above it active.
_ACTIVE = 0.01
# Keys of `cov_elbo`.
_KINDS = ("sim", "cov_diag", "cov_full")


class OutlierVAEGMM(Building):
    """Variational autoencoder whose code and reconstruction features have a Gaussian mixture.

    The encoder's output is mapped to a mean and a log-variance, and training draws the code from
    this distribution. The loss is `w_recon` times the negative log-likelihood of the
    reconstruction, plus `beta` times the Kullback-Leibler divergence of the code's distribution
    from the standard normal, plus energy and penalty as for `OutlierAEGMM`. Scores are
    deterministic: they use the mean code, or are the mean over draws that are the same for every
    row and every call.

    Parameters
    ----------
    threshold
        Energy above which a row is an outlier. Default None: `infer_threshold` sets it.
    vaegmm
        Ready model in place of the nets: an `aegmm_detect.models.tensorflow.VAEGMM`.
    encoder_net, decoder_net, gmm_density_net
        Rows (N, ...) -> (N, H), flat; codes (N, latent_dim) -> rows; ``z`` -> memberships. Layers
        for mean and log-variance are added to the encoder.
    n_gmm
        Number of mixture components. Default: what the density net returns.
    latent_dim
        Width of the code. With `vaegmm` it can be left out, or must agree.
    samples
        Number of draws of the code for a score. Default 10, as in alibi-detect's interface. With 0,
        scores use the mean of the code, which takes a tenth of the time; `auto` uses 0.
    beta
        Weight of the divergence. Default 1, as in the evidence lower bound. `recon_reduction` of
        `from_sizes` only sets the default of `w_cov_diag`, because the likelihood replaces the
        squared error.
    recon_features, data_type, normalize, nan_policy, score_type, seed, fit_config
        As for `OutlierAEGMM`. The draws for scores depend on the seed of the fit.

    Raises
    ------
    NetTypeError, ConfigurationError
        As for `OutlierAEGMM`; `latent_dim` is missing.

    """

    CONFIG: ClassVar[type[VAEGMMConfig]] = VAEGMMConfig
    FIT_CONFIG: ClassVar[type[VAEGMMFitConfig]] = VAEGMMFitConfig
    # As for the plain detector. With a standard deviation of .5, the negative log-likelihood is
    # twice the squared error plus a constant. The divergence is a mean over the code's dimensions;
    # its weight rises slowly, so that the code first learns something to keep.
    AUTO_FIT: ClassVar[FitConfig] = VAEGMMFitConfig.of(
        **{**Building.AUTO_FIT.model_dump(), "w_recon": 1.0, "cov_elbo": {"sim": 0.5}},
        kl_warmup=0.25,
    )
    AUTO_SETTINGS: ClassVar[dict[str, Any]] = {"samples": 0}

    config: VAEGMMConfig

    def __init__(
        self,
        threshold: float | None = None,
        vaegmm: keras.Model | None = None,
        encoder_net: keras.Model | None = None,
        decoder_net: keras.Model | None = None,
        gmm_density_net: keras.Model | None = None,
        n_gmm: int | None = None,
        latent_dim: int | None = None,
        samples: int = 10,
        beta: float = 1.0,
        recon_features: ReconFeatures = eucl_cosim_features,
        data_type: str | None = None,
        *,
        normalize: Normalize | None = None,
        nan_policy: NanPolicy = "raise",
        score_type: ScoreType = "energy",
        seed: int | None = None,
        fit_config: VAEGMMFitConfig | None = None,
    ) -> None:
        if vaegmm is not None and n_gmm is None:
            n_gmm = getattr(vaegmm, "n_gmm", None)
        config = VAEGMMConfig.of(
            n_gmm=n_gmm,
            data_type=data_type,
            normalize=normalize,
            nan_policy=nan_policy,
            score_type=score_type,
            seed=seed,
            samples=samples,
            beta=beta,
        )
        code = None
        if vaegmm is None:
            if latent_dim is None:
                raise ConfigurationError(
                    "latent_dim is missing: say how wide the code is, for example latent_dim=2. "
                    "encoder_net ends before it."
                )
            code = GaussianCode.of_width(NetSizes.width(latent_dim, "latent_dim"), seed)
        nets = ThreeNets(encoder_net, decoder_net, gmm_density_net)
        net = checked_net("vaegmm", vaegmm, nets, n_gmm, recon_features, code)
        if not computes_as_aegmm(net) or not isinstance(net.code, GaussianCode):
            raise ConfigurationError(
                "vaegmm= has no code that is drawn, so samples= and beta= would be ignored: pass "
                "an aegmm_detect.models.tensorflow.VAEGMM, or the nets; OutlierAEGMM(aegmm=...) "
                "takes any model."
            )
        if latent_dim not in (None, net.code.latent_dim):
            raise ConfigurationError(
                f"vaegmm= has a code of width {net.code.latent_dim}, but latent_dim={latent_dim}: "
                f"leave latent_dim out, or pass latent_dim={net.code.latent_dim}."
            )
        # Skip Building.__init__: it would build the net without the code.
        MixtureDetector.__init__(self, net, threshold, config, fit_config or self.FIT_CONFIG())

    def fit(  # type: ignore[override]  # the order of alibi-detect's interface
        self,
        X: Any,
        loss_fn: LossFn | Any = UNSET,
        w_recon: float = UNSET,
        w_energy: float = UNSET,
        w_cov_diag: float = UNSET,
        optimizer: Any = UNSET,
        cov_elbo: dict[str, Any] = UNSET,
        epochs: int = UNSET,
        batch_size: int = UNSET,
        verbose: bool | int | str = True,
        log_metric: tuple[str, keras.metrics.Metric] | None = None,
        callbacks: Sequence[keras.callbacks.Callback] | keras.callbacks.Callback | None = None,
        *,
        kl_warmup: float = UNSET,
        y: Any = None,
        seed: int | None = UNSET,
        validation_split: float = UNSET,
        clip_norm: float | None = UNSET,
        jit_compile: bool | str = UNSET,
        steps_per_execution: int = UNSET,
        checkpoint_dir: str | os.PathLike[str] | None = None,
    ) -> keras.callbacks.History:
        """Train the nets together, then estimate the mixture from all training rows.

        Parameters
        ----------
        w_recon
            Weight of the negative log-likelihood. Default 1e-7, as in alibi-detect's interface.
            With it, the code often loses all information about the row (posterior collapse): try 1
            with normalised rows.
        cov_elbo
            Covariance of a prepared row around its reconstruction, one of: ``{'sim': standard
            deviation}`` (default .05), ``{'cov_diag': variances (F,)}``, ``{'cov_full': matrix (F,
            F)}``. With None instead of numbers, it is that of the training rows, with 1e-6 of its
            mean variance added to each variance.
        kl_warmup
            Share of training over which the divergence's weight rises from 0 to `beta` (Bowman et
            al. 2016), to avoid posterior collapse. Default 0: the weight is `beta` from the start.
        X, loss_fn, w_energy, w_cov_diag, optimizer, epochs, batch_size, verbose, log_metric, \
        callbacks, y, seed, validation_split, clip_norm, jit_compile, steps_per_execution, \
        checkpoint_dir
            As for `OutlierAEGMM`. `loss_fn` also gets ``w_recon=``. If it takes an argument
            ``sim=``, ``cov_diag=`` or ``cov_full=`` that is the key of `cov_elbo`, it gets the
            value, with numbers instead of None. The divergence is added to its result.

        Returns
        -------
        Keras's `History`: loss, recon (negative log-likelihood in nats), energy, cov_diag, kl.

        Raises
        ------
        As for `OutlierAEGMM`.
        """
        trains = isinstance(epochs, bool) or epochs != 0
        settings = self.settings(
            w_recon=w_recon,
            w_energy=w_energy,
            w_cov_diag=w_cov_diag,
            cov_elbo=cov_elbo,
            epochs=epochs if trains else UNSET,
            batch_size=batch_size,
            kl_warmup=kl_warmup,
            seed=seed,
            validation_split=validation_split,
            clip_norm=clip_norm,
            jit_compile=jit_compile,
            steps_per_execution=steps_per_execution,
        )
        options = FitOptions(optimizer, verbose, log_metric, callbacks, checkpoint_dir)
        return fit_detector(self, X, y, loss_fn, settings, options, trains)

    @classmethod
    def _more_of_nets(cls, config: VAEGMMConfig, sizes: NetSizes) -> dict[str, Any]:
        return {"code": CodeConfig(kind="gaussian")}

    def loss(self, settings: FitConfig, prepared: TrainingRows) -> MixtureLoss:
        """The loss to minimise."""
        assert isinstance(settings, VAEGMMFitConfig)
        plain = super().loss(settings, prepared)
        kind, value, covariance = _recon_covariance(settings, prepared)
        recon = Term("recon", settings.w_recon, _likelihood, of_rows=True)
        weights: dict[str, Any] = {"w_recon": settings.w_recon, **plain.weights}
        elsewhere = {name: f"cov_elbo={{{name!r}: ...}}" for name in _KINDS if name != kind}
        return plain._replace(
            terms=(recon, *plain.terms[1:]),
            weights=weights,
            given=covariance._replace(log_det=np.asarray(covariance.log_det, np.float32)),
            more={kind: value},
            elsewhere=elsewhere,
        )

    def code_terms(self, settings: FitConfig) -> tuple[Term, ...]:
        """The divergence of each row's code, as a term of the loss."""
        assert isinstance(settings, VAEGMMFitConfig)
        weight = warmed_up(self.config.beta, settings.kl_warmup)
        return (Term("kl", weight, Extra("kl"), of_rows=True),)

    def draws(self, settings: FitConfig) -> FloatArray | None:
        """Fixed noise (samples, latent_dim) for scores; None: use the mean code."""
        if not self.config.samples:
            return None
        rng = np.random.default_rng(settings.seed)
        shape = (self.config.samples, self.net.code.latent_dim)
        return rng.standard_normal(shape).astype("float32")

    def inspect(self, prepared: TrainingRows, settings: FitConfig) -> None:
        """Warn if the code holds no information about its row."""
        by_dimension = mean_divergence(self.net, prepared.normal_rows, settings.seed)
        n_active = int((by_dimension > _ACTIVE).sum())
        if n_active == 0:
            logger.warning(
                "Posterior collapse: the code says nothing about its row (largest divergence %.2g "
                "nats a dimension), so energies rest on the reconstruction features. Raise "
                "w_recon, lower beta, or set kl_warmup.",
                by_dimension.max(),
            )
        else:
            logger.info("Dimensions of the code in use: %d of %d.", n_active, by_dimension.size)


def _likelihood(out: ForwardPass, _: Any) -> Any:
    def of_rows(x: Any, x_recon: Any) -> Any:
        return negative_log_likelihood(x, x_recon, out.given)

    return per_member(of_rows, out.x, out.x_recon)[..., 0]


def _recon_covariance(
    settings: VAEGMMFitConfig, prepared: TrainingRows
) -> tuple[str, Any, ReconCovariance]:
    """Key and value of `cov_elbo`, and the covariance; None is replaced by that of the rows."""
    ((kind, value),) = settings.cov_elbo.items()
    n_features = int(np.prod(prepared.shape))
    if kind == "sim":
        return kind, value, ReconCovariance.same(float(value), n_features)
    if value is None:
        rows = prepared.normal_rows
        covariance = covariance_of(rows.batches(rows_per_pass(rows.shape)))
        value = covariance if kind == "cov_full" else np.diagonal(covariance)
    value = np.asarray(value, dtype=np.float64)
    shape = (n_features, n_features) if kind == "cov_full" else (n_features,)
    if value.shape != shape:
        raise ConfigurationError(
            f"cov_elbo={{{kind!r}: ...}} has shape {value.shape}; rows of {n_features} numbers "
            f"need {shape}."
        )
    try:
        if kind == "cov_full":
            return kind, value.astype("float32"), ReconCovariance.full(value)
        return kind, value.astype("float32"), ReconCovariance.diagonal(value)
    except np.linalg.LinAlgError as error:
        raise ConfigurationError(f"cov_elbo={{{kind!r}: ...}}: {error}.") from error
