"""Models that the user loads: CLIP models, their weights, and a choice for each generator."""
