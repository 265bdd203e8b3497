"""Speed and memory of the package, beside an eager Keras loop and the bare matrix products.

`python -m benchmarks.speed` measures, `python -m benchmarks.table` writes the documentation's
tables. One file per question; `eager.py` and `matmuls.py` are the contenders.
"""
