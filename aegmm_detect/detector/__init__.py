"""The common parts of all detectors: scores, thresholds, predictions, calibration."""
