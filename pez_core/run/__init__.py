"""Runs of searches: the loop, its reports and stops."""
