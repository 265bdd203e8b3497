"""Nothing that an artefact holds is ever run.

Every hostile program here is first shown to work: plain `pickle.loads` plants the canary. Then the
same bytes are refused, and there is no canary.
"""

import copyreg
import os
import pickle
import subprocess

import numpy as np
import pytest

from aegmm_detect.exceptions import MigrationError
from aegmm_detect.migrate import from_alibi_detect
from aegmm_detect.migrate.alibi_state import AlibiState

FEATURES = b"calibi_detect.models.tensorflow.autoencoder\neucl_cosim_features\n"


def program(value):
    """Opcodes that push `value`."""
    return pickle.dumps(value, protocol=3)[2:-1]


def state(expected, **instead):
    """A state with the numbers of `expected`; `instead` are opcodes that push other values."""
    parts = {
        "threshold": program(float(expected["threshold"])),
        "n_gmm": program(2),
        "recon_features": FEATURES,
        **{name: program(expected[name]) for name in ("phi", "mu", "cov", "L", "log_det_cov")},
        **instead,
    }
    return b"\x80\x03}" + b"".join(program(k) + v + b"s" for k, v in parts.items()) + b"."


def loaded(golden):
    """Numbers of the tabular artefact."""
    with np.load(golden / "tabular" / "expected.npz") as file:
        return dict(file)


class Call:
    """Pickles as a call of `function`."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


def write(canary):
    return f"open({canary!r}, 'w').close()"


HOSTILE = {
    "os.system": lambda c: program(Call(os.system, f"touch {c}")),
    "builtins.eval": lambda c: program(Call(eval, write(c))),
    "builtins.exec": lambda c: program(Call(exec, write(c))),
    "subprocess": lambda c: program(Call(subprocess.call, ["touch", c])),
    "nested in lists and tuples": lambda c: program([({"a": [Call(eval, write(c))]},)]),
    "nested in a dtype's name": lambda c: (
        b"cnumpy\ndtype\n(" + program(Call(eval, write(c) + " or 'f4'")) + b"tR"
    ),
    "INST": lambda c: b"(" + program(write(c)) + b"ibuiltins\neval\n",
    "OBJ": lambda c: b"(cbuiltins\neval\n" + program(write(c)) + b"o",
    "dotted name": lambda c: (
        program("os") + program("path.os.system") + b"\x93" + program(f"touch {c}") + b"\x85R"
    ),
    "getattr": lambda c: (
        b"cbuiltins\ngetattr\ncbuiltins\n__import__\n"
        + (program("builtins") + b"\x85R")
        + (program("eval") + b"\x86R")
        + (program(write(c)) + b"\x85R")
    ),
    "thrown away": lambda c: program(Call(eval, write(c))) + b"0" + program(1.0),
}


@pytest.fixture
def canary(tmp_path):
    return tmp_path / "canary"


@pytest.fixture(params=HOSTILE)
def payload(request, canary):
    """Opcodes that plant the canary where pickles are trusted."""
    opcodes = HOSTILE[request.param](str(canary))
    pickle.loads(b"\x80\x04" + opcodes + b".")
    assert canary.exists()
    canary.unlink()
    return opcodes


@pytest.mark.parametrize("key", ["threshold", "recon_features", "phi", "cov", "extra"])
def test_hostile_states_are_refused_and_nothing_runs(artefact, golden, canary, payload, key):
    (artefact / "OutlierAEGMM.dill").write_bytes(state(loaded(golden), **{key: payload}))
    with pytest.raises(MigrationError, match=r"^OutlierAEGMM\.dill refers to '.*do not trust"):
        from_alibi_detect(artefact)
    assert not canary.exists()


def test_hostile_meta_is_refused_and_nothing_runs(artefact, canary, payload):
    (artefact / "meta.dill").write_bytes(b"\x80\x04" + payload + b".")
    with pytest.raises(MigrationError, match=r"^meta\.dill refers to"):
        from_alibi_detect(artefact)
    assert not canary.exists()


@pytest.mark.parametrize("key", ["threshold", "n_gmm", "phi", "cov"])
def test_passing_features_lets_nothing_else_through(tmp_path, golden, canary, payload, key):
    path = tmp_path / "OutlierAEGMM.dill"
    path.write_bytes(state(loaded(golden), **{key: payload}))
    # "thrown away" leaves a plain number behind, which is a fine threshold.
    if payload.endswith(b"0" + program(1.0)) and key in ("threshold", "n_gmm"):
        AlibiState.read(path, skip_features=True)
    else:
        with pytest.raises(MigrationError, match=rf"^OutlierAEGMM\.dill: {key} holds "):
            AlibiState.read(path, skip_features=True)
    assert not canary.exists()


def test_features_that_are_passed_over_do_not_run(tmp_path, golden, canary, payload):
    path = tmp_path / "OutlierAEGMM.dill"
    path.write_bytes(state(loaded(golden), recon_features=payload))
    assert AlibiState.read(path, skip_features=True).own_features
    assert not canary.exists()


def test_states_put_together_by_hand_are_otherwise_fine(tmp_path, golden):
    """So that it is the hostile part for which the others are refused."""
    path = tmp_path / "OutlierAEGMM.dill"
    path.write_bytes(state(loaded(golden)))
    assert not AlibiState.read(path, skip_features=False).own_features


@pytest.mark.parametrize(
    "opcodes",
    [
        FEATURES + program((None, {"name": "os.system"})) + b"b",
        FEATURES + program({"name": "numpy.dtype"}) + b"b",
        b"cnumpy\ndtype\n" + program((None, {"__call__": None})) + b"b)R",
    ],
)
def test_names_cannot_be_filled(tmp_path, golden, opcodes):
    """BUILD sets attributes of what it finds; here it finds nothing that anybody else sees."""
    path = tmp_path / "OutlierAEGMM.dill"
    path.write_bytes(state(loaded(golden), recon_features=opcodes))
    with pytest.raises(MigrationError, match="recon_features is"):
        AlibiState.read(path, skip_features=False)
    path.write_bytes(state(loaded(golden)))
    AlibiState.read(path, skip_features=False)


def test_registered_extensions_do_not_get_past_the_list(tmp_path, golden):
    """Codes that were used once come from a cache, and no name is asked for."""
    copyreg.add_extension("os", "getcwd", 0xABC)
    try:
        opcodes = program(Call(os.getcwd))
        extension = b"\x83\xbc\x0a)R"
        assert pickle.loads(b"\x80\x02" + extension + b".") == os.getcwd()
        path = tmp_path / "OutlierAEGMM.dill"
        for spoilt in (opcodes, extension):
            path.write_bytes(state(loaded(golden), threshold=spoilt))
            with pytest.raises(MigrationError):
                AlibiState.read(path, skip_features=True)
    finally:
        copyreg.remove_extension("os", "getcwd", 0xABC)
        copyreg.clear_extension_cache()


def test_a_memo_index_cannot_take_all_memory(tmp_path, golden):
    path = tmp_path / "OutlierAEGMM.dill"
    far = program(1.0) + b"r\xff\xff\xff\x7f"
    path.write_bytes(state(loaded(golden), threshold=far))
    with pytest.raises(MigrationError, match="memo index 2147483647"):
        AlibiState.read(path, skip_features=True)
