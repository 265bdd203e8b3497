"""Artefacts that alibi-detect wrote; tests/golden/make_alibi_detect.py made them."""

import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest

GOLDEN = Path(__file__).parents[1] / "golden" / "alibi_detect"


@pytest.fixture(scope="session")
def golden():
    """Folder of the artefacts; tests must leave it as it is."""
    return GOLDEN


@pytest.fixture
def artefact(tmp_path):
    """A copy of the tabular artefact, to be spoilt."""
    return Path(shutil.copytree(GOLDEN / "tabular", tmp_path / "detector"))


@pytest.fixture(scope="session")
def expected():
    """Rows, scores and mixture of the tabular artefact."""
    with np.load(GOLDEN / "tabular" / "expected.npz") as file:
        return dict(file)


@pytest.fixture(scope="session")
def program():
    """Value -> opcodes that push it."""
    return lambda value: pickle.dumps(value, protocol=3)[2:-1]


@pytest.fixture(scope="session")
def default_features():
    """Opcodes that push the source's default features."""
    return b"calibi_detect.models.tensorflow.autoencoder\neucl_cosim_features\n"


@pytest.fixture
def write_state(artefact, expected, program, default_features):
    """Write the tabular artefact's state with some values replaced; returns the path.

    Values are what to pickle; bytes are opcodes that push one; None leaves the key out.
    """

    def write(**instead):
        values = {
            "threshold": float(expected["threshold"]),
            "n_gmm": 2,
            "recon_features": default_features,
            **{name: expected[name] for name in ("phi", "mu", "cov", "L", "log_det_cov")},
            **instead,
        }
        items = b"".join(
            program(key) + (value if isinstance(value, bytes) else program(value)) + b"s"
            for key, value in values.items()
            if value is not None
        )
        path = artefact / "OutlierAEGMM.dill"
        path.write_bytes(b"\x80\x03}" + items + b".")
        return path

    return write
