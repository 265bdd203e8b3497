"""A base class for models made of Keras nets: build, objective, score."""

import abc
import os
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import keras

from aegmm_detect.configs.export import ExportMetadata
from aegmm_detect.configs.training import TrainingConfig
from aegmm_detect.detector.exporting import export_scores
from aegmm_detect.detector.fitted_net import FittedNet, OfRows
from aegmm_detect.detector.made_at_fit import Learned, MadeAtFit
from aegmm_detect.inputs import as_rows
from aegmm_detect.training.checkpoint import Checkpoint
from aegmm_detect.training.fit import FitOptions, fit
from aegmm_detect.training.objective import Objective
from aegmm_detect.training.prepare import TrainingRows, prepare
from aegmm_detect.types import UNSET, Array, FloatArray, Tensor

_NET = "net"


class NetDetector(MadeAtFit):
    """A detector with one Keras model. Every `fit` builds a new model and trains it.

    Subclasses write `build`, `objective` and `row_scores`, and, if needed, `learn` and
    `row_contributions`. To use several nets, put them into one `keras.Model`.

    Parameters
    ----------
    threshold, **settings
        See `MadeAtFit`.
    fit_config
        Defaults for the arguments of `fit`. Default: ``FIT_CONFIG()``.
    """

    FIT_CONFIG: ClassVar[type[TrainingConfig]] = TrainingConfig
    ROLES: ClassVar[tuple[str, ...]] = (_NET,)
    # Like `row_scores`, but returns how strange each number of a row is, (N, ...). None: the
    # detector has no feature scores.
    row_contributions: ClassVar[OfRows | None] = None

    _fitted: FittedNet | None

    def __init__(
        self,
        threshold: float | None = None,
        *,
        fit_config: TrainingConfig | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(threshold, **settings)
        self._fit_config = fit_config or self.FIT_CONFIG()
        self._net: keras.Model | None = None

    @abc.abstractmethod
    def build(self, row_shape: tuple[int, ...], seed: int | None) -> keras.Model:
        """Build the model with new weights, for prepared rows of shape `row_shape`."""

    @abc.abstractmethod
    def objective(self, net: keras.Model, rows: TrainingRows, config: Any) -> Objective:
        """Return the loss to train with. Give it a `key`, so that fits share compiled programs.

        Parameters
        ----------
        net
            The new model, not yet trained.
        rows
            Prepared training rows.
        config
            Settings of this fit.
        """

    @staticmethod
    @abc.abstractmethod
    def row_scores(net: keras.Model, arrays: Mapping[str, Tensor], rows: Tensor) -> Tensor:
        """Scores (N,) of prepared rows (N, ...).

        Write it with `keras.ops`. It must depend on its arguments alone.
        """

    def learn(self, net: keras.Model, rows: TrainingRows) -> Mapping[str, Array]:
        """Return the arrays, by name, that scores need besides the trained net. Default: none."""
        return {}

    @property
    def fit_config(self) -> TrainingConfig:
        """Defaults for the arguments of `fit`."""
        return self._fit_config

    @property
    def net(self) -> keras.Model | None:
        """The model; None before the first fit."""
        return self._net

    def fit(
        self,
        X: Any,
        optimizer: Any = UNSET,
        epochs: int = UNSET,
        batch_size: int = UNSET,
        verbose: bool | int | str = True,
        log_metric: tuple[str, keras.metrics.Metric] | None = None,
        callbacks: Sequence[keras.callbacks.Callback] | keras.callbacks.Callback | None = None,
        *,
        seed: int | None = UNSET,
        validation_split: float = UNSET,
        clip_norm: float | None = UNSET,
        jit_compile: bool | str = UNSET,
        steps_per_execution: int = UNSET,
        checkpoint_dir: str | os.PathLike[str] | None = None,
    ) -> keras.callbacks.History:
        """Build the model, train it, and compute the arrays that scores need.

        Parameters
        ----------
        X
            Normal instances, shape (N, ...), as for `OutlierAEGMM.fit`.
        optimizer, epochs, batch_size, verbose, log_metric, callbacks
            As for `OutlierAEGMM.fit`; the defaults come from `fit_config`.
        seed, validation_split, clip_norm, jit_compile, steps_per_execution, checkpoint_dir
            As for `OutlierAEGMM.fit`.

        Returns
        -------
        Keras's `History`.

        Raises
        ------
        As for `OutlierAEGMM.fit`.
        """
        given = {
            "epochs": epochs,
            "batch_size": batch_size,
            "seed": seed,
            "validation_split": validation_split,
            "clip_norm": clip_norm,
            "jit_compile": jit_compile,
            "steps_per_execution": steps_per_execution,
        }
        chosen = {name: value for name, value in given.items() if value is not UNSET}
        config = self._fit_config.override(**chosen)
        if "seed" not in chosen and config.seed is None:
            config = config.replace(seed=self.config.seed)
        checkpoint = None if checkpoint_dir is None else Checkpoint(checkpoint_dir)
        if checkpoint is not None:
            config = config.replace(seed=checkpoint.seed(config.seed))
        own, rows = self.config, as_rows(X)
        split = config.validation_split
        prepared = prepare(rows, None, own.normalize, own.nan_policy, split, config.seed)
        net = self.build(prepared.shape, config.seed)
        history = fit(
            net,
            self.objective(net, prepared, config),
            prepared,
            config,
            FitOptions(optimizer, verbose, log_metric, callbacks, checkpoint_dir),
            begin=self._forget_fit,
            checkpoint=checkpoint,
            described={
                **config.model_dump(mode="json"),
                **own.model_dump(mode="json", exclude={"data_type", "seed"}),
                "detector": type(self).__name__,
            },
        )
        arrays = self.learn(net, prepared)
        last = (prepared.trained_on, prepared.normalizer, arrays)
        self.take(Learned(prepared.shape, rows.columns.names, *last), {_NET: net})
        return history

    def export(
        self, path: str | os.PathLike[str], format: str = "savedmodel", X: Any = None
    ) -> ExportMetadata:
        """Export the detector (raw rows -> scores and decisions) to run without this package.

        Parameters, result and errors are those of `OutlierAEGMM.export`.
        """
        fitted = self._required_fit("export()")
        scaling = fitted.learned.normalizer
        return export_scores(self, fitted.graph, fitted.scorer, scaling, path, format, X)

    @property
    def learned(self) -> Learned | None:
        """Result of the last fit; None before the first."""
        return None if self._fitted is None else self._fitted.learned

    @property
    def nets(self) -> Mapping[str, keras.Model]:
        """The model by its role, for saving; empty before `fit`."""
        return {} if self._fitted is None else {_NET: self._fitted.net}

    def take(self, learned: Learned, nets: Mapping[str, keras.Model]) -> None:
        """Use this fitted state from now on."""
        self._net = nets[_NET]
        kind = type(self)
        self._adopt(FittedNet(nets[_NET], learned, kind.row_scores, kind.row_contributions))

    def _feature_scores(self, X: Any) -> FloatArray:
        if self.row_contributions is None:
            return super()._feature_scores(X)
        fitted = self._required_fit("feature scores")
        return fitted.shares(X, self.config.nan_policy)

    def _more_settings(self) -> dict[str, Any]:
        return {"fit_config": self._fit_config.model_dump(mode="json")}

    @classmethod
    def _from_settings(cls, settings: Mapping[str, Any], threshold: float | None) -> Self:
        fit_config = cls.FIT_CONFIG.of(**settings["fit_config"])
        return cls(threshold, fit_config=fit_config, **settings["config"])
