"""Bytes that anybody may have written, read with bounds on all that they can ask for.

Saved detectors, exports, checkpoints and other packages' detectors go through these modules. None
of them runs anything, imports TensorFlow, or takes more memory than the file takes on disk.
"""
