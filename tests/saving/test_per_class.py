"""A detector made of others, as a file: parts that do not belong together are refused."""

import numpy as np
import pytest

from aegmm_detect.exceptions import ArtefactError
from aegmm_detect.od import OutlierAEGMM, PerClassAEGMM
from aegmm_detect.saving.archive import read_archive, write_archive
from aegmm_detect.saving.detector import artefact_of, detector_from
from aegmm_detect.saving.manifest import Artefact, Manifest

ROWS = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32)


@pytest.fixture(scope="module")
def of_classes():
    template = OutlierAEGMM.from_sizes(4, [3, 1], [4, 2], threshold=0.0, seed=0)
    detector = PerClassAEGMM(template, threshold=1.0)
    detector.fit(ROWS, np.arange(60) % 2, epochs=1, verbose=0)
    return artefact_of(detector)


def changed(artefact, contents=None, **fields):
    manifest = artefact.manifest.model_dump() | fields
    manifest = Manifest.model_validate_json(Manifest(**manifest).model_dump_json())
    return Artefact(manifest, artefact.contents if contents is None else contents)


def without_a_part(artefact):
    parts = {k: v for k, v in artefact.manifest.detectors.items() if k != "1"}
    return changed(artefact, detectors={k: v.model_dump() for k, v in parts.items()})


def with_nets_swapped(artefact):
    files = dict(artefact.manifest.model_dump()["files"])
    files["0.encoder"], files["1.encoder"] = files["1.encoder"], files["0.encoder"]
    return changed(artefact, files=files)


def with_a_label_twice(artefact):
    return changed(artefact, labels=(0, 0))


def with_a_class_more(artefact):
    return changed(artefact, labels=(0, 1, 2))


def not_fitted_but_for_its_parts(artefact):
    return changed(artefact, input=None)


def made_of_itself(artefact):
    parts = artefact.manifest.model_dump()["detectors"]
    parts["0"]["detectors"] = {"0": parts["1"]}
    return changed(artefact, detectors=parts)


@pytest.mark.parametrize(
    "harm",
    [
        without_a_part,
        with_nets_swapped,
        with_a_label_twice,
        with_a_class_more,
        not_fitted_but_for_its_parts,
        made_of_itself,
    ],
)
def test_parts_that_do_not_belong_together_are_refused(harm, of_classes):
    with pytest.raises(ArtefactError):
        detector_from(harm(of_classes), {})


def test_parts_with_equal_contents_share_a_file(of_classes, tmp_path):
    twin = {role: of_classes.contents["0." + role] for role in ("encoder", "decoder")}
    parts = of_classes.manifest.model_dump()["detectors"]
    files = of_classes.manifest.model_dump()["files"]
    contents = dict(of_classes.contents)
    for role, content in twin.items():
        contents["1." + role] = content
        parts["1"]["files"][role] = files["1." + role] = files["0." + role]
    write_archive(
        tmp_path / "twins.aegmm", changed(of_classes, contents, detectors=parts, files=files)
    )
    found = detector_from(read_archive(tmp_path / "twins.aegmm"), {})
    weights = [member.net.encoder.get_weights() for member in found.members.values()]
    for a, b in zip(*weights, strict=True):
        np.testing.assert_array_equal(a, b)
