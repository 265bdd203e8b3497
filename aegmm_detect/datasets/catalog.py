"""The real data sets by name."""

from collections.abc import Callable, Mapping
from typing import Any

from aegmm_detect.datasets.base import Dataset
from aegmm_detect.datasets.ids import load_ids2018, load_usb_ids
from aegmm_detect.datasets.kdd import load_kdd99, load_kdd99_sample, load_nsl_kdd
from aegmm_detect.datasets.odds import load_arrhythmia, load_thyroid
from aegmm_detect.exceptions import ConfigurationError

# Name -> loader, and the options that the name itself decides.
_CATALOG: Mapping[str, tuple[Callable[..., Dataset], Mapping[str, Any]]] = {
    "thyroid": (load_thyroid, {}),
    "arrhythmia": (load_arrhythmia, {}),
    "kdd99": (load_kdd99, {"form": "onehot"}),
    "kdd99-rev": (load_kdd99, {"form": "rev"}),
    "kdd99-18": (load_kdd99, {"form": "continuous18"}),
    "kdd99-sample": (load_kdd99_sample, {}),
    "nsl-kdd": (load_nsl_kdd, {}),
    "ids2018": (load_ids2018, {}),
    "usb-ids-1": (load_usb_ids, {}),
}


def available() -> tuple[str, ...]:
    """Names that `load` knows. thyroid and kdd99-sample travel with the package."""
    return tuple(_CATALOG)


def load(name: str, **options: Any) -> Dataset:
    """Load a data set by its name.

    Parameters
    ----------
    name
        One of `available`.
    **options
        Arguments of the loader, such as ``part="train"`` of nsl-kdd.

    Raises
    ------
    ConfigurationError
        There is no such name, or the name already decides an option.

    Examples
    --------
    >>> from aegmm_detect import datasets
    >>> datasets.load("thyroid").X.shape
    (3772, 6)
    """
    if name not in _CATALOG:
        raise ConfigurationError(
            f"There is no data set {name!r}. There are {', '.join(_CATALOG)}; files of your own "
            "are read by aegmm_detect.datasets.from_file."
        )
    loader, decided = _CATALOG[name]
    if twice := sorted(decided.keys() & options.keys()):
        raise ConfigurationError(f"The name {name!r} already decides {', '.join(twice)}.")
    return loader(**decided, **options)
