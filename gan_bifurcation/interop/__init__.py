"""Exchange with other programs: PyDSTool."""
