"""Nets in copies and pickles, with the very functions that they hold.

Keras's own copies know functions by their bare name, and take one of Keras's for a function of the
user's that has the same name.
"""

from typing import Any, NamedTuple

import keras

from aegmm_detect.serialization.nets import NetParts, deserialize_net, serialize_net


class _Packed(NamedTuple):
    parts: NetParts
    own: dict[str, Any]


def pack(net: keras.Model, what: str) -> Any:
    """A net as plain data; the net itself before it has weights.

    Raises
    ------
    ArtefactError
        It holds what has no name, and what Keras could write but never read.
    """
    if not net.built:
        return net
    parts, described = serialize_net(net, what)
    return _Packed(parts, described.own)


def unpack(packed: Any, what: str) -> keras.Model:
    """Inverse of `pack`."""
    if not isinstance(packed, _Packed):
        return packed
    return deserialize_net(packed.parts, what, packed.own)
