"""Thousands of pictures: sources of pictures, packs searched side by side, results that survive a kill, engines."""
