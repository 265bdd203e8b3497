"""The base class of mixture detectors whose constructor checks the user's nets or builds nets."""

from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple, Self

import keras

from aegmm_detect.configs.aegmm import DetectorConfig, FitConfig, ScoreType
from aegmm_detect.configs.density import DensityConfig
from aegmm_detect.configs.nets import AutoConfig, NetSizes, sizes_for, steps_for
from aegmm_detect.configs.rows import NanPolicy, Normalize
from aegmm_detect.exceptions import ConfigurationError
from aegmm_detect.nets import checks
from aegmm_detect.nets.aegmm import AEGMM
from aegmm_detect.nets.blueprint import Blueprint
from aegmm_detect.numerics.features import (
    concat,
    eucl_cosim_features,
    log_euclidean,
    negative_cosine,
)
from aegmm_detect.numerics.objective import Reduction
from aegmm_detect.od.mixture import MixtureDetector
from aegmm_detect.types import ReconFeatures

# Default of w_cov_diag for each reduction. With a sum, the reconstruction error is larger by a
# factor of the number of features. DAGMM projects that use a sum found that .005 makes covariances
# too wide.
_W_COV_DIAG = {"mean": 0.005, "sum": 1e-4}
# The settings that did best on the development tasks; docs/quality.rst says how they were chosen.
_RECIPE = FitConfig(
    w_cov_diag=_W_COV_DIAG["sum"],
    recon_reduction="sum",
    learning_rate=1e-3,
    learning_rate_decay="cosine",
    batch_size=256,
    n_steps=steps_for(1),
    max_passes=256,
    density=DensityConfig(
        n_components="auto",
        parts=("full", "diagonal", "single"),
        principal_components=20,
        limit=4.0,
    ),
)


class ThreeNets(NamedTuple):
    """The user's three nets."""

    encoder_net: keras.Model | None
    decoder_net: keras.Model | None
    gmm_density_net: keras.Model | None


def checked_net(
    name: str | None,
    ready: keras.Model | None,
    nets: ThreeNets,
    n_gmm: int | None,
    recon_features: ReconFeatures,
    code: keras.Model | None = None,
    context: keras.Model | None = None,
) -> keras.Model:
    """Combine the user's nets into one model, with all checks that are possible without rows.

    Parameters
    ----------
    name
        Name of the argument for a ready model; None if the detector has no such argument.
    ready
        The ready model, or None.
    nets
        The three nets, each of which may be None.
    n_gmm, recon_features, code, context
        See `AEGMM`.

    Raises
    ------
    NetTypeError, ConfigurationError
        A net is missing or is not a model; widths contradict each other; or both a ready model and
        nets are given.
    """
    if ready is None:
        checks.check_types(nets._asdict(), name)
        net: keras.Model = AEGMM(*nets, n_gmm, recon_features, code=code, context=context)
        checks.check_widths(net, n_gmm)
    elif any(part is not None for part in nets):
        raise ConfigurationError(f"Pass either {name}= or the three nets, not both.")
    elif recon_features is not eucl_cosim_features:
        raise ConfigurationError(f"{name}= brings its own features: leave recon_features out.")
    else:
        checks.check_types({str(name): ready}, name)
        net = ready
    shape = checks.row_shape(net)
    if shape is not None:
        checks.probe_before_fit(net, shape, n_gmm)
    return net


class Building(MixtureDetector):
    """A mixture detector made from a ready model, from three nets, or from sizes.

    Parameters are those of `OutlierAEGMM`.
    """

    # The `fit_config` of `auto`, for rows of any width.
    AUTO_FIT: ClassVar[FitConfig] = _RECIPE
    # Further settings of `auto`.
    AUTO_SETTINGS: ClassVar[dict[str, Any]] = {}

    def __init__(
        self,
        threshold: float | None = None,
        aegmm: keras.Model | None = None,
        encoder_net: keras.Model | None = None,
        decoder_net: keras.Model | None = None,
        gmm_density_net: keras.Model | None = None,
        n_gmm: int | None = None,
        recon_features: ReconFeatures = eucl_cosim_features,
        data_type: str | None = None,
        *,
        normalize: Normalize | None = None,
        nan_policy: NanPolicy = "raise",
        score_type: ScoreType = "energy",
        seed: int | None = None,
        fit_config: FitConfig | None = None,
    ) -> None:
        if aegmm is not None and n_gmm is None:
            n_gmm = getattr(aegmm, "n_gmm", None)
        config = DetectorConfig.of(
            n_gmm=n_gmm,
            data_type=data_type,
            normalize=normalize,
            nan_policy=nan_policy,
            score_type=score_type,
            seed=seed,
        )
        nets = ThreeNets(encoder_net, decoder_net, gmm_density_net)
        net = checked_net("aegmm", aegmm, nets, n_gmm, recon_features)
        super().__init__(net, threshold, config, fit_config or self.FIT_CONFIG())

    @classmethod
    def from_sizes(
        cls,
        n_features: int,
        comp_hiddens: Sequence[int],
        est_hiddens: Sequence[int],
        comp_activation: str = "tanh",
        est_activation: str = "tanh",
        est_dropout_ratio: float | None = 0.5,
        *,
        recon_reduction: Reduction = "mean",
        recon_features: ReconFeatures = eucl_cosim_features,
        **settings: Any,
    ) -> Self:
        """Build the nets from lists of layer sizes, as the DAGMM projects do.

        Parameters
        ----------
        n_features
            Number of features of a row.
        comp_hiddens
            Widths of the encoder's layers; the last is that of the code. The decoder mirrors them.
            Code and output layers are linear.
        est_hiddens
            Widths of the density net's layers; the last is the number of components.
        comp_activation, est_activation
            Names of Keras activations. Default 'tanh', as in the paper.
        est_dropout_ratio
            Dropout rate of the density net's hidden units; None or 0 for no dropout. Default .5, as
            in the paper.
        recon_reduction
            'mean' (default) or 'sum' of the squared error over a row's features. It also sets the
            default of ``fit(w_cov_diag=)``: .005 with 'mean', 1e-4 with 'sum'.
        recon_features
            As for the constructor.
        **settings
            `threshold`, `data_type` and the keyword-only arguments of the constructor.

        Returns
        -------
        A detector. Each `fit` starts from new weights.
        """
        sizes = NetSizes.of(
            n_features=n_features,
            comp_hiddens=comp_hiddens,
            est_hiddens=est_hiddens,
            comp_activation=comp_activation,
            est_activation=est_activation,
            est_dropout_ratio=est_dropout_ratio,
        )
        if "fit_config" in settings:
            fit_config = settings.pop("fit_config")
            _refuse_both("recon_reduction", recon_reduction != "mean")
        else:
            fit_config = cls.FIT_CONFIG.of(
                recon_reduction=recon_reduction, w_cov_diag=_W_COV_DIAG.get(recon_reduction, 0.0)
            )
        return cls.from_blueprint(Blueprint(sizes, recon_features), fit_config, **settings)

    @classmethod
    def auto(
        cls, n_features: int, *, ensemble: int = 4, contamination: float = 0.0, **settings: Any
    ) -> Self:
        """Make a detector for rows of `n_features` numbers, with nets and settings chosen for you.

        Inputs are scaled robustly. `ensemble` nets (64-32-code and back, tanh) train as one program
        for at most 2,000 steps of 256 rows, with Adam(1e-3) and a decaying learning rate. The
        reconstruction features are log residual and cosine. Then expectation-maximisation fits
        three densities for each net: a mixture with full covariances and one with diagonal
        covariances, both of code, features and 20 principal components of the input; and a single
        Gaussian of code and features. The number of components depends on the number of rows. The
        score is the mean of all robustly scaled energies.

        Parameters
        ----------
        n_features
            Number of features of a row.
        ensemble
            Number of nets. Default 4. With 1, scoring is faster, but results vary more.
        contamination
            Share of anomalies that you expect among the training rows, up to .25. Default 0: all
            rows are treated as normal. The densities leave out twice that share of rows, the
            strangest, because some normal rows are always stranger than some anomalies.
        **settings
            As for `from_sizes`; `normalize` is 'robust' by default.

        Returns
        -------
        A detector. Each `fit` starts from new weights.
        """
        wish = AutoConfig.of(n_features=n_features, ensemble=ensemble, contamination=contamination)
        blueprint = Blueprint(
            sizes_for(wish.n_features),
            concat(log_euclidean, negative_cosine),
            None if wish.ensemble == 1 else wish.ensemble,
        )
        settings = {"normalize": "robust", **cls.AUTO_SETTINGS, **settings}
        if "fit_config" in settings:
            fit_config = settings.pop("fit_config")
            _refuse_both("contamination", bool(wish.contamination))
        else:
            fit_config = cls.AUTO_FIT.replace(
                n_steps=steps_for(wish.n_features),
                density=cls.AUTO_FIT.density.replace(trim=2.0 * wish.contamination),
            )
        return cls.from_blueprint(blueprint, fit_config, **settings)

    @classmethod
    def from_blueprint(
        cls,
        blueprint: Blueprint,
        fit_config: FitConfig,
        *,
        threshold: float | None = None,
        **settings: Any,
    ) -> Self:
        """Make a detector from a blueprint, to write a recipe of your own with the parts of `auto`.

        Parameters
        ----------
        blueprint
            Sizes, features and number of nets. An existing detector has its own in `blueprint`.
        fit_config
            Defaults for the arguments of `fit`. An existing detector has its own in `fit_config`.
        threshold
            As for the constructor.
        **settings
            As for `from_sizes`.

        Returns
        -------
        A detector. Each `fit` starts from new weights.
        """
        if "n_gmm" in settings:
            raise ConfigurationError(
                "n_gmm is not an argument here: the package builds the density net, with as many "
                "components as the last of est_hiddens."
            )
        config = cls.CONFIG.of(**settings)
        more = cls._more_of_nets(config, blueprint.sizes)
        if blueprint.code not in (None, more.get("code")) or (
            blueprint.context is not None and "context" not in more
        ):
            raise ConfigurationError(
                f"The blueprint is of another kind of detector: {cls.__name__} would have "
                f"{more.get('code') or 'no code of its own'}, and it says {blueprint.code!r}. "
                "Leave code and context out of it."
            )
        blueprint = blueprint.replace(**more)
        net = blueprint.build(config.seed)
        return cls.of_parts(net, threshold, config, fit_config, blueprint)

    @classmethod
    def _more_of_nets(cls, config: Any, sizes: NetSizes) -> dict[str, Any]:
        """Blueprint fields that this kind of detector sets: `code` or `context`."""
        return {}


def _refuse_both(name: str, given: bool) -> None:
    if given:
        raise ConfigurationError(
            f"{name}= conflicts with fit_config=, which also sets it: leave one of them out."
        )
