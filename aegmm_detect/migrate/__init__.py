"""Detectors that other packages saved, taken over without running any of their code."""

from typing import TYPE_CHECKING

from aegmm_detect._lazy import lazy_names

if TYPE_CHECKING:
    from aegmm_detect.migrate.alibi import from_alibi_detect

__all__ = ["from_alibi_detect"]

__getattr__, __dir__ = lazy_names(__name__, {"from_alibi_detect": "aegmm_detect.migrate.alibi"})
