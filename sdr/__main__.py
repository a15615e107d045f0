"""`python -m sdr` is the command `sdr`."""

from sdr.cli import main

main()
