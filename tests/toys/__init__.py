"""The two detectors that CONTRIBUTING shows, and their lines of the registry."""

from aegmm_detect.registry import Entry, register

register(
    "PlainAutoencoder",
    Entry(
        home="tests.toys.plain_autoencoder:PlainAutoencoder",
        takes_width=False,
        quick={"epochs": 2, "batch_size": 64, "verbose": 0},
        can=frozenset({"save", "export", "explain", "stream"}),
    ),
)
register(
    "ShrunkCovariance",
    Entry(
        home="tests.toys.shrunk_covariance:ShrunkCovariance",
        takes_width=False,
        can=frozenset({"save", "stream"}),
    ),
)
