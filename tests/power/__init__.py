"""Power cuts and flipped bits: harnesses that end the machine, not only the process."""
