"""The stage programs. This file runs before any of them: an interrupt while torch is loading is one line too."""

import gc
import sys

from sdr.base.errors import leave_on_interrupt

if sys.argv[0] == "-m":  # as a program, not imported by a test
    leave_on_interrupt()
    gc.disable()  # modules are no garbage: until `program` a tenth of their import would go to looking for some
