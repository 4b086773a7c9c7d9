"""What a prompt is good at, and how good: the protocol, and one file for each objective."""
