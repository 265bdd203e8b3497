"""Bytes that anybody may have written, read with bounds on all that they can ask for.

Saved detectors, exports, checkpoints and other packages' detectors go through these modules. None
of them runs anything that the bytes say, imports TensorFlow, or takes more than a few times the
memory that a file takes on disk. What a library could crash on, `hdf5` for one, is left to a child
process (`child`, `limits`). `stored` and `arrays` also write what they read.
"""
