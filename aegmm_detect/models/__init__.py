"""Models and losses under the names that users of other packages have in their code."""

from aegmm_detect.backend import check_keras_backend

check_keras_backend()
