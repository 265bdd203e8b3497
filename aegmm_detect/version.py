"""The version: one place for the metadata, the detectors and saved artefacts."""

__version__ = "0.1.0"
