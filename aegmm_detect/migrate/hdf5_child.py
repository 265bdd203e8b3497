"""Program: the contents of a Keras 2 ``.h5`` file, as an ``.npz`` on the standard output.

It runs in a process of its own, because a flipped bit in an HDF5 file can crash the HDF5 library,
and the process with it. It imports nothing of this package, so that it starts in a moment.
"""

import io
import json
import sys
from typing import Any

import h5py
import numpy as np


def contents(path: str) -> dict[str, Any]:
    """Arrays of the weights, numbered, and an index in JSON that says whose they are.

    Parameters
    ----------
    path
        Of the file.

    Returns
    -------
    ``{'index': bytes as uint8, '0': array, ...}``; the index is
    ``{'config': str, 'layers': {layer: {weight: number}}}``.
    """
    arrays: list[Any] = []
    layers: dict[str, dict[str, int]] = {}
    with h5py.File(path, "r") as file:
        if "model_config" not in file.attrs:
            raise ValueError("it holds no net: there is no 'model_config'")
        config = _text(file.attrs["model_config"])
        stored = _member(file, "model_weights", h5py.Group)
        for layer in map(_text, stored.attrs["layer_names"]):
            group = _member(stored, layer, h5py.Group)
            layers[layer] = {}
            for weight in map(_text, group.attrs["weight_names"]):
                layers[layer][weight] = len(arrays)
                arrays.append(_array(group, weight))
    index = json.dumps({"config": config, "layers": layers}).encode()
    named = {str(number): array for number, array in enumerate(arrays)}
    return {"index": np.frombuffer(index, np.uint8), **named}


def _array(group: Any, path: str) -> Any:
    *folders, last = path.split("/")
    for folder in folders:
        group = _member(group, folder, h5py.Group)
    data = _member(group, last, h5py.Dataset)
    # Keras writes none of these; they can lead to other files or unpack to any size.
    if data.chunks is not None or data.external is not None or data.is_virtual:
        raise ValueError(f"{path} is stored in a way that Keras does not use")
    if data.dtype.kind != "f":
        raise ValueError(f"{path} holds no real numbers")
    return data[()]


def _member(group: Any, name: str, kind: Any) -> Any:
    # A link of another kind can lead into any other file.
    if not isinstance(group.get(name, getlink=True), h5py.HardLink):
        raise ValueError(f"there is no {name!r} in it")
    found = group[name]
    if not isinstance(found, kind):
        raise ValueError(f"{name} is no {kind.__name__.lower()}")
    return found


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def main() -> None:
    """Write the contents of the file that the command line names."""
    try:
        found = contents(sys.argv[1])
    except Exception as error:  # h5py raises a dozen types; the caller wants the words
        sys.exit(f"{error or type(error).__name__}")
    buffer = io.BytesIO()
    np.savez(buffer, **found)
    sys.stdout.buffer.write(buffer.getvalue())


if __name__ == "__main__":
    main()
