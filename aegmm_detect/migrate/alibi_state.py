"""What alibi-detect's OutlierAEGMM keeps besides its nets, out of its dill file."""

import dataclasses
from pathlib import Path
from typing import Any, Self

import numpy as np

from aegmm_detect.exceptions import ForeignNameError, MigrationError
from aegmm_detect.migrate import arrays, inert_pickle
from aegmm_detect.migrate.named import Named, described
from aegmm_detect.numerics.scoring_mixture import ScoringMixture
from aegmm_detect.types import Array
from aegmm_detect.untrusted.files import read_inside

# Where versions that were tried keep the default features.
_DEFAULT_FEATURES = frozenset({"alibi_detect.models.tensorflow.autoencoder.eucl_cosim_features"})
_MIXTURE = ("phi", "mu", "cov", "L", "log_det_cov")
# Bytes. The arrays of a mixture over a hundred dimensions take one or two million.
_LARGEST = 2**25
_MOST_CHARACTERS = 300
_KEYS = {"threshold", "n_gmm", "recon_features", *_MIXTURE}
# Relative: a float32 Cholesky factor is good to about 1e-6 times the dimension, a flipped bit
# of an exponent is not. Absolute: the jitter that alibi-detect adds to the diagonal first.
_RTOL, _JITTER = 1e-4, 2e-6


@dataclasses.dataclass(frozen=True, eq=False)
class AlibiState:
    """Checked contents of ``OutlierAEGMM.dill``."""

    threshold: float | None
    n_gmm: float | None  # as stored; the source compares it with nothing
    own_features: bool  # a function of the user's own, which is not read
    mixture: ScoringMixture

    @classmethod
    def read(cls, path: Path, skip_features: bool) -> Self:
        """The state in a file.

        Parameters
        ----------
        path
            Of the dill file.
        skip_features
            Whether a feature function of the user's own is passed over; an error otherwise.

        Raises
        ------
        MigrationError
            The file is damaged, foreign or hostile, or the detector was not fitted.
        """
        state = _read_dictionary(path, skip_features)
        if state.keys() != _KEYS:
            raise MigrationError(
                f"{path.name} holds {str(sorted(state))[:_MOST_CHARACTERS]}; the state of an "
                f"OutlierAEGMM is {sorted(_KEYS)}."
            )
        features = state["recon_features"]
        default = isinstance(features, Named) and features.is_just(_DEFAULT_FEATURES)
        if not (default or skip_features):
            raise MigrationError(
                f"{path.name}: recon_features is {described(features)}. Pass the function here as "
                "recon_features=."
            )
        if all(state[name] is None for name in _MIXTURE):
            raise MigrationError(
                f"{path.name} holds no mixture: the detector was saved before fit, so there is "
                "nothing to carry over. Make one here and fit it."
            )
        stored = {name: arrays.array(state[name], f"{path.name}: {name}") for name in _MIXTURE}
        mixture = _mixture(stored)
        return cls(
            arrays.number(state["threshold"], f"{path.name}: threshold"),
            arrays.number(state["n_gmm"], f"{path.name}: n_gmm"),
            not default,
            mixture,
        )


def read_meta(path: Path) -> dict[str, Any]:
    """What alibi-detect's detectors say of themselves: name, data type, version.

    Raises
    ------
    MigrationError
        The file is damaged, foreign or hostile.
    """
    meta = _dictionary(inert_pickle.read(_bytes(path), path.name, ()), path)
    if not (isinstance(meta.get("name"), str) and isinstance(meta.get("data_type"), str | None)):
        raise MigrationError(f"{path.name} does not name a detector and its data type.")
    return meta


def _read_dictionary(path: Path, skip_features: bool) -> dict[str, Any]:
    data = _bytes(path)
    try:
        value = inert_pickle.read(data, path.name, arrays.NAMES | _DEFAULT_FEATURES)
    except ForeignNameError as error:
        if not skip_features:
            raise ForeignNameError(
                f"{error} If the detector was made with recon_features of your own, pass the "
                "function here as recon_features=. If not, do not trust the file."
            ) from None
        value = inert_pickle.read(data, path.name, None)
    return _dictionary(value, path)


def _dictionary(value: Any, path: Path) -> dict[str, Any]:
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise MigrationError(
            f"{path.name} holds no dictionary of named values: it is damaged, or alibi-detect did "
            "not write it."
        )
    return value


def _bytes(path: Path) -> bytes:
    try:
        return read_inside(path.parent, path.name, _LARGEST, MigrationError)
    except OSError as error:
        raise MigrationError(
            f"{path.parent} holds no readable {path.name} ({error.strerror}), so it is not a "
            "directory that alibi_detect.saving.save_detector wrote for an OutlierAEGMM."
        ) from error


def _mixture(stored: dict[str, Array]) -> ScoringMixture:
    """The density that alibi-detect scores by: its factors, from which its energies come."""
    with np.errstate(invalid="ignore"):  # NaN of damaged files, an error below
        phi, mu, cov, L, log_det_cov = (stored[name].astype(np.float64) for name in _MIXTURE)
    if phi.ndim != 1 or mu.ndim != 2 or not phi.size or not mu.size:
        raise MigrationError(f"phi and mu have the shapes {phi.shape} and {mu.shape}.")
    k, d = mu.shape
    shapes = {"phi": (k,), "mu": (k, d), "cov": (k, d, d), "L": (k, d, d), "log_det_cov": (k,)}
    found = {name: stored[name].shape for name in _MIXTURE}
    if found != shapes:
        raise MigrationError(f"The mixture's arrays do not fit together; their shapes: {found}.")
    if not all(np.isfinite(array).all() for array in stored.values()):
        raise MigrationError(
            "The mixture holds NaN or infinity. Some fits in alibi-detect end so without a word, "
            "and such a detector calls every row an inlier. Fit one here."
        )
    with np.errstate(all="ignore"):  # damaged numbers can be of any size
        product = L @ L.swapaxes(1, 2)
        if not _is_consistent(phi, cov, L, product, log_det_cov):
            raise MigrationError(
                "The mixture's arrays contradict each other: the file is damaged. Copy the "
                "directory again."
            )
    return ScoringMixture(phi, mu, product, np.tril(np.linalg.inv(L)))


def _is_consistent(phi: Array, cov: Array, L: Array, product: Array, log_det_cov: Array) -> bool:
    diagonal = np.diagonal(L, axis1=1, axis2=2)
    sigma = np.sqrt(np.diagonal(product, axis1=1, axis2=2))
    tolerance = _RTOL * sigma[:, :, None] * sigma[:, None, :] + _JITTER
    # Written so that NaN, which is what overflow ends in, is never consistent.
    return bool(
        (phi >= 0.0).all()
        and abs(phi.sum() - 1.0) <= 1e-3
        and (diagonal > 0.0).all()
        and not np.triu(L, 1).any()
        and np.isfinite(product).all()
        and (np.abs(product - cov) <= tolerance).all()
        and np.allclose(log_det_cov, 2.0 * np.log(diagonal).sum(axis=1), _RTOL, 1e-3)
    )
