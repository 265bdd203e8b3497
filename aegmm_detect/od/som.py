"""OutlierSOMAEGMM: the detector whose z includes the row's place on self-organising maps."""

from typing import Any, ClassVar

import keras
import numpy as np

from aegmm_detect.configs.aegmm import FitConfig, ScoreType, SOMAEGMMConfig
from aegmm_detect.configs.maps import MapTraining
from aegmm_detect.configs.nets import NetSizes
from aegmm_detect.configs.rows import NanPolicy, Normalize
from aegmm_detect.nets.aegmm import AEGMM
from aegmm_detect.nets.checks import declared_row_shape
from aegmm_detect.nets.som import winner_net
from aegmm_detect.numerics.features import eucl_cosim_features
from aegmm_detect.numerics.som_training import default_side
from aegmm_detect.od.building import Building, ThreeNets, checked_net
from aegmm_detect.od.mixture import MixtureDetector
from aegmm_detect.training.estimate import sample_rows
from aegmm_detect.training.maps import train_maps
from aegmm_detect.training.prepare import TrainingRows
from aegmm_detect.types import ReconFeatures


class OutlierSOMAEGMM(Building):
    """SOM-DAGMM (Chen et al. 2020): z = [code, features, winner coordinates].

    Self-organising maps are trained on the prepared training rows before the nets; training the
    nets does not change them. Each map adds the two coordinates of its winner, from 0 to 1, to z.
    Maps differ, because each is trained with its own random numbers.

    Parameters
    ----------
    threshold, encoder_net, decoder_net, gmm_density_net, n_gmm, recon_features, data_type
        As for `OutlierAEGMM`; `gmm_density_net` takes ``2 * n_maps`` more inputs, and
        `encoder_net` must declare the shape of a row.
    n_maps
        Number of maps. Default 2.
    side
        Number of nodes along each side of a map. Default None: sqrt(5 sqrt(N)) / 2 for N training
        rows, at least 2 and at most 32.
    map_training
        A `MapTraining`: steps, learning rate, radius, neighbourhood and start of the maps. Default
        None: 8,000 steps with a rate of 0.6, as in the paper for KDD Cup 99, and a radius that
        shrinks from a quarter of the side.
    normalize, nan_policy, score_type, seed, fit_config
        As for `OutlierAEGMM`. Scale the rows, because maps use Euclidean distances.

    Raises
    ------
    NetTypeError, ConfigurationError
        As for `OutlierAEGMM`.

    """

    CONFIG: ClassVar[type[SOMAEGMMConfig]] = SOMAEGMMConfig

    config: SOMAEGMMConfig

    def __init__(
        self,
        threshold: float | None = None,
        encoder_net: keras.Model | None = None,
        decoder_net: keras.Model | None = None,
        gmm_density_net: keras.Model | None = None,
        n_gmm: int | None = None,
        recon_features: ReconFeatures = eucl_cosim_features,
        data_type: str | None = None,
        *,
        n_maps: int = 2,
        side: int | None = None,
        map_training: MapTraining | None = None,
        normalize: Normalize | None = None,
        nan_policy: NanPolicy = "raise",
        score_type: ScoreType = "energy",
        seed: int | None = None,
        fit_config: FitConfig | None = None,
    ) -> None:
        config = SOMAEGMMConfig.of(
            n_gmm=n_gmm,
            data_type=data_type,
            normalize=normalize,
            nan_policy=nan_policy,
            score_type=score_type,
            seed=seed,
            n_maps=n_maps,
            side=side,
            map_training=map_training,
        )
        context = _empty_maps(config, declared_row_shape(encoder_net))
        nets = ThreeNets(encoder_net, decoder_net, gmm_density_net)
        net = checked_net(None, None, nets, n_gmm, recon_features, context=context)
        # Skip Building.__init__: it would build the net without the maps.
        MixtureDetector.__init__(self, net, threshold, config, fit_config or self.FIT_CONFIG())

    @classmethod
    def _more_of_nets(cls, config: SOMAEGMMConfig, sizes: NetSizes) -> dict[str, Any]:
        return {"context": _empty_maps(config, (sizes.n_features,))}

    def net_for(self, prepared: TrainingRows, settings: FitConfig) -> keras.Model:
        """The detector's nets, combined with maps trained on these rows in a new model."""
        rows = prepared.normal_rows
        side = default_side(rows.n_rows) if self.config.side is None else self.config.side
        training = self.config.map_training or MapTraining()
        sample = sample_rows(rows, training.n_steps, settings.seed)
        sample = sample.reshape(len(sample), -1)
        seed = int(np.random.default_rng(settings.seed).integers(2**31))
        maps = train_maps(sample, [side] * self.config.n_maps, seed, training)
        old = self.net
        # The maps' weights can have another shape, so make a new model from the same nets.
        return AEGMM(
            old.encoder,
            old.decoder,
            old.gmm_density,
            old.n_gmm,
            old.recon_features,
            code=old.code,
            context=winner_net(maps, rows.shape),
        )


def _empty_maps(config: SOMAEGMMConfig, row_shape: tuple[int, ...]) -> keras.Model:
    """Placeholder maps, so that widths can be checked before there are rows."""
    smallest = np.zeros((2, 2, int(np.prod(row_shape))), dtype=np.float32)
    return winner_net([smallest] * config.n_maps, row_shape)
