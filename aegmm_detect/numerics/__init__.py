"""Pure functions: tensors in, tensors out; no weights, no files."""
