"""The one list of models: detectors, presets, baselines. A model is imported when it is asked for.

A new detector is one file, and one entry here: where its class is, where its settings are, how the
tests make a tiny one, and what it can do. Everything else follows from that: saving, the laws of
the conformance tests, benchmarks, the command line.
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
#   save     comes back from a file, the same to the bit
#   export   runs without this package
#   explain  says which features make a row strange
#   update   learns on from new rows without a fit
#   labels   learns from labelled anomalies
#   stream   fits to rows that are not in memory
Capability = Literal["save", "export", "explain", "update", "labels", "stream"]


@dataclasses.dataclass(frozen=True)
class Entry:
    """One model.

    Parameters
    ----------
    home
        ``module:name`` of a class or, of presets and baselines, of a function that makes one.
    make
        Classmethod that makes a model of a number of features and settings; "" for the class or
        function itself.
    fixed
        What comes before the number of features.
    takes_width
        Whether the number of features comes next; others learn it from the rows of their first fit.
    settings
        ``module:name`` of its settings, free of TensorFlow; None where it has none of its own.
    tiny
        Settings of a detector that fits in a moment, for tests.
    quick
        Arguments of ``fit`` that go with them.
    can
        What it is able to do.
    kind
        What it is for.
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
        """The class or function."""
        return _load(self.home)

    def build(self, n_features: int, **settings: Any) -> Any:
        """A model that is not fitted, for rows of `n_features` numbers."""
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
) -> Entry:
    """A detector with an autoencoder and a mixture."""
    able: set[Capability] = {"save", "export", "explain", "stream", *can}
    return Entry(
        home=f"aegmm_detect.od.{module}:{name}",
        make="auto",
        settings=f"aegmm_detect.configs.aegmm:{settings}",
        tiny=MappingProxyType({"ensemble": ensemble}),
        quick=MappingProxyType(_FEW_STEPS),
        can=frozenset(able | {"update"} if update else able),
    )


def _of_preset(name: str) -> Entry:
    return Entry(home="aegmm_detect.od.presets:preset", fixed=(name,), kind="preset")


def _of_baseline(name: str) -> Entry:
    home = f"aegmm_detect.evaluation.baselines:{name}"
    return Entry(home=home, make="of_width", kind="baseline")


_ENTRIES: dict[str, Entry] = {
    # One stands for all with an ensemble, which they share.
    "OutlierAEGMM": _of_family("aegmm", "OutlierAEGMM", "DetectorConfig", ensemble=2),
    "OutlierLabelledAEGMM": _of_family(
        "labelled", "OutlierLabelledAEGMM", "DetectorConfig", "labels"
    ),
    "OutlierSOMAEGMM": _of_family("som", "OutlierSOMAEGMM", "SOMAEGMMConfig"),
    "OutlierVAEGMM": _of_family("vaegmm", "OutlierVAEGMM", "VAEGMMConfig"),
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
    # The order is that of tables.
    "1-nn": _of_baseline("NearestNeighbour"),
    "mahalanobis": _of_baseline("Mahalanobis"),
    "pca-gmm": _of_baseline("PrincipalMixture"),
    "robust-l1": _of_baseline("RobustNorm"),
    "iforest": _of_baseline("Forest"),
    "untrained": Entry(home="aegmm_detect.evaluation.contenders:untrained", kind="baseline"),
}
# All models, those that were registered since among them.
ENTRIES: Mapping[str, Entry] = MappingProxyType(_ENTRIES)


def register(name: str, entry: Entry) -> None:
    """Add a model of your own: a detector can then be saved, and loaded where it is added, too.

    Raises
    ------
    ConfigurationError
        Another model has that name.
    """
    if _ENTRIES.setdefault(name, entry) != entry:
        raise ConfigurationError(f"A model called {name!r} is registered already.")


def get_detector(name: str) -> Any:
    """The class of that name.

    Raises
    ------
    ConfigurationError
        Lists the names that exist.
    """
    if name not in DETECTORS:
        raise ConfigurationError(f"No detector is called {name!r}. There are: {sorted(DETECTORS)}.")
    return ENTRIES[name].load()


class _Detectors(Mapping[str, str]):
    """Name -> home of the models that are detectors."""

    def __getitem__(self, name: str) -> str:
        if name not in _ENTRIES or _ENTRIES[name].kind != "detector":
            raise KeyError(name)
        return _ENTRIES[name].home

    def __iter__(self) -> Iterator[str]:
        return (name for name, entry in _ENTRIES.items() if entry.kind == "detector")

    def __len__(self) -> int:
        return sum(1 for _ in self)


# Detectors by name: where their classes are.
DETECTORS: Mapping[str, str] = _Detectors()


def saved_classes() -> dict[str, Callable[[], Any]]:
    """Names of the detectors that can be saved, and what imports their classes."""
    return {
        name: entry.load
        for name, entry in ENTRIES.items()
        if entry.kind == "detector" and "save" in entry.can
    }
