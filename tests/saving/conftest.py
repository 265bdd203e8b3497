"""A small detector as bytes, and a fake of one for tests that need no net."""

import pytest

from aegmm_detect.saving.manifest import Artefact, Manifest, file_entry


@pytest.fixture(scope="session")
def artefact(fitted):
    """The fitted detector of the other tests, as bytes."""
    from aegmm_detect.saving.detector import artefact_of

    return artefact_of(fitted)


@pytest.fixture(scope="session")
def reseal():
    """Replace contents as an attacker would who knows the format: all hashes fit again."""

    def reseal(artefact, contents=(), **fields):
        contents = {**artefact.contents, **dict(contents)}
        files = {role: file_entry(role, data) for role, data in contents.items()}
        return Artefact(artefact.manifest.replace(files=files, **fields), contents)

    return reseal


@pytest.fixture(scope="session")
def make_fake():
    """Artefact of arbitrary bytes: what moves files about never looks into them."""
    values = {
        "detector": "OutlierAEGMM",
        "config": {},
        "fit_config": {},
        "net": {"kind": "ready"},
        "threshold": {"value": 1.5},
        "versions": {},
    }

    def make(**contents):
        files = {role: file_entry(role, data) for role, data in contents.items()}
        return Artefact(Manifest(**values, files=files), contents)

    return make
