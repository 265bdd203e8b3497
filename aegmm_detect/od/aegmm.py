"""OutlierAEGMM: a deep autoencoding Gaussian mixture model as an outlier detector."""

from aegmm_detect.od.building import Building


class OutlierAEGMM(Building):
    """Deep autoencoding Gaussian mixture model (Zong et al., ICLR 2018).

    An encoder compresses a row to a code; code and features of its reconstruction make `z`; a
    density net assigns `z` to the components of a Gaussian mixture. The energy of `z`, its
    negative log-density, is the score. `auto` scores by the bounded mean of several energies.

    Parameters
    ----------
    threshold
        Energy above which a row is an outlier. Default None: `infer_threshold` sets it.
    aegmm
        Ready model in place of the three nets: any `keras.Model` whose call returns
        ``(x_recon, z, gamma)``.
    encoder_net, decoder_net, gmm_density_net
        `keras.Model`, Sequential or functional: rows (N, ...) -> codes (N, latent) -> rows, and
        ``z`` (N, latent + F) -> memberships (N, n_gmm) that sum to 1. Trained in place.
    n_gmm
        Number of mixture components. Default: what the density net returns.
    recon_features
        Function of (x, x_recon) -> (N, F). Default: negative cosine and relative Euclidean
        distance.
    data_type
        'tabular', 'image', ...; only kept in `meta`.
    normalize
        'standard' (zero mean, unit variance), 'minmax' ([0, 1]) or 'robust' (median and
        interquartile range, then asinh): scaling that `fit` learns from the training rows and the
        detector keeps. Default None: rows are used as they are.
    nan_policy
        'raise' (default) refuses rows with NaN or infinity; 'flag' leaves them out of training,
        scores them NaN and calls them outliers.
    score_type
        'energy' (default), 'reconstruction' or 'both': see the property.
    seed
        Default for ``fit(seed=)``; also makes nets built by `auto` and `from_sizes` repeatable.
    fit_config
        What `fit` uses for arguments that are left out. Default: ``FitConfig()``.

    Raises
    ------
    NetTypeError
        A net is missing or no `keras.Model`.
    ConfigurationError
        Widths, `n_gmm` or settings that contradict each other.

    """
