"""Detectors with an autoencoder and a mixture: one fit, one score, parameters to be read."""

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
    # Whether `fit` learns from labels.
    LABELS: ClassVar[bool] = False
    # Kind of its mixtures.
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
        """A detector that is not fitted, past the constructor, which checks a user's nets.

        Parameters are those of the class.
        """
        detector = cls.__new__(cls)
        MixtureDetector.__init__(detector, net, threshold, config, fit_config, blueprint)
        return detector

    def typical_rows(self, n_rows: int) -> FloatArray:
        """See `Detector.typical_rows`; on the detector's own scale of rows."""
        rows = super().typical_rows(n_rows)
        normalizer = self.required_fit("typical_rows()").state.normalizer
        return rows if normalizer is None else normalizer.offset + normalizer.scale * rows

    def fit_scores(self, rows: FloatArray) -> FloatArray:
        """See `Detector.fit_scores`; by the nets as they are, uncompiled."""
        graph = self.scoring_graph
        # Outside of this scope, random layers would move on.
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
        """Let the mixtures learn from new inliers, and leave the nets as they are.

        Cheap, and enough for slow shifts; when codes themselves no longer fit, `fit` again. The
        result does not depend on how a stream is cut into batches, but on the calls: each call's
        rows get their memberships from the mixtures before it.

        Parameters
        ----------
        X
            Normal instances, as for `score`. Under ``nan_policy='flag'``, rows with NaN or infinity
            are left out.
        half_life
            Number of new rows after which all earlier ones weigh half. Default None: every row
            weighs the same, so that after a long life new ones hardly move anything.

        Raises
        ------
        ConfigurationError
            `half_life` is not a positive number; a detector that does not know how many rows its
            mixtures stand for; Laplacian mixtures, whose absolute deviations cannot be merged.
        NotFittedError, InvalidInputError
            As for `score`; rows too far out. The detector is left as it was.
        """
        update_detector(self, X, half_life)

    def explain(self, X: Any) -> Explanation:
        """Which features make rows strange.

        Parameters
        ----------
        X
            As for `score`.

        Returns
        -------
        Contributions of the reconstruction and of the score, in the shape of `X`, and the shares of
        features in both together; see `Explanation`.

        Raises
        ------
        ConfigurationError
            Features in NumPy alone, through which no gradient flows.
        NotFittedError, InvalidInputError
            As for `score`.
        """
        return explain(self, X)

    def export(
        self, path: str | os.PathLike[str], format: str = "savedmodel", X: Any = None
    ) -> ExportMetadata:
        """Export raw rows -> scores and decisions, for machines without this package or TensorFlow.

        The directory `path` then holds the graph, with one input ``x`` (N, ...) and the outputs
        ``instance_score`` float32 (N,) and ``is_outlier`` int64 (N,), and ``metadata.json``. It has
        been reloaded in its runtime and compared with the detector. Rows with NaN or infinity score
        NaN and are outliers.

        Parameters
        ----------
        path
            Directory, made if need be; an export that is there is replaced.
        format
            'savedmodel' (TensorFlow Serving, Triton), 'onnx' or 'litert'; `Scorer` runs the last
            two. LiteRT takes rows of float32; the others, of float64 if the detector scales them.
        X
            Rows to compare on, the first 1,024 of them. Default: made-up ones, from where the
            detector's scaling says that rows lie; a detector that does not scale wants real ones.

        Returns
        -------
        What stands in ``metadata.json``, the largest difference of scores among it.

        Raises
        ------
        ThresholdNotInferredError
            No threshold is set.
        ArtefactError
            The graph cannot be converted, is refused by its runtime, or scores otherwise; something
            else is at `path`. Nothing is left then.
        ConfigurationError
            An unknown format; a `path` that is empty, ends like a file (``.onnx``), or is the
            working directory; nets that run uncompiled.
        MissingExtraError
            The format's converter or runtime is not installed.
        NotFittedError
            Before `fit`.
        """
        return export_detector(self, path, format, X)

    @property
    def fit_config(self) -> FitConfig:
        """What `fit` uses for arguments that are left out."""
        return self._fit_config

    @property
    def blueprint(self) -> Blueprint | None:
        """What the nets were built from; None for nets that a user brought."""
        return self._blueprint

    @property
    def state(self) -> FittedState | None:
        """What `fit` has left besides the nets' weights; None before."""
        return None if self._fitted is None else self._fitted.state

    @property
    def scoring_graph(self) -> ScoringGraph:
        """Raw rows -> scores, as one Keras layer: scaling, nets, features, density.

        Raises
        ------
        NotFittedError
            Before `fit`.
        """
        fitted = self.required_fit("scoring_graph")
        return fitted.state.graph(self.net, self.config.score_type)

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
        changed = self.config.replace(score_type=value)
        if changed == self.config:
            return
        if self._fitted is not None:
            self._adopt(dataclasses.replace(self._fitted, score_type=value))
        self._reconfigure(score_type=value)
        self._held.forget("other scores")

    @property
    def members(self) -> tuple[Member, ...]:
        """Net and mixtures of each member of an ensemble, or of the detector alone.

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
            There are several: see `members`.
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
        """What the last fit has left, for `what`; `NotFittedError` where there is none."""
        return self._required_fit(what)

    def adopt(self, state: FittedState) -> None:
        """Score by `state` and the weights that the net has now."""
        self._adopt(FittedMixture(self.net, state, self.config.score_type))
        of_first = state.density.members[0]
        used = (f"{mixture.effective_components:.2f} of {len(mixture.phi)}" for mixture in of_first)
        logger.info("Components in use, by mixture of the first net: %s.", ", ".join(used))

    def forget(self, made_for: str, fit: bool = False) -> None:
        """Clear what was decided on scores that have changed, and with `fit` the fit itself."""
        if fit:
            self._forget_fit()
        else:
            self._held.forget(made_for)

    def settings(self, **given: Any) -> FitConfig:
        """`fit_config` with what a caller of `fit` gives in its place."""
        chosen = {name: value for name, value in given.items() if value is not UNSET}
        settings = self._fit_config.override(**chosen)
        if "epochs" in chosen and self._fit_config.n_steps is not None:
            # What is given wins, and can be much less than what it replaces.
            logger.warning(
                "epochs=%s takes the place of the recipe's %d steps.",
                chosen["epochs"],
                self._fit_config.n_steps,
            )
        if "seed" not in chosen and settings.seed is None:
            settings = settings.replace(seed=self.config.seed)
        return settings

    def loss(self, settings: FitConfig, prepared: TrainingRows) -> MixtureLoss:
        """What is minimised."""
        w_energy, w_cov_diag = settings.w_energy, settings.w_cov_diag
        kind = (settings.recon_reduction, self.FAMILY, settings.autoencoder_share)
        terms = aegmm_terms(w_energy, w_cov_diag, *kind)
        weights = {"w_energy": w_energy, "w_cov_diag": w_cov_diag}
        return MixtureLoss(terms, weights, self.code_terms(settings), self.FAMILY)

    def code_terms(self, settings: FitConfig) -> tuple[Term, ...]:
        """Terms of the kind of code, which are there whatever the loss."""
        return ()

    def net_for(self, prepared: TrainingRows, settings: FitConfig) -> keras.Model:
        """The net of this fit; another than that of the last one where rows decide its shape."""
        return self.net

    def start(self, net: Any, prepared: TrainingRows, settings: FitConfig) -> None:
        """What the nets take from all training rows before the first step."""

    def draws(self, settings: FitConfig) -> FloatArray | None:
        """By which a code is scored that is drawn, (S, latent)."""
        return None

    def inspect(self, prepared: TrainingRows, settings: FitConfig) -> None:
        """Look at trained nets for what a user should know, and log it."""
