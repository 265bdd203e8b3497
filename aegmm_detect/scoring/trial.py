"""A foreign graph scores a few rows in a process of its own before it may do so in this one.

Runtimes are large programs in C++: a graph of known operations with a wrong number in it can still
end the process, take all memory or run for hours. What does so ends a child, and becomes an error.
"""

import hashlib
import json

from aegmm_detect.configs.export import ExportMetadata
from aegmm_detect.exceptions import ArtefactError
from aegmm_detect.untrusted.child import run_child

_PROGRAM = "aegmm_detect.scoring.trial_child"
# Graphs that this process has made or tried; those made were compared by `export`.
_PASSED: set[str] = set()
_ADVICE = (
    "If you know who wrote it, and that nobody has changed it since, pass trusted=True to leave "
    "the trial out."
)


def identity(metadata: ExportMetadata) -> str:
    """Of a graph and the rows it takes; the metadata's sha256 has been compared with the file's."""
    parts = [metadata.format, metadata.sha256, metadata.input.model_dump_json()]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def note_passed(known: str) -> None:
    """The graph of that identity needs no trial in this process."""
    _PASSED.add(known)


def try_graph(model: bytes, metadata: ExportMetadata, where: str) -> None:
    """Let a child score rows, unless the graph has passed in this process.

    Parameters
    ----------
    model
        Of the file, checked by `check_graph`.
    metadata
        What stands next to it.
    where
        Path of the file, for errors.

    Raises
    ------
    ArtefactError
        The child crashed, was refused memory or time, or the runtime failed; or none can start.
    """
    if identity(metadata) in _PASSED:
        return
    order = {"metadata": metadata.model_dump_json()}
    output, reason = run_child(_PROGRAM, order, [model], "the runtime")
    # A runtime may end the process by itself, and call that a success.
    if reason is None and not output.endswith(b"passed"):
        reason = "the runtime ended the process"
    if reason is not None:
        raise ArtefactError(f"{where} is refused: in a trial of a few rows, {reason}. {_ADVICE}")
    note_passed(identity(metadata))
