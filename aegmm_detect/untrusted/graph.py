"""Is a graph one that the light scorer may hand to its runtime?"""

from collections.abc import Callable

from aegmm_detect.exceptions import ArtefactError
from aegmm_detect.untrusted.litert_graph import check_litert
from aegmm_detect.untrusted.onnx_graph import check_onnx

_CHECKS: dict[str, Callable[[bytes], None]] = {"onnx": check_onnx, "litert": check_litert}


def check_graph(content: bytes, format: str, where: str) -> None:
    """Read a graph, and refuse what no export may hold.

    Parameters
    ----------
    content
        Of the file.
    format
        'onnx' or 'litert'.
    where
        Path of the file, for errors.

    Raises
    ------
    ArtefactError
        Says what is wrong with it.
    """
    try:
        _CHECKS[format](content)
    except ArtefactError as error:
        raise ArtefactError(f"{where} is refused: {error}.") from error
