"""Graphs."""
GRAPHS = "graphs"
def server_cases(seed, row):
    return iter(())
