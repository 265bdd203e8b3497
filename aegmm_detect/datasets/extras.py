"""Optional packages of the loaders."""

from typing import Any

from aegmm_detect import extras


def import_extra(module: str, purpose: str, otherwise: str = "") -> Any:
    """Import `module` of the extra ``data``; see `aegmm_detect.extras.import_extra`."""
    return extras.import_extra(module, "data", purpose, otherwise)
