"""Nets and functions under the import path of alibi-detect's users; nothing is defined here."""

from aegmm_detect.models.losses import gmm_energy, gmm_params, loss_aegmm, loss_vaegmm
from aegmm_detect.nets.aegmm import AEGMM
from aegmm_detect.nets.vaegmm import VAEGMM
from aegmm_detect.numerics.features import eucl_cosim_features

__all__ = [
    "AEGMM",
    "VAEGMM",
    "eucl_cosim_features",
    "gmm_energy",
    "gmm_params",
    "loss_aegmm",
    "loss_vaegmm",
]
