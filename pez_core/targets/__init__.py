"""What is to be matched: pictures, texts, and blends of them."""
