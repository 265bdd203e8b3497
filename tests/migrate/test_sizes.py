"""Nets take no more memory than their files, whatever numbers their descriptions name."""

import json
import os
import threading

import h5py
import pytest

from aegmm_detect.exceptions import MigrationError
from aegmm_detect.migrate import from_alibi_detect
from aegmm_detect.migrate.keras2 import read_net


@pytest.fixture
def path(artefact):
    return artefact / "model" / "encoder_net.h5"


def change_config(path, change):
    with h5py.File(path, "r+") as file:
        model = json.loads(file.attrs["model_config"])
        change(model["config"]["layers"])
        file.attrs["model_config"] = json.dumps(model)


def added(class_name, **config):
    return lambda layers: layers.append(
        {"class_name": class_name, "config": {"name": "new", "trainable": True, **config}}
    )


def set_of(number, name, value):
    return lambda layers: layers[number]["config"].__setitem__(name, value)


def dense(layers):
    return next(n for n, layer in enumerate(layers) if layer["class_name"] == "Dense")


def rescaled(class_name, config):
    """A net whose rows become large before layers that the file holds no weights of."""
    large = [
        {"class_name": "Reshape", "config": {"name": "r", "target_shape": [1, 2]}},
        {"class_name": "UpSampling1D", "config": {"name": "u", "size": 10**6}},
        {"class_name": "Flatten", "config": {"name": "f"}},
    ]
    return lambda layers: layers.extend(
        [*large, {"class_name": class_name, "config": {"name": "n", "axis": 1, **config}}]
    )


CONV = {"strides": 1, "padding": "same", "data_format": "channels_last", "dilation_rate": 1}
TOO_LARGE = {
    "units": lambda layers: set_of(dense(layers), "units", 10**9)(layers),
    "rows": lambda layers: set_of(0, "batch_input_shape", [None, 10**9])(layers),
    "many axes": lambda layers: set_of(0, "batch_input_shape", [None, *[10] * 20])(layers),
    "a new layer": added("Dense", units=10**9, activation="linear", use_bias=False),
    "repeated": lambda layers: layers.extend(
        [
            {"class_name": "Reshape", "config": {"name": "r", "target_shape": [2, 1]}},
            {"class_name": "UpSampling1D", "config": {"name": "u", "size": 10**9}},
        ]
    ),
    "batch normalisation": rescaled("BatchNormalization", {"center": False, "scale": False}),
    "layer normalisation": rescaled("LayerNormalization", {"center": True, "scale": False}),
    "windows": lambda layers: layers.extend(
        [
            {"class_name": "Reshape", "config": {"name": "r", "target_shape": [2, 1]}},
            {
                "class_name": "AveragePooling1D",
                "config": {"name": "p", "pool_size": 10**9, "strides": 1, "padding": "same"},
            },
        ]
    ),
    "kernel": lambda layers: layers.extend(
        [
            {"class_name": "Reshape", "config": {"name": "r", "target_shape": [2, 1]}},
            {
                "class_name": "Conv1D",
                "config": {"name": "c", "filters": 8, "kernel_size": 10**9, "groups": 1, **CONV},
            },
        ]
    ),
    "pooling": lambda layers: layers.extend(
        [
            {"class_name": "Reshape", "config": {"name": "r", "target_shape": [1, 2]}},
            {"class_name": "UpSampling1D", "config": {"name": "u", "size": 20_000}},
            {
                "class_name": "AveragePooling1D",
                "config": {"name": "p", "pool_size": 10_000, "strides": 1, "padding": "same"},
            },
        ]
    ),
    "much in all": lambda layers: layers.extend(
        [
            {"class_name": "Reshape", "config": {"name": "r", "target_shape": [1, 2]}},
            {"class_name": "UpSampling1D", "config": {"name": "u", "size": 2**20}},
            *[{"class_name": "ReLU", "config": {"name": "a"}}] * 300,
        ]
    ),
    "layers": lambda layers: layers.extend(
        [{"class_name": "Flatten", "config": {"name": "f"}}] * 1000
    ),
}


@pytest.mark.parametrize("change", TOO_LARGE.values(), ids=TOO_LARGE)
def test_large_numbers_are_errors_before_anything_is_made(path, change):
    change_config(path, change)
    with pytest.raises(MigrationError, match=r"^encoder_net\.h5.*(shape|windows|layers|products)"):
        read_net(path)


def test_a_description_that_is_too_deep_is_an_error(path):
    with h5py.File(path, "r+") as file:
        file.attrs["model_config"] = '{"a":' * 2000 + "1" + "}" * 2000
    with pytest.raises(MigrationError, match="not a JSON object, or one that is too deep"):
        read_net(path)


def test_a_layer_that_fails_on_rows_is_an_error(artefact):
    def softmax_over_nothing(layers):
        layers[-1]["config"]["activation"] = "linear"
        added("Softmax", axis=[0, 5])(layers)

    change_config(artefact / "model" / "gmm_density_net.h5", softmax_over_nothing)
    with pytest.raises(MigrationError, match=r"does not fit together: .*Softmax"):
        from_alibi_detect(artefact)


FILES = ["meta.dill", "OutlierAEGMM.dill", "model/encoder_net.h5", "model/gmm_density_net.h5"]


def replaced_by(make):
    def change(path):
        path.unlink()
        make(path)

    return change


def sparse(path):
    with path.open("wb") as stream:
        stream.truncate(2**40)


BAD_FILES = {
    "missing": lambda path: path.unlink(),
    "folder": replaced_by(lambda path: path.mkdir()),
    "pipe": replaced_by(os.mkfifo),
    "device": replaced_by(lambda path: path.symlink_to("/dev/zero")),
    "link": replaced_by(lambda path: path.symlink_to("/etc/hostname")),
    "loop": replaced_by(lambda path: path.symlink_to(path)),
    "sparse": replaced_by(sparse),
}


@pytest.mark.parametrize("change", BAD_FILES.values(), ids=BAD_FILES)
@pytest.mark.parametrize("name", FILES)
def test_what_is_no_file_is_an_error_and_not_waited_for(artefact, change, name):
    change(artefact / name)
    errors = []

    def load():
        try:
            from_alibi_detect(artefact)
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=load, daemon=True)  # which an endless wait cannot hold
    thread.start()
    thread.join(60.0)
    (error,) = errors
    assert isinstance(error, MigrationError)
    assert name.rpartition("/")[2] in str(error)


def test_a_folder_of_nets_may_not_be_a_link(artefact, tmp_path):
    (artefact / "model").rename(tmp_path / "elsewhere")
    (artefact / "model").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(MigrationError, match="a link that leads out of its folder"):
        from_alibi_detect(artefact)
