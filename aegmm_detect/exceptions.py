"""Every error that the package raises on purpose.

::

    AEGMMError
    ├── ConfigurationError          (ValueError)    a setting or a net's width does not fit
    ├── NetTypeError                (TypeError)     a net is not a keras.Model
    ├── InvalidInputError           (ValueError)    rows that cannot be trained on or scored
    ├── NotFittedError              (ValueError)    fit() has to come first
    ├── ThresholdNotInferredError   (ValueError)    infer_threshold() has to come first
    ├── NotCalibratedError          (ValueError)    calibrate() has to come first
    ├── NonFiniteLossError          (ValueError)    training met NaN or infinity
    │   └── IndefiniteCovarianceError               no usable covariance after training
    ├── ArtefactError               (ValueError)    a detector cannot be saved or loaded
    ├── CheckpointError             (ValueError)    a checkpoint is damaged or of another fit
    ├── DataIntegrityError          (ValueError)    a data file is not the expected bytes
    ├── MigrationError              (ValueError)    another package's detector is refused
    │   └── ForeignNameError                        its pickle refers to what no detector needs
    ├── DataUnavailableError        (OSError)       a data file is nowhere to be had
    ├── ForkedProcessError          (RuntimeError)  TensorFlow cannot run in this process
    └── MissingExtraError           (ImportError)   an optional package is not installed

Model servers answer ``ValueError`` with a 4xx status, so everything that another request could
put right is one.
"""


class AEGMMError(Exception):
    """Base class: ``except AEGMMError`` catches all that is raised on purpose."""


class ConfigurationError(AEGMMError, ValueError):
    """A setting is out of range, or two parts of a detector do not fit together."""


class NetTypeError(AEGMMError, TypeError):
    """A net is not a ``keras.Model``."""


class InvalidInputError(AEGMMError, ValueError):
    """Rows that cannot be trained on or scored."""


class NotFittedError(AEGMMError, ValueError):
    """A method that needs a fitted detector was called before ``fit``."""


class ThresholdNotInferredError(AEGMMError, ValueError):
    """A decision was asked for while no threshold is set."""


class NotCalibratedError(AEGMMError, ValueError):
    """A p-value or a false-discovery rate was asked for while there is no calibration."""


class NonFiniteLossError(AEGMMError, ValueError):
    """Training met NaN or infinity; the weights are those before the failing block of steps."""


class IndefiniteCovarianceError(NonFiniteLossError):
    """No mixture of the training rows is finite; raised after training, with the last weights."""


class ArtefactError(AEGMMError, ValueError):
    """A detector cannot be saved, or what is to be loaded is foreign, damaged or too new."""


class CheckpointError(AEGMMError, ValueError):
    """A fit cannot go on from the given checkpoint."""


class DataIntegrityError(AEGMMError, ValueError):
    """A data file does not hold the bytes that its entry promises."""


class MigrationError(AEGMMError, ValueError):
    """What another package saved is damaged, foreign, unsafe or of a kind not carried over."""


class ForeignNameError(MigrationError):
    """A pickle refers to what no detector state needs; nothing of it was run."""


class DataUnavailableError(AEGMMError, OSError):
    """A data file is neither in the data folder nor to be downloaded."""


class ForkedProcessError(AEGMMError, RuntimeError):
    """TensorFlow ran before this process was forked, so its programs would never end here."""


class MissingExtraError(AEGMMError, ImportError):
    """An optional package is needed; the message names the install command."""
