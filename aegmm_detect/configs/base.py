"""What all settings share: frozen, no unknown names, errors that say what fits."""

from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from aegmm_detect.exceptions import ConfigurationError


class Settings(BaseModel):
    """Frozen settings; build them with `of`, which raises the package's own error."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @classmethod
    def of(cls, **values: Any) -> Self:
        """Checked settings.

        Raises
        ------
        ConfigurationError
            Names each argument that does not fit, what came and what fits.
        """
        try:
            return cls(**values)
        except ValidationError as error:
            problems = "; ".join(_describe(problem) for problem in error.errors())
            raise ConfigurationError(problems) from error

    def replace(self, **changes: Any) -> Self:
        """Copy with some values changed and everything checked again."""
        return self.of(**(self.model_dump() | changes))


def _describe(problem: Any) -> str:
    if not problem["loc"]:  # of the settings as a whole
        return str(problem["ctx"]["error"])
    name = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        return f"{name} is not an argument here"
    return f"{name}={problem['input']!r}: {problem['msg'][:1].lower()}{problem['msg'][1:]}"
