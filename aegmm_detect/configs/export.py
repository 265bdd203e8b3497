"""What stands next to an exported graph, free of TensorFlow."""

import math
from typing import Annotated, ClassVar, Final, Literal, Self

from pydantic import ConfigDict, Field, field_validator, model_validator

from aegmm_detect.configs.base import Settings
from aegmm_detect.configs.rows import NanPolicy
from aegmm_detect.exceptions import ArtefactError
from aegmm_detect.sealed_json import Kind, read_sealed, sealed

Format = Literal["savedmodel", "onnx", "litert"]
# Of a directory that `export` writes.
METADATA_FILE = "metadata.json"
MODEL_FILES: dict[Format, str] = {
    "savedmodel": "saved_model.pb",
    "onnx": "model.onnx",
    "litert": "model.tflite",
}
KIND: Final = "aegmm_detect.export"
# Readers refuse newer ones. 2: with the list of files.
FORMAT_VERSION = 2
# Bounds on what a file that somebody else has written may ask for. Some 140,000 columns, which take
# 30 bytes each.
LARGEST_METADATA = 2**22
LARGEST_MODEL = 2**29
_LARGEST_ROW = 2**22  # numbers: an image of 2,048 x 2,048
Name = Annotated[str, Field(max_length=1000)]
_SEALED = Kind(
    mark=("kind", KIND),
    version=FORMAT_VERSION,
    key="metadata_sha256",
    what=(
        "not part of an exported detector, or damaged. Pass the directory that detector.export "
        "wrote."
    ),
    again="Export the detector again.",
    most_containers=16,
)


class ExportedInput(Settings):
    """The graph's only input: rows."""

    name: Name
    # Of a row; the graph takes (N, *shape).
    shape: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=1, max_length=8)]
    dtype: Literal["float32", "float64"]
    columns: tuple[Name, ...] | None = None  # where the detector was fitted to a data frame

    @model_validator(mode="after")
    def _sizes_fit(self) -> Self:
        if math.prod(self.shape) > _LARGEST_ROW:
            raise ValueError(f"rows of shape {self.shape}: at most {_LARGEST_ROW:,} numbers fit")
        if self.columns is not None and self.shape != (len(self.columns),):
            raise ValueError(f"{len(self.columns)} columns for rows of shape {self.shape}")
        return self


class ExportedMeta(Settings):
    """`meta` of the detector."""

    name: Name
    detector_type: Literal["outlier"]
    data_type: Name | None
    online: Literal[False]
    version: Name


class ExportMetadata(Settings):
    """What a program needs to know that runs an exported graph."""

    # A threshold may be infinite; JSON has no number for that.
    model_config = ConfigDict(allow_inf_nan=True, ser_json_inf_nan="strings")

    kind: Literal["aegmm_detect.export"] = KIND
    format_version: Annotated[int, Field(ge=1)] = FORMAT_VERSION
    format: Format
    sha256: Name = ""  # of the model file
    # Bytes of each other file by its path, with '/' between folders. Older exports have no list.
    files: dict[Name, Annotated[int, Field(ge=0)]] | None = None
    input: ExportedInput
    outputs: ClassVar[tuple[str, str]] = ("instance_score", "is_outlier")
    threshold: float
    nan_policy: NanPolicy
    meta: ExportedMeta
    # From the detector's own scores s, relative to max(1, |s|), on the rows compared at export.
    largest_difference: Annotated[float, Field(ge=0.0)] = 0.0

    @field_validator("threshold")
    @classmethod
    def _decides(cls, value: float) -> float:
        if math.isnan(value):
            raise ValueError("a threshold of NaN would call every row an outlier")
        return value

    @property
    def model_file(self) -> str:
        """Name of the file that holds the graph."""
        return MODEL_FILES[self.format]

    def to_json(self) -> str:
        """As text that ends with the sha256 of everything before it.

        Raises
        ------
        ArtefactError
            It is more than can be read again.
        """
        text = sealed(self.model_dump_json(), _SEALED.key)
        if len(text) > LARGEST_METADATA:  # which is ASCII
            raise ArtefactError(
                f"{METADATA_FILE} would have {len(text):,} bytes; at most {LARGEST_METADATA:,} can "
                "be read again. It names all columns: fit to an array, which has no names."
            )
        return text

    @classmethod
    def from_json(cls, text: str | bytes, where: str) -> Self:
        """Inverse of `to_json`.

        Raises
        ------
        ArtefactError
            Names `where`: foreign, damaged, too new, or with values that do not fit.
        """
        return read_sealed(cls, text, where, _SEALED)
