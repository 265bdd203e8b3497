"""HDF5 files: what Keras writes is read, all else is refused, and no crash gets through."""

import h5py
import numpy as np
import pytest

from aegmm_detect.exceptions import MigrationError
from aegmm_detect.migrate.keras2 import read_net

KERNEL = "dense/kernel:0"


@pytest.fixture
def path(artefact):
    return artefact / "model" / "encoder_net.h5"


def read_after(change, path):
    with h5py.File(path, "r+") as file:
        change(file)
    return read_net(path)


def test_weights_are_those_in_the_file(path):
    with h5py.File(path) as file:
        kernel = file["model_weights/dense/" + KERNEL][()]
    net = read_net(path)
    np.testing.assert_array_equal(net.layers[0].kernel.numpy(), kernel)
    assert net.input_shape == (None, 6)
    assert net.output_shape == (None, 2)


@pytest.mark.parametrize("encode", [str, str.encode])
def test_text_may_be_stored_either_way(path, encode):
    def change(file):
        attributes = file["model_weights/dense"].attrs
        attributes["weight_names"] = [encode(name) for name in attributes["weight_names"]]

    read_after(change, path)


def replaced(**settings):
    """A change: the kernel stored in another way."""

    def change(file):
        group = file["model_weights/dense"]
        data = np.asarray(group[KERNEL])
        del group[KERNEL]
        group.create_dataset(KERNEL, data=data.astype(settings.pop("dtype", "f4")), **settings)

    return change


def external_link(file):
    group = file["model_weights/dense/dense"]
    del group["kernel:0"]
    group["kernel:0"] = h5py.ExternalLink(file.filename, "model_weights/dense/dense/bias:0")


def soft_link(file):
    group = file["model_weights"]
    group["elsewhere"] = group["dense"]
    del group["dense"]
    group["dense"] = h5py.SoftLink("/model_weights/elsewhere")


def virtual(file):
    group = file["model_weights/dense"]
    del group[KERNEL]
    layout = h5py.VirtualLayout((6, 8), "f4")
    layout[:] = h5py.VirtualSource("other.h5", "kernel", (6, 8))
    group.create_virtual_dataset(KERNEL, layout)


def external_bytes(file):
    group = file["model_weights/dense"]
    del group[KERNEL]
    group.create_dataset(KERNEL, (6, 8), "f4", external=[("other.bin", 0, 192)])


def infinite(file):
    file["model_weights/dense/" + KERNEL][0, 0] = np.inf


def no_config(file):
    del file.attrs["model_config"]


def config(text):
    def change(file):
        file.attrs["model_config"] = text

    return change


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (external_link, "model_weights/dense/dense/kernel:0 is a link"),
        (soft_link, "model_weights/dense is a link"),
        (virtual, "stored in a way that Keras does not use"),
        (external_bytes, "stored in a way that Keras does not use"),
        (replaced(compression="gzip"), "stored in a way that Keras does not use"),
        (replaced(dtype="i4"), "no real numbers"),
        (replaced(dtype="f8"), None),
        (lambda file: file["model_weights/dense/dense"].pop("bias:0"), "there is no 'bias:0'"),
        (lambda file: file["model_weights"].attrs.pop("layer_names"), "layer_names"),
        (infinite, "kernel holds NaN or infinity"),
        (no_config, "there is no 'model_config'"),
        (config("{"), "describes no net"),
        (config('{"class_name": "Functional", "config": {}}'), "'Functional'.*Only keras.Seq"),
        (config('{"class_name": "Sequential", "config": {"layers": []}}'), "describes no net"),
    ],
)
def test_what_keras_does_not_write_is_refused(path, change, told):
    if told is None:
        assert read_after(change, path).dtype == "float32"
    else:
        with pytest.raises(MigrationError, match=rf"^encoder_net\.h5.*{told}"):
            read_after(change, path)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x89HDF\r\n\x1a\n" + bytes(500)])
def test_other_files_are_refused(path, content):
    path.write_bytes(content)
    with pytest.raises(MigrationError, match=r"^encoder_net\.h5 cannot be read: .*copy the dir"):
        read_net(path)


def test_a_flipped_bit_that_crashes_the_library_is_an_error(path):
    """Byte 1009 of this file: h5py 3.14 and 3.16 with HDF5 1.14 end in a segmentation fault."""
    spoilt = bytearray(path.read_bytes())
    spoilt[1009] = 0x9F
    path.write_bytes(spoilt)
    with pytest.raises(MigrationError, match=r"^encoder_net\.h5 cannot be read"):
        read_net(path)
