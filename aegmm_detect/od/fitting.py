"""One fit of a mixture detector: check, train, estimate; variants say what differs."""

import abc
import logging
from typing import Any, ClassVar

import keras
import numpy as np

from aegmm_detect.configs.aegmm import DetectorConfig, FitConfig
from aegmm_detect.exceptions import ConfigurationError
from aegmm_detect.inputs import as_rows
from aegmm_detect.nets import checks
from aegmm_detect.nets.blueprint import Blueprint
from aegmm_detect.numerics.families import GAUSSIAN, Family
from aegmm_detect.numerics.labelled_thresholds import check_labels
from aegmm_detect.numerics.objective import Term, aegmm_terms
from aegmm_detect.od.base import Detector
from aegmm_detect.od.state import FittedState, state_of
from aegmm_detect.processes import check_process
from aegmm_detect.programs.pure import forget_programs
from aegmm_detect.training.checkpoint import Checkpoint
from aegmm_detect.training.fingerprint import fingerprint
from aegmm_detect.training.objectives import Loss
from aegmm_detect.training.prepare import TrainingRows, prepare
from aegmm_detect.training.ready import How, get_ready
from aegmm_detect.types import UNSET, FloatArray, IntArray

logger = logging.getLogger(__name__)


class Fitting(Detector):
    """Detectors whose nets are trained as one and whose density is estimated afterwards."""

    # Whether `fit` learns from labels.
    LABELS: ClassVar[bool] = False
    # Kind of its mixtures.
    FAMILY: ClassVar[Family] = GAUSSIAN

    net: keras.Model
    config: DetectorConfig
    _fit_config: FitConfig
    _blueprint: Blueprint | None

    @abc.abstractmethod
    def _adopt(self, state: FittedState) -> None: ...

    def _loss(self, settings: FitConfig, prepared: TrainingRows) -> Loss:
        """What is minimised."""
        w_energy, w_cov_diag = settings.w_energy, settings.w_cov_diag
        kind = (settings.recon_reduction, self.FAMILY, settings.autoencoder_share)
        terms = aegmm_terms(w_energy, w_cov_diag, *kind)
        weights = {"w_energy": w_energy, "w_cov_diag": w_cov_diag}
        return Loss(terms, weights, self._code_terms(settings), self.FAMILY)

    def _code_terms(self, settings: FitConfig) -> tuple[Term, ...]:
        """Terms of the kind of code, which are there whatever the loss."""
        return ()

    def _begin(self, prepared: TrainingRows, settings: FitConfig) -> None:
        """What the nets take from all training rows before the first step."""

    def _inspect(self, prepared: TrainingRows, settings: FitConfig) -> None:
        """Look at trained nets for what a user should know, and log it."""

    @property
    def fit_config(self) -> FitConfig:
        """What `fit` uses for arguments that are left out."""
        return self._fit_config

    @property
    def blueprint(self) -> Blueprint | None:
        """What the nets were built from; None for nets that a user brought."""
        return self._blueprint

    def _settings(self, **given: Any) -> FitConfig:
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

    def _fit(
        self, X: Any, y: Any, settings: FitConfig, how: How, trains: bool = True
    ) -> keras.callbacks.History:
        check_process()
        checks.check_one_device(self.net)
        labels = self._labels(y)
        loss_fn = how.own_loss
        if loss_fn is not None and not callable(loss_fn):
            raise ConfigurationError(
                f"loss_fn is a {type(loss_fn).__name__}, not a function. The second argument of "
                f"fit is the loss; {'labels are y=' if self.LABELS else 'it takes no labels'}."
            )
        if loss_fn is not None and settings.autoencoder_share:
            raise ConfigurationError(
                "autoencoder_share holds back terms that loss_fn replaces: leave one of them out."
            )
        if not trains:
            self._check_nothing_to_train(how)
        checkpoint = None if how.checkpoint_dir is None else Checkpoint(how.checkpoint_dir)
        if checkpoint is not None:
            settings = settings.replace(seed=checkpoint.seed(settings.seed))
        rows = as_rows(X)
        prepared = prepare(
            rows,
            checks.row_shape(self.net),
            self.config.normalize,
            self.config.nan_policy,
            settings.validation_split,
            settings.seed,
            self._trained_on if self._blueprint is None else None,
            labels,
        )
        sample = next(iter(prepared.train.batches(2)))
        if self._blueprint is None:
            checks.probe(self.net, sample[:1], self.config.n_gmm)
        loss = self._loss(settings, prepared)
        ready = get_ready(self.net, sample, prepared.train.n_rows, loss, settings, how)
        if checkpoint is not None:
            named = {
                **settings.model_dump(mode="json"),
                # Of the detector, all that training or its rows depend on.
                **self.config.model_dump(mode="json", exclude={"data_type", "score_type", "seed"}),
                "family": self.FAMILY.name,
                "loss_fn": loss_fn,
                "log_metric": how.log_metric,
            }
            callbacks = ready.callbacks
            described = fingerprint(named, self.net, ready.optimizer, prepared, callbacks)
            checkpoint.claim(described, callbacks, self.net, ready.optimizer)
        self._forget_fit()
        forget_programs(self.net)
        if self._blueprint is not None:
            self._blueprint.reset(self.net, settings.seed)
        if trains:
            self._begin(prepared, settings)
            history = ready.run(self.net, prepared, checkpoint)
        else:
            history = keras.callbacks.History()
            history.epoch = []
        self._adopt(self._state_of(prepared, settings, rows.columns.names, ready.eager_net))
        self._inspect(prepared, settings)
        return history

    def _check_nothing_to_train(self, how: How) -> None:
        if self._blueprint is not None:
            raise ConfigurationError(
                "epochs=0 keeps the weights that nets have, and nets that the package builds start "
                "every fit from fresh ones: pass epochs=1 or more. epochs=0 is for trained nets of "
                "your own."
            )
        if how.checkpoint_dir is not None:
            raise ConfigurationError(
                "epochs=0 trains nothing, so there is nothing to go on with: leave checkpoint_dir "
                "out."
            )

    def _state_of(
        self,
        prepared: TrainingRows,
        settings: FitConfig,
        names: tuple[str, ...] | None,
        eager: bool,
        noise: FloatArray | None = None,
    ) -> FittedState:
        """What the trained nets score by."""
        members = None if self._blueprint is None else self._blueprint.members
        recipe = (settings.density, members, settings.seed)
        return state_of(self.net, prepared, *recipe, names, eager, noise, self.FAMILY)

    def _labels(self, y: Any) -> IntArray | None:
        if y is None:
            return None
        if not self.LABELS:
            raise ConfigurationError(
                f"{type(self).__name__} learns from unlabelled rows: leave y out, and pass only "
                "the rows that you treat as normal."
            )
        labels = check_labels(y)
        if np.count_nonzero(labels == 1) > len(labels) / 2:
            logger.warning(
                "More than half of the rows are labelled anomalies: y is 0 for normal, 1 for "
                "anomaly, -1 for unlabelled. scikit-learn's 1 and -1 are np.where(y == -1, 1, 0)."
            )
        return labels
