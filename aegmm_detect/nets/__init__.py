"""Keras models and layers: weights and `call`, no training policy."""
