"""What a benchmark runs: anything with `fit` and `score`; and how detectors become that."""

from collections.abc import Callable
from typing import Any, Protocol, TypeAlias

import numpy as np

from aegmm_detect import registry
from aegmm_detect.types import Array, FloatArray


class Contender(Protocol):
    """A model that learns from unlabelled rows and scores rows, higher is stranger.

    It sees raw rows: what it needs of scaling it learns itself, from the rows given to `fit`. An
    optional method ``describe() -> dict`` gives its settings, seeds apart, for the record. One
    whose attribute `learns_from_labels` is true gets those of the training rows, ``fit(X, y)``.
    """

    def fit(self, X: Array, /) -> Any:
        """Learn from rows (N, F)."""

    def score(self, X: Array, /) -> FloatArray:
        """Scores (N,) of rows (N, F)."""


# (n_features, seed) -> a model that has not been fitted.
Factory: TypeAlias = Callable[[int, int], Contender]


class DetectorContender:
    """A detector of the package as a contender.

    Parameters
    ----------
    detector
        Any detector that is not fitted.
    **fit_settings
        Arguments of its `fit`, such as ``epochs=5``.
    """

    def __init__(self, detector: Any, **fit_settings: Any) -> None:
        self.detector = detector
        self._fit_settings = fit_settings

    @property
    def learns_from_labels(self) -> bool:
        """Whether `fit` takes labels."""
        return getattr(self.detector, "LABELS", False)

    def fit(self, X: Array, y: Array | None = None) -> None:
        """Train on rows (N, F), with labels (N,) if the detector takes them."""
        labels = {} if y is None else {"y": y}
        self.detector.fit(X, **{"verbose": 0, **labels, **self._fit_settings})

    def score(self, X: Array) -> FloatArray:
        """Scores (N,)."""
        return self.detector.score(X)

    def describe(self) -> dict[str, Any]:
        """Class, settings, nets that the package built, and arguments of `fit`."""
        configs = {
            name: getattr(self.detector, name).model_dump(mode="json", exclude={"seed"})
            for name in ("config", "fit_config")
            if hasattr(self.detector, name)
        }
        blueprint = getattr(self.detector, "blueprint", None)
        nets = {} if blueprint is None else {"nets": blueprint.describe()}
        given = {name: _plain(value) for name, value in sorted(self._fit_settings.items())}
        return {"class": type(self.detector).__name__, **configs, **nets, "fit": given}


def auto(name: str = "OutlierAEGMM", **settings: Any) -> Factory:
    """A detector of the registry, built by its `auto` with nothing but width and seed.

    Parameters
    ----------
    name
        A name in `registry.DETECTORS`.
    **settings
        For its `auto`; they are the same whatever the data, or they would be tuned on test labels.

    Returns
    -------
    The factory.

    Raises
    ------
    ConfigurationError
        There is no such detector.
    """
    if name not in registry.DETECTORS:
        registry.get_detector(name)  # raises, and lists the names

    def make(n_features: int, seed: int) -> DetectorContender:
        build = registry.get_detector(name).auto
        # No decision is asked of it; a threshold only keeps it from warning that it has none.
        return DetectorContender(build(n_features, threshold=0.0, seed=seed, **settings))

    return make


def untrained(n_features: int, seed: int) -> DetectorContender:
    """`OutlierAEGMM.auto` whose nets keep their initial weights: what does training add?

    A learning rate of zero moves no weight; scaling and mixture are learned as always.
    """
    import keras

    detector = registry.get_detector("OutlierAEGMM").auto(n_features, threshold=0.0, seed=seed)
    # One epoch of doing nothing earns no compiling.
    still = {"optimizer": keras.optimizers.SGD(0.0), "epochs": 1, "jit_compile": False}
    return DetectorContender(detector, **still)


def _plain(value: Any) -> Any:
    """What says in JSON which setting this is; the same in every process."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    config: dict[str, Any] = getattr(value, "get_config", dict)()
    # Keras numbers the names of its objects in the order of their making.
    config = {k: v for k, v in config.items() if k != "name"}
    numbers = {k: float(v) if isinstance(v, np.floating) else v for k, v in config.items()}
    return {"class": type(value).__name__, **numbers}
