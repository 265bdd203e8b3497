"""Results on disk: one JSON file that is complete at any time, however its writer dies."""

import json
import os
from pathlib import Path
from typing import Any

from aegmm_detect.exceptions import ConfigurationError
from aegmm_detect.files import write_atomically

FORMAT = 1

# What makes two runs the same one; a contender's config is compared besides.
_KEY = ("contender", "split_seed", "model_seed")


class Store:
    """Runs of one benchmark, in one file, which one process at a time may write.

    Parameters
    ----------
    path
        JSON file; read if it is there.
    header
        What all runs of a file share: data set, protocol, options, version of the package.

    Raises
    ------
    ConfigurationError
        The file has another header, or is none of this kind.
    """

    def __init__(self, path: str | os.PathLike[str], header: dict[str, Any]) -> None:
        self._path = Path(path)
        # As JSON has it: tuples are lists, and a file that was read compares equal.
        self._header = json.loads(json.dumps({"format": FORMAT, **header}))
        self.environments: list[dict[str, Any]] = []
        self.runs: list[dict[str, Any]] = []
        # Contender from which the file's differences are taken.
        self.reference: str | None = None
        if self._path.exists():
            self._read()

    def find(self, key: dict[str, Any], config: Any) -> dict[str, Any] | None:
        """The run with that contender and those seeds and settings, if it has been done."""
        plain = json.loads(json.dumps(config))
        for run in self.runs:
            if all(run[name] == key[name] for name in _KEY) and same_settings(run["config"], plain):
                return run
        return None

    def add(self, run: dict[str, Any]) -> None:
        """Put a run into the file, in place of the one with its contender and seeds.

        Runs of the contender with other settings are dropped: their mean would be of two models.
        """
        plain = json.loads(json.dumps(run, allow_nan=False))
        self.runs = [old for old in self.runs if not _superseded(old, plain)]
        self.runs.append(plain)
        # By number, so that an interrupted benchmark ends with the file of an uninterrupted one.
        self.runs.sort(key=lambda r: (r["split_seed"], r["model_seed"], r["contender"]))
        self.write()

    def environment(self, description: dict[str, Any]) -> int:
        """The number under which runs refer to a machine and its versions."""
        if description not in self.environments:
            self.environments.append(description)
        return self.environments.index(description)

    def write(self, **more: Any) -> dict[str, Any]:
        """Replace the file in one step, with `more` beside header and runs.

        Returns
        -------
        Its content.
        """
        content = {
            **self._header,
            "environments": self.environments,
            **more,
            "runs": self.runs,
        }
        self._path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(content, indent=1, allow_nan=False) + "\n"
        write_atomically(self._path, text.encode())
        return content

    def _read(self) -> None:
        try:
            found = json.loads(self._path.read_text(encoding="utf-8"))
            self.environments, self.runs = found["environments"], found["runs"]
            self.reference = found.get("reference")
        except (ValueError, KeyError, TypeError) as error:
            raise ConfigurationError(
                f"{self._path} is not a file of results ({error!r}): move it away."
            ) from error
        differing = sorted(k for k, v in self._header.items() if found.get(k) != v)
        if differing:
            raise ConfigurationError(
                f"{self._path} holds results with another {', '.join(differing)}: runs of both "
                "are not to be mixed. Choose another file, or move this one away."
            )


def same_settings(one: Any, other: Any) -> bool:
    """Whether two records say the same, as JSON has it.

    A setting that only one of them has was not there yet for the other: they agree if it is off,
    which is None, False, 0 or empty. So a new option does not void the results that there are.
    """
    if not (isinstance(one, dict) and isinstance(other, dict)):
        return bool(one == other)
    return all(
        same_settings(one[name], other[name])
        if name in one and name in other
        else not (one | other)[name]
        for name in one.keys() | other.keys()
    )


def _superseded(old: dict[str, Any], new: dict[str, Any]) -> bool:
    if old["contender"] != new["contender"]:
        return False
    # A model that could not even be made has no settings to compare.
    configs = (old["config"], new["config"])
    return (None not in configs and not same_settings(*configs)) or _seeds(old) == _seeds(new)


def _seeds(run: dict[str, Any]) -> tuple[int, int]:
    return run["split_seed"], run["model_seed"]
