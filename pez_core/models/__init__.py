"""What a person loads: CLIP models, their weights, and which one suits which generator."""
