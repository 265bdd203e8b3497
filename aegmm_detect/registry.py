"""The one list of detectors: name -> class, imported only when asked for."""

import importlib
from typing import Any

from aegmm_detect.exceptions import ConfigurationError

# A new detector is one file and one line here; the conformance tests run over this list.
DETECTORS = {
    "OutlierAEGMM": "aegmm_detect.od.aegmm:OutlierAEGMM",
    "OutlierLabelledAEGMM": "aegmm_detect.od.labelled:OutlierLabelledAEGMM",
    "OutlierSOMAEGMM": "aegmm_detect.od.som:OutlierSOMAEGMM",
    "OutlierVAEGMM": "aegmm_detect.od.vaegmm:OutlierVAEGMM",
    "OutlierVQAEGMM": "aegmm_detect.od.vqaegmm:OutlierVQAEGMM",
    "OutlierAELMM": "aegmm_detect.od.aelmm:OutlierAELMM",
    "PerClassAEGMM": "aegmm_detect.per_class.detector:PerClassAEGMM",
}


def get_detector(name: str) -> Any:
    """The class of that name.

    Raises
    ------
    ConfigurationError
        Lists the names that exist.
    """
    if name not in DETECTORS:
        raise ConfigurationError(f"No detector is called {name!r}. There are: {sorted(DETECTORS)}.")
    module, _, attribute = DETECTORS[name].partition(":")
    return getattr(importlib.import_module(module), attribute)
