"""A net, and all that makes it up: configuration, weights, assets."""

import contextlib
import io
import json
import re
import tempfile
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import keras

from aegmm_detect.exceptions import AEGMMError, ArtefactError
from aegmm_detect.files import staged_folder
from aegmm_detect.listing import one_line
from aegmm_detect.serialization.describe import Described, check_functions, describe
from aegmm_detect.serialization.plan import check_size
from aegmm_detect.serialization.references import REGISTER, holds_code
from aegmm_detect.serialization.vet import vet
from aegmm_detect.serialization.weights import (
    arrays_of_h5,
    check_numbers,
    dtypes_of,
    h5_of_arrays,
)
from aegmm_detect.types import Array

CONFIG, WEIGHTS, ASSETS = "config.json", "model.weights.h5", "assets/"
_METADATA = "metadata.json"
_LAMBDA = "The object being serialized includes a `lambda`"
# Deep copies of Keras's own initialisers have warned so since NumPy 2.
_HARMLESS = "__array__ implementation doesn't accept a copy keyword"


class NetParts(NamedTuple):
    """All of a net as plain data."""

    config: dict[str, Any]
    weights: dict[str, Array]  # by Keras's path
    assets: dict[str, bytes]  # by name, such as 'assets/layers/lookup/vocabulary.txt'


def serialize_net(net: keras.Model, what: str) -> tuple[NetParts, Described]:
    """A net as plain data, and the functions that it holds.

    Parameters
    ----------
    net
        Built.
    what
        Its role, for errors.

    Raises
    ------
    ArtefactError
        It has no weights yet, holds code, or holds what cannot be found again by its name.
    OSError
        No space for temporary files.
    """
    if not net.built:
        raise ArtefactError(
            f"{what} has no weights yet. Begin it with keras.Input(shape), or call fit first."
        )
    check_functions(net, what)
    # Keras writes nets to paths.
    with staged_folder(_temporary(), 0o700) as folder:
        path = folder / "net.keras"
        with keras_at_work(what):
            net.save(path)
        with zipfile.ZipFile(path) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(members[CONFIG])
    described = describe(config, net, what)
    weights = arrays_of_h5(members[WEIGHTS], what)
    assets = {n: c for n, c in members.items() if n.startswith(ASSETS) and not n.endswith("/")}
    return NetParts(config, weights, assets), described


def deserialize_net(parts: NetParts, what: str, given: Mapping[str, Any]) -> keras.Model:
    """Inverse of `serialize_net`.

    Parameters
    ----------
    parts
        Of any origin: nothing that they name is looked up or called before it is vetted.
    what
        Role of the net, for errors.
    given
        Layers and functions that are not registered, by name.

    Raises
    ------
    ArtefactError
        They describe no net, name what is not known, or ask for more than is stored.
    OSError
        No space for temporary files.
    """
    vetted = vet(parts.config, given, what)
    check_numbers(parts.weights, what)
    if parts.assets and not vetted.has_own_classes:
        raise ArtefactError(f"{what} has files that none of its layers reads.")
    with _as_not_loaded(what):
        check_size(vetted, parts.weights, what)
    content = _keras_file(vetted.config, parts)
    with staged_folder(_temporary(), 0o700) as folder:
        path = folder / "net.keras"
        path.write_bytes(content)
        with _as_not_loaded(what), _without_noise():
            net = keras.saving.load_model(
                path, custom_objects=vetted.objects, compile=False, safe_mode=True
            )
    if not isinstance(net, keras.Model):
        raise ArtefactError(f"{what} is a {type(net).__name__}, not a keras.Model.")
    found = {keras.backend.standardize_dtype(v.dtype) for v in net.variables}
    if strange := dtypes_of(parts.weights) - found:
        raise ArtefactError(
            f"{what} stores weights of type {sorted(strange)}, which the net does not have."
        )
    return net


def _keras_file(config: dict[str, Any], parts: NetParts) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(_METADATA, json.dumps({"keras_version": keras.__version__}))
        archive.writestr(CONFIG, json.dumps(config))
        archive.writestr(WEIGHTS, h5_of_arrays(parts.weights))
        for name, content in parts.assets.items():
            archive.writestr(name, content)
    return stream.getvalue()


def _temporary() -> Path:
    return Path(tempfile.gettempdir()) / "aegmm_detect-net"


@contextlib.contextmanager
def keras_at_work(what: str) -> Iterator[None]:
    """What Keras and the user's own classes raise while they write, as the package's own error."""
    with _without_noise():
        # Some lambdas leave no trace in the configuration by which they could be found later.
        warnings.filterwarnings("error", message=_LAMBDA)
        try:
            yield
        except (AEGMMError, OSError):
            raise
        # The user's own classes can fail in any way.
        except Exception as error:
            if isinstance(error, UserWarning) and re.match(_LAMBDA, str(error)):
                raise holds_code(what, "lambda") from None
            raise ArtefactError(
                f"{what} cannot be saved: {one_line(error)} Functions, and classes with a "
                f"get_config, can be saved if they are registered: {REGISTER}; lambdas cannot."
            ) from error


@contextlib.contextmanager
def _without_noise() -> Iterator[None]:
    """Without Keras's warnings about itself, which may be errors in this process."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=_HARMLESS, category=DeprecationWarning)
        yield


@contextlib.contextmanager
def _as_not_loaded(what: str) -> Iterator[None]:
    try:
        yield
    except (AEGMMError, OSError):
        raise
    # Keras raises whatever a configuration leads it to.
    except Exception as error:
        raise ArtefactError(f"Keras cannot load {what}: {one_line(error)}") from error
