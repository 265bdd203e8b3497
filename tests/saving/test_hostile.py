"""What is damaged, foreign or made to harm is refused; nothing of it runs."""

import io
import json
import os
import pickle
import stat
import zipfile

import keras
import numpy as np
import pytest

from aegmm_detect.exceptions import ArtefactError
from aegmm_detect.od import OutlierAEGMM
from aegmm_detect.saving import load_detector, save_detector
from aegmm_detect.saving.archive import read_archive, write_archive
from aegmm_detect.saving.arrays import arrays_from_bytes, arrays_to_bytes
from aegmm_detect.saving.directory import read_directory, write_directory
from aegmm_detect.saving.manifest import MANIFEST, Artefact
from aegmm_detect.sealed_json import sealed
from aegmm_detect.untrusted.stored import write_stored


@pytest.fixture
def directory(artefact, tmp_path):
    write_directory(tmp_path / "saved", artefact)
    return tmp_path / "saved"


@pytest.fixture
def archive(artefact, tmp_path):
    write_archive(tmp_path / "saved.aegmm", artefact)
    return tmp_path / "saved.aegmm"


class KerasWasAsked(BaseException):
    """Nothing catches it."""


@pytest.fixture
def no_keras(monkeypatch):
    """What hashes give away never reaches Keras."""

    def asked(*_args, **_settings):
        raise KerasWasAsked

    for name in ("load_model", "deserialize_keras_object"):
        monkeypatch.setattr(keras.saving, name, asked)


def test_a_whole_detector_does_reach_keras(archive, no_keras):
    with pytest.raises(KerasWasAsked):
        load_detector(archive)


@pytest.fixture
def canary(tmp_path):
    """Code that leaves a file behind, and the check that it never ran."""
    path = tmp_path / "canary"
    yield f"open({str(path)!r}, 'w').close()"
    assert not path.exists()


class Harmful:
    """Runs code when it is unpickled."""

    def __init__(self, code):
        self.code = code

    def __reduce__(self):
        return exec, (self.code,)


def test_the_canary_would_sing(tmp_path):
    code = f"open({str(tmp_path / 'sung')!r}, 'w').close()"
    pickle.loads(pickle.dumps(Harmful(code)))
    assert (tmp_path / "sung").exists()


def damage(content, rng):
    """One of the ways in which files go bad."""
    broken = bytearray(content)
    start, length = int(rng.integers(len(content))), int(rng.integers(1, 64))
    match rng.integers(5):
        case 0:
            broken[start] ^= 1 << int(rng.integers(8))
        case 1:
            del broken[start:]
        case 2:
            del broken[start : start + length]
        case 3:
            broken[start : start + length] = rng.bytes(length)
        case 4:
            broken[start:start] = rng.bytes(length)
    return bytes(broken)


def refused_or_the_same(read, path, artefact):
    """Whether it was refused; else it must be all there."""
    try:
        got = read(path)
    except ArtefactError:
        return True
    assert got == artefact
    return False


def test_300_damaged_files_are_refused_or_load_as_if_nothing_was(archive, artefact, no_keras):
    rng, whole = np.random.default_rng(0), archive.read_bytes()
    refused = 0
    for _ in range(300):
        archive.write_bytes(damage(whole, rng))
        refused += refused_or_the_same(read_archive, archive, artefact)
    # Dates and such in the zip file's headers are all that may go bad unseen.
    assert refused > 270


def test_200_damaged_directories_are_refused(directory, artefact, no_keras):
    rng = np.random.default_rng(1)
    files = sorted(directory.iterdir())
    for _ in range(200):
        path = files[rng.integers(len(files))]
        whole = path.read_bytes()
        path.write_bytes(damage(whole, rng))
        # White space between the manifest's fields means nothing.
        assert refused_or_the_same(read_directory, directory, artefact) or path.name == MANIFEST
        path.write_bytes(whole)
    assert read_directory(directory) == artefact


def test_swapped_and_missing_files_are_refused(directory, no_keras):
    nets = sorted(directory.glob("[a-r]*.npz"))
    first, second = (path.read_bytes() for path in nets[:2])
    nets[0].write_bytes(second)
    nets[1].write_bytes(first)
    with pytest.raises(ArtefactError, match=f"{nets[0].name}.*damaged|{nets[1].name}.*damaged"):
        load_detector(directory)
    nets[0].unlink()
    with pytest.raises(ArtefactError, match=f"lacks {nets[0].name}"):
        load_detector(directory)
    (directory / MANIFEST).unlink()
    with pytest.raises(ArtefactError, match=r"no manifest\.json"):
        load_detector(directory)


def test_links_and_pipes_are_refused(directory, tmp_path, no_keras):
    victim = next(directory.glob("*.npz"))
    moved = tmp_path / "elsewhere"
    for path in (victim, directory / MANIFEST):
        os.replace(path, moved)
        path.symlink_to(moved)
        with pytest.raises(ArtefactError, match="link"):
            load_detector(directory)
        path.unlink()
        os.mkfifo(path)
        with pytest.raises(ArtefactError, match="regular file"):
            load_detector(directory)
        path.unlink()
        os.replace(moved, path)
    load = read_directory(directory)
    (tmp_path / "latest").symlink_to(directory)  # chosen by who names it, not by who made it
    assert read_directory(tmp_path / "latest") == load


@pytest.mark.parametrize("content", [b"", b"PK", b"hello", b"\x80\x04N.", os.urandom(999)])
def test_foreign_files_are_refused(tmp_path, content):
    (tmp_path / "foreign").write_bytes(content)
    with pytest.raises(ArtefactError, match="is not a zip file, or is damaged"):
        load_detector(tmp_path / "foreign")


def test_where_nothing_is_saved_the_error_says_so(tmp_path):
    with pytest.raises(ArtefactError, match="does not exist"):
        load_detector(tmp_path / "nothing")
    with pytest.raises(ArtefactError, match=r"no manifest\.json"):
        load_detector(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ArtefactError, match="regular file"):
        load_detector(tmp_path / "pipe")
    keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]).save(tmp_path / "net.keras")
    with pytest.raises(ArtefactError, match="does not belong"):
        load_detector(tmp_path / "net.keras")


def zip_of(members, compression=zipfile.ZIP_STORED, mode=0o100644):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        for name, content in members:
            info = zipfile.ZipInfo(name)
            info.compress_type, info.external_attr = compression, mode << 16
            archive.writestr(info, content)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ("../evil.npz", "does not belong"),
        ("/etc/evil", "does not belong"),
        ("..\\evil", "does not belong"),
        ("sub/state-0123456789abcdef.npz", "does not belong"),
        ("state-0123456789abcdef.npz\n", "does not belong"),
        ("__init__.py", "does not belong"),
        ("net-0123456789abcdef.keras", "its manifest names"),
    ],
)
def test_members_that_do_not_belong_are_refused(archive, artefact, extra, message):
    members = [(MANIFEST, artefact.manifest.to_json()), *artefact.by_name().items()]
    archive.write_bytes(zip_of([*members, (extra, b"evil")]))
    with pytest.raises(ArtefactError, match=message):
        load_detector(archive)
    assert sorted(path.name for path in archive.parent.iterdir()) == [archive.name]


def test_compressed_linked_and_repeated_members_are_refused(archive, artefact, no_keras):
    members = [(MANIFEST, artefact.manifest.to_json()), *artefact.by_name().items()]
    archive.write_bytes(zip_of(members, zipfile.ZIP_DEFLATED))
    with pytest.raises(ArtefactError, match="is compressed"):
        load_detector(archive)
    bomb = [("state-0123456789abcdef.npz", bytes(10**8))]
    archive.write_bytes(zip_of(bomb, zipfile.ZIP_DEFLATED))
    with pytest.raises(ArtefactError, match="is compressed"):
        load_detector(archive)
    archive.write_bytes(zip_of(members, mode=stat.S_IFLNK | 0o777))
    with pytest.raises(ArtefactError, match="link"):
        load_detector(archive)
    with pytest.warns(UserWarning, match="Duplicate name"):
        archive.write_bytes(zip_of([*members, members[0]]))
    with pytest.raises(ArtefactError, match="twice"):
        load_detector(archive)


@pytest.mark.parametrize("name", ["../evil.npz", "/etc/passwd", "state.npz", "a/b.keras", "", "."])
def test_a_manifest_that_names_files_elsewhere_is_refused(directory, artefact, name):
    fields = json.loads(artefact.manifest.to_json())
    fields["files"]["state"]["name"] = name
    del fields["sha256"]
    (directory / MANIFEST).write_text(sealed(json.dumps(fields), "sha256"))
    with pytest.raises(ArtefactError, match="does not fit its format"):
        load_detector(directory)


# --- All hashes fit: an attacker has made them anew. ---


def refused(artefact, path, message):
    write_archive(path, artefact)
    with pytest.raises(ArtefactError, match=message) as caught:
        load_detector(path)
    assert str(path) in str(caught.value)


def edited_net(content, edit):
    """The file of a net with another configuration."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(members["config.json"])
    edit(config)
    return write_stored({**members, "config.json": json.dumps(config).encode()})


def a_lambda(code):
    lambda_layer = keras.layers.Lambda(eval(f"lambda x: exec({code!r}) or x"))
    return {**keras.saving.serialize_keras_object(lambda_layer)}


def a_lambda_activation(code):
    with pytest.warns(UserWarning, match="lambda"):
        return keras.saving.serialize_keras_object(lambda x: exec(code) or x)


HARMFUL = {
    "layer": lambda code: a_lambda(code),
    "exec": lambda code: {
        "module": "builtins",
        "class_name": "function",
        "config": "exec",
        "registered_name": "exec",
    },
    "os.system": lambda code: {
        "module": "os",
        "class_name": "function",
        "config": "system",
        "registered_name": "system",
    },
    "get_file": lambda code: {
        "module": "keras.utils",
        "class_name": "function",
        "config": "get_file",
        "registered_name": "get_file",
    },
    "saved model": lambda code: {
        "module": "keras.layers",
        "class_name": "TFSMLayer",
        "config": {"filepath": "/tmp"},
        "registered_name": None,
    },
    "class": lambda code: {
        "module": "subprocess",
        "class_name": "Popen",
        "config": {"args": ["true"]},
        "registered_name": None,
    },
}


@pytest.mark.parametrize("kind", HARMFUL)
@pytest.mark.parametrize("unsafe", [False, True], ids=["", "process unsafe"])
def test_nets_with_code_in_them_do_not_run_it(
    artefact, reseal, canary, tmp_path, kind, unsafe, monkeypatch
):
    harm = HARMFUL[kind](canary)

    def as_layer(config):
        config["config"]["layers"].insert(1, harm)

    def as_activation(config):
        config["config"]["layers"][1]["config"]["activation"] = harm

    if unsafe:  # someone has switched Keras's safe mode off for the whole process
        keras.config.enable_unsafe_deserialization()
    try:
        for edit in (as_layer, as_activation):
            net = edited_net(artefact.contents["encoder"], edit)
            refused(
                reseal(artefact, {"encoder": net}),
                tmp_path / "x.aegmm",
                r"encoder (needs|holds)|Keras cannot load encoder",
            )
    finally:
        keras.src.backend.common.global_state.set_global_attribute("safe_mode_saving", None)


@pytest.mark.parametrize("kind", [*HARMFUL, "keras"])
def test_features_with_code_in_them_do_not_run_it(artefact, reseal, canary, tmp_path, kind):
    loss = {
        "module": "keras.losses",
        "class_name": "function",
        "config": "mean_squared_error",
        "registered_name": "mean_squared_error",
    }
    harm = loss if kind == "keras" else HARMFUL[kind](canary)
    inside = {
        "module": "aegmm_detect.numerics.features",
        "class_name": "Concat",
        "config": {"functions": [harm]},
        "registered_name": "aegmm_detect>Concat",
    }
    for features in (harm, inside):
        net = {**artefact.manifest.net, "recon_features": features}
        refused(reseal(artefact, net=net), tmp_path / "x.aegmm", "recon_features")


def test_arrays_with_objects_are_not_unpickled(artefact, reseal, canary, tmp_path):
    stream = io.BytesIO()
    np.savez(stream, allow_pickle=True, **{"density.centre": np.array([Harmful(canary)])})
    bad = reseal(artefact, {"state": stream.getvalue()})
    refused(bad, tmp_path / "x.aegmm", "does not hold")
    refused(reseal(artefact, {"state": pickle.dumps(Harmful(canary))}), tmp_path / "x.aegmm", "zip")
    refused(
        reseal(artefact, {"encoder": pickle.dumps(Harmful(canary))}), tmp_path / "x.aegmm", "zip"
    )


def test_an_array_that_claims_to_be_huge_is_refused_before_memory_is_asked_for(
    artefact, reseal, tmp_path
):
    stream = io.BytesIO()
    header = {"descr": "<f8", "fortran_order": False, "shape": (10**15,)}
    np.lib.format.write_array_header_1_0(stream, header)
    state = write_stored({"density.centre.npy": stream.getvalue() + bytes(8)})
    refused(reseal(artefact, {"state": state}), tmp_path / "x.aegmm", "does not hold")


def first(array):
    return array[:1]


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("density.centre", lambda a: np.zeros(2), "density.centre has shape"),
        ("density.0.0.phi", first, "phi has shape"),
        ("density.0.0.W", first, "W has shape"),
        ("density.0.0.mu", lambda a: a[0], "mu has shape"),
        ("density.0.0.mu", lambda a: np.full_like(a, np.nan), "mu is not finite"),
        ("density.0.0.cov", None, "lacks density.0.0.cov"),
        ("density.0.0.mu", None, "no mixtures"),
        ("surprise", lambda a: np.zeros(3), r"\['surprise'\], unknown"),
        ("scales.parts.spread", first, "spread has shape"),
        ("density.limit", lambda a: np.zeros(3), "limit has shape"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(artefact, reseal, tmp_path, name, change, message):
    arrays = arrays_from_bytes(artefact.contents["state"])
    if change is None:
        del arrays[name]
    else:
        arrays[name] = change(arrays.get(name))
    bad = reseal(artefact, {"state": arrays_to_bytes(arrays)})
    refused(bad, tmp_path / "x.aegmm", message)


def test_a_density_that_does_not_fit_the_nets_is_refused(artefact, reseal, tmp_path):
    arrays = arrays_from_bytes(artefact.contents["state"])
    for name in ("mu", "cov", "W"):
        array = arrays[f"density.0.0.{name}"]
        wider = [(0, 0)] + [(0, 1)] * (array.ndim - 1)
        arrays[f"density.0.0.{name}"] = array = np.pad(array, wider)
        if array.ndim == 3:
            array[:, -1, -1] = 1.0
    bad = reseal(artefact, {"state": arrays_to_bytes(arrays)})
    refused(bad, tmp_path / "x.aegmm", "density does not fit its nets")


def test_nets_of_other_roles_and_roles_that_are_missing_are_refused(artefact, reseal, tmp_path):
    contents = artefact.contents
    swapped = {"encoder": contents["decoder"], "decoder": contents["encoder"]}
    refused(reseal(artefact, swapped), tmp_path / "x.aegmm", "do not fit")
    for role in contents:
        manifest = artefact.manifest
        files = {name: entry for name, entry in manifest.files.items() if name != role}
        left = {name: data for name, data in contents.items() if name != role}
        bad = Artefact(manifest.replace(files=files), left)
        refused(
            bad,
            tmp_path / "x.aegmm",
            f"It holds nets .*; .*'{role}'.* fits|The saved density has no",
        )


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("detector", "subprocess.Popen", "No detector is called"),
        ("config", {"surprise": 1}, "surprise"),
        ("config", {"nan_policy": "ignore"}, "nan_policy"),
        ("fit_config", {"epochs": 0}, "epochs"),
    ],
)
def test_settings_that_do_not_fit_are_refused(artefact, reseal, tmp_path, field, value, message):
    refused(reseal(artefact, **{field: value}), tmp_path / "x.aegmm", message)


def test_endless_nesting_is_refused(directory):
    (directory / MANIFEST).write_text("[" * 10**5)
    with pytest.raises(ArtefactError, match="no manifest"):
        load_detector(directory)


@pytest.mark.parametrize("content", [b"precious", b"", b"PK\x05\x06" + 18 * b"\x00"])
def test_a_foreign_file_is_not_written_over(content, tmp_path):
    path = tmp_path / "img.aegmm"
    path.write_bytes(content)
    detector = OutlierAEGMM.from_sizes(4, [3, 1], [2, 2], threshold=0.0)
    with pytest.raises(ArtefactError, match="not of a saved detector, or is damaged"):
        save_detector(detector, path)
    assert path.read_bytes() == content
    assert os.listdir(tmp_path) == ["img.aegmm"]


@pytest.mark.parametrize("change", [lambda whole: b"junk" + whole, lambda whole: whole + b"junk"])
def test_bytes_that_are_no_member_are_refused(archive, change):
    archive.write_bytes(change(archive.read_bytes()))
    with pytest.raises(ArtefactError, match=r"before or after its members|not a zip file"):
        load_detector(archive)
