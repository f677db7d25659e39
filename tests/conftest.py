"""What all tests share."""

import signal

# A shell starts what runs in its background deaf to Ctrl-C, which the programs under test inherit
# and respect: those that are sent it would never end.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
