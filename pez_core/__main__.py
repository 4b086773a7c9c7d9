"""`python -m pez_core`."""

import signal
import sys

from .cli import main

status = main()
signal.signal(signal.SIGINT, signal.SIG_IGN)  # everything is printed: nothing is left that Ctrl-C could stop
sys.exit(status)
