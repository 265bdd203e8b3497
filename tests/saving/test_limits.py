"""Files that ask for time or memory, special files, and parts that contradict each other."""

import hashlib
import io
import json
import os
import stat
import subprocess
import sys
import warnings
import zipfile
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

from aegmm_detect.exceptions import ArtefactError, ConfigurationError
from aegmm_detect.saving import load_detector, save_detector
from aegmm_detect.saving.archive import read_archive, write_archive
from aegmm_detect.saving.arrays import arrays_from_bytes, arrays_to_bytes
from aegmm_detect.saving.directory import read_directory, write_directory
from aegmm_detect.saving.manifest import MANIFEST, Artefact
from aegmm_detect.saving.nets import net_from_bytes, net_to_bytes
from aegmm_detect.sealed_json import sealed
from aegmm_detect.serialization import nets
from aegmm_detect.serialization.nets import serialize_net

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden"


def refused(artefact, path, message):
    write_archive(path, artefact)
    with pytest.raises(ArtefactError, match=message) as caught:
        load_detector(path)
    assert str(path) in str(caught.value)


@pytest.fixture
def directory(artefact, tmp_path):
    write_directory(tmp_path / "saved", artefact)
    return tmp_path / "saved"


def reseal_manifest(folder, edit):
    fields = json.loads((folder / MANIFEST).read_text())
    del fields["sha256"]
    edit(fields)
    (folder / MANIFEST).write_text(sealed(json.dumps(fields), "sha256"))


# --- Numbers and depth ---

NUMBERS = {
    "a row of 300 million numbers": lambda f: f["input"].update(shape=[300_000_000]),
    "a row of many axes": lambda f: f["input"].update(shape=[2] * 9),
    "a file of 1e18 bytes": lambda f: f["files"]["state"].update(size=10**18),
    "a file of 2^63 bytes": lambda f: f["files"]["state"].update(size=2**63),
    "a file of 2^47 bytes": lambda f: f["files"]["state"].update(size=2**47),
    "an integer without end": lambda f: f["config"].update(seed=10**4000),
    "nested deep in a net": lambda f: f["net"].update(
        recon_features={"a": json.loads("[" * 200 + "]" * 200)}
    ),
}


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_without_bounds_are_rejected(directory, name):
    reseal_manifest(directory, NUMBERS[name])
    with pytest.raises(ArtefactError) as caught:
        load_detector(directory)
    assert str(directory) in str(caught.value)


@pytest.mark.parametrize("depth", [101, 988, 10**5])
def test_a_manifest_that_is_nested_deeply_is_rejected(directory, depth):
    deep = "[" * depth + "]" * depth
    (directory / MANIFEST).write_text(f'{{"format": "aegmm_detect", "config": {deep}}}')
    with pytest.raises(ArtefactError, match="no manifest of a saved detector"):
        load_detector(directory)


def test_many_parts_that_share_a_file_are_rejected_before_it_is_read(directory):
    def edit(fields):
        state = fields["files"]["state"]
        fields["files"] |= {f"r{i}": state for i in range(60)}

    reseal_manifest(directory, edit)
    with pytest.raises(ArtefactError, match="parts share files"):
        load_detector(directory)


NAMES = {
    "too few": ["a"],
    "twice": ["a", "b", "c", "d", "e", "e"],
}


@pytest.mark.parametrize("name", NAMES)
def test_names_that_are_not_those_of_the_columns_are_rejected(directory, name):
    reseal_manifest(directory, lambda f: f["input"].update(names=NAMES[name]))
    with pytest.raises(ArtefactError, match="names for rows of shape"):
        load_detector(directory)


def test_rows_of_another_shape_than_the_nets_take_are_rejected(artefact, reseal, tmp_path):
    arrays = arrays_from_bytes(artefact.contents["state"])
    assert not any(name.startswith("normalizer") for name in arrays)
    rows = artefact.manifest.input.replace(shape=(6, 1))
    refused(reseal(artefact, input=rows), tmp_path / "x.aegmm", "do not fit nets that take")


def test_weights_that_belong_to_no_layer_are_rejected(artefact, reseal, tmp_path):
    parts = net_from_bytes(artefact.contents["encoder"], "encoder")
    more = {f"z{i}": np.zeros(1, np.float32) for i in range(99)}
    bad = net_to_bytes(parts._replace(weights={**parts.weights, **more}))
    refused(reseal(artefact, {"encoder": bad}), tmp_path / "x.aegmm", "weights, and .* are stored")
    deep = net_to_bytes(parts._replace(weights={**parts.weights, "a/" * 99: more["z0"]}))
    refused(reseal(artefact, {"encoder": deep}), tmp_path / "x.aegmm", "does not belong")
    files = net_to_bytes(parts._replace(assets={"assets/a": b"x"}))
    refused(reseal(artefact, {"encoder": files}), tmp_path / "x.aegmm", "none of its layers reads")


def test_nets_larger_than_what_is_stored_are_rejected(artefact, reseal, tmp_path):
    parts = net_from_bytes(artefact.contents["encoder"], "encoder")
    config = json.loads(json.dumps(parts.config))
    config["config"]["layers"][-1]["config"]["units"] = 10**7
    bad = reseal(artefact, {"encoder": net_to_bytes(parts._replace(config=config))})
    refused(bad, tmp_path / "x.aegmm", "encoder is described with .* bytes of weights")


def test_a_blueprint_of_other_nets_is_rejected(tmp_path):
    artefact = read_archive(GOLDEN / "v1" / "OutlierAEGMM.aegmm")
    sizes = artefact.manifest.blueprint["sizes"]
    for changed in (
        {"comp_hiddens": (10**9, 2)},
        {"est_hiddens": (10**7, 4)},
        {"n_features": 10**6},
        {"est_activation": "os.system"},
    ):
        entry = {**artefact.manifest.blueprint, "sizes": {**sizes, **changed}}
        bad = Artefact(artefact.manifest.replace(blueprint=entry), artefact.contents)
        refused(bad, tmp_path / "x.aegmm", r"Its blueprint (is of a net|has the activation)")


# --- Compressed and unallocated HDF5, in files of format 1 ---


def with_weights(artefact, h5):
    """The artefact of format 1 with other weights of its encoder, all hashes made anew."""
    with zipfile.ZipFile(io.BytesIO(artefact.contents["encoder"])) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in {**members, "model.weights.h5": h5}.items():
            archive.writestr(name, content)
    content = stream.getvalue()
    entry = artefact.manifest.files["encoder"]
    digest = hashlib.sha256(content).hexdigest()
    entry = entry.replace(name=f"encoder-{digest[:16]}.keras", size=len(content), sha256=digest)
    files = {**artefact.manifest.files, "encoder": entry}
    return Artefact(
        artefact.manifest.replace(files=files), {**artefact.contents, "encoder": content}
    )


def h5_with(**settings):
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        file.create_dataset("layers/dense/vars/0", dtype="f4", **settings)
    return stream.getvalue()


HDF5 = {
    "compressed": h5_with(shape=(3000, 3000), chunks=(1000, 1000), compression="gzip"),
    "unallocated": h5_with(shape=(40_000, 40_000)),
    "no HDF5": b"\x89HDF\r\n\x1a\n" + bytes(500),
}


@pytest.mark.parametrize("name", HDF5)
def test_weights_that_are_not_in_the_file_are_rejected(name, tmp_path):
    artefact = read_archive(GOLDEN / "v1" / "own_nets.aegmm")
    refused(with_weights(artefact, HDF5[name]), tmp_path / "x.aegmm", "encoder")


# --- Special files ---


def test_a_pipe_in_place_of_any_file_does_not_hang(directory, fitted, tmp_path):
    content = (directory / MANIFEST).read_bytes()
    (directory / MANIFEST).unlink()
    os.mkfifo(directory / MANIFEST)
    for call in (lambda: load_detector(directory), lambda: save_detector(fitted, directory)):
        with pytest.raises(ArtefactError, match="regular file"):
            call()
    (directory / MANIFEST).unlink()
    (directory / MANIFEST).write_bytes(content)
    os.mkfifo(tmp_path / "x.aegmm")
    for call in (
        lambda: load_detector(tmp_path / "x.aegmm"),
        lambda: save_detector(fitted, tmp_path / "x.aegmm"),
    ):
        with pytest.raises(ArtefactError, match=r"regular file|not of a saved detector"):
            call()


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="the system has no /dev/zero")
def test_a_device_without_end_is_rejected(directory):
    (directory / MANIFEST).unlink()
    (directory / MANIFEST).symlink_to("/dev/zero")
    with pytest.raises(ArtefactError, match="link that leads out"):
        load_detector(directory)
    with pytest.raises(ArtefactError, match="regular file"):
        load_detector("/dev/zero")


def test_a_sparse_file_is_rejected(directory, tmp_path):
    for path in (directory / MANIFEST, tmp_path / "x.aegmm"):
        with path.open("wb") as stream:
            stream.truncate(3 * 2**30)
        with pytest.raises(ArtefactError, match=r"sparse|bytes; at most"):
            load_detector(path if path.suffix == ".aegmm" else directory)


def test_volumes_that_link_inside_of_their_folder_are_read(directory, artefact):
    """Kubernetes mounts ConfigMaps so, and moves the inner link to replace all files at once."""
    inner = directory / "..2026_11_28"
    inner.mkdir()
    for path in [*directory.iterdir()]:
        if path != inner:
            path.rename(inner / path.name)
            path.symlink_to(Path("..data") / path.name)
    (directory / "..data").symlink_to(inner.name)
    assert read_directory(directory) == artefact


def test_a_link_that_is_swapped_in_between_is_not_followed(directory, tmp_path, monkeypatch):
    secret = tmp_path / "secret"
    secret.write_text("secret")
    look = os.path.realpath

    def look_then_swap(path, **settings):
        found = look(path, **settings)
        if str(path).endswith(MANIFEST):
            os.unlink(found)
            os.symlink(secret, found)
        return found

    monkeypatch.setattr(os.path, "realpath", look_then_swap)
    with pytest.raises(ArtefactError, match="regular file"):
        load_detector(directory)


# --- Names ---


@pytest.mark.parametrize("name", ["", " ", None, 3, b"bytes"])
def test_names_that_are_none_are_rejected(name, fitted, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for call in (lambda: save_detector(fitted, name), lambda: load_detector(name)):
        with pytest.raises(ConfigurationError, match="filepath"):
            call()
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ["d.pkl", "d.keras", "D.JOBLIB", "model.onnx"])
def test_names_of_other_files_are_rejected(name, fitted, tmp_path):
    with pytest.raises(ConfigurationError, match=r"end it in \.aegmm"):
        save_detector(fitted, tmp_path / name)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ["x" * 5000, "a\0b"])
def test_names_that_no_file_can_have_are_rejected(name):
    with pytest.raises(ArtefactError, match="does not exist"):
        load_detector(name)


# --- What contradicts itself, or decides on every row ---


def edited_state(artefact, reseal, edit):
    arrays = arrays_from_bytes(artefact.contents["state"])
    edit(arrays)
    return reseal(artefact, {"state": arrays_to_bytes(arrays)})


STATES = {
    "negative weights": (
        lambda a: a.update({"density.0.0.phi": a["density.0.0.phi"] - 0.9}),
        "phi",
    ),
    "a spread of 0": (lambda a: a["density.spread"].fill(0.0), "spread"),
    "no whitening": (lambda a: a["density.0.0.W"].fill(0.0), "whitening"),
    "another covariance": (lambda a: a["density.0.0.cov"].__imul__(2.0), "contradict"),
    "complex numbers": (
        lambda a: a.update({"density.0.0.mu": a["density.0.0.mu"] + 1j}),
        "does not hold",
    ),
    "a calibration of NaN": (
        lambda a: a.update({"calibration.scores": np.full(9, np.nan)}),
        "finite",
    ),
    "hashes that are no integers": (
        lambda a: a.update({"trained_on.hashes": a["trained_on.hashes"].astype("f8")}),
        "trained_on",
    ),
}


@pytest.mark.parametrize("name", STATES)
def test_states_that_make_no_density_are_rejected(artefact, reseal, tmp_path, name):
    edit, message = STATES[name]
    refused(edited_state(artefact, reseal, edit), tmp_path / "x.aegmm", message)


@pytest.mark.parametrize("number", [np.float32(np.nan), np.complex64(1j), True])
def test_weights_of_other_numbers_are_rejected(artefact, reseal, tmp_path, number):
    parts = net_from_bytes(artefact.contents["encoder"], "encoder")
    path, array = next(iter(parts.weights.items()))
    weights = {**parts.weights, path: np.full(array.shape, number)}
    bad = reseal(artefact, {"encoder": net_to_bytes(parts._replace(weights=weights))})
    refused(bad, tmp_path / "x.aegmm", "not finite|does not hold|stores weights")


OTHERS = ["OutlierLabelledAEGMM", "OutlierVAEGMM", "OutlierVQAEGMM", "OutlierAELMM"]


@pytest.mark.parametrize("name", [*OTHERS, "OutlierSOMAEGMM", "PerClassAEGMM"])
def test_a_detector_that_was_renamed_to_another_class_is_rejected(artefact, reseal, tmp_path, name):
    refused(reseal(artefact, detector=name), tmp_path / "x.aegmm", "cannot be loaded")


def test_detectors_of_the_family_are_not_taken_for_plain_ones(tmp_path):
    for path in sorted((GOLDEN / "v1").glob("Outlier*.aegmm")):
        saved = read_archive(path)
        if path.stem != "OutlierAEGMM":
            manifest = saved.manifest.replace(detector="OutlierAEGMM")
            refused(Artefact(manifest, saved.contents), tmp_path / "x.aegmm", "cannot be loaded")


# --- The disk ---


def test_a_full_temporary_folder_is_an_error_of_the_system(fitted, tmp_path, monkeypatch):
    save_detector(fitted, tmp_path / "saved.aegmm")

    def full(*_args, **_settings):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "mkdir", full)
    for call in (
        lambda: save_detector(fitted, tmp_path / "other.aegmm"),
        lambda: load_detector(tmp_path / "saved.aegmm"),
    ):
        with pytest.raises(OSError, match="No space"):
            call()


def test_warnings_that_are_errors_do_not_stop_a_save(fitted, tmp_path):
    """Keras warns of its own arrays when it copies them."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        save_detector(fitted, tmp_path / "x.aegmm")
        load_detector(tmp_path / "x.aegmm")


def test_a_net_is_on_its_way_where_nobody_else_can_read_it(fitted, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    modes = []
    save = keras.Model.save

    def look_then_save(self, path, **settings):
        modes.append(stat.S_IMODE(Path(path).parent.stat().st_mode))
        save(self, path, **settings)

    monkeypatch.setattr(keras.Model, "save", look_then_save)
    save_detector(fitted, tmp_path / "x.aegmm")
    assert modes == [0o700] * 3


def test_a_file_that_was_cut_says_so(artefact, tmp_path):
    path = tmp_path / "x.aegmm"
    write_archive(path, artefact)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ArtefactError, match="damaged or cut short"):
        load_detector(path)


# Without TensorFlow, which takes seconds to load: the net's file lies there half written.
KILLED = """
import os, sys
from pathlib import Path
from aegmm_detect.files import staged_folder
with staged_folder(Path(sys.argv[1]), int(sys.argv[2])) as folder:
    (folder / "net.keras").write_bytes(b"half of it")
    os._exit(9)
"""


def test_killed_saves_leave_nothing_in_the_temporary_folder_for_long(fitted, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    asked, staged_folder = [], nets.staged_folder

    def note_then_stage(*arguments):
        asked.append(arguments)
        return staged_folder(*arguments)

    monkeypatch.setattr(nets, "staged_folder", note_then_stage)
    serialize_net(keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]), "net")
    (arguments,) = asked
    assert os.listdir(tmp_path) == []
    command = [sys.executable, "-c", KILLED, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, check=False, cwd=ROOT)
    assert done.returncode == 9, done.stderr
    assert len(os.listdir(tmp_path)) == 1
    save_detector(fitted, tmp_path / "saved.aegmm")
    assert set(asked[1:]) == {arguments}
    assert os.listdir(tmp_path) == ["saved.aegmm"]
