"""Scores are a function of a net, parameters and rows; its parts can be had."""

import dataclasses

import numpy as np

from aegmm_detect.export.graph import PORTABLE
from aegmm_detect.numerics.families import LAPLACIAN


def test_latent_vectors_are_what_the_mixture_scores(fitted, normal_rows):
    state = fitted.state
    (z,) = state.latent(fitted.net)(state.prepared(normal_rows))
    assert z.shape == (600, fitted.mixture.n_dim)
    energies = fitted.mixture.energy(np.asarray(z))
    np.testing.assert_allclose(energies, fitted.score(normal_rows), rtol=1e-3, atol=1e-3)


def test_the_graph_is_its_function_of_its_net_and_parameters(fitted, normal_rows):
    graph = fitted.scoring_graph
    assert graph.net is fitted.net
    assert graph.row_dtype == "float32"
    scores = graph(normal_rows)
    np.testing.assert_array_equal(graph.function(graph.net, graph.parameters, normal_rows), scores)
    np.testing.assert_allclose(scores, fitted.score(normal_rows), rtol=1e-4, atol=1e-4)


def test_equal_functions_are_equal_and_others_are_not(fitted):
    energy = fitted.state.function()
    assert energy == fitted.state.function("energy")
    assert hash(energy) == hash(fitted.state.function("energy"))
    assert energy != fitted.state.function("both")
    assert energy != dataclasses.replace(energy, limit=1.0)
    assert energy != dataclasses.replace(energy, squash=True)
    assert energy != dataclasses.replace(energy, family=LAPLACIAN)
    assert energy != dataclasses.replace(energy, operations=PORTABLE)
