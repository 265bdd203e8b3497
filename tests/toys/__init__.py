"""The two detectors that CONTRIBUTING shows, and their lines of the registry."""
