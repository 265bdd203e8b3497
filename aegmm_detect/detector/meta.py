"""The `meta` dictionary of a detector, in which a user can set one entry."""

from collections.abc import Callable
from typing import Any, NoReturn

from aegmm_detect.exceptions import ConfigurationError


class Meta(dict[str, Any]):
    """A dictionary in which only `data_type` can be set; the detector's setting changes with it.

    Parameters
    ----------
    entries
        Initial entries.
    keep
        Function that stores a new data type, text or None, in the detector.
    """

    def __init__(self, entries: dict[str, Any], keep: Callable[[str | None], None]) -> None:
        super().__init__(entries)
        self._keep = keep

    def __setitem__(self, key: str, value: Any) -> None:
        if key != "data_type":
            self._reject()
        self._keep(value)
        super().__setitem__(key, value)

    def update(self, *args: Any, **entries: Any) -> None:
        """Set entries, as `dict.update` does; raise if one other than `data_type` would change."""
        given = dict(*args, **entries)
        changed = {k: v for k, v in given.items() if k not in self or self[k] != v}
        if set(changed) - {"data_type"}:
            self._reject()  # before anything changes
        for key, value in changed.items():
            self[key] = value

    def _reject(self, *_: Any, **__: Any) -> NoReturn:
        raise ConfigurationError(
            "Only detector.meta['data_type'] can be set. The rest says what the detector is; copy "
            "it for entries of your own: {**detector.meta, 'key': value}. predict returns such a "
            "copy."
        )

    __delitem__ = __ior__ = clear = pop = popitem = setdefault = _reject

    def __reduce__(self) -> tuple[type[dict[str, Any]], tuple[dict[str, Any]]]:
        # A copy or pickle belongs to no detector, so it is a plain dictionary.
        return dict, (dict(self),)
