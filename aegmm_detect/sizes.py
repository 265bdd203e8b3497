"""How much is worked on at once, so that memory does not grow with the number of rows."""

import math

# Rows that NumPy checks, scales or hashes at once.
ROWS_AT_ONCE = 65_536
# Bytes of rows that a net, an engine or a hash function takes at once. More gains no time.
BYTES_AT_ONCE = 8 * 2**20


def how_many_fit(
    shape: tuple[int, ...], most: int, n_bytes: int = BYTES_AT_ONCE, item_bytes: int = 4
) -> int:
    """Number of arrays of `shape` that fit into `n_bytes`, from 1 to `most`.

    Parameters
    ----------
    shape
        Shape of one array, for example of one row.
    most
        The largest number to return.
    n_bytes
        Memory that they may take together.
    item_bytes
        Memory of one number. Default 4: float32.
    """
    return max(1, min(most, n_bytes // (item_bytes * math.prod(shape))))
