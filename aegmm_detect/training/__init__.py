"""How weights move; the only place that runs epochs."""
