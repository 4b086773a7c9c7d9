"""ComfyUI nodes: thin adapters, no algorithm in here."""
