"""What a saved detector says about itself: settings, files with their hashes, and its own hash.

Free of TensorFlow: what is foreign or damaged is refused before Keras sees any of it.
"""

import hashlib
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, NamedTuple

from pydantic import (
    ConfigDict,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    field_validator,
)

from aegmm_detect.configs.base import Settings
from aegmm_detect.configs.input import InputEntry, Size
from aegmm_detect.exceptions import ArtefactError
from aegmm_detect.sealed_json import Kind, read_sealed, sealed
from aegmm_detect.untrusted.text import parsed_object

FORMAT: Final = "aegmm_detect"
# Goes up when older releases can no longer read what is written.
FORMAT_VERSION = 2
MANIFEST = "manifest.json"
# Characters of a file's hash in its name: enough that two never meet.
_SHORT = 16
_SEALED = Kind(
    mark=("format", FORMAT),
    version=FORMAT_VERSION,
    key="sha256",
    what="no manifest of a saved detector, or damaged. Pass what save_detector wrote.",
    again="Restore the saved detector from a copy, or save it again.",
)
# A role and the start of a hash: nothing that could lead out of the directory.
FILE_NAME = rf"[a-z_]+-[0-9a-f]{{{_SHORT}}}\.(keras|npz)"

# Bytes of a manifest: of column names, mostly, and 64 MiB are a million of them.
LARGEST_MANIFEST = 2**26
_MOST_SHARED = 8

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class FileEntry(Settings):
    """One data file: its name holds the start of its hash, so that contents never change."""

    name: Annotated[str, Field(pattern=f"^{FILE_NAME}$")]
    size: Size
    sha256: Sha256


class ThresholdEntry(Settings):
    """The threshold, and whether `infer_threshold` found it: `fit` clears it then."""

    # Infinity, above which nothing is an outlier, is no JSON number.
    model_config = ConfigDict(ser_json_inf_nan="strings")

    value: Annotated[float, Field(allow_inf_nan=True)] | None = None
    inferred: bool = False


Label = StrictBool | StrictInt | StrictFloat | StrictStr


class Manifest(Settings):
    """All of a saved detector that is neither weights nor arrays."""

    format: Literal["aegmm_detect"] = FORMAT
    format_version: Annotated[int, Field(ge=1)] = FORMAT_VERSION
    detector: str  # a name of the registry
    # Sections of the detector's own, which it checks itself; a kind has those that it needs.
    config: dict[str, Any]
    fit_config: dict[str, Any] = Field(default_factory=dict)
    net: dict[str, Any] = Field(default_factory=dict)
    blueprint: dict[str, Any] | None = None
    threshold: ThresholdEntry
    input: InputEntry | None = None  # None before fit
    versions: dict[str, str]
    files: dict[str, FileEntry]  # by role
    # Of a detector that is made of others: these, by name, and the labels of classes in order.
    # Their files are among `files`, too, under "name.role".
    detectors: dict[str, "Manifest"] = Field(default_factory=dict)
    labels: tuple[Label, ...] = ()

    @field_validator("files")
    @classmethod
    def _parts_are_stored(cls, files: dict[str, FileEntry]) -> dict[str, FileEntry]:
        """Parts that are equal share a file, and few are: or a small file would make many parts."""
        most = _MOST_SHARED * (1 + len({entry.name for entry in files.values()}))
        if len(files) > most:
            raise ValueError(f"{len(files):,} parts share files that bear {most:,}")
        return files

    def to_json(self) -> bytes:
        """UTF-8 text that ends with the sha256 of everything before it."""
        return sealed(self.model_dump_json(), _SEALED.key).encode()

    @classmethod
    def from_json(cls, content: bytes, where: str) -> "Manifest":
        """Inverse of `to_json`.

        Parameters
        ----------
        content
            As read.
        where
            For errors.

        Raises
        ------
        ArtefactError
            Foreign, damaged, of a newer format, or with values that do not fit.
        """
        return read_sealed(cls, content, where, _SEALED)


def is_ours(content: bytes) -> bool:
    """Whether this is a manifest of this package, damaged or not."""
    fields = parsed_object(content)
    return fields is not None and fields.get("format") == FORMAT


class Artefact(NamedTuple):
    """A saved detector in memory."""

    manifest: Manifest
    contents: Mapping[str, bytes]  # by role, as `manifest.files`

    def by_name(self) -> dict[str, bytes]:
        """Contents of the data files by file name."""
        return {self.manifest.files[role].name: data for role, data in self.contents.items()}


def file_entry(role: str, content: bytes) -> FileEntry:
    """Entry for a data file."""
    digest = hashlib.sha256(content).hexdigest()
    return FileEntry(name=f"{role}-{digest[:_SHORT]}.npz", size=len(content), sha256=digest)


def check_content(entry: FileEntry, content: bytes, where: str) -> None:
    """Refuse content that is not what the manifest promises.

    Raises
    ------
    ArtefactError
        Names the file.
    """
    found = hashlib.sha256(content).hexdigest()
    if len(content) != entry.size or found != entry.sha256:
        raise ArtefactError(
            f"{entry.name} in {where} is damaged: it has {len(content)} bytes and sha256 {found}, "
            f"and should have {entry.size} and {entry.sha256}. Restore the saved detector from a "
            "copy, or save it again."
        )
