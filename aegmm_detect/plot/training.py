"""How a loss and its terms fell while a detector was trained."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np

from aegmm_detect.exceptions import InvalidInputError
from aegmm_detect.plot.base import as_written, several_axes

_HELD_OUT = "val_"
_FIRST = ("loss", "recon", "energy", "cov_diag")


class TrainingDisplay:
    """A curve for the loss, and one for each of its terms, before their weights.

    Parameters
    ----------
    history
        What `fit` returned, or its dictionary of lists, ``history.history``.
    columns
        Which, from left to right. Default: the loss, then all others. Those of held-out rows,
        ``val_...``, are drawn with their own.

    Attributes
    ----------
    ax_
        Array of axes, one for each of `columns`.
    figure_
        Where they are.
    """

    def __init__(self, *, history: Any, columns: Sequence[str] | None = None) -> None:
        values = getattr(history, "history", history)
        if not isinstance(values, Mapping) or not values:
            raise InvalidInputError(
                "history holds no epochs: pass what detector.fit(X) returned, or "
                "estimator.history_."
            )
        self.history = {name: np.asarray(own, dtype=np.float64) for name, own in values.items()}
        own = [name for name in self.history if not name.startswith(_HELD_OUT)]
        self.columns = tuple(sorted(own, key=_place) if columns is None else columns)
        if unknown := [name for name in self.columns if name not in self.history]:
            raise InvalidInputError(f"history has no {unknown}. There are: {sorted(self.history)}.")

    @classmethod
    def from_history(
        cls, history: Any, *, columns: Sequence[str] | None = None, ax: Any = None
    ) -> Self:
        """Draw what `fit` returned.

        Parameters
        ----------
        history, columns
            See the class.
        ax
            As many axes as columns. Default: those of a new figure.

        Raises
        ------
        InvalidInputError
            There are no epochs, or no such columns.
        MissingExtraError
            Matplotlib is not installed.
        """
        return cls(history=history, columns=columns).plot(ax)

    def plot(self, ax: Any = None, **kwargs: Any) -> Self:
        """Draw.

        Parameters
        ----------
        ax
            As many axes as columns. Default: those of a new figure.
        **kwargs
            For the curves: those of ``Axes.plot``.
        """
        self.ax_ = several_axes(ax, len(self.columns), ", ".join(self.columns))
        self.figure_ = self.ax_[0].figure
        for name, axes in zip(self.columns, self.ax_, strict=True):
            held_out = self.history.get(_HELD_OUT + name)
            values = self.history[name]
            epochs = np.arange(1, len(values) + 1)
            # A single epoch is a point, which a line does not show.
            style = {"marker": "o" if len(values) == 1 else "", **kwargs}
            axes.plot(epochs, values, **{"label": "training", **style})
            if held_out is not None:
                axes.plot(epochs, held_out, **{"label": "held out", "linestyle": "--", **style})
                axes.legend(fontsize="small")
            as_written(axes.set_title(name, fontsize="medium"))
            axes.set(xlabel="epoch")
            if len(values) == 1:
                axes.set_xticks(epochs)
            else:
                axes.xaxis.get_major_locator().set_params(integer=True)
        return self


def _place(column: str) -> int:
    return _FIRST.index(column) if column in _FIRST else len(_FIRST)
