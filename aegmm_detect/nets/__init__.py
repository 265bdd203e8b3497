"""Keras models and layers: weights and `call`, no training policy."""

from aegmm_detect.backend import check_keras_backend

check_keras_backend()
