"""The list of all models: detectors, presets, baselines. A model is imported when it is needed.

To add a detector, write one file and add one entry here: where its class and its settings are, how
tests make a small one, and what it can do. Saving, the conformance tests and the benchmarks use
this entry.
"""

import dataclasses
import functools
import importlib
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Literal

from aegmm_detect.exceptions import ConfigurationError

Kind = Literal["detector", "preset", "baseline"]
# What a detector may be able to do besides fit, score and predict.
#   save     can be saved and loaded, and then gives the same scores to the last bit
#   export   can be exported to run without this package
#   explain  says which features make a row strange
#   update   learns from new rows without a new fit
#   labels   learns from labelled anomalies
#   stream   can be fitted to rows that are not in memory
Capability = Literal["save", "export", "explain", "update", "labels", "stream"]


@dataclasses.dataclass(frozen=True)
class Entry:
    """One model.

    Parameters
    ----------
    home
        ``module:name`` of a class; for presets and baselines it may be a function that makes one.
    make
        Name of the classmethod that makes a model from the number of features and settings; "" to
        call the class or function itself.
    fixed
        Positional arguments before n_features.
    takes_width
        Whether n_features is the next positional argument. If not, the model takes the number of
        features from the rows passed to `fit`.
    settings
        ``module:name`` of its settings class, in a module that does not import TensorFlow; None if
        it has none.
    tiny
        Settings of a small detector that is fast to fit, for tests.
    quick
        Arguments of ``fit`` in tests, so that it is fast.
    can
        Capabilities; see `Capability`.
    kind
        Detector, preset or baseline.
    """

    home: str
    make: str = ""
    fixed: tuple[str, ...] = ()
    takes_width: bool = True
    settings: str | None = None
    tiny: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    quick: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    can: frozenset[Capability] = frozenset()
    kind: Kind = "detector"

    def load(self) -> Any:
        """Import and return the class or function."""
        return _load(self.home)

    def build(self, n_features: int, **settings: Any) -> Any:
        """Make an unfitted model for rows of `n_features` numbers."""
        maker = self.load()
        make = getattr(maker, self.make) if self.make else maker
        width = (n_features,) if self.takes_width else ()
        return make(*self.fixed, *width, **settings)


@functools.cache
def _load(home: str) -> Any:
    module, _, attribute = home.partition(":")
    return getattr(importlib.import_module(module), attribute)


_FEW_STEPS = {"epochs": 2, "batch_size": 64, "verbose": 0}


def _of_family(
    module: str,
    name: str,
    settings: str,
    *can: Capability,
    update: bool = True,
    ensemble: int = 1,
    **quick: float,
) -> Entry:
    """Entry of a detector with an autoencoder and a mixture."""
    able: set[Capability] = {"save", "export", "explain", "stream", *can}
    return Entry(
        home=f"aegmm_detect.od.{module}:{name}",
        make="auto",
        settings=f"aegmm_detect.configs.aegmm:{settings}",
        tiny=MappingProxyType({"ensemble": ensemble}),
        quick=MappingProxyType({**_FEW_STEPS, **quick}),
        can=frozenset(able | {"update"} if update else able),
    )


def _of_preset(name: str) -> Entry:
    return Entry(home="aegmm_detect.od.presets:preset", fixed=(name,), kind="preset")


def _of_baseline(name: str) -> Entry:
    home = f"aegmm_detect.evaluation.baselines:{name}"
    return Entry(home=home, make="of_width", kind="baseline")


_ENTRIES: dict[str, Entry] = {
    # Only this entry is tested with an ensemble, because all these detectors share that code.
    "OutlierAEGMM": _of_family("aegmm", "OutlierAEGMM", "DetectorConfig", ensemble=2),
    "OutlierLabelledAEGMM": _of_family(
        "labelled", "OutlierLabelledAEGMM", "DetectorConfig", "labels"
    ),
    "OutlierSOMAEGMM": _of_family("som", "OutlierSOMAEGMM", "SOMAEGMMConfig"),
    # The default w_recon, alibi-detect's 1e-7, lets the code collapse, and `fit` warns of it.
    "OutlierVAEGMM": _of_family("vaegmm", "OutlierVAEGMM", "VAEGMMConfig", w_recon=0.05),
    "OutlierVQAEGMM": _of_family("vqaegmm", "OutlierVQAEGMM", "VQAEGMMConfig"),
    "OutlierAELMM": _of_family("aelmm", "OutlierAELMM", "DetectorConfig", update=False),
    "PerClassAEGMM": Entry(
        home="aegmm_detect.per_class.detector:PerClassAEGMM",
        make="auto",
        settings="aegmm_detect.configs.aegmm:DetectorConfig",
        quick=MappingProxyType(_FEW_STEPS),
        can=frozenset({"save", "explain", "stream"}),
    ),
    **{
        name: _of_preset(name)
        for name in (
            "dagmm",
            "dagmm_vae",
            "dagmm_vqvae",
            "dagmm_lmm",
            "dagmm_loss_mod",
            "dagmm_infer_mod",
            "dagmm_threshold",
        )
    },
    # The tables of the benchmarks use this order.
    "1-nn": _of_baseline("NearestNeighbour"),
    "mahalanobis": _of_baseline("Mahalanobis"),
    "pca-gmm": _of_baseline("PrincipalMixture"),
    "robust-l1": _of_baseline("RobustNorm"),
    "iforest": _of_baseline("Forest"),
    "untrained": Entry(home="aegmm_detect.evaluation.contenders:untrained", kind="baseline"),
}
# All models, including those added by `register`.
ENTRIES: Mapping[str, Entry] = MappingProxyType(_ENTRIES)


def register(name: str, entry: Entry) -> None:
    """Add your own model. A detector can then be saved.

    To load it in another process, register it there, too.

    Raises
    ------
    ConfigurationError
        Another model has this name.
    """
    if _ENTRIES.setdefault(name, entry) != entry:
        raise ConfigurationError(f"A model called {name!r} is registered already.")


def get_detector(name: str) -> Any:
    """Return the detector class `name`.

    Raises
    ------
    ConfigurationError
        There is no such detector; the message lists those that exist.
    """
    if name not in DETECTORS:
        raise ConfigurationError(f"No detector is called {name!r}. There are: {sorted(DETECTORS)}.")
    return ENTRIES[name].load()


class _Detectors(Mapping[str, str]):
    """A view of the registry: name of each detector -> `Entry.home`."""

    def __getitem__(self, name: str) -> str:
        if name not in _ENTRIES or _ENTRIES[name].kind != "detector":
            raise KeyError(name)
        return _ENTRIES[name].home

    def __iter__(self) -> Iterator[str]:
        return (name for name, entry in _ENTRIES.items() if entry.kind == "detector")

    def __len__(self) -> int:
        return sum(1 for _ in self)


# Name of each detector -> ``module:name`` of its class.
DETECTORS: Mapping[str, str] = _Detectors()


def saved_classes() -> dict[str, Callable[[], Any]]:
    """Detectors that can be saved: name -> function that imports the class."""
    return {
        name: entry.load
        for name, entry in ENTRIES.items()
        if entry.kind == "detector" and "save" in entry.can
    }
