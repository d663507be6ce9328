"""`fondaco` and `python -m fondaco`: how people start it, and a parent its children.

Promises: Ctrl-C while Python still reads the program ends it with one sentence and status 1.
"""

import os
import signal

__all__ = ["run"]

EARLY = b"fondaco: interrupted before anything had begun\n"


def run() -> None:
    """Run the command line, as a child of a house if its environment says so."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, leave)
    from fondaco.cli.guard import guard_child

    guard_child()  # before the imports, which take longer than a parent may need to die

    from fondaco.cli.main import main

    main(on_begin=give_back)


def leave(*_: object) -> None:
    """End this process, which has nothing yet to put in order."""
    os.write(2, EARLY)
    os._exit(1)


def give_back() -> None:
    """Leave Ctrl-C to the command that begins."""
    if signal.getsignal(signal.SIGINT) is leave:
        signal.signal(signal.SIGINT, signal.default_int_handler)


if __name__ == "__main__":
    run()
