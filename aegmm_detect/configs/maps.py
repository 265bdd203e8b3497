"""How self-organising maps are trained."""

from typing import Annotated, Literal

from pydantic import Field

from aegmm_detect.configs.base import Settings

Neighbourhood = Literal["bubble", "gaussian"]


class MapTraining(Settings):
    """Training of a map; learning rate and radius shrink linearly to 0 on the way.

    Parameters
    ----------
    n_steps
        Each moves the map towards one row, drawn at random; other rows are not looked at. 8,000 is
        the paper's.
    learning_rate
        Share of the way to the row that the winner goes, at most 1. 0.6 is the paper's for KDD
        Cup 99; for CSE-CIC-IDS2018 it has 0.8.
    radius
        Of the neighbourhood, in nodes: a bubble reaches as far along either axis, a Gaussian has
        it as its deviation. None is a quarter of the side. The paper is quoted with 1; shrinking
        from there, a bubble holds only the winner, and neighbours on the map have nothing to do
        with each other.
    neighbourhood
        'bubble', the paper's: all nodes within the radius move alike. 'gaussian': the farther from
        the winner, the less.
    init
        'sample': nodes begin as random rows. 'linear': as a grid on the plane of the first two
        principal components, one deviation to either side, so that all seeds' maps lie alike.

    Raises
    ------
    ConfigurationError
        From `of`, as in ``MapTraining.of(n_steps=4000)``: a value is out of range or unknown.
    """

    n_steps: Annotated[int, Field(ge=1)] = 8000
    learning_rate: Annotated[float, Field(gt=0.0, le=1.0)] = 0.6
    radius: Annotated[float, Field(gt=0.0)] | None = None
    neighbourhood: Neighbourhood = "bubble"
    init: Literal["sample", "linear"] = "sample"
