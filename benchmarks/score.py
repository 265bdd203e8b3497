"""How many rows a second does scoring take in?

`detector.score` with its defaults, beside one eager pass over the whole array with the same nets
and mixture.
"""

from typing import Any

import numpy as np

from benchmarks.eager import EagerScorer
from benchmarks.protocol import OURS, Sizes, Turns, ratio, raw, say
from benchmarks.subject import fitted_detector, make_rows


def measure(n_features: int, sizes: Sizes) -> dict[str, Any]:
    """One width of rows."""
    say(f"score: {n_features} features")
    rows = make_rows(sizes.score_rows, n_features, seed=1)
    detector = fitted_detector(n_features)
    eager = EagerScorer(detector.net.encoder, detector.net.decoder, detector.mixture)
    turns = {name: Turns(len(rows)) for name in (OURS, "eager")}
    # Warms both up, and shows that they compute the same.
    difference = float(np.abs(detector.score(rows) - eager(rows)).max())
    for _ in range(sizes.rounds):
        turns[OURS].take(lambda: detector.score(rows))
        turns["eager"].take(lambda: eager(rows))
    return {
        "features": n_features,
        "rows": len(rows),
        "rows_per_second": {name: 1.0 / t.each for name, t in turns.items()},
        "times_the_eager_pass": ratio(turns["eager"], turns[OURS]),
        "largest_difference_of_scores": difference,
        "turns": raw(turns),
    }


def run(sizes: Sizes) -> list[dict[str, Any]]:
    """All widths."""
    return [measure(n_features, sizes) for n_features in sizes.features]
