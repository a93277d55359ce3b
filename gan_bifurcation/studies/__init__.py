"""Studies: TOML files that say what to compute, and running them."""
