"""Making of the embedded model and of its judge: the pictures, the captions, the training."""
