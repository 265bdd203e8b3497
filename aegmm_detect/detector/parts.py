"""A detector in parts, as it is saved, and comes back from them."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import keras

from aegmm_detect.configs.input import InputEntry
from aegmm_detect.exceptions import ArtefactError
from aegmm_detect.serialization.describe import Described
from aegmm_detect.types import Array


@dataclasses.dataclass(frozen=True)
class Parts:
    """All of a detector but its decisions.

    Parameters
    ----------
    settings
        Sections of plain values, as JSON has them: 'config' and, where a kind has them,
        'fit_config', 'net', 'blueprint', 'labels'.
    nets
        By role.
    arrays
        By name; numbers alone.
    rows
        What it was fitted on; None before `fit`.
    children
        Detectors of which it is made, by name.
    described
        What `settings` name of the user's functions, in writing.
    """

    settings: Mapping[str, Any]
    nets: Mapping[str, keras.Model] = dataclasses.field(default_factory=dict)
    arrays: Mapping[str, Array] = dataclasses.field(default_factory=dict)
    rows: InputEntry | None = None
    children: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    described: tuple[Described, ...] = ()

    def check_nets(self, *roles: str) -> None:
        """Refuse, in reading, nets of other roles than these.

        Raises
        ------
        ArtefactError
            Names both.
        """
        if self.nets.keys() != {*roles}:
            raise ArtefactError(f"It holds nets {sorted(self.nets)}; {sorted(roles)} fits.")
