"""What a prompt is good at, and how well: one file each."""
