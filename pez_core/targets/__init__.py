"""What prompts should match: pictures, texts, and blends of them."""
