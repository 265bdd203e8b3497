"""Functions of alibi-detect's interface, thin over `gmm` and `objective`; they accept NumPy."""

import math

from keras import ops

from aegmm_detect.exceptions import ConfigurationError
from aegmm_detect.numerics import elbo, gmm
from aegmm_detect.numerics.objective import ForwardPass, aegmm_terms, evaluate
from aegmm_detect.types import FloatArray, Tensor


def gmm_params(z: Tensor, gamma: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Mixture of latent vectors under soft memberships.

    Parameters
    ----------
    z
        Latent vectors, (N, D).
    gamma
        Memberships, (N, K); rows sum to 1.

    Returns
    -------
    phi (K,), mu (K, D), cov (K, D, D), its Cholesky factor L (K, D, D) and log det cov (K,).
    `cov` is the regularised one, of which `L` is the factor.
    """
    params = gmm.mixture(gmm.moments(z, gamma))
    factor = _inverse_lower(params.whiten)
    return params.phi, params.mu, params.cov, factor, _log_det(factor)


def gmm_energy(
    z: Tensor,
    phi: Tensor,
    mu: Tensor,
    cov: Tensor,
    L: Tensor,
    log_det_cov: Tensor,
    return_mean: bool = True,
) -> tuple[Tensor, Tensor]:
    """Energy of latent vectors, and the covariance-diagonal penalty.

    Parameters
    ----------
    z
        Latent vectors, (N, D).
    phi, mu, cov, L, log_det_cov
        As `gmm_params` returns them; `cov` serves the penalty, `L` and `log_det_cov` the energy.
    return_mean
        Mean energy, a scalar (default: what a loss needs), or one energy per row, (N,).

    Returns
    -------
    The energy in nats and the penalty sum(1 / diag(cov)), a scalar.
    """
    z = ops.convert_to_tensor(z)
    # A detector's own attributes are float64, its latent vectors float32.
    phi, mu, cov, L, log_det_cov = (ops.cast(v, z.dtype) for v in (phi, mu, cov, L, log_det_cov))
    shift = 0.5 * (_log_det(L) - log_det_cov)
    params = gmm.GaussianMixture(phi, mu, cov, _inverse_lower(L))
    log_prob = gmm.log_prob(z, params) + shift
    energies = -ops.logsumexp(log_prob, axis=-1)
    return (ops.mean(energies) if return_mean else energies), gmm.inverse_variance(params)


def loss_aegmm(
    x_true: Tensor,
    x_pred: Tensor,
    z: Tensor,
    gamma: Tensor,
    w_energy: float = 0.1,
    w_cov_diag: float = 0.005,
) -> Tensor:
    """AEGMM loss of one batch, a scalar: reconstruction + energy + covariance diagonal.

    Parameters
    ----------
    x_true, x_pred
        Inputs and reconstructions, (N, ...).
    z, gamma
        Latent vectors (N, D) and memberships (N, K).
    w_energy, w_cov_diag
        Weights of the mean energy and of sum(1 / diag(cov)); defaults of Zong et al. (2018).
    """
    out = ForwardPass(*map(ops.convert_to_tensor, (x_true, x_pred, z, gamma)))
    return evaluate(aegmm_terms(w_energy, w_cov_diag), out)["loss"]


def loss_vaegmm(
    x_true: Tensor,
    x_pred: Tensor,
    z: Tensor,
    gamma: Tensor,
    w_recon: float = 1e-7,
    w_energy: float = 0.1,
    w_cov_diag: float = 0.005,
    cov_full: FloatArray | None = None,
    cov_diag: FloatArray | None = None,
    sim: float | None = 0.05,
) -> Tensor:
    """VAEGMM loss of one batch, a scalar; the divergence of the code is not in it.

    Parameters
    ----------
    x_true, x_pred
        Inputs and reconstructions, (N, ...).
    z, gamma
        Latent vectors (N, D) and memberships (N, K).
    w_recon
        Weight of the mean negative log-likelihood of the reconstruction. Default 1e-7, that of
        alibi-detect's interface.
    w_energy, w_cov_diag
        As for `loss_aegmm`.
    cov_full, cov_diag, sim
        Covariance of a row around its reconstruction: matrix (F, F), variances (F,), or standard
        deviation (default .05). The first that is given counts.
    """
    x, x_recon = ops.convert_to_tensor(x_true), ops.convert_to_tensor(x_pred)
    if cov_full is not None:
        covariance = elbo.ReconCovariance.full(cov_full)
    elif cov_diag is not None:
        covariance = elbo.ReconCovariance.diagonal(cov_diag)
    elif sim is not None:
        covariance = elbo.ReconCovariance.same(sim, math.prod(x.shape[1:]))
    else:
        raise ConfigurationError("cov_full, cov_diag and sim are all None: give one of them.")
    out = ForwardPass(x, x_recon, ops.convert_to_tensor(z), ops.convert_to_tensor(gamma))
    rest = evaluate(aegmm_terms(w_energy, w_cov_diag)[1:], out)["loss"]
    return w_recon * ops.mean(elbo.negative_log_likelihood(x, x_recon, covariance)) + rest


def _inverse_lower(matrices: Tensor) -> Tensor:
    eye = ops.broadcast_to(ops.eye(matrices.shape[-1], dtype=matrices.dtype), matrices.shape)
    return ops.solve_triangular(matrices, eye, lower=True)


def _log_det(factor: Tensor) -> Tensor:
    return 2.0 * ops.sum(ops.log(ops.diagonal(factor, axis1=1, axis2=2)), axis=-1)
