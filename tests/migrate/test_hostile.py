"""Nothing that an artefact holds is ever run.

Every hostile program here is first shown to work: plain `pickle.loads` plants the canary. Then the
same bytes are refused, and there is no canary.
"""

import copyreg
import os
import pickle
import subprocess

import pytest

from aegmm_detect.exceptions import MigrationError
from aegmm_detect.migrate import from_alibi_detect
from aegmm_detect.migrate.alibi_state import AlibiState


class Call:
    """Pickles as a call of `function`."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


def code(canary):
    return f"open({canary!r}, 'w').close()"


# Of the canary's path and of `program`: opcodes that plant it where pickles are trusted.
HOSTILE = {
    "os.system": lambda path, push: push(Call(os.system, f"touch {path}")),
    "builtins.eval": lambda path, push: push(Call(eval, code(path))),
    "builtins.exec": lambda path, push: push(Call(exec, code(path))),
    "subprocess": lambda path, push: push(Call(subprocess.call, ["touch", path])),
    "nested in a list": lambda path, push: push([({"a": [Call(eval, code(path))]},)]),
    "nested in a dtype's name": lambda path, push: (
        b"cnumpy\ndtype\n(" + push(Call(eval, code(path) + " or 'f4'")) + b"tR"
    ),
    "INST": lambda path, push: b"(" + push(code(path)) + b"ibuiltins\neval\n",
    "OBJ": lambda path, push: b"(cbuiltins\neval\n" + push(code(path)) + b"o",
    "dotted name": lambda path, push: (
        push("os") + push("path.os.system") + b"\x93" + push(f"touch {path}") + b"\x85R"
    ),
    "getattr": lambda path, push: (
        b"cbuiltins\ngetattr\ncbuiltins\n__import__\n"
        + (push("builtins") + b"\x85R")
        + (push("eval") + b"\x86R")
        + (push(code(path)) + b"\x85R")
    ),
    "thrown away": lambda path, push: push(Call(eval, code(path))) + b"0" + push([]),
}


@pytest.fixture
def canary(tmp_path):
    return tmp_path / "canary"


@pytest.fixture(params=HOSTILE)
def payload(request, canary, program):
    """Opcodes that plant the canary where pickles are trusted."""
    opcodes = HOSTILE[request.param](str(canary), program)
    pickle.loads(b"\x80\x04" + opcodes + b".")
    assert canary.exists()
    canary.unlink()
    return opcodes


@pytest.mark.parametrize("key", ["threshold", "recon_features", "phi", "cov", "extra"])
def test_hostile_states_are_refused_and_nothing_runs(write_state, canary, payload, key):
    path = write_state(**{key: payload})
    with pytest.raises(MigrationError, match=r"^OutlierAEGMM\.dill refers to '.*do not trust"):
        from_alibi_detect(path.parent)
    assert not canary.exists()


def test_hostile_meta_is_refused_and_nothing_runs(artefact, canary, payload):
    (artefact / "meta.dill").write_bytes(b"\x80\x04" + payload + b".")
    with pytest.raises(MigrationError, match=r"^meta\.dill refers to"):
        from_alibi_detect(artefact)
    assert not canary.exists()


@pytest.mark.parametrize("key", ["threshold", "n_gmm", "phi", "cov"])
def test_passing_features_lets_nothing_else_through(write_state, canary, payload, key):
    with pytest.raises(MigrationError, match=rf"^OutlierAEGMM\.dill: {key} holds "):
        AlibiState.read(write_state(**{key: payload}), skip_features=True)
    assert not canary.exists()


def test_features_that_are_passed_over_do_not_run(write_state, canary, payload):
    state = AlibiState.read(write_state(recon_features=payload), skip_features=True)
    assert state.own_features
    assert not canary.exists()


def test_states_put_together_by_hand_are_otherwise_fine(write_state):
    """So that it is the hostile part for which the others are refused."""
    assert not AlibiState.read(write_state(), skip_features=False).own_features


@pytest.mark.parametrize("filling", [(None, {"name": "os.system"}), {"__call__": None}])
def test_names_cannot_be_filled(write_state, program, default_features, filling):
    """BUILD sets attributes of what it finds; here it finds nothing that anybody else sees."""
    path = write_state(recon_features=default_features + program(filling) + b"b")
    with pytest.raises(MigrationError, match="recon_features is"):
        AlibiState.read(path, skip_features=False)
    AlibiState.read(write_state(), skip_features=False)


def test_registered_extensions_do_not_get_past_the_list(write_state):
    """Codes that were used once come from a cache, and no name is asked for."""
    copyreg.add_extension("os", "getcwd", 0xABC)
    try:
        extension = b"\x83\xbc\x0a)R"
        assert pickle.loads(b"\x80\x02" + extension + b".") == os.getcwd()
        with pytest.raises(MigrationError, match="opcode EXT2"):
            AlibiState.read(write_state(threshold=extension), skip_features=True)
    finally:
        copyreg.remove_extension("os", "getcwd", 0xABC)
        copyreg.clear_extension_cache()


def test_a_memo_index_cannot_take_all_memory(write_state, program):
    path = write_state(threshold=program(1.0) + b"r\xff\xff\xff\x7f")
    with pytest.raises(MigrationError, match="memo index 2147483647"):
        AlibiState.read(path, skip_features=True)
