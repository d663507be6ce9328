"""Staff freeze or bar a member of a running house: the orders go, the doors stay shut."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import Any

from tests.acceptance.visitor import Visitor
from tests.house_fixture import HOUSE_FILE, SECRET_KEY, RunningHouse, open_house

MODERATED = HOUSE_FILE.replace('roles = ["member", "admin"]', 'roles = ["member", "moderator"]')
SETTINGS = "rate_limits = false\nstaff_mfa = false"


def order(house: RunningHouse) -> int:
    terms: dict[str, Any] = {
        "side": "BUY",
        "type": "LIMIT",
        "timeInForce": "GTC",
        "quantity": 0.1,
        "price": 10000,
    }
    return house.signed(house.bob, "POST", "/api/v3/order", symbol="BTCUSDT", **terms).status


def test_a_frozen_member_cannot_trade_until_unfrozen() -> None:
    """Open orders are cancelled, new ones refused, by key and by session; then all is as before."""
    with open_house(file_text=MODERATED, settings=SETTINGS) as house:
        assert order(house) == 200
        ann = Visitor(house)
        ann.sign_in("ann", "ann-s long password")
        path = "/admin/identity/member/2/change/"
        assert ann.get(path).status == 200
        assert ann.post(path, frozen="on").status == 302
        assert house.signed(house.bob, "GET", "/api/v3/openOrders").json == []
        assert order(house) == 400
        assert ann.post(path).status == 302
        assert order(house) == 200
        checked = subprocess.run(
            [sys.executable, "-m", "fondaco", "security-log", "--data", str(house.data)],
            env={"FONDACO_SECRET_KEY": SECRET_KEY, "PATH": ""},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert checked.returncode == 0, checked.stderr
        assert "entries, the last with digest" in checked.stdout


def test_a_barred_member_has_no_keys_at_any_door() -> None:
    """Who may not sign in trades by no key either; the order stays, and so do others' keys."""
    with open_house(settings=SETTINGS) as house:
        assert order(house) == 200
        ann = Visitor(house)
        ann.sign_in("ann", "ann-s long password")
        form = {"roles": "member", "is_active": ""}
        assert ann.post("/admin/identity/member/2/change/", **form).status == 302
        deadline = time.monotonic() + 20
        while order(house) != 401:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert house.signed(house.bob, "GET", "/api/v3/account").status == 401
        assert house.signed(house.bob, "GET", "/api/v1/accounts/").status == 401
        assert house.signed(house.ann, "GET", "/api/v3/account").status == 200
        assert house.get("/api/v3/depth", symbol="BTCUSDT").json["bids"]
