"""What stands beside an exported graph, free of TensorFlow."""

import json
from typing import Annotated, Any, ClassVar, Final, Literal, Self

from pydantic import ConfigDict, Field, ValidationError

from aegmm_detect.configs.aegmm import NanPolicy
from aegmm_detect.configs.base import Settings
from aegmm_detect.exceptions import ArtefactError
from aegmm_detect.sealed_json import Kind, checked_fields, sealed

Format = Literal["savedmodel", "onnx", "litert"]
# Of a directory that `export` writes.
METADATA_FILE = "metadata.json"
MODEL_FILES: dict[Format, str] = {
    "savedmodel": "saved_model.pb",
    "onnx": "model.onnx",
    "litert": "model.tflite",
}
KIND: Final = "aegmm_detect.export"
# Readers refuse newer ones.
FORMAT_VERSION = 1
_SEALED = Kind(
    mark=("kind", KIND),
    version=FORMAT_VERSION,
    key="metadata_sha256",
    what="not of an exported detector, or damaged. Pass the directory that detector.export wrote.",
    again="Export the detector again.",
)


class ExportedInput(Settings):
    """The graph's only input: rows."""

    name: str
    shape: tuple[int, ...]  # of a row; the graph takes (N, *shape)
    dtype: Literal["float32", "float64"]
    columns: tuple[str, ...] | None = None  # where the detector was fitted to a data frame


class ExportedMeta(Settings):
    """`meta` of the detector."""

    name: str
    detector_type: Literal["outlier"]
    data_type: str | None
    online: Literal[False]
    version: str


class ExportMetadata(Settings):
    """What a program needs to know that runs an exported graph."""

    # A threshold may be infinite; JSON has no number for that.
    model_config = ConfigDict(allow_inf_nan=True, ser_json_inf_nan="strings")

    kind: Literal["aegmm_detect.export"] = KIND
    format_version: Annotated[int, Field(ge=1)] = FORMAT_VERSION
    format: Format
    sha256: str = ""  # of the model file
    input: ExportedInput
    outputs: ClassVar[tuple[str, str]] = ("instance_score", "is_outlier")
    threshold: float
    nan_policy: NanPolicy
    meta: ExportedMeta
    # From the detector's own scores s, relative to max(1, |s|), on the rows compared at export.
    largest_difference: Annotated[float, Field(ge=0.0)] = 0.0

    @property
    def model_file(self) -> str:
        """Name of the file that holds the graph."""
        return MODEL_FILES[self.format]

    def to_json(self) -> str:
        """As text that ends with the sha256 of everything before it."""
        return sealed(self.model_dump_json(), _SEALED.key)

    @classmethod
    def from_json(cls, text: str | bytes, where: str) -> Self:
        """Inverse of `to_json`.

        Raises
        ------
        ArtefactError
            Names `where` and says whether it is foreign, damaged or too new.
        """
        fields = checked_fields(text, where, _SEALED)
        try:
            # As JSON, in which a list stands for a tuple.
            return cls.model_validate_json(json.dumps(fields))
        except ValidationError as error:
            problem: Any = error.errors()[0]
            what = ".".join(str(part) for part in problem["loc"])
            raise ArtefactError(f"{where} is damaged: {what}: {problem['msg']}.") from error
