"""Damage at random: an artefact is read or refused in the package's own words, never otherwise.

Warnings are errors here as everywhere. Thousands of such cases were tried once; these are a sample.
"""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aegmm_detect.exceptions import MigrationError
from aegmm_detect.migrate import from_alibi_detect, hdf5, keras2
from aegmm_detect.migrate.alibi_state import AlibiState, read_meta

# A file stays the same between examples, and each writes its own.
QUICK = settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])


@st.composite
def damage(draw):
    """A function of bytes: cut off, bits flipped, or a stretch replaced by other bytes."""
    where = draw(st.floats(0.0, 1.0, exclude_max=True))
    kind = draw(st.sampled_from(["cut", "flip", "replace", "append"]))
    bit = draw(st.integers(0, 7))
    other = draw(st.binary(max_size=20))

    def spoil(data):
        at = int(where * len(data))
        if kind == "cut":
            return data[:at]
        if kind == "append":
            return data + other
        if kind == "flip":
            return data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :]
        return data[:at] + other + data[at + len(other) :]

    return spoil


def read_or_refuse(read, *arguments):
    """What was read, or None where it was refused."""
    try:
        return read(*arguments)
    except MigrationError:
        return None


@pytest.mark.parametrize("name", ["tabular", "own_features"])
@given(spoil=damage(), skip=st.booleans())
@QUICK
def test_damaged_states(golden, tmp_path, name, spoil, skip):
    path = tmp_path / "OutlierAEGMM.dill"
    path.write_bytes(spoil((golden / name / "OutlierAEGMM.dill").read_bytes()))
    state = read_or_refuse(AlibiState.read, path, skip)
    if state is not None:
        assert np.isfinite(state.mixture.W).all()


@given(spoil=damage())
@QUICK
def test_damaged_metas(golden, tmp_path, spoil):
    path = tmp_path / "meta.dill"
    path.write_bytes(spoil((golden / "tabular" / "meta.dill").read_bytes()))
    meta = read_or_refuse(read_meta, path)
    assert meta is None or isinstance(meta["name"], str)


@pytest.fixture(scope="module")
def density_net(golden):
    return hdf5.read(golden / "tabular" / "model" / "gmm_density_net.h5")


@given(spoil=damage())
@QUICK
def test_damaged_configurations(density_net, monkeypatch, spoil):
    config = spoil(density_net.config.encode()).decode(errors="replace")
    monkeypatch.setattr(hdf5, "read", lambda _: hdf5.StoredNet(config, density_net.weights))
    net = read_or_refuse(keras2.read_net, Path("gmm_density_net.h5"))
    assert net is None or net.count_params() > 0


@given(spoil=damage())
@settings(QUICK, max_examples=12)
def test_damaged_files_of_nets(golden, tmp_path, spoil):
    path = tmp_path / "encoder_net.h5"
    path.write_bytes(spoil((golden / "tabular" / "model" / "encoder_net.h5").read_bytes()))
    net = read_or_refuse(keras2.read_net, path)
    assert net is None or net.input_shape is not None


@pytest.mark.parametrize("at", np.linspace(0, 900, 8, dtype=int).tolist())
def test_whole_directories_with_one_flipped_bit(artefact, golden, at):
    path = artefact / "OutlierAEGMM.dill"
    data = bytearray(path.read_bytes())
    data[at] ^= 0x10
    path.write_bytes(data)
    detector = read_or_refuse(from_alibi_detect, artefact)
    if detector is not None:
        with np.load(golden / "tabular" / "expected.npz") as expected:
            assert np.isfinite(detector.score(expected["rows"][:3])).all()
