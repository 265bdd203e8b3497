"""Detectors of the package itself: tests register more of them."""

from aegmm_detect.registry import DETECTORS

OWN = sorted(name for name, home in DETECTORS.items() if home.startswith("aegmm_detect."))
