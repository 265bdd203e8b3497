"""A checkpoint that anybody may have written: used as it should be, or one clear error."""

import io
import json
import os
import threading
import time
import tracemalloc
import zipfile

import keras
import numpy as np
import pytest

from aegmm_detect.configs.maps import MapTraining
from aegmm_detect.exceptions import CheckpointError
from aegmm_detect.od import OutlierAEGMM, OutlierSOMAEGMM
from aegmm_detect.training import checkpoint_file
from aegmm_detect.training.checkpoint import FILE_NAME
from aegmm_detect.training.plain import pack, unpack
from aegmm_detect.untrusted import text
from aegmm_detect.untrusted.stored import write_stored

QUICK = {"epochs": 3, "verbose": 0, "jit_compile": False}


class CutOff(keras.callbacks.Callback):
    """Ends the first fit that it sees after two epochs."""

    happened = False

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 2 and not CutOff.happened:
            CutOff.happened = True
            raise RuntimeError("cut off")


def callbacks():
    early = keras.callbacks.EarlyStopping("loss", patience=9, restore_best_weights=True)
    return [
        early,
        keras.callbacks.ModelCheckpoint("w.weights.h5", save_weights_only=True),
        CutOff(),
    ]


def make():
    return OutlierAEGMM.from_sizes(6, [4, 1], [4, 2], threshold=0.0, seed=3)


@pytest.fixture(scope="module")
def rows(normal_rows):
    return normal_rows[:200]


@pytest.fixture(scope="module", autouse=True)
def elsewhere(tmp_path_factory):
    """ModelCheckpoint writes to the folder of the process."""
    before = os.getcwd()
    os.chdir(tmp_path_factory.mktemp("weights"))
    yield
    os.chdir(before)


@pytest.fixture(scope="module")
def content(rows, tmp_path_factory):
    """Of the checkpoint of a fit that was cut off after two of three epochs."""
    folder = tmp_path_factory.mktemp("fit")
    with pytest.raises(RuntimeError, match="cut off"):
        make().fit(rows, **QUICK, callbacks=callbacks(), checkpoint_dir=folder)
    return checkpoint_file.read(folder / FILE_NAME)


@pytest.fixture(scope="module")
def fitted_before(rows):
    detector = make()
    detector.fit(rows, **QUICK)
    return detector


def resume(detector, rows, folder):
    return detector.fit(rows, **QUICK, callbacks=callbacks(), checkpoint_dir=folder)


def test_the_content_as_it_is_goes_on(content, rows, tmp_path):
    checkpoint_file.write(tmp_path / FILE_NAME, content)
    assert resume(make(), rows, tmp_path).epoch == [0, 1, 2]


def test_files_that_numpy_wrote_are_read(content, tmp_path):
    """As all of format 1 were, until members were written by the package."""
    arrays = {}
    tree = json.dumps(pack({**content, "format": 1}, arrays)).encode()
    np.savez(tmp_path / FILE_NAME, tree=np.frombuffer(tree, np.uint8), **arrays)
    np.testing.assert_equal(checkpoint_file.read(tmp_path / FILE_NAME), content)


def state_with(**values):
    """A change of the state of EarlyStopping."""
    return lambda found: found["callbacks"][0].update(values)


def replaced(name, value):
    return lambda found: found.__setitem__(name, value)


def spoilt(part, number, change):
    return lambda found: found[part].__setitem__(number, change(np.asarray(found[part][number])))


def spoilt_best(change):
    """A change of the first of the best weights that EarlyStopping keeps."""

    def spoil(found):
        best = found["callbacks"][0]["best_weights"]
        best[0] = change(np.asarray(best[0]))

    return spoil


# Rejected before the detector is touched.
EARLY = {
    "no epochs": lambda found: found.pop("epochs"),
    "no net": lambda found: found.pop("net"),
    "something else": replaced("more", 1),
    "epochs of text": replaced("epochs", "2"),
    "epochs before the first": replaced("epochs", -1),
    "epochs without end": replaced("epochs", 10**9),
    "epochs true": replaced("epochs", True),
    "a text for callbacks": replaced("callbacks", "x"),
    "no callbacks": replaced("callbacks", []),
    "a list for a state": lambda found: found["callbacks"].__setitem__(0, [1]),
    "a text for nets": replaced("net", "x"),
    "texts for nets": replaced("net", ["x"]),
    "seed": replaced("seed", 2**70),
    "fingerprint": replaced("fingerprint", []),
    "fingerprint by numbers": lambda found: found["fingerprint"]["nets"].update({0.5: 1}),
    "params": replaced("params", {"epochs": [1]}),
    "another place for files": lambda found: found["callbacks"][1].update(filepath="/tmp/other"),
    "a method": state_with(on_epoch_end=1),
    "its class": state_with(__class__=1),
    "the model": state_with(_model=1),
    "a name of nothing": state_with(nonsense=1),
    "an operation": state_with(monitor_op=1),
    "finished before the first epoch": lambda found: found.update(finished=True, epochs=0),
    "finished too early": replaced("finished", True),
    "stopped before the first epoch": lambda found: found.update(stopped=True, epochs=0),
    "more epochs than the log": replaced("epochs", 3),
    "another seed": replaced("seed", 4),
    "a property": state_with(model=1),
    "a text for a number": state_with(wait="x"),
    "a dictionary for weights": state_with(best_weights={}),
    "numbers for weights": state_with(best_weights=[1.0]),
    "history": lambda found: found["callbacks"][3].update(history={"loss": 1.0}),
    "history of numbers": lambda found: found["callbacks"][3].update(history=[1.0]),
    "a shape": spoilt("net", 0, lambda w: w.T.copy()),
    "a large shape": spoilt("net", 0, lambda w: np.zeros((999, 99), w.dtype)),
    "NaN": spoilt("net", -1, lambda w: w * np.nan),
    "infinity": spoilt("net", -1, lambda w: w + np.inf),
    "NaN in the optimizer": spoilt("optimizer", -1, lambda w: w * np.nan),
    "complex": spoilt("net", 0, lambda w: w.astype(np.complex64)),
    "state by numbers": lambda found: found["callbacks"].__setitem__(0, {1: 2}),
    "a dtype": spoilt("net", 1, lambda w: w.astype(np.float64)),
    "text": spoilt("net", 1, lambda w: w.astype("U3")),
    "one less": lambda found: found["net"].pop(),
    "the last shape": spoilt("optimizer", -1, lambda w: w[..., None]),
    "a step of real numbers": spoilt("optimizer", 0, lambda w: w.astype(np.float32)),
    "complex best weights": spoilt_best(lambda w: w.astype(np.complex64)),
    "best weights of another dtype": spoilt_best(lambda w: w.astype(np.float64)),
    "NaN in the best weights": spoilt_best(lambda w: w * np.nan),
    "weights of another net": state_with(best_weights=[np.zeros(3, np.float32)]),
}


def changed(content, change, folder):
    found = unpack_copy(content)
    change(found)
    checkpoint_file.write(folder / FILE_NAME, found)


def unpack_copy(content):
    arrays = {}
    return unpack(pack(content, arrays), arrays)


@pytest.mark.parametrize("change", EARLY.values(), ids=EARLY)
def test_what_does_not_hold_together_leaves_the_detector_alone(
    content, rows, tmp_path, fitted_before, change
):
    changed(content, change, tmp_path)
    scores = fitted_before.score(rows)
    with pytest.raises(CheckpointError, match=rf"{FILE_NAME}.*damaged"):
        resume(fitted_before, rows, tmp_path)
    np.testing.assert_array_equal(fitted_before.score(rows), scores)
    assert os.listdir(tmp_path) == [FILE_NAME]


def test_maps_are_compared_before_any_variable_is_assigned(rows, tmp_path, monkeypatch):
    """Their shapes are known once the nets have seen the rows."""
    training = MapTraining(n_steps=10)
    shape = {"n_maps": 1, "map_training": training, "threshold": 0.0, "seed": 3}
    detector = OutlierSOMAEGMM.from_sizes(6, [4, 1], [4, 2], **shape)
    CutOff.happened = False
    with pytest.raises(RuntimeError, match="cut off"):
        resume(detector, rows, tmp_path)
    number = [v is detector.net.context.variables[-1] for v in detector.net.variables].index(True)
    content = checkpoint_file.read(tmp_path / FILE_NAME)
    changed(content, spoilt("net", number, lambda w: w[:-1]), tmp_path)
    begun = []

    def start(net, *_):
        begun.append(net.get_weights())

    monkeypatch.setattr(detector, "start", start)
    with pytest.raises(CheckpointError, match=rf"{FILE_NAME} does not hold together"):
        resume(detector, rows, tmp_path)
    np.testing.assert_equal(detector.net.get_weights(), begun[0])
    assert os.listdir(tmp_path) == [FILE_NAME]


def npy(array):
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def members_of(tree, arrays=()):
    text = tree if isinstance(tree, bytes) else json.dumps(tree).encode()
    return {
        "tree.npy": npy(np.frombuffer(text, np.uint8)),
        **{f"{number}.npy": npy(array) for number, array in enumerate(arrays)},
    }


def file_of(*pairs, arrays=()):
    return members_of({"dict": [["format", 1], *map(list, pairs)]}, arrays)


ONE = np.ones(3)
ZEROS = b"\x93NUMPY\x01\x00v\x00"
HEADER = "{'descr': '<f8', 'fortran_order': False, 'shape': (%s,), }"
# None of these is the tree that it seems to be.
TREES = {
    "no tree": {"0.npy": npy(ONE)},
    "no JSON": members_of(b"{"),
    "no object": members_of([1]),
    "no format": members_of({"dict": []}),
    "no dictionary": members_of({"tuple": []}),
    "keys": members_of({"dict": [[1, 2]]}),
    "deep": members_of(b'{"a":' * 5000 + b"1" + b"}" * 5000),
    "many lists": members_of(b'{"set":[' + b"[]," * 600_000 + b"[]]}"),
    "many numbers": members_of(b'{"tuple":[' + b"1e1," * 2**22 + b"1]}"),
    "set of lists": file_of(("a", {"set": [[1]]})),
    "set of sets": file_of(("a", {"set": [{"set": []}]})),
    "set of text": file_of(("a", {"set": "ab"})),
    "twice in a set": file_of(("a", {"set": [1, 1]})),
    "a key twice": file_of(("a", 1), ("a", 2)),
    "lists for keys": file_of(("a", {"dict": [[[1], 2]]})),
    "arrays for keys": file_of(("a", {"dict": [[{"array": "0"}, 2]]}), arrays=[ONE]),
    "no pair": file_of(("a", {"dict": [[1]]})),
    "text for pairs": file_of(("a", {"dict": "ab"})),
    "two kinds": file_of(("a", {"tuple": [], "set": []})),
    "unknown kind": file_of(("a", {"object": "os.system"})),
    "an array that is not there": file_of(("a", {"array": "0"})),
    "an array by a list": file_of(("a", {"array": [0]}), arrays=[ONE]),
    "an array that nobody names": file_of(arrays=[ONE]),
    "an array twice": file_of(("a", {"array": "0"}), ("b", {"array": "0"}), arrays=[ONE]),
    "a number of three": file_of(("a", {"number": "0"}), arrays=[ONE]),
    "objects": file_of(("a", {"bits": ["object", {"array": "0"}]}), arrays=[np.ones(1, "u8")]),
    "fields": file_of(("a", {"bits": ["O,O", {"array": "0"}]}), arrays=[np.ones(1, "u8")]),
    "dates": file_of(("a", {"bits": ["datetime64", {"array": "0"}]}), arrays=[np.ones(1, "u8")]),
    "bits of others": file_of(("a", {"bits": ["bfloat16", {"array": "0"}]}), arrays=[ONE]),
    "no bits": file_of(("a", {"bits": 1})),
    "no integer": file_of(("a", {"integer": "1_0"})),
    "a long integer": file_of(("a", {"integer": "0x" + "f" * 10**6})),
    "a huge number": file_of(("a", 2**63)),
    "more than there is": {
        **file_of(("a", {"array": "0"})),
        "0.npy": ZEROS + (HEADER % 10**12).ljust(117).encode() + b"\n" + bytes(8),
    },
    "no array": {**file_of(("a", {"array": "0"})), "0.npy": b"\x93NUMPY"},
    "an array of objects": {**file_of(("a", {"array": "0"})), "0.npy": npy(np.array([None]))},
    "other members": {**file_of(), "other.txt": b""},
    "a path": {**file_of(), "../0.npy": npy(ONE)},
}


@pytest.mark.parametrize("members", TREES.values(), ids=TREES)
def test_other_trees_are_errors_at_once(tmp_path, members):
    path = tmp_path / FILE_NAME
    path.write_bytes(write_stored(members))
    assert_rejected(path)


def assert_rejected(path, told="fit.npz"):
    tracemalloc.start()
    start = time.process_time()
    try:
        with pytest.raises(CheckpointError, match=told) as caught:
            checkpoint_file.read(path)
        seconds, (_, most) = time.process_time() - start, tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert seconds < 5.0  # a part of it without the measuring
    assert most < 2e8
    assert len(str(caught.value)) < 1000


def test_members_that_would_grow_are_errors(tmp_path):
    path = tmp_path / FILE_NAME
    members = file_of(("a", {"array": "0"}), arrays=[np.zeros(2**25)])
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, member in members.items():
            archive.writestr(name, member)
    del members
    assert path.stat().st_size < 2_000_000
    assert_rejected(path, "is compressed")


def sparse(path):
    with path.open("wb") as stream:
        stream.truncate(2**40)


NO_FILES = {
    "pipe": os.mkfifo,
    "folder": lambda path: path.mkdir(),
    "device": lambda path: path.symlink_to("/dev/zero"),
    "link": lambda path: path.symlink_to("/etc/hostname"),
    "link to nothing": lambda path: path.symlink_to(path.with_name("nothing")),
    "loop": lambda path: path.symlink_to(path),
    "sparse": sparse,
}


@pytest.mark.parametrize("make_it", NO_FILES.values(), ids=NO_FILES)
def test_what_is_no_file_is_an_error_and_not_waited_for(tmp_path, make_it):
    path = tmp_path / FILE_NAME
    make_it(path)
    errors = []

    def read():
        try:
            checkpoint_file.read(path)
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=read, daemon=True)  # which an endless wait cannot hold
    thread.start()
    thread.join(60.0)
    (error,) = errors
    assert isinstance(error, CheckpointError)
    assert FILE_NAME in str(error)


def test_what_cannot_be_read_again_is_not_written(tmp_path, monkeypatch):
    # Half a million lists would keep the collector of garbage busy for many seconds.
    monkeypatch.setattr(text, "MOST_BRACKETS", 100)
    monkeypatch.setattr(text, "MOST_COMMAS", 1000)
    checkpoint_file.write(tmp_path / FILE_NAME, {"a": 1})
    for too_much in ([[]] * 100, [0] * 1002, "x" * 2**24):
        with pytest.raises(CheckpointError, match="keep their numbers in NumPy arrays"):
            checkpoint_file.write(tmp_path / FILE_NAME, {"a": too_much})
    assert checkpoint_file.read(tmp_path / FILE_NAME) == {"a": 1}
