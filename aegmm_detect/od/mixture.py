"""What the detectors with an autoencoder and a mixture share: one fit, one scorer."""

import logging
import os
from collections.abc import Sequence
from typing import Any, ClassVar, Self

import keras
import numpy as np

from aegmm_detect.calibration import Calibration
from aegmm_detect.configs.aegmm import DetectorConfig, FitConfig, ScoreType
from aegmm_detect.exceptions import ConfigurationError
from aegmm_detect.explanation import Explainer
from aegmm_detect.nets import checks
from aegmm_detect.nets.blueprint import Blueprint
from aegmm_detect.nets.scoring import BEYOND, ScoringGraph
from aegmm_detect.od.copying import Copying
from aegmm_detect.od.explaining import Explaining
from aegmm_detect.od.exporting import Exporting
from aegmm_detect.od.fitting import Fitting
from aegmm_detect.od.row_scorer import RowScorer
from aegmm_detect.od.state import FittedState
from aegmm_detect.od.updating import Updating
from aegmm_detect.training.ready import How
from aegmm_detect.types import UNSET, FloatArray, LossFn

logger = logging.getLogger(__name__)


class MixtureDetector(Copying, Explaining, Updating, Fitting, Exporting):
    """An autoencoder whose latent space has a density; its energy, or several, make the score.

    Parameters
    ----------
    net
        Prepared rows (N, ...) -> (x_recon, z, gamma).
    threshold
        See `Detector`.
    config
        Checked settings of the detector.
    fit_config
        What `fit` uses for arguments that are left out.
    blueprint
        Where the package built `net`: every `fit` then starts from fresh weights. A user's own nets
        go on from the weights they have.
    """

    CONFIG: ClassVar[type[DetectorConfig]] = DetectorConfig
    FIT_CONFIG: ClassVar[type[FitConfig]] = FitConfig

    def __init__(
        self,
        net: keras.Model,
        threshold: float | None,
        config: DetectorConfig,
        fit_config: FitConfig,
        blueprint: Blueprint | None = None,
    ) -> None:
        super().__init__(threshold, config.data_type, config.nan_policy)
        if type(fit_config) is not self.FIT_CONFIG:
            raise ConfigurationError(
                f"fit_config is a {type(fit_config).__name__}; {type(self).__name__} takes a "
                f"{self.FIT_CONFIG.__name__}."
            )
        self.FAMILY.check(fit_config.density)
        checks.check_one_device(net)
        self.config = config
        self._fit_config = fit_config
        self.net = net
        self._blueprint = blueprint
        self._state: FittedState | None = None
        self._scorer: RowScorer | None = None
        self._explainer: Explainer | None = None  # made when asked for

    @classmethod
    def of_parts(
        cls,
        net: keras.Model,
        threshold: float | None,
        config: DetectorConfig,
        fit_config: FitConfig,
        blueprint: Blueprint | None = None,
    ) -> Self:
        """A detector that is not fitted, past the constructor, which checks a user's nets.

        Parameters are those of the class.
        """
        detector = cls.__new__(cls)
        MixtureDetector.__init__(detector, net, threshold, config, fit_config, blueprint)
        return detector

    def restore(
        self, state: FittedState, inferred: bool, calibration: Calibration | None = None
    ) -> None:
        """Go on from where a saved detector was.

        Parameters
        ----------
        state
            What its `fit` had left.
        inferred
            Whether `infer_threshold` had set the threshold.
        calibration
            What its `calibrate` had made.
        """
        self._adopt(state)
        self._inferred, self._calibration = inferred, calibration

    def fit(
        self,
        X: Any,
        loss_fn: LossFn | Any = UNSET,
        w_energy: float = UNSET,
        w_cov_diag: float = UNSET,
        optimizer: Any = UNSET,
        epochs: int = UNSET,
        batch_size: int = UNSET,
        verbose: bool | int | str = True,
        log_metric: tuple[str, keras.metrics.Metric] | None = None,
        callbacks: Sequence[keras.callbacks.Callback] | keras.callbacks.Callback | None = None,
        *,
        y: Any = None,
        seed: int | None = UNSET,
        validation_split: float = UNSET,
        clip_norm: float | None = UNSET,
        jit_compile: bool | str = UNSET,
        steps_per_execution: int = UNSET,
        checkpoint_dir: str | os.PathLike[str] | None = None,
    ) -> keras.callbacks.History:
        """Train the nets together, then estimate the mixture from all training rows.

        Arguments that are left out come from `fit_config`; the defaults below are those of a
        plain detector. The nets are trained in place.

        Parameters
        ----------
        X
            Normal instances, shape (N, ...): an array of any real dtype, a data frame (its
            columns are remembered and checked later), a tensor, or a stream that can be read more
            than once: a `tf.data.Dataset`, a Keras `PyDataset`, or a callable that returns an
            iterator of batches.
        loss_fn
            Function of ``(x_true, x_pred, z, gamma, w_energy=, w_cov_diag=)`` that returns a
            scalar or one value per row, in TensorFlow or `keras.ops`. Default: reconstruction +
            `w_energy` * energy + `w_cov_diag` * sum(1 / diag(cov)), Zong et al. (2018) eq. 7.
        w_energy
            Weight of the mean energy. Default .1, the paper's.
        w_cov_diag
            Weight of the penalty against collapsed components. Default .005, the paper's.
        optimizer
            Keras optimizer: instance (cloned), class or name. Default Adam(1e-4), the paper's.
        epochs
            Passes over the rows. Default 20. 0 leaves trained nets of yours as they are and
            estimates the mixture alone.
        batch_size
            Rows per step, at least 2. Default 64. Larger ones train more stably. The last batch
            of an epoch is filled up with rows of that epoch.
        verbose
            Keras's: False or 0 silent, True or 1 progress bar, 2 one line per epoch.
        log_metric
            ``(column, keras metric)``, updated with (x, x_recon), for bar and history.
        callbacks
            Keras callbacks; `model` is the trainer. ``on_train_batch_*`` fire once per compiled
            block of steps, with the index of its last step.
        y
            Labels, for the detectors that learn from them; all others refuse it.
        seed
            Makes the fit repeatable on one machine: shuffling, dropout, the validation draw and
            the initial weights of nets that the package built. Default: the detector's.
        validation_split
            Share of rows, drawn at random, held out for ``val_*`` columns. Default 0.
        clip_norm
            Largest norm of the gradient. Default None: no clipping.
        jit_compile
            True: XLA; False: plain graph; 'auto' (default): XLA on a GPU, and elsewhere where the
            run is long enough to earn back the 3-6 s of compiling.
        steps_per_execution
            Most steps in a compiled block. Default 512, fewer where rows are wide; 1 for callbacks
            that need every step.
        checkpoint_dir
            Folder for a file that is replaced at the end of every epoch. The same call then goes
            on where it was cut off, and ends as it would have; when it had ended, it trains no
            more. Without a seed, one is drawn and kept there. Default None: no file. See the page
            on resuming.

        Returns
        -------
        Keras's `History`: loss, recon, energy, cov_diag (inverse_scale for a Laplacian mixture) by
        epoch, each unweighted, and regularization where layers have any.

        Raises
        ------
        InvalidInputError
            Rows that cannot be trained on; the detector is left as it was.
        ConfigurationError
            Settings or nets that do not fit; the detector is left as it was.
        CheckpointError
            The file in `checkpoint_dir` is damaged, or of a fit with other rows, settings, nets,
            callbacks or versions; the detector is left as it was.
        NonFiniteLossError
            Training met NaN or infinity: the detector is not fitted, and its nets have the weights
            from before the block of steps in which it happened.
        OSError
            The file in `checkpoint_dir` cannot be written; the one before it is still there.
        IndefiniteCovarianceError
            No density of the training rows is finite: not fitted either, but the nets are trained.
        """
        trains = isinstance(epochs, bool) or epochs != 0
        settings = self._settings(
            w_energy=w_energy,
            w_cov_diag=w_cov_diag,
            epochs=epochs if trains else UNSET,
            batch_size=batch_size,
            seed=seed,
            validation_split=validation_split,
            clip_norm=clip_norm,
            jit_compile=jit_compile,
            steps_per_execution=steps_per_execution,
        )
        how = How(loss_fn, optimizer, verbose, log_metric, callbacks, checkpoint_dir)
        return self._fit(X, y, settings, how, trains)

    @property
    def state(self) -> FittedState | None:
        """What `fit` has left besides the nets' weights; None before."""
        return self._state if self.fitted else None

    @property
    def scoring_graph(self) -> ScoringGraph:
        """Raw rows -> scores, as one Keras layer: scaling, nets, features, density.

        Raises
        ------
        NotFittedError
            Before `fit`.
        """
        return self._fitted_state("scoring_graph").graph(self.net, self.config.score_type)

    @property
    def score_type(self) -> ScoreType:
        """What the score is made of. Assigning another clears what was decided on the old scores.

        'energy'; 'reconstruction', the Euclidean distance of a prepared row from its
        reconstruction; 'both', the sum of the two, each less its median and divided by its
        interquartile range over training rows (nats and distances have no common unit).
        """
        return self.config.score_type

    @score_type.setter
    def score_type(self, value: ScoreType) -> None:
        config = self.config.replace(score_type=value)
        if config == self.config:
            return
        if self._state is not None and self.fitted:
            self._score_by(self._state, config.score_type)
        # Past the guard against what changes nothing: this does.
        object.__setattr__(self, "config", config)
        self._forget_decisions("other scores")

    def _adopt(self, state: FittedState) -> None:
        """Score by `state` from now on."""
        self._state = state
        self._score_by(state, self.config.score_type)
        of_first = state.density.members[0]
        used = (f"{mixture.effective_components:.2f} of {len(mixture.phi)}" for mixture in of_first)
        logger.info("Components in use, by mixture of the first net: %s.", ", ".join(used))
        self._mark_fitted(state.names, state.row_shape, state.trained_on)

    def _score_by(self, state: FittedState, score_type: ScoreType) -> None:
        self._scorer, self._explainer = state.scorer(self.net, score_type), None

    def _score_batch(self, batch: FloatArray) -> FloatArray:
        assert self._scorer is not None  # set by fit, and `score` asks for a fitted detector
        scores = self._scorer(batch)
        if n_beyond := np.count_nonzero(scores >= BEYOND):
            logger.warning(
                "%d rows score %.3g, the largest number: they are too far out for float32, or "
                "recon_features is NaN for them.",
                n_beyond,
                BEYOND,
            )
        return scores
