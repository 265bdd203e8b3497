"""How long a fit trains: worked out once, from the settings and the number of rows."""

import dataclasses
import math

from aegmm_detect.configs.training import TrainingConfig
from aegmm_detect.training.data import plan

# Epochs of a fit that counts steps: an epoch costs Keras about as much as some 30 small steps.
MIN_STEPS_PER_EPOCH = 200


@dataclasses.dataclass(frozen=True)
class Length:
    """How long a fit trains."""

    epochs: int
    steps: int  # batches of every epoch

    @property
    def total_steps(self) -> int:
        """Steps of the whole run."""
        return self.epochs * self.steps


def length_of_fit(config: TrainingConfig, n_rows: int) -> Length:
    """Epochs as given, or as many equal ones as suit the number of steps that was asked for.

    Parameters
    ----------
    config
        Epochs or steps, and the batch size.
    n_rows
        Training rows: those held out for validation do not count.
    """
    one_pass = plan(n_rows, config.batch_size, 1).steps
    if config.n_steps is None:
        return Length(config.epochs, one_pass)
    n_steps = config.n_steps
    if config.max_passes is not None:
        n_steps = min(n_steps, config.max_passes * one_pass)
    epochs = max(1, round(n_steps / max(one_pass, MIN_STEPS_PER_EPOCH)))
    return Length(epochs, math.ceil(n_steps / epochs))
