"""The parts of a detector, as they are saved and loaded."""

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
    """All parts of a detector, except threshold and calibration.

    Parameters
    ----------
    settings
        Sections of plain JSON values: 'config', and 'fit_config', 'net', 'blueprint', 'labels' if
        the class has them.
    nets
        Nets by role.
    arrays
        Arrays of numbers by name.
    rows
        Description of the training rows; None before `fit`.
    children
        Detectors of which it consists, by name.
    described
        Descriptions of the user's functions that `settings` name.
    """

    settings: Mapping[str, Any]
    nets: Mapping[str, keras.Model] = dataclasses.field(default_factory=dict)
    arrays: Mapping[str, Array] = dataclasses.field(default_factory=dict)
    rows: InputEntry | None = None
    children: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    described: tuple[Described, ...] = ()

    def check_nets(self, *roles: str) -> None:
        """Raise unless the nets read from a file have exactly these roles.

        Raises
        ------
        ArtefactError
            The roles differ; the message names both.
        """
        if self.nets.keys() != {*roles}:
            raise ArtefactError(f"It holds nets {sorted(self.nets)}; {sorted(roles)} fits.")
