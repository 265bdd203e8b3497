"""What every detector has, whatever its model: scores, thresholds, predictions, calibration."""
