"""The doctor's checks: each looks at one thing of a machine or of a model there, and returns a `Finding`."""
