"""A face for scikit-learn: pipelines, grid searches, and its signs and names.

Here a higher number is more normal, and 1 is an inlier, -1 an outlier.
"""

from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, OutlierMixin
from sklearn.utils import Tags, check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from aegmm_detect.configs.aegmm import FitConfig, ScoreType
from aegmm_detect.configs.rows import NanPolicy, Normalize
from aegmm_detect.decision import in_precision_of
from aegmm_detect.exceptions import (
    ConfigurationError,
    NotCalibratedError,
    ThresholdNotInferredError,
)
from aegmm_detect.nets import checks
from aegmm_detect.nets.copies import net_to_train
from aegmm_detect.od.aegmm import OutlierAEGMM
from aegmm_detect.training.seeding import python_random
from aegmm_detect.types import Array, FloatArray, IntArray, ReconFeatures

_NETS = ("encoder_net", "decoder_net", "gmm_density_net")
# Parameters that take the places of a recipe's values.
_OF_THE_RECIPE = ("learning_rate", "epochs", "n_steps", "batch_size", "w_energy", "w_cov_diag")
# Share of the training rows called outliers where nobody says how many there are: as
# `infer_threshold` does.
_AUTO_SHARE = 0.05
# What a density can leave out is limited, and is twice the contamination.
_MOST_TRIMMED_FOR = 0.25
_SEEDS = 2**31


class AEGMMEstimator(OutlierMixin, BaseEstimator):
    """`OutlierAEGMM` with scikit-learn's conventions.

    Without nets, `fit` makes an `OutlierAEGMM.auto` for the number of columns. Parameters are
    kept as they are given and checked by `fit`.

    Parameters
    ----------
    encoder_net, decoder_net, gmm_density_net
        All or none. A net is copied by every `fit`, which starts from the weights that it has and
        never changes it. A function of the number of columns returns a net; every `fit` calls it
        for new ones. Default None: the nets of `auto`.
    recon_features
        Function of (x, x_recon) -> (N, F). Default: those of `auto`, or for nets of your own
        `eucl_cosim_features`.
    ensemble
        Number of nets that vote; not for nets of your own. Default: that of `auto`.
    normalize
        Scaling of the rows, see `OutlierAEGMM`. Default 'robust', as in `auto`.
    nan_policy
        'raise' (default) refuses rows with NaN or infinity; 'flag' leaves them out of training and
        calls them outliers.
    score_type
        What the score is made of, see `OutlierAEGMM`. Default 'energy'.
    contamination
        Share of outliers among the training rows, in (0, .5]: `offset_` calls so many of them
        outliers, and the densities of `auto` leave out twice as many (at most half of the rows).
        Default 'auto': the rows are treated as normal and nothing is left out; `offset_` is that of
        ``infer_threshold``, which calls 5 % of them outliers.
    learning_rate, epochs, n_steps, batch_size, w_energy, w_cov_diag
        Take the places of the values of `fit_config`. Give either `epochs` or `n_steps`.
    fit_config
        Recipe of training. Default: that of `auto`, or for nets of your own
        ``FitConfig()``. One that is given decides what densities leave out, too.
    random_state
        An integer is the `seed` of the detector. It makes `fit` repeatable on one machine,
        with the initial weights of nets that functions return. Default None: different every time.
    verbose
        Keras's. Default 0: silent.

    Attributes
    ----------
    detector_
        The fitted `OutlierAEGMM`; its threshold, in float32, is ``-offset_``.
    offset_
        Rows whose `score_samples` is below it are outliers.
    history_
        Loss and its terms by epoch, a dictionary of lists.
    n_features_in_
        Number of columns that `fit` saw.
    feature_names_in_
        Their names, where `fit` saw a data frame with strings for names.

    Notes
    -----
    Scikit-learn's own checks raise scikit-learn's own errors: wrong columns a ``ValueError``, and
    a method before `fit` its ``NotFittedError``.
    """

    def __init__(
        self,
        *,
        encoder_net: Any = None,
        decoder_net: Any = None,
        gmm_density_net: Any = None,
        recon_features: ReconFeatures | None = None,
        ensemble: int | None = None,
        normalize: Normalize | None = "robust",
        nan_policy: NanPolicy = "raise",
        score_type: ScoreType = "energy",
        contamination: Any = "auto",
        learning_rate: float | None = None,
        epochs: int | None = None,
        n_steps: int | None = None,
        batch_size: int | None = None,
        w_energy: float | None = None,
        w_cov_diag: float | None = None,
        fit_config: FitConfig | None = None,
        random_state: Any = None,
        verbose: bool | int | str = 0,
    ) -> None:
        self.encoder_net = encoder_net
        self.decoder_net = decoder_net
        self.gmm_density_net = gmm_density_net
        self.recon_features = recon_features
        self.ensemble = ensemble
        self.normalize = normalize
        self.nan_policy = nan_policy
        self.score_type = score_type
        self.contamination = contamination
        self.learning_rate = learning_rate
        self.epochs = epochs
        self.n_steps = n_steps
        self.batch_size = batch_size
        self.w_energy = w_energy
        self.w_cov_diag = w_cov_diag
        self.fit_config = fit_config
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: Any, y: Any = None, **unsupported: Any) -> Self:
        """Train a new detector and set its threshold.

        Parameters
        ----------
        X
            Rows, shape (N, F): an array or a data frame.
        y
            Ignored, by convention: labels do not take part.
        **unsupported
            Rejected, `sample_weight` too, which other estimators take: every row counts alike.

        Returns
        -------
        The estimator itself.

        Raises
        ------
        ValueError
            Rows that are not a two-dimensional array of finite numbers, or fewer than two of them.
        ConfigurationError
            A parameter does not fit.
        NonFiniteLossError
            Training met NaN or infinity.
        """
        if given := [name for name, value in unsupported.items() if value is not None]:
            raise ConfigurationError(
                f"fit does not take {', '.join(given)}: every row counts alike. Leave "
                "sample_weight out; instead, drop rows that should not count, or pass "
                "contamination= if some of them are outliers."
            )
        rows = self._rows(X, reset=True, ensure_min_samples=2)
        share = self._share()
        detector = self._detector(rows.shape[1])
        history = detector.fit(rows, verbose=self.verbose)
        detector.infer_threshold(rows, 100.0 * (1.0 - share))
        self.history_ = history.history
        self.detector_ = detector
        return self

    @property
    def offset_(self) -> float:
        """Minus the threshold that `detector_` has now: `score_samples` below it are outliers.

        Raises
        ------
        ThresholdNotInferredError
            Another `score_type` or an update of `detector_` has cleared it.
        """
        if not hasattr(self, "detector_"):
            raise AttributeError("offset_ comes with fit: call fit(X) first.")
        threshold = self.detector_.threshold
        if threshold is None:
            raise ThresholdNotInferredError(
                "detector_ has no threshold any more: call detector_.infer_threshold(X), or fit "
                "again."
            )
        # As the detector rounds it, or decisions of the two could differ.
        return -float(in_precision_of(np.empty(0, np.float32), threshold))

    def score_samples(self, X: Any) -> FloatArray:
        """Minus the detector's scores: higher is more normal.

        Parameters
        ----------
        X
            Rows, shape (N, F), of the columns that `fit` saw.

        Returns
        -------
        Shape (N,), float64; NaN for rows that `nan_policy` flags.
        """
        check_is_fitted(self)
        return -self.detector_.score(self._rows(X, reset=False)).astype(np.float64)

    def decision_function(self, X: Any) -> FloatArray:
        """``score_samples(X) - offset_``: below 0 are outliers.

        Parameters
        ----------
        X
            As for `score_samples`.

        Returns
        -------
        Shape (N,), float64.
        """
        return self.score_samples(X) - self.offset_

    def predict(self, X: Any) -> IntArray:
        """Whether rows are inliers.

        Parameters
        ----------
        X
            As for `score_samples`.

        Returns
        -------
        Shape (N,), int64: 1 inlier, -1 outlier. Rows with NaN, where allowed, are outliers.
        """
        return np.where(self.decision_function(X) >= 0.0, 1, -1)

    def calibrate(self, X: Any, *, check_trained: bool = True) -> Self:
        """Make `predict_p_values` possible, by rows that `fit` has not seen.

        Parameters
        ----------
        X
            Inliers, shape (N, F), of the columns that `fit` saw. With N rows, the smallest p-value
            is 1 / (N + 1).
        check_trained
            Whether to look for rows that `fit` has seen; False for data that repeat by nature.

        Returns
        -------
        The estimator itself. `fit` and an update of `detector_` clear the calibration.

        Raises
        ------
        InvalidInputError
            `fit` has seen all rows of `X`, or none of them is usable.
        """
        check_is_fitted(self)
        self.detector_.calibrate(self._rows(X, reset=False), check_trained=check_trained)
        return self

    def predict_p_values(self, X: Any) -> FloatArray:
        """Probability that a new inlier is at least as strange as each row: small for outliers.

        Conformal p-values, see the page on calibration: a share of at most p of new inliers has
        p-values up to p, whatever the scores look like.

        Parameters
        ----------
        X
            As for `score_samples`.

        Returns
        -------
        Shape (N,), float64; the smallest possible for rows with NaN, where allowed.

        Raises
        ------
        NotCalibratedError
            Before `calibrate`.
        """
        check_is_fitted(self)
        calibration = self.detector_.calibration
        if calibration is None:
            raise NotCalibratedError(
                "There is no calibration for p-values: call calibrate(X) on inliers that fit has "
                "not seen."
            )
        return calibration.p_values(self.detector_.score(self._rows(X, reset=False)))

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = self.nan_policy == "flag"
        return tags

    def _rows(self, X: Any, **rules: Any) -> Array:
        return validate_data(
            self,
            X,
            dtype=[np.float64, np.float32],
            ensure_all_finite=self.nan_policy != "flag",
            **rules,
        )

    def _share(self) -> float:
        """Of the training rows, to be called outliers."""
        if isinstance(self.contamination, str) and self.contamination == "auto":
            return _AUTO_SHARE
        try:
            share = float(self.contamination)
        except (TypeError, ValueError):
            share = np.nan
        if not 0.0 < share <= 0.5:
            raise ConfigurationError(
                f"contamination={self.contamination!r}: pass 'auto', or a share above 0 and up to "
                "0.5."
            )
        return share

    def _detector(self, n_features: int) -> OutlierAEGMM:
        settings: dict[str, Any] = {
            # No row is an outlier until `fit` sets the threshold.
            "threshold": np.inf,
            "normalize": self.normalize,
            "nan_policy": self.nan_policy,
            "score_type": self.score_type,
            "seed": _seed_of(self.random_state),
        }
        if all(getattr(self, name) is None for name in _NETS):
            return self._auto(n_features, settings)
        return self._of_nets(n_features, settings)

    def _auto(self, n_features: int, settings: dict[str, Any]) -> OutlierAEGMM:
        wish: dict[str, Any] = {} if self.ensemble is None else {"ensemble": self.ensemble}
        if self.contamination != "auto":
            wish["contamination"] = min(float(self.contamination), _MOST_TRIMMED_FOR)
        auto = OutlierAEGMM.auto(n_features, **wish, **settings)
        blueprint = auto.blueprint
        assert blueprint is not None  # `auto` builds its nets
        if self.recon_features is not None:
            blueprint = blueprint.replace(recon_features=self.recon_features)
        return OutlierAEGMM.from_blueprint(blueprint, self._recipe(auto.fit_config), **settings)

    def _of_nets(self, n_features: int, settings: dict[str, Any]) -> OutlierAEGMM:
        if self.ensemble is not None:
            raise ConfigurationError(
                "ensemble= is for the nets that the package builds: leave it out, or the three "
                "nets."
            )
        if self.recon_features is not None:
            settings["recon_features"] = self.recon_features
        with python_random(settings["seed"]):
            nets = {name: net_to_train(name, getattr(self, name), n_features) for name in _NETS}
            detector = OutlierAEGMM(**nets, fit_config=self._recipe(FitConfig()), **settings)
            # A net without an Input draws its weights when it sees its first row.
            checks.probe(detector.net, np.zeros((1, n_features), dtype=np.float32), None)
        return detector

    def _recipe(self, default: FitConfig) -> FitConfig:
        given = {name: getattr(self, name) for name in _OF_THE_RECIPE}
        given = {name: value for name, value in given.items() if value is not None}
        if "epochs" in given and "n_steps" in given:
            raise ConfigurationError("Give either epochs= or n_steps=, not both.")
        return (self.fit_config or default).override(**given)


def _seed_of(random_state: Any) -> int | None:
    if random_state is None or isinstance(random_state, (int, np.integer)):
        return None if random_state is None else int(random_state)
    return int(check_random_state(random_state).randint(_SEEDS - 1))
