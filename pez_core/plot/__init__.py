"""Pictures of runs: one file for each kind of search."""
