"""Objectives, which say how good a prompt is: the protocol, and one file for each."""
