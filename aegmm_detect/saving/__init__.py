"""Detectors on disk: a directory or one `.aegmm` file, without pickle, replaced atomically."""

from typing import TYPE_CHECKING

from aegmm_detect._lazy import lazy_names

if TYPE_CHECKING:
    from aegmm_detect.saving.detector import load_detector, save_detector

__all__ = ["load_detector", "save_detector"]

__getattr__, __dir__ = lazy_names(__name__, dict.fromkeys(__all__, "aegmm_detect.saving.detector"))
