"""Nets and feature functions as plain data and back, every object named by what it is.

Keras names functions by their bare name and looks names up wherever it can. Here a name in a
configuration counts only if it is on the list of `known`, if the caller's process has registered
it, or if the caller passes it; and what it stands for is handed to Keras, which looks up nothing.
"""
