"""How the embedded model and its judge were made: pictures, captions, training."""
