"""Compiled programs: one for each structure, shared by all nets that have it."""
