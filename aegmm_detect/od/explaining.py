"""Explanations of a mixture detector, as a method of it."""

from typing import Any

import numpy as np

from aegmm_detect.configs.aegmm import DetectorConfig
from aegmm_detect.exceptions import ConfigurationError
from aegmm_detect.explanation import Explainer, Explanation
from aegmm_detect.input_checks import non_finite_rows
from aegmm_detect.inputs import as_rows
from aegmm_detect.od.base import Detector
from aegmm_detect.od.parameters import MixtureParameters
from aegmm_detect.scoring_loop import DEFAULT_BATCH_SIZE
from aegmm_detect.types import FloatArray


class Explaining(MixtureParameters, Detector):
    """Detectors that say which features make a row strange."""

    config: DetectorConfig
    _explainer: Explainer | None

    def explain(self, X: Any) -> Explanation:
        """Which features make rows strange.

        Parameters
        ----------
        X
            As for `score`.

        Returns
        -------
        Contributions of the reconstruction and of the score, in the shape of `X`, and the shares of
        features in both together; see `Explanation`.

        Raises
        ------
        ConfigurationError
            Features in NumPy alone, through which no gradient flows.
        NotFittedError, InvalidInputError
            As for `score`.
        """
        state = self._fitted_state("explain()")
        if state.eager:
            raise ConfigurationError(
                "The nets run uncompiled, so no gradient flows through all of them: write "
                "recon_features with keras.ops in place of NumPy to have scores explained."
            )
        rows = as_rows(X, state.names)
        batches = list(self._batches(rows, DEFAULT_BATCH_SIZE))
        whole = np.concatenate([np.empty((0, *state.row_shape)), *batches])
        bad = np.zeros(len(whole), dtype=bool)
        bad[non_finite_rows(whole)] = True
        self._refuse_non_finite(bad, rows)
        if self._explainer is None:
            function = state.function(self.config.score_type)
            self._explainer = Explainer(function, self.net, state.parameters, state.row_dtype)
        return self._explainer(whole)

    def _feature_scores(self, X: Any) -> FloatArray:
        return self.explain(X).shares
