"""Signals in, by every door: read, stored once, told with what they triggered."""

from __future__ import annotations

import copy
import json
from typing import Any, Final

import pytest
from django.test import Client

from fondaco.identity import services as identity
from fondaco.identity import tokens
from fondaco.identity.models import Account, Member, SecurityEntry
from fondaco.robots.hub import selectors, services
from fondaco.robots.hub.alerts import check_template, read_alert
from fondaco.robots.hub.judging import Reason
from fondaco.robots.hub.messages import Unfit, read_signal
from fondaco.robots.models import Decision, Hook, HookAlert, Robot, Signal

pytestmark = pytest.mark.django_db(databases=["default", "projections"])
ROUTE: Final = "/api/v1/signals/"
SAMPLE: Final[dict[str, Any]] = {
    "summary": "STRONG_BUY",
    "timestamp": "20-07-2022 02:18:10",
    "analysed_data": [
        {
            "interval": "0NE_MINUTE",
            "timestamp": "20-07-2022 02:18:10",
            "summary": "BUY",
            "analysis": [
                {
                    "metric": "SIMPLE_MOVING_AVERAGE",
                    "indicator": "BUY",
                    "score": {"buy": 4, "sell": 2},
                },
                {
                    "indicator": "EXPONENTIAL_MOVING_AVERAGE",
                    "summary": "NEUTRAL",
                    "score": {"buy": 3, "sell": 3},
                },
            ],
        }
    ],
}


@pytest.fixture
def ann() -> Member:
    return identity.create_member(username="ann", email="ann@example.com", password="")


@pytest.fixture
def visitor(settings: Any) -> Client:
    settings.OPEN_API = True
    settings.ALLOWED_HOSTS = ["*"]
    return Client(headers={"host": "127.0.0.1"})


def bearer(member: Member, *scopes: str) -> Client:
    _, text = tokens.make(member, scopes=scopes)
    return Client(headers={"Authorization": f"Bearer {text}"})


def test_the_sample_is_taken_and_is_one_signal_however_often(visitor: Client) -> None:
    """S0-1: the sample verbatim is 202 with an id, in both slash forms; again it is the same."""
    found = [
        visitor.post(route, SAMPLE, content_type="application/json")
        for route in (ROUTE, ROUTE.rstrip("/"), ROUTE)
    ]
    assert [each.status_code for each in found] == [202] * 3
    row = Signal.objects.get()
    assert {each.json()["id"] for each in found} == {row.pk}
    assert (row.symbol, row.strength, row.timestamp_us) == ("BTC", 2, 1_658_283_490_000_000)
    assert json.loads(row.analysis) == SAMPLE["analysed_data"]
    assert visitor.get(f"{ROUTE}{row.pk}/").json() == {
        "id": row.pk,
        "summary": "STRONG_BUY",
        "symbol": "BTC",
        "triggers": [],
    }
    assert visitor.get(f"{ROUTE}{row.pk + 1}/").status_code == 404


def test_an_idempotency_key_is_one_signal_whatever_the_body(visitor: Client) -> None:
    """The first signal under a key stands; without the key the second body is another one."""
    key = {"Idempotency-Key": "k" * 255}
    first = visitor.post(ROUTE, SAMPLE, content_type="application/json", headers=key).json()["id"]
    other = {**SAMPLE, "summary": "SELL"}
    again = visitor.post(ROUTE, other, content_type="application/json", headers=key)
    assert again.json()["id"] == first
    assert visitor.post(ROUTE, other, content_type="application/json").json()["id"] != first
    long = visitor.post(
        ROUTE, SAMPLE, content_type="application/json", headers={"Idempotency-Key": "k" * 256}
    )
    assert (long.status_code, list(long.json())) == (400, ["Idempotency-Key"])


@pytest.mark.parametrize(
    "field, change",
    [
        ("summary", {"summary": "HOLD"}),
        ("summary", {"summary": None}),
        ("timestamp", {"timestamp": "2022/07/20"}),
        ("timestamp", {"timestamp": 5}),
        ("timestamp", {"timestamp": "31-12-1969 23:59:59"}),
        ("symbol", {"symbol": "btc"}),
        ("symbol", {"symbol": 1}),
        ("analysed_data", {"analysed_data": {}}),
        ("analysed_data", {"analysed_data": [1]}),
        ("analysed_data", {"analysed_data": [{}] * 65}),
    ],
)
def test_a_field_that_cannot_be_read_is_named(
    visitor: Client, field: str, change: dict[str, Any]
) -> None:
    """400 with the field, and nothing is stored."""
    answer = visitor.post(ROUTE, {**SAMPLE, **change}, content_type="application/json")
    assert (answer.status_code, list(answer.json())) == (400, [field])
    assert not Signal.objects.exists()


@pytest.mark.parametrize(
    "place, said",
    [
        ({"interval": "ONE_YEAR"}, "[0].interval must be one of"),
        ({"summary": "UP"}, "[0].summary must be one of"),
        ({"timestamp": "now"}, "[0].timestamp must be a time"),
        ({"analysis": 1}, "[0].analysis must be a list"),
        ({"analysis": [{"metric": "RSI", "indicator": "BUY"}]}, "[0].analysis[0].metric"),
        (
            {"analysis": [{"metric": "SIMPLE_MOVING_AVERAGE", "indicator": 1}]},
            "[0].analysis[0].indicator must",
        ),
        (
            {
                "analysis": [
                    {
                        "indicator": "SIMPLE_MOVING_AVERAGE",
                        "summary": "BUY",
                        "score": {"buy": -1},
                    }
                ]
            },
            "score.buy must be a whole number",
        ),
    ],
)
def test_what_is_inside_is_named_by_its_place(place: dict[str, Any], said: str) -> None:
    """An analysis that can't be read says where."""
    body = copy.deepcopy(SAMPLE)
    body["analysed_data"][0].update(place)
    with pytest.raises(Unfit) as caught:
        read_signal(body)
    assert said in str(caught.value)
    assert caught.value.field == "analysed_data"


def test_nonsense_is_a_400_and_never_a_500(visitor: Client) -> None:
    """Bodies that are no object or no JSON are refused in words."""
    for body in ("[]", "1", '"text"', "null", "{", "\xff"):
        answer = visitor.post(ROUTE, body, content_type="application/json")
        assert answer.status_code == 400, body
        assert answer.json()


def test_a_closed_house_wants_the_scope_signals(ann: Member, settings: Any) -> None:
    """A stranger is 401, another scope 403; a member's signal is for their own clients."""
    settings.OPEN_API = False
    settings.STAFF_MFA = False
    assert Client().post(ROUTE, SAMPLE, content_type="application/json").status_code == 401
    reader = bearer(ann, "read", "trade")
    assert reader.post(ROUTE, SAMPLE, content_type="application/json").status_code == 403
    sender = bearer(ann, "signals")
    taken = sender.post(ROUTE, SAMPLE, content_type="application/json")
    assert taken.status_code == 202
    assert Signal.objects.get().member == ann.pk
    assert sender.get(f"{ROUTE}{taken.json()['id']}/").status_code == 403
    assert reader.get(f"{ROUTE}{taken.json()['id']}/").status_code == 404
    staff = identity.create_member(
        username="sue", email="sue@example.com", password="", roles=("member", "moderator")
    )
    bearer(staff, "signals").post(ROUTE, SAMPLE, content_type="application/json")
    declared, text = tokens.make(ann, scopes=("signals",))
    declared.is_declared = True
    declared.save()
    operator = Client(headers={"Authorization": f"Bearer {text}"})
    again = operator.post(ROUTE, SAMPLE, content_type="application/json")
    assert [row.member for row in Signal.objects.order_by("pk")] == [ann.pk, 0]
    assert again.json()["id"] == Signal.objects.get(member=0).pk


# ---- hooks


def made_hook(member: Member, **fields: Any) -> tuple[Hook, str]:
    row, token = services.add_hook(member, name=fields.pop("name", "chart"), **fields)
    return row, f"/api/v1/hooks/in/{token}/"


def test_a_hook_is_made_shown_once_and_ended(ann: Member) -> None:
    """Its address stands in one answer and nowhere else; ended, it is unknown."""
    client = bearer(ann, "read", "trade")
    made = client.post(
        "/api/v1/hooks/", {"name": "chart", "symbol": "BTC"}, content_type="application/json"
    ).json()
    path = made["url"].partition("/api/")[2]
    address = f"/api/{path}"
    token = address.rstrip("/").rpartition("/")[2]
    assert token not in client.get("/api/v1/hooks/").content.decode()
    assert token not in str([entry.details for entry in SecurityEntry.objects.all()])
    assert token not in Hook.objects.get().digest
    assert Client().post(address, "buy", content_type="text/plain").status_code == 202
    assert client.delete(f"/api/v1/hooks/{made['id']}/").status_code == 204
    assert Client().post(address, "buy", content_type="text/plain").status_code == 404
    assert client.get(f"/api/v1/hooks/{made['id']}/").status_code == 404


def test_an_alert_is_kept_first_and_read_after(ann: Member) -> None:
    """202 as soon as it is stored; then it is a signal of its member's, or refused with why."""
    _, address = made_hook(ann, symbol="ETH")
    for body in ("buy", '{"action": "sell", "ticker": "X:BTCUSD", "id": 7}', "up", "{", "buy BTC"):
        assert Client().post(address, body, content_type="text/plain").status_code == 202
    assert not Signal.objects.exists()
    assert services.settle_alerts("USD") == 5
    rows = [(row.state, row.reason) for row in HookAlert.objects.order_by("pk")]
    assert [state for state, _ in rows] == ["taken", "taken", "refused", "refused", "taken"]
    assert rows[2][1].startswith('summary "UP" must be one of')
    assert rows[3][1].startswith("the body is not JSON")
    found = [(row.symbol, row.strength, row.member) for row in Signal.objects.order_by("pk")]
    assert found == [("ETH", 1, ann.pk), ("BTC", -1, ann.pk), ("BTC", 1, ann.pk)]
    assert services.settle_alerts("USD") == 0


def test_a_hook_s_oldest_alerts_are_let_go(ann: Member, monkeypatch: pytest.MonkeyPatch) -> None:
    """So many that were read are kept of each hook; what waits is never let go."""
    monkeypatch.setattr(services, "ALERTS_KEPT", 3)
    (hook, _), (other, _) = made_hook(ann), made_hook(ann, name="other")
    services.take_alert(other, "up")
    for number in range(5):
        services.take_alert(hook, f"up {number}")
    assert services.settle_alerts("USD") == 6
    for number in range(5, 9):
        services.take_alert(hook, f"up {number}")
    assert services.settle_alerts("USD") == 4
    services.take_alert(hook, "up 9")
    kept = HookAlert.objects.filter(hook=hook).order_by("pk").values_list("body", flat=True)
    assert list(kept) == ["up 6", "up 7", "up 8", "up 9"]
    assert HookAlert.objects.filter(hook=other).count() == 1


def test_a_burst_with_duplicates_is_exact(ann: Member) -> None:
    """50 alerts, 30 of them again: 20 signals, each other alert says whose duplicate it is."""
    _, address = made_hook(ann)
    for place in range(50):
        body = {"action": "buy", "symbol": "BTC", "key": f"k{place % 20}", "time": 1700000000}
        answer = Client().post(address, body, content_type="application/json")
        assert answer.status_code == 202
    services.settle_alerts("USD")
    rows = list(HookAlert.objects.order_by("pk"))
    assert [row.state for row in rows] == ["taken"] * 20 + ["duplicate"] * 30
    assert Signal.objects.count() == 20
    for row in rows[20:]:
        first = rows[(row.pk - rows[0].pk) % 20]
        assert (row.signal, row.reason) == (first.signal, f"the same as alert {first.pk}")


def test_a_text_without_key_is_the_same_again_for_a_minute(
    ann: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sender that tries again after a lost answer doubles nothing; an hour later it counts."""
    hook, _ = made_hook(ann)
    times = [1_000_000_000, 1_000_000_001, 1_059_000_000, 1_061_000_002]
    for now_us in times:
        monkeypatch.setattr(services, "wall_us", lambda now_us=now_us: now_us)
        services.take_alert(hook, "buy BTC")
        services.settle_alerts("USD")
    states = [row.state for row in HookAlert.objects.order_by("pk")]
    assert states == ["taken", "duplicate", "duplicate", "taken"]


def test_an_escaped_nul_stops_no_alert_after_it(ann: Member) -> None:
    """PostgreSQL keeps none: what an alert is refused for says so without it."""
    hook, _ = made_hook(ann)
    bodies = [r'{"action":"\u0000"}', r'{"\u0000":1,"\u0000":2}', r'{"side":"buy","key":"\u0000"}']
    for body in (*bodies, "buy BTC"):
        services.take_alert(hook, body)
    services.settle_alerts("USD")
    rows = list(HookAlert.objects.order_by("pk"))
    assert [row.state for row in rows] == ["refused"] * 3 + ["taken"]
    assert not any("\0" in row.reason + row.dedupe for row in rows)
    assert 'says "\ufffd" twice' in rows[1].reason


def test_a_lost_alert_is_taken_by_hand(ann: Member) -> None:
    """An alert is read again as a new one, or its text is given; one that counted stays one."""
    client = bearer(ann, "read", "trade")
    hook, address = made_hook(ann, template="{summary} of {symbol}")
    Client().post(address, "buy BTC", content_type="text/plain")
    services.settle_alerts("USD")
    refused = HookAlert.objects.get()
    assert "doesn't fit the template" in refused.reason
    client.patch(f"/api/v1/hooks/{hook.pk}/", {"template": ""}, content_type="application/json")
    route = f"/api/v1/hooks/{hook.pk}/alerts/"
    assert client.post(f"{route}{refused.pk}/replay/").status_code == 202
    lost = {"body": '{"action":"sell","key":"9"}'}
    given = client.post(route, lost, content_type="application/json")
    again = client.post(route, lost, content_type="application/json")
    assert [given.status_code, again.status_code] == [202, 202]
    services.settle_alerts("USD")
    told = client.get(route).json()["alerts"]
    assert [(row["state"], row["is_replay"]) for row in told] == [
        ("duplicate", True),
        ("taken", True),
        ("taken", True),
        ("refused", False),
    ]


def test_a_hook_may_be_for_a_network_only(ann: Member) -> None:
    """From elsewhere its address is unknown; another's hooks are too; a body has a bound."""
    hook, address = made_hook(ann, addresses="192.0.2.0/24")
    assert Client().post(address, "buy", content_type="text/plain").status_code == 404
    inside = Client(REMOTE_ADDR="192.0.2.9")
    assert inside.post(address, "buy", content_type="text/plain").status_code == 202
    assert inside.post(address, "", content_type="text/plain").status_code == 400
    assert inside.post(address, "b" * 20_000, content_type="text/plain").status_code == 400
    bob = identity.create_member(username="bob", email="bob@example.com", password="")
    assert bearer(bob, "read").get(f"/api/v1/hooks/{hook.pk}/").status_code == 404


@pytest.mark.parametrize(
    "body, template, found",
    [
        ("STRONG_BUY", "", ("BTC", 2, "", None)),
        ("exit ETH now", "", ("ETH", -1, "", None)),
        (
            "order buy @ 12.5 on COINBASE:SOLUSD",
            "order {summary} @ {price} on {symbol}",
            ("SOL", 1, "", None),
        ),
        (
            "id 17: sell BTC (was long)",
            "id {key}: {summary} {symbol} (was {expected_position})",
            ("BTC", -1, "17", True),
        ),
        ("x y z sell", "{any} {summary}", ("BTC", -1, "", None)),
        (
            '{"side":"SELL","prev_market_position":"flat","order_id":"a"}',
            "",
            ("BTC", -1, "a", False),
        ),
        ('{"side":"buy","ticker":"BINANCE:BTCUSD.P"}', "", ("BTC", 1, "", None)),
        ('{"side":"buy","ticker":"BTC"}', "", ("BTC", 1, "", None)),
        ("buy BTCUSD.P 1700000000000", "{summary} {symbol} {time}", ("BTC", 1, "", None)),
        ('{"side":"SELL","prev_market_position":"up"}', "", None),
        ('{"side":1.5}', "", None),
        ('{"side":"buy","symbol":"B T"}', "", None),
    ],
)
def test_alerts_are_read_by_name_or_by_template(
    body: str, template: str, found: tuple[str, int, str, bool | None] | None
) -> None:
    """JSON by the names that charts use, text by the hook's template or by its first words."""
    check_template(template)
    if found is None:
        with pytest.raises(Unfit):
            read_alert(body, template=template, symbol="", cash="USD")
        return
    alert = read_alert(body, template=template, symbol="", cash="USD")
    assert (alert.symbol, alert.strength, alert.key, alert.is_long) == found


@pytest.mark.parametrize(
    "body, said",
    [
        ("{}", 'is missing; send {"summary": "BUY", "symbol": "BTC"}, or a text like "buy BTC"'),
        ("[1,2]", "the body is a list; send"),
        ('{"summary":"BUY","summary":"SELL"}', 'the body says "summary" twice'),
        ('{"summary":"BUY","of":{"a":1,"a":1}}', 'the body says "a" twice'),
        ('{"summary":"BUY",}', "the body is not JSON"),
        (r'{"symbol":"\ud800"}', r"the body has \ud800, half of a character; send both halves"),
        (r'{"summary":"BUY","of":["\udc01"]}', r"the body has \udc01, half of a character"),
        (r'{"summary":"BUY","of":"\\ud800"', "the body is not JSON"),
        ('{"summary":"BUY","time":"2026-01-01","interval":"100R"}', '"100R" must be like 60'),
        ('{"summary":"BUY","time":"2026-01-01","interval":"0"}', '"0" must be like 60'),
        (
            '{"side":"buy","ticker":"BINANCE:BTCUSDT.P"}',
            "is priced in USDT, and the house's cash is USD; send BTC or BTCUSD, if that is meant",
        ),
        ('{"side":"buy","ticker":"BTC!"}', '"BTC!" must be an asset\'s code, or a ticker in USD'),
        ('{"side":"buy","time":17}', '"17" must be a time'),
        ('{"side":"buy","key":"' + "k" * 129 + '"}', "has 129 characters, at most 128"),
        (r'{"side":"buy","key":"a\u0000"}', "has a NUL character"),
    ],
)
def test_an_alert_that_cannot_be_meant_says_what_is_expected(body: str, said: str) -> None:
    """Nothing in it, a list, or a name twice: a sentence, and never a guess."""
    with pytest.raises(Unfit) as caught:
        read_alert(body, template="", symbol="", cash="USD")
    assert said in str(caught.value)


@pytest.mark.parametrize("said", ["1700000000", "1700000000000", '"1700000000"'])
def test_a_time_may_be_counted_from_the_epoch(said: str) -> None:
    """In seconds or in milliseconds, as a number or as text: the same moment."""
    body = f'{{"side":"buy","time":{said}}}'
    found = read_alert(body, template="", symbol="", cash="USD").timestamp_us
    assert found == 1_700_000_000_000_000


def test_another_key_or_another_hook_s_is_another_signal(ann: Member) -> None:
    """At one time: two keys are two, one key on two hooks is two; without keys it is one."""
    (chart, _), (other, _) = made_hook(ann), made_hook(ann, name="other")
    common = '"side":"buy","time":1700000000'
    long_key = "k" * 127
    for hook, body in (
        (chart, f'{{{common},"key":"{long_key}1"}}'),
        (chart, f'{{{common},"key":"{long_key}2"}}'),
        (other, f'{{{common},"key":"{long_key}2"}}'),
        (other, f'{{{common},"key":"{long_key}2"}}'),
        (chart, f'{{{common},"text":"a"}}'),
        (other, f'{{{common},"text":"b"}}'),
    ):
        services.take_alert(hook, body)
    services.settle_alerts("USD")
    rows = HookAlert.objects.order_by("pk")
    states = [row.state for row in rows]
    assert states == ["taken"] * 3 + ["duplicate"] * 3
    assert len({row.signal for row in rows}) == Signal.objects.count() == 3
    assert rows[4].reason == rows[5].reason == f"the same as signal {rows[0].signal}"


@pytest.mark.parametrize(
    "interval, bar_s",
    [
        *(("1", 60), ("60", 3_600), ("240", 14_400), ("15m", 900), ("4h", 14_400), ("1H", 3_600)),
        *(("D", 86_400), ("1D", 86_400), ("W", 604_800), ("30S", 30), ("1M", 31 * 86_400)),
    ],
)
def test_an_interval_is_read_as_charts_write_it(interval: str, bar_s: int) -> None:
    """Beside `time` it is the bar's, in JSON and in a text; beside `timenow` it says nothing."""
    words: dict[str, Any] = {"template": "{summary} {time} {interval}", "symbol": "", "cash": "USD"}
    said = f'"interval":"{interval}"'
    for name, bar_us in (("time", bar_s * 1_000_000), ("timestamp", bar_s * 1_000_000)):
        body = f'{{"summary":"BUY","{name}":"2026-01-01T00:00:00Z",{said}}}'
        assert read_alert(body, **words).bar_us == bar_us
    moment = f'{{"summary":"BUY","timenow":"2026-01-01T00:00:00Z",{said}}}'
    assert read_alert(moment, **words).bar_us == 0
    assert read_alert(f"buy 2026-01-01T00:00:00Z {interval}", **words).bar_us == bar_s * 1_000_000


def test_what_a_hook_s_routes_do_not_know_is_refused(ann: Member) -> None:
    """An unknown field or a wrong limit is 400 with what is known; nothing is made or changed."""
    client = bearer(ann, "read", "trade")
    hook, _ = made_hook(ann)
    for number in range(3):
        services.take_alert(hook, f"buy {number}")
    words: Any = {"content_type": "application/json"}
    route = f"/api/v1/hooks/{hook.pk}/"
    known = "symbol, template, addresses, checks_position"
    answer = client.patch(route, {"symbl": "ETH", "template": "{summary}"}, **words)
    assert (answer.status_code, list(answer.json())) == (400, ["symbl"])
    assert answer.json()["symbl"] == [f"This field is unknown; known are {known}."]
    answer = client.post("/api/v1/hooks/", {"name": "b", "secret": "s"}, **words)
    assert (answer.status_code, list(answer.json())) == (400, ["secret"])
    answer = client.patch(route, {"addresses": "192.0.2.1, 192.0.2.2"}, **words)
    assert (answer.status_code, list(answer.json())) == (400, ["addresses"])
    assert "one a line" in answer.json()["addresses"][0]
    hook.refresh_from_db()
    assert (hook.template, hook.addresses, Hook.objects.count()) == ("", "", 1)
    for limit in ("0", "201", "-1", "x", "", "1.5", "9" * 5_000):
        answer = client.get(f"{route}alerts/", {"limit": limit})
        assert (answer.status_code, list(answer.json())) == (400, ["limit"]), limit
    assert len(client.get(f"{route}alerts/", {"limit": "2"}).json()["alerts"]) == 2


@pytest.mark.parametrize(
    "template",
    [
        "{symbol}",
        "{summary}{symbol}",
        "{summary} {summary}",
        "{summary} {what}",
        "{summary}" + " {any}" * 16,
    ],
)
def test_a_template_that_cannot_be_read_by_is_refused(template: str) -> None:
    """It needs a place for the summary, each place once, and something between two."""
    with pytest.raises(Unfit):
        check_template(template)


def decided(signal: int, *accounts: int) -> None:
    """Write triggers of a signal."""
    for account in accounts:
        Decision.objects.create(
            signal=signal,
            account=account,
            time_us=1,
            side=1,
            reason=Reason.TRIGGERED.value,
            had=0,
            needed=0,
            price_ticks=1,
        )


def test_triggers_are_told_from_the_opening_on_each_once(
    ann: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was decided before isn't told; more than one look's share comes with the next looks."""
    monkeypatch.setattr(selectors, "TRIGGERS_MAX", 2)
    signal, _ = services.take_signal(read_signal(SAMPLE), source="test")
    first = signal.pk
    for number in range(100, 106):
        account = Account.objects.create(number=number, member=ann, kind=4, name=f"robot {number}")
        Robot.objects.create(id=f"r{number}", member=ann, account=account, kind="signal")
    decided(first, 100)
    told = selectors.told_by_now()
    decided(first, 101, 102, 103, 104, 105)
    looks = [[each["client_id"] for each in selectors.new_triggers(told, 0)] for _ in range(4)]
    assert looks == [["r101", "r102"], ["r103", "r104"], ["r105"], []]
