"""OutlierAEGMM: a deep autoencoding Gaussian mixture model as an outlier detector."""

from aegmm_detect.od.building import Building


class OutlierAEGMM(Building):
    """Deep autoencoding Gaussian mixture model (Zong et al., ICLR 2018).

    An encoder compresses a row to a code. The code and features of the reconstruction form `z`. A
    density net assigns `z` to the components of a Gaussian mixture. The score is the energy of
    `z`, its negative log-density. With `auto`, it is the bounded mean of several energies.

    Parameters
    ----------
    threshold
        Energy above which a row is an outlier. Default None: `infer_threshold` sets it.
    aegmm
        Ready model instead of the three nets: any `keras.Model` whose call returns
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
        'tabular', 'image', ...; it is only stored in `meta`.
    normalize
        'standard' (zero mean, unit variance), 'minmax' ([0, 1]) or 'robust' (median and
        interquartile range, then asinh). `fit` learns the scaling from the training rows, and the
        detector applies it to all rows. Default None: no scaling.
    nan_policy
        With 'raise' (default), rows with NaN or infinity raise an error. With 'flag', they are left
        out of training, score NaN and are outliers.
    score_type
        'energy' (default), 'reconstruction' or 'both': see the property.
    seed
        Default for ``fit(seed=)``; also makes nets built by `auto` and `from_sizes` repeatable.
    fit_config
        Defaults for the arguments of `fit`. Default: ``FitConfig()``.

    Raises
    ------
    NetTypeError
        A net is missing or is not a `keras.Model`.
    ConfigurationError
        Widths, `n_gmm` or settings contradict each other.

    """
