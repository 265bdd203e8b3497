"""Pictures of scores, latent spaces and training, after the pattern of scikit-learn's displays.

A class method (``from_detector``, ``from_scores``, ...) computes, draws, and returns a display: its
attributes hold what is drawn, ``plot(ax=...)`` draws it again, ``ax_`` and ``figure_`` are for
changes of one's own. Matplotlib comes with ``pip install "aegmm_detect[plot]"``.
"""

from typing import TYPE_CHECKING

from aegmm_detect._lazy import lazy_names

if TYPE_CHECKING:
    from aegmm_detect.plot.contributions import ContributionDisplay
    from aegmm_detect.plot.curves import CurvesDisplay
    from aegmm_detect.plot.latent import LatentDisplay
    from aegmm_detect.plot.scores import ScoreDisplay, ScoreHistogramDisplay
    from aegmm_detect.plot.training import TrainingDisplay

__all__ = [
    "ContributionDisplay",
    "CurvesDisplay",
    "LatentDisplay",
    "ScoreDisplay",
    "ScoreHistogramDisplay",
    "TrainingDisplay",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "ContributionDisplay": "aegmm_detect.plot.contributions",
        "CurvesDisplay": "aegmm_detect.plot.curves",
        "LatentDisplay": "aegmm_detect.plot.latent",
        "ScoreDisplay": "aegmm_detect.plot.scores",
        "ScoreHistogramDisplay": "aegmm_detect.plot.scores",
        "TrainingDisplay": "aegmm_detect.plot.training",
    },
)
