"""`python -m pez_core`."""

import signal
import sys

from .cli import main

status = main()
signal.signal(signal.SIGINT, signal.SIG_IGN)  # everything is printed: Ctrl-C has nothing left to stop
sys.exit(status)
