"""Detectors that alibi-detect saved, as detectors of this package."""

import logging
import os
from pathlib import Path

import keras
import numpy as np

from aegmm_detect.exceptions import ConfigurationError, MigrationError
from aegmm_detect.listing import one_line
from aegmm_detect.migrate.alibi_state import AlibiState, read_meta
from aegmm_detect.migrate.keras2 import read_net
from aegmm_detect.nets import checks
from aegmm_detect.numerics.density import Density
from aegmm_detect.numerics.features import eucl_cosim_features_alibi
from aegmm_detect.od.aegmm import OutlierAEGMM
from aegmm_detect.od.objective import must_run_eagerly
from aegmm_detect.od.state import FittedState
from aegmm_detect.types import ReconFeatures

logger = logging.getLogger(__name__)

_NETS = ("encoder_net", "decoder_net", "gmm_density_net")


def from_alibi_detect(
    path: str | os.PathLike[str], *, recon_features: ReconFeatures | None = None
) -> OutlierAEGMM:
    """A fitted detector from a directory that alibi-detect's ``save_detector`` wrote.

    No code in the directory runs. Names in its pickles are compared with a list and never looked
    up; nets are built again, of listed layers only, and their weights are read as arrays.

    The detector scores as its source did, up to rounding in float32. That includes the slip in the
    source's default features, which are kept as `eucl_cosim_features_alibi`.

    Parameters
    ----------
    path
        The directory: ``meta.dill``, ``OutlierAEGMM.dill`` and ``model/*.h5``.
    recon_features
        The detector's own feature function, written for `keras.ops` or TensorFlow, if it was made
        with one. The stored copy is a program, so it is passed over. Default None: it was made
        with the default features.

    Returns
    -------
    A fitted detector with the source's nets, mixture, threshold and data type. A further `fit`
    clears the threshold, because nobody wrote down whether it was inferred.

    Raises
    ------
    MigrationError
        The directory is foreign, damaged or hostile; it holds another detector, a layer that is
        not listed, or features of the user's own that were not passed.
    ConfigurationError
        `recon_features` is passed for a detector that was made with the default ones.

    Notes
    -----
    Nothing in such a directory is signed or has a checksum. What contradicts itself is an error; a
    changed weight that does not is not noticed.
    """
    folder = Path(path)
    meta = read_meta(folder / "meta.dill")
    if meta["name"] != OutlierAEGMM.__name__:
        raise MigrationError(
            f"{folder} holds a detector of class {meta['name'][:100]!r}. Only OutlierAEGMM can be "
            "carried over: fit the other again."
        )
    state = AlibiState.read(folder / "OutlierAEGMM.dill", recon_features is not None)
    if recon_features is None:
        recon_features = eucl_cosim_features_alibi
    elif not state.own_features:
        raise ConfigurationError(
            f"{folder} was made with the default features: leave recon_features out, or its "
            "scores would change."
        )
    nets = {name: read_net(folder / "model" / f"{name}.h5") for name in _NETS}
    # A layer that can be made can still fail when rows go through it, in any way.
    try:
        detector = _assemble(nets, state, recon_features, meta["data_type"], folder)
    except MigrationError:
        raise
    except Exception as error:
        raise MigrationError(
            f"What {folder} holds does not fit together: {one_line(error)}"
        ) from error
    version = meta.get("version")
    # Any other value may contain itself many times over.
    shown = version[:20] if isinstance(version, str) else "of an unknown version"
    logger.info("%s comes from alibi-detect %s.", folder, shown)
    return detector


def _assemble(
    nets: dict[str, keras.Sequential],
    state: AlibiState,
    recon_features: ReconFeatures,
    data_type: str | None,
    folder: Path,
) -> OutlierAEGMM:
    mixture = state.mixture
    n_gmm = len(mixture.phi)
    if state.n_gmm not in (None, n_gmm):
        logger.warning(
            "%s says n_gmm=%g, but its mixture has %d components: the mixture's number is used.",
            folder,
            state.n_gmm,
            n_gmm,
        )
    detector = OutlierAEGMM(
        state.threshold,
        **nets,
        n_gmm=n_gmm,
        recon_features=recon_features,
        data_type=data_type,
    )
    n_dim = nets["gmm_density_net"].input_shape[-1]
    if n_dim != mixture.n_dim:
        raise MigrationError(
            f"What {folder} holds does not fit together: gmm_density_net takes {n_dim} inputs, and "
            f"the mixture is over {mixture.n_dim}."
        )
    row_shape = checks.row_shape(detector.net)
    assert row_shape is not None  # read_net sees to it
    eager = must_run_eagerly(detector.net, np.ones((2, *row_shape), np.float32))
    state_of_fit = FittedState(Density.of_one(mixture), None, row_shape, eager=eager)
    detector.adopt(state_of_fit)
    detector.restore_decisions(detector.threshold is not None, None)
    return detector
