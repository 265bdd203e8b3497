"""The scoring graph shows what its mixtures see."""

import numpy as np


def test_latent_vectors_are_what_the_mixture_scores(fitted, normal_rows):
    (z,) = fitted.scoring_graph.latent(normal_rows)
    assert z.shape == (600, fitted.mixture.n_dim)
    energies = fitted.mixture.energy(np.asarray(z))
    np.testing.assert_allclose(energies, fitted.score(normal_rows), rtol=1e-3, atol=1e-3)
