"""Compiled programs, shared by all nets with the same structure."""
