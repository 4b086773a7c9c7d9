"""ComfyUI nodes: thin adapters without algorithms."""
