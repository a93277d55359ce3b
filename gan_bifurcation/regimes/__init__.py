"""Regimes: attractors, the planar arrangement of curves, and the graph of regimes."""
