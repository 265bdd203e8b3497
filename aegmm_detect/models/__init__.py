"""Import paths that users of alibi-detect have in their code, and functions under its names."""
