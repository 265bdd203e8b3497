"""The base class of detectors with an autoencoder and a mixture."""

import dataclasses
import logging
import os
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import keras

from aegmm_detect.configs.aegmm import DetectorConfig, FitConfig, ScoreType
from aegmm_detect.configs.export import ExportMetadata
from aegmm_detect.detector.base import Detector
from aegmm_detect.detector.parts import Parts
from aegmm_detect.exceptions import ArtefactError, ConfigurationError
from aegmm_detect.explanation import Explanation
from aegmm_detect.nets import checks
from aegmm_detect.nets.blueprint import Blueprint
from aegmm_detect.nets.graph import ScoringGraph
from aegmm_detect.numerics.families import GAUSSIAN, Family
from aegmm_detect.numerics.frozen_mixture import FrozenMixture
from aegmm_detect.numerics.objective import Term, aegmm_terms
from aegmm_detect.od.explaining import explain
from aegmm_detect.od.exporting import export_detector
from aegmm_detect.od.fitted import FittedMixture
from aegmm_detect.od.fitting import fit_detector
from aegmm_detect.od.objective import MixtureLoss
from aegmm_detect.od.parameters import Member, members_of, parameter, the_mixture
from aegmm_detect.od.parts import check_widths, net_from, parts_of, settings_from
from aegmm_detect.od.state import FittedState
from aegmm_detect.od.stored import state_from
from aegmm_detect.od.updating import update_detector
from aegmm_detect.training.estimate import check_parts
from aegmm_detect.training.fit import FitOptions
from aegmm_detect.training.prepare import TrainingRows
from aegmm_detect.types import UNSET, FloatArray, LossFn

logger = logging.getLogger(__name__)


class MixtureDetector(Detector):
    """An autoencoder with a density of its latent space. The score is one energy or several.

    Parameters
    ----------
    net
        Model: prepared rows (N, ...) -> (x_recon, z, gamma).
    threshold
        See `Detector`.
    config
        Checked settings of the detector.
    fit_config
        Defaults for the arguments of `fit`.
    blueprint
        What the package built `net` from: every `fit` then starts from new weights. None for a
        user's own nets, which continue from the weights they have.
    """

    CONFIG: ClassVar[type[DetectorConfig]] = DetectorConfig
    FIT_CONFIG: ClassVar[type[FitConfig]] = FitConfig
    # Whether `fit` learns from labels.
    LABELS: ClassVar[bool] = False
    # Kind of the mixtures.
    FAMILY: ClassVar[Family] = GAUSSIAN

    config: DetectorConfig
    _fitted: FittedMixture | None

    def __init__(
        self,
        net: keras.Model,
        threshold: float | None,
        config: DetectorConfig,
        fit_config: FitConfig,
        blueprint: Blueprint | None = None,
    ) -> None:
        super().__init__(config, threshold)
        if type(fit_config) is not self.FIT_CONFIG:
            raise ConfigurationError(
                f"fit_config is a {type(fit_config).__name__}; {type(self).__name__} takes a "
                f"{self.FIT_CONFIG.__name__}."
            )
        check_parts(self.FAMILY, fit_config.density)
        checks.check_one_device(net)
        self._fit_config = fit_config
        self.net = net
        self._blueprint = blueprint

    @classmethod
    def of_parts(
        cls,
        net: keras.Model,
        threshold: float | None,
        config: DetectorConfig,
        fit_config: FitConfig,
        blueprint: Blueprint | None = None,
    ) -> Self:
        """Make an unfitted detector without the constructor, which would check a user's nets.

        Parameters are those of the class.
        """
        detector = cls.__new__(cls)
        MixtureDetector.__init__(detector, net, threshold, config, fit_config, blueprint)
        return detector

    def typical_rows(self, n_rows: int) -> FloatArray:
        """See `Detector.typical_rows`; on the scale of the training rows."""
        rows = super().typical_rows(n_rows)
        normalizer = self.required_fit("typical_rows()").state.normalizer
        return rows if normalizer is None else normalizer.offset + normalizer.scale * rows

    def fit_scores(self, rows: FloatArray) -> FloatArray:
        """See `Detector.fit_scores`; with the nets' current weights, not compiled."""
        graph = self.scoring_graph
        # Without this scope, the call would advance the seeds of random layers.
        with keras.StatelessScope():
            rows = keras.ops.convert_to_tensor(rows, dtype=graph.row_dtype)
            return keras.ops.convert_to_numpy(graph(rows))

    def to_parts(self) -> Parts:
        """See `Detector.to_parts`."""
        return parts_of(self)

    @classmethod
    def from_parts(
        cls, parts: Parts, threshold: float | None, custom_objects: Mapping[str, Any]
    ) -> Self:
        """See `Detector.from_parts`."""
        config, fit_config = settings_from(parts, cls.CONFIG, cls.FIT_CONFIG)
        net, blueprint = net_from(parts, custom_objects)
        detector = cls.of_parts(net, threshold, config, fit_config, blueprint)
        if parts.rows is not None:
            state = state_from(parts.arrays, parts.rows, cls.FAMILY)
            check_widths(net, state)
            detector.adopt(state)
        elif parts.arrays:
            raise ArtefactError(f"It is not fitted, and holds {sorted(parts.arrays)}.")
        return detector

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

        Defaults come from `fit_config`. Those named below are the defaults of `FitConfig`. The nets
        are trained in place.

        Parameters
        ----------
        X
            Normal instances, shape (N, ...): an array of any real dtype, a data frame (later calls
            check that the columns are the same), a tensor, or a stream that can be read more than
            once: a `tf.data.Dataset`, a Keras `PyDataset`, or a callable that returns an iterator
            of batches.
        loss_fn
            Function of ``(x_true, x_pred, z, gamma, w_energy=, w_cov_diag=)`` that returns a
            scalar or one value per row, in TensorFlow or `keras.ops`. Default: reconstruction +
            `w_energy` * energy + `w_cov_diag` * sum(1 / diag(cov)), Zong et al. (2018) eq. 7.
        w_energy
            Weight of the mean energy. Default .1, as in the paper.
        w_cov_diag
            Weight of the penalty against collapsed components. Default .005, as in the paper.
        optimizer
            Keras optimizer: instance (cloned), class or name. Default Adam(1e-4), as in the paper.
        epochs
            Passes over the rows. Default 20. With 0, your own trained nets are not changed, and
            only the mixture is estimated.
        batch_size
            Rows per step, at least 2. Default 64. Training is more stable with larger batches. The
            last batch of an epoch is filled up with other rows of that epoch.
        verbose
            As in Keras: False or 0 silent, True or 1 progress bar, 2 one line per epoch.
        log_metric
            ``(column, keras metric)``, updated with (x, x_recon); shown in the progress bar and
            the history.
        callbacks
            Keras callbacks; `model` is the trainer. ``on_train_batch_*`` are called once per
            compiled block of steps, with the index of its last step.
        y
            Labels, for detectors that learn from them. Other detectors raise an error.
        seed
            Makes the fit repeatable on one machine: shuffling, dropout, the validation split and
            the initial weights of nets that the package built. Default: the detector's.
        validation_split
            Share of rows, drawn at random, held out for ``val_*`` columns. Default 0.
        clip_norm
            Maximum norm of the gradient. Default None: no clipping.
        jit_compile
            True: XLA; False: plain graph; 'auto' (default): XLA on a GPU, and elsewhere if the run
            is long enough to be worth the 3-6 s of compiling.
        steps_per_execution
            Maximum number of steps in a compiled block. Default 512, fewer if rows are wide. Use 1
            for callbacks that need every step.
        checkpoint_dir
            Folder for a checkpoint file, which is replaced at the end of every epoch. If the fit is
            interrupted, the same call resumes it and gives the same result. If the fit was
            complete, the call trains no more. Without a seed, one is drawn and kept in the file.
            Default None: no file. See the page on resuming.

        Returns
        -------
        Keras's `History`: loss, recon, energy, cov_diag (inverse_scale for a Laplacian mixture) by
        epoch, all without their weights, and regularization if layers have any.

        Raises
        ------
        InvalidInputError
            The rows cannot be used for training. The detector is unchanged.
        ConfigurationError
            Settings or nets are wrong or contradict each other. The detector is unchanged.
        CheckpointError
            The file in `checkpoint_dir` is damaged, or is from a fit with other rows, settings,
            nets, callbacks or versions. The detector is unchanged.
        NonFiniteLossError
            A loss or weight became NaN or infinite. The detector is not fitted, and its nets have
            the weights from before the block of steps in which that happened.
        OSError
            The file in `checkpoint_dir` cannot be written. The previous one is still there.
        IndefiniteCovarianceError
            No density of the training rows is finite. The nets are trained, but the detector is not
            fitted.
        """
        trains = isinstance(epochs, bool) or epochs != 0
        settings = self.settings(
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
        options = FitOptions(optimizer, verbose, log_metric, callbacks, checkpoint_dir)
        return fit_detector(self, X, y, loss_fn, settings, options, trains)

    def _feature_scores(self, X: Any) -> FloatArray:
        return explain(self, X).shares

    def update(self, X: Any, *, half_life: float | None = None) -> None:
        """Update the mixtures with new inliers; the nets do not change.

        This is fast, and enough if the data shift slowly. If the nets no longer suit the data,
        `fit` again. The result does not depend on the batches of a stream, but it depends on how
        rows are divided into calls: each call computes memberships with the mixtures before it.

        Parameters
        ----------
        X
            Normal instances, as for `score`. With ``nan_policy='flag'``, rows with NaN or infinity
            are ignored.
        half_life
            Number of new rows after which the weight of all earlier rows is halved. Default None:
            all rows have the same weight, so after many rows new ones have little effect.

        Raises
        ------
        ConfigurationError
            `half_life` is not a positive number; the detector does not know from how many rows its
            mixtures were estimated; it scores by random draws of the code; or its mixtures are
            Laplacian, whose absolute deviations cannot be merged.
        NotFittedError, InvalidInputError
            As for `score`; or rows are too far from the training rows. The detector is unchanged.
        """
        update_detector(self, X, half_life)

    def explain(self, X: Any) -> Explanation:
        """Explain which features make rows strange.

        Parameters
        ----------
        X
            As for `score`.

        Returns
        -------
        Contributions of each feature to the reconstruction error and to the score, in the shape of
        `X`, and its share in both together; see `Explanation`.

        Raises
        ------
        ConfigurationError
            The feature function uses NumPy only, so no gradient flows through it.
        NotFittedError, InvalidInputError
            As for `score`.
        """
        return explain(self, X)

    def export(
        self, path: str | os.PathLike[str], format: str = "savedmodel", X: Any = None
    ) -> ExportMetadata:
        """Export the detector to run without this package: raw rows -> scores and decisions.

        With 'onnx' or 'litert' it also runs without TensorFlow. The directory `path` then holds the
        graph and ``metadata.json``. The graph has one input ``x`` (N, ...) and the outputs
        ``instance_score`` float32 (N,) and ``is_outlier`` int64 (N,). Before this method returns,
        it loads the graph in its runtime and compares it with the detector. Rows with NaN or
        infinity score NaN and are outliers.

        Parameters
        ----------
        path
            Directory. It is made if needed; an export in it is replaced.
        format
            'savedmodel' (TensorFlow Serving, Triton), 'onnx' or 'litert'; `Scorer` runs the last
            two. The input of LiteRT is float32; that of the others is float64 if the detector
            scales rows.
        X
            Rows for the comparison; the first 1,024 are used. Default: made-up rows in the range
            of the detector's scaling. Pass real rows if the detector does not scale.

        Returns
        -------
        The contents of ``metadata.json``, including the largest difference between scores.

        Raises
        ------
        ThresholdNotInferredError
            No threshold is set.
        ArtefactError
            The graph cannot be converted, its runtime does not accept it, its scores differ, or
            something else is at `path`. Then nothing is written.
        ConfigurationError
            The format is unknown; `path` is empty, ends like a file (``.onnx``), or is the working
            directory; or the nets cannot be compiled.
        MissingExtraError
            The format's converter or runtime is not installed.
        NotFittedError
            Before `fit`.
        """
        return export_detector(self, path, format, X)

    @property
    def fit_config(self) -> FitConfig:
        """Defaults for the arguments of `fit`."""
        return self._fit_config

    @property
    def blueprint(self) -> Blueprint | None:
        """What the package built the nets from; None for a user's own nets."""
        return self._blueprint

    @property
    def state(self) -> FittedState | None:
        """Result of `fit` besides the nets' weights; None before `fit`."""
        return None if self._fitted is None else self._fitted.state

    @property
    def scoring_graph(self) -> ScoringGraph:
        """One Keras layer, raw rows -> scores: scaling, nets, features and density.

        Raises
        ------
        NotFittedError
            Before `fit`.
        """
        fitted = self.required_fit("scoring_graph")
        return fitted.state.graph(self.net, self.config.score_type)

    @property
    def score_type(self) -> ScoreType:
        """Kind of score. Assigning another clears the inferred threshold and the calibration.

        'energy'; 'reconstruction', the Euclidean distance of a prepared row from its
        reconstruction; or 'both', the sum of the two. For 'both', each is first reduced by its
        median and divided by its interquartile range over training rows, because nats and distances
        have no common unit.
        """
        return self.config.score_type

    @score_type.setter
    def score_type(self, value: ScoreType) -> None:
        changed = self.config.replace(score_type=value)
        if changed == self.config:
            return
        if self._fitted is not None:
            self._adopt(dataclasses.replace(self._fitted, score_type=value))
        self._reconfigure(score_type=value)
        self._held.forget("other scores")

    @property
    def members(self) -> tuple[Member, ...]:
        """Net and mixtures of each member of an ensemble; a single one if there is no ensemble.

        Raises
        ------
        NotFittedError
            Before `fit`.
        """
        state = self.required_fit("members").state
        return members_of(self.net, self._blueprint, state.density)

    @property
    def mixture(self) -> FrozenMixture:
        """The density that scores rows.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ConfigurationError
            There are several densities: see `members`.
        """
        return the_mixture(self.required_fit("mixture").state.density)

    phi = parameter("phi", "Weights of the mixture, (K,).")
    mu = parameter("mu", "Means, (K, D).")
    cov = parameter("cov", "Covariances, regularised, (K, D, D).")
    L = parameter("L", "Cholesky factors of the covariances, (K, D, D).")
    log_det_cov = parameter("log_det_cov", "Log-determinants of the covariances, (K,).")
    scale = parameter(
        "scale", "Scales of a Laplacian mixture, mean absolute deviations with their floor, (K, D)."
    )

    def required_fit(self, what: str) -> FittedMixture:
        """Return the result of the last fit, or raise `NotFittedError` about `what`."""
        return self._required_fit(what)

    def adopt(self, state: FittedState) -> None:
        """Use `state` and the current weights of the net for scores from now on."""
        self._adopt(FittedMixture(self.net, state, self.config.score_type))
        of_first = state.density.members[0]
        used = (f"{mixture.effective_components:.2f} of {len(mixture.phi)}" for mixture in of_first)
        logger.info("Components in use, by mixture of the first net: %s.", ", ".join(used))

    def forget(self, made_for: str, fit: bool = False) -> None:
        """Clear an inferred threshold and the calibration, and with `fit` also the fit."""
        if fit:
            self._forget_fit()
        else:
            self._held.forget(made_for)

    def settings(self, **given: Any) -> FitConfig:
        """`fit_config` with the arguments that a caller of `fit` passed."""
        chosen = {name: value for name, value in given.items() if value is not UNSET}
        settings = self._fit_config.override(**chosen)
        if "epochs" in chosen and self._fit_config.n_steps is not None:
            # Warn, because these epochs can be far fewer steps than the recipe has.
            logger.warning(
                "epochs=%s takes the place of the recipe's %d steps.",
                chosen["epochs"],
                self._fit_config.n_steps,
            )
        if "seed" not in chosen and settings.seed is None:
            settings = settings.replace(seed=self.config.seed)
        return settings

    def loss(self, settings: FitConfig, prepared: TrainingRows) -> MixtureLoss:
        """The loss to minimise."""
        w_energy, w_cov_diag = settings.w_energy, settings.w_cov_diag
        kind = (settings.recon_reduction, self.FAMILY, settings.autoencoder_share)
        terms = aegmm_terms(w_energy, w_cov_diag, *kind)
        weights = {"w_energy": w_energy, "w_cov_diag": w_cov_diag}
        return MixtureLoss(terms, weights, self.code_terms(settings), self.FAMILY)

    def code_terms(self, settings: FitConfig) -> tuple[Term, ...]:
        """Loss terms that the kind of code needs. They are added to any loss."""
        return ()

    def net_for(self, prepared: TrainingRows, settings: FitConfig) -> keras.Model:
        """The net to train; a new one if its shape depends on the rows."""
        return self.net

    def start(self, net: Any, prepared: TrainingRows, settings: FitConfig) -> None:
        """Initialise parts of the nets from the training rows, before the first step."""

    def draws(self, settings: FitConfig) -> FloatArray | None:
        """Fixed noise (S, latent) for scoring a variational code; None: use the mean."""
        return None

    def inspect(self, prepared: TrainingRows, settings: FitConfig) -> None:
        """Check the trained nets, and log what the user should know."""
