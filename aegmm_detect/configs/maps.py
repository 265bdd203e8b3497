"""How self-organising maps are trained."""

from typing import Annotated

from pydantic import Field

from aegmm_detect.configs.base import Settings
from aegmm_detect.types import MapInit, Neighbourhood

__all__ = ["MapTraining", "Neighbourhood"]


class MapTraining(Settings):
    """Settings for training a map. Learning rate and radius shrink linearly to 0 during training.

    Parameters
    ----------
    n_steps
        Number of steps. Each step moves the map towards one random row. Default 8,000, as in the
        paper.
    learning_rate
        Share of the way to the row by which the winner moves, at most 1. Default 0.6, as in the
        paper for KDD Cup 99; for CSE-CIC-IDS2018 the paper has 0.8.
    radius
        Radius of the neighbourhood, in nodes: how far a bubble reaches along either axis, or the
        standard deviation of a Gaussian. None is a quarter of the side. The paper is quoted with 1.
        But a bubble that shrinks from 1 holds only the winner, and then neighbours on the map are
        unrelated.
    neighbourhood
        'bubble', as in the paper: all nodes within the radius move by the same share. 'gaussian':
        nodes far from the winner move less.
    init
        'sample': nodes begin as random rows. 'linear': they begin as a grid on the plane of the
        first two principal components, one standard deviation to either side, so that maps of all
        seeds have the same orientation.

    Raises
    ------
    ConfigurationError
        From `of`, as in ``MapTraining.of(n_steps=4000)``: a value is out of range or unknown.
    """

    n_steps: Annotated[int, Field(ge=1)] = 8000
    learning_rate: Annotated[float, Field(gt=0.0, le=1.0)] = 0.6
    radius: Annotated[float, Field(gt=0.0)] | None = None
    neighbourhood: Neighbourhood = "bubble"
    init: MapInit = "sample"
