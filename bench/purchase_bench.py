"""How long does a purchase wait for its answer while the outside exchange takes 5 seconds?

    python -m bench.purchase_bench [--calls 50]

What is measured: `POST /api/order/` of one coin worth 10 dollars, one call after another over a
new connection each, from the first byte sent to the last read, at a house of its own whose
simulated venue answers after 5 s. Each purchase goes outside at once; none has come back when the
last is answered, which is checked. The bar is 50 ms at the 95th percentile of 50 calls.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.acceptance.agency_house import buy, customer, open_agency, outside, until  # noqa: E402

VENUE_S: Final = 5.0
BAR_MS: Final = 50.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=50)
    calls = parser.parse_args().calls
    found = []
    with open_agency(latency_s=VENUE_S) as house:
        number = customer(house, "buyer", f"{10 * (calls + 1)}.00")
        buy(house, number, "ABAN", 1)  # the first of a house, which imports what it needs
        begun_s = time.perf_counter()
        for _ in range(calls):
            before_s = time.perf_counter()
            reply = buy(house, number, "ABAN", 1)
            found.append((time.perf_counter() - before_s) * 1000)
            if reply.status != 200:
                raise SystemExit(f"a purchase was answered {reply.status}: {reply.body!r}")
        if time.perf_counter() - begun_s < VENUE_S:
            early = [each for each in outside(house) if each["status"] == "CONFIRMED"]
            if early:
                raise SystemExit(f"{len(early)} came back before {VENUE_S:.0f} s were over")
        until(lambda: len(outside(house)) == calls + 1)
    found.sort()
    at_95 = found[min(len(found) - 1, -(-len(found) * 95 // 100) - 1)]
    print("| calls | median | 95th percentile | worst |")
    print("|---|---|---|---|")
    print(
        f"| {calls} | {statistics.median(found):.1f} ms | {at_95:.1f} ms | {found[-1]:.1f} ms |\n\n"
        f"Bar: {BAR_MS:.0f} ms at the 95th percentile."
    )


if __name__ == "__main__":
    main()
