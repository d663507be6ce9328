"""Reads a rule from JSON: gives the model, or one error that points at the place.

Promises: whatever the bytes are, the answer is a rule or a RuleError and nothing else; the error
names the place as a JSON path, what was found and what would be right there; depth, size and the
cost of one evaluation are bounded before anything is run. It does not know the house: whether a
ticker exists and a price is on its tick is asked by whoever places the order.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final

import msgspec

from fondaco.robots.rules.indicators import FUNCTIONS
from fondaco.robots.rules.model import (
    OCO,
    Action,
    Comparison,
    Condition,
    Indicator,
    Item,
    Order,
    Step,
    Strict,
    Value,
    schema,
)

__all__ = ["RuleError", "actions_of", "read_rule"]

BYTES_MAX: Final = 32 * 1024  # a rule that a person can still read
DEPTH_MAX: Final = 96  # nested brackets; 32 steps are 64 deep
STEPS_MAX: Final = 32
CONDITION_DEPTH_MAX: Final = 8
COST_MAX: Final = 200  # of one evaluation of one step: a comparison costs 1, an indicator 10
INDICATORS_MAX: Final = 16  # different ones: each is kept up to date for the bot
INDICATOR_COST: Final = 10
ROUNDS_MAX: Final = 100_000  # of all nested $repeat together
NUMBER_MAX: Final = Decimal(10) ** 18
NUMBER_PLACES_MAX: Final = 18
PERIOD_MAX: Final = 1000  # whole parameters of an indicator: how far it may look back
PARAMETER_MAX: Final = 1e9

_PRICED: Final = {"LIMIT", "LIMIT_MAKER", "STOP_LOSS_LIMIT", "TAKE_PROFIT_LIMIT", OCO}
_STOPPED: Final = {"STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT", OCO}
_SCHEMA: Final = schema()
_QUOTE, _BACKSLASH = b'"\\'
_OPENING: Final = b"{["
_CLOSING: Final = b"}]"
_WHERE: Final = re.compile(r" - at `(\$.*)`$")
_TOKENS: Final = re.compile(r"\.([^.\[]+)|(\[)")


class RuleError(ValueError):
    """What is wrong with a rule, and where: `path` is a JSON path, `$` the whole document."""

    def __init__(self, path: str, message: str) -> None:
        """Take the place and one sentence that says what was found and what would be right."""
        super().__init__(f"{path}: {message}")
        self.path = path
        self.message = message


def read_rule(text: bytes | str) -> Step:
    """Return the rule of a JSON document.

    Raises:
        RuleError: what is wrong, where, and what would be right.
    """
    document = _utf8(text)
    _bound(document)
    try:
        rule = msgspec.json.decode(document, type=Step)
        json.loads(document, object_pairs_hook=_once, parse_int=str, parse_float=str)
    except msgspec.ValidationError as error:
        raise _explained(str(error)) from error
    except (msgspec.DecodeError, json.JSONDecodeError, UnicodeDecodeError) as error:
        raise RuleError("$", f"not JSON: {error}") from error
    _check_rule(rule)
    return rule


def actions_of(actions: Action | list[Action] | None) -> list[Action]:
    """Return the actions of a $do or $else as a list."""
    if actions is None:
        return []
    return [actions] if isinstance(actions, Action) else actions


# -- before parsing ------------------------------------------------------------------------------


def _utf8(text: bytes | str) -> bytes:
    if isinstance(text, bytes):
        return text
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise RuleError("$", f"not text that UTF-8 can write: {error.reason}") from error


def _bound(document: bytes) -> None:
    """See that a document is small and shallow enough to be parsed."""
    if len(document) > BYTES_MAX:
        raise RuleError("$", f"the rule has {len(document)} bytes; at most {BYTES_MAX}: shorten it")
    depth = deepest = 0
    quoted = escaped = False
    for byte in document:
        if escaped:
            escaped = False
        elif quoted:
            escaped = byte == _BACKSLASH
            quoted = byte != _QUOTE
        elif byte == _QUOTE:
            quoted = True
        elif byte in _OPENING:
            depth += 1
            deepest = max(deepest, depth)
        elif byte in _CLOSING:
            depth -= 1
    if deepest > DEPTH_MAX:
        raise RuleError("$", f"the rule is {deepest} brackets deep; at most {DEPTH_MAX}")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse an object that says one key twice: JSON would silently keep the last."""
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise RuleError("$", f"the key {key!r} stands twice in one object; leave one")
        found[key] = value
    return found


# -- what the model refused, explained by its schema -----------------------------------------------


def _explained(message: str) -> RuleError:
    found = _WHERE.search(message)
    path = found.group(1) if found else "$"
    said = message[: found.start()] if found else message
    right = "; or ".join(dict.fromkeys(filter(None, map(_described, _at(path)))))
    return RuleError(path, f"{said}; here stands {right}" if right else said)


def _alternatives(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield what a node of the schema may be, without references."""
    if "$ref" in node:
        yield from _alternatives(_SCHEMA["$defs"][node["$ref"].rpartition("/")[2]])
    elif "anyOf" in node:
        for each in node["anyOf"]:
            yield from _alternatives(each)
    else:
        yield node


def _at(path: str) -> list[dict[str, Any]]:
    """Return the nodes of the schema that describe what may stand at a path."""
    nodes = list(_alternatives(_SCHEMA))
    for key, _ in _TOKENS.findall(path):
        below = [
            node.get("properties", {}).get(key) if key else node.get("items") for node in nodes
        ]
        nodes = [each for node in below if node for each in _alternatives(node)]
    return nodes


def _described(node: dict[str, Any]) -> str:
    if "enum" in node:
        return "one of " + ", ".join(map(str, node["enum"]))
    if "properties" in node:
        words = list(node["properties"])
        needed = node.get("required", [])
        text = "an object with " + ", ".join(words)
        return f"{text} ({', '.join(needed)} needed)" if needed else text
    if node.get("type") == "array":
        bounds = f"{node.get('minItems', 0)} to {node['maxItems']}" if "maxItems" in node else ""
        return f"a list of {bounds or 'any number of'} of them"
    return str(node.get("description", "") or "")


# -- what the model can't say ----------------------------------------------------------------------


def _check_rule(rule: Step) -> None:
    names: set[str] = set()
    tickers = sorted(set(_tickers(rule)))
    indicators: set[bytes] = set()
    rounds = 1
    step: Step | None = rule
    path = "$"
    count = 0
    while step is not None:
        count += 1
        if count > STEPS_MAX:
            raise RuleError(path, f"more than {STEPS_MAX} steps; split the rule into two bots")
        rounds *= step.repeat.times if step.repeat else 1
        if rounds > ROUNDS_MAX:
            raise RuleError(
                f"{path}.$repeat.times",
                f"all repeats together make {rounds} rounds; at most {ROUNDS_MAX}",
            )
        cost = _check_condition(step.when, f"{path}.$when", 0, indicators) if step.when else 0
        if cost > COST_MAX:
            raise RuleError(
                f"{path}.$when",
                f"one look at it costs {cost} (1 a comparison, {INDICATOR_COST} an indicator);"
                f" at most {COST_MAX}",
            )
        if step.otherwise is not None and step.when is None:
            raise RuleError(f"{path}.$else", "there is nothing to be false: add $when")
        for word, actions in (("$do", step.do), ("$else", step.otherwise)):
            for place, action in enumerate(actions_of(actions)):
                at = f"{path}.{word}" + (f"[{place}]" if isinstance(actions, list) else "")
                _check_action(action, at, tickers, names)
        step, path = step.then, f"{path}.$then"
    if len(indicators) > INDICATORS_MAX:
        raise RuleError("$", f"{len(indicators)} different indicators; at most {INDICATORS_MAX}")


def _one_word(thing: Strict, path: str) -> str:
    """Return the only word that is set, as it is written."""
    fields = zip(thing.__struct_fields__, thing.__struct_encode_fields__, strict=True)
    found = [word for name, word in fields if getattr(thing, name) is not None]
    if len(found) != 1:
        words = ", ".join(thing.__struct_encode_fields__)
        shown = " and ".join(found) if found else "none"
        raise RuleError(path, f"exactly one of {words} stands here, found {shown}")
    return found[0]


def _check_condition(condition: Condition, path: str, depth: int, indicators: set[bytes]) -> int:
    """Check a condition and return what one look at it costs."""
    if depth > CONDITION_DEPTH_MAX:
        raise RuleError(path, f"conditions nest at most {CONDITION_DEPTH_MAX} deep")
    word = _one_word(condition, path)
    at = f"{path}.{word}"
    if condition.comparison is not None:
        return _check_comparison(condition.comparison, at, indicators)
    if condition.negated is not None:
        return _check_condition(condition.negated, at, depth + 1, indicators)
    parts = condition.all_of or condition.any_of or []
    return sum(
        _check_condition(part, f"{at}[{place}]", depth + 1, indicators)
        for place, part in enumerate(parts)
    )


def _check_comparison(comparison: Comparison, path: str, indicators: set[bytes]) -> int:
    items = (comparison.item_a, comparison.item_b)
    cost = 1
    for name, item in zip(("itemA", "itemB"), items, strict=True):
        _check_item(item, f"{path}.{name}")
        if isinstance(item, Value) and item.indicator is not None:
            cost += INDICATOR_COST
            indicators.add(msgspec.json.encode(item.indicator, order="deterministic"))
    if all(isinstance(item, Decimal) for item in items):
        raise RuleError(path, "both items are numbers, so it never changes: name a $ticker in one")
    return cost


def _check_item(item: Item, path: str) -> None:
    if isinstance(item, Decimal):
        _check_number(item, path)
        return
    _one_word(item, path)
    if item.indicator is not None:
        _check_indicator(item.indicator, f"{path}.$indicator")


def _check_number(number: Decimal, path: str) -> None:
    if not number.is_finite():
        raise RuleError(path, f"{number} is not a finite number")
    _, digits, exponent = number.as_tuple()
    if number.adjusted() > 18 or abs(number) > NUMBER_MAX:
        raise RuleError(path, "the number is too large: from -10^18 to 10^18")
    if isinstance(exponent, int) and (-exponent > NUMBER_PLACES_MAX or len(digits) > 36):
        raise RuleError(path, f"the number has more than {NUMBER_PLACES_MAX} places")


def _check_indicator(indicator: Indicator, path: str) -> None:
    function = FUNCTIONS.get(indicator.name)
    if function is None:
        near = sorted(name for name in FUNCTIONS if name[:2] == indicator.name[:2])[:8]
        hint = f"; there are {', '.join(near)}" if near else ""
        raise RuleError(f"{path}.name", f"TA-Lib has no {indicator.name!r} that candles feed{hint}")
    for name, given in indicator.parameters.items():
        known = function.parameters.get(name)
        if known is None:
            words = ", ".join(function.parameters) or "none at all"
            raise RuleError(
                f"{path}.parameters", f"{indicator.name} has no {name!r}; it takes {words}"
            )
        whole = isinstance(known, int)
        if whole and not (given.is_integer() and 0 <= given <= PERIOD_MAX):
            raise RuleError(
                f"{path}.parameters.{name}", f"found {given}; a whole number up to {PERIOD_MAX}"
            )
        if not abs(given) <= PARAMETER_MAX:
            raise RuleError(f"{path}.parameters.{name}", f"found {given}; at most 10^9 either way")
    if indicator.output is None and len(function.outputs) > 1:
        raise RuleError(
            path, f"{indicator.name} gives {', '.join(function.outputs)}: name one as output"
        )
    if indicator.output is not None and indicator.output not in function.outputs:
        raise RuleError(
            f"{path}.output",
            f"{indicator.name} has no {indicator.output!r}; it gives {', '.join(function.outputs)}",
        )


def _check_action(action: Action, path: str, tickers: list[str], names: set[str]) -> None:
    word = _one_word(action, path)
    if action.order is not None:
        _check_order(action.order, f"{path}.{word}", tickers)
        if action.order.name == "all":
            raise RuleError(f"{path}.{word}.name", '"all" means every order; choose another name')
        if action.order.name is not None:
            names.add(action.order.name)
    if action.cancel is not None and action.cancel not in names | {"all"}:
        known = ", ".join(sorted(names)) or "none yet"
        raise RuleError(
            f"{path}.{word}",
            f'no order before is named {action.cancel!r}: "all", or one of: {known}',
        )


def _check_order(order: Order, path: str, tickers: list[str]) -> None:
    if order.ticker is None and len(tickers) != 1:
        shown = ", ".join(tickers) or "none"
        raise RuleError(
            path, f"the rule names {shown}, so the order needs a ticker: add one, like BTC"
        )
    buys = order.intent == "BUY"
    right, wrong = ("bid", "ask") if buys else ("ask", "bid")
    if getattr(order, wrong) is not None:
        raise RuleError(f"{path}.{wrong}", f"a {order.intent} has no {wrong}: write {right}")
    price = order.bid if buys else order.ask
    kind = f"an {OCO}" if order.kind == OCO else f"a {order.kind}"
    if order.kind in _PRICED and price is None:
        raise RuleError(path, f"{kind} {order.intent} needs its limit price: add {right}")
    if order.kind not in _PRICED and price is not None:
        raise RuleError(f"{path}.{right}", f"{kind} has no limit price: take it out")
    if (order.kind in _STOPPED) != (order.stop is not None):
        if order.stop is None:
            raise RuleError(path, f"{kind} needs the price that sets it off: add stop")
        raise RuleError(f"{path}.stop", f"{kind} has no stop: take it out")
    if (order.shares is None) == (order.spend is None):
        raise RuleError(path, "the order needs shares, or for a MARKET order spend: one of them")
    if order.spend is not None and order.kind != "MARKET":
        raise RuleError(f"{path}.spend", f"only a MARKET order spends: {kind} takes shares")
    _check_stop_leg(order, path, kind)
    if order.time_in_force is not None and order.kind not in _PRICED - {"LIMIT_MAKER"}:
        raise RuleError(f"{path}.time_in_force", f"{kind} has none: take it out")
    for name in ("shares", "spend", "bid", "ask", "stop", "stop_limit"):
        _check_amount(getattr(order, name), f"{path}.{name}")
    if order.kind == OCO:
        _check_sides(order, price, f"{path}.stop")


def _check_stop_leg(order: Order, path: str, kind: str) -> None:
    """See that only the stop of an OCO has a limit price of its own, and so a time in force."""
    if order.kind != OCO:
        if order.stop_limit is not None:
            raise RuleError(
                f"{path}.stop_limit", f"{kind} has none: its limit price is bid or ask; take it out"
            )
        return
    if order.time_in_force is not None and order.stop_limit is None:
        raise RuleError(
            f"{path}.time_in_force", f"{kind} has one for its stop's limit: add stop_limit"
        )


def _check_sides(order: Order, price: Item | None, path: str) -> None:
    """See that the stop of an OCO is where a loss is, if both prices are numbers."""
    stop = order.stop
    if not isinstance(price, Decimal) or not isinstance(stop, Decimal):
        return
    if order.intent == "SELL" and stop >= price:
        raise RuleError(path, f"found {stop}; the stop of an OCO SELL is below its ask, {price}")
    if order.intent == "BUY" and stop <= price:
        raise RuleError(path, f"found {stop}; the stop of an OCO BUY is above its bid, {price}")


def _check_amount(item: Item | None, path: str) -> None:
    """See that an amount of an order is exact and can be above zero."""
    if item is None:
        return
    _check_item(item, path)
    if isinstance(item, Decimal):
        if item <= 0:
            raise RuleError(path, f"found {item}; it is above 0")
        return
    if item.indicator is not None or item.time is not None:
        raise RuleError(
            path,
            "an order takes exact numbers: a number, $ticker, $position or $cash;"
            " an indicator is a float and a time is no amount",
        )


def _tickers(thing: object) -> Iterator[str]:
    """Yield every ticker that a rule names outside of its orders' own `ticker`."""
    if isinstance(thing, Value):
        for named in (thing.ticker, thing.position):
            if named is not None:
                yield named if isinstance(named, str) else named.symbol
        if thing.indicator is not None:
            yield thing.indicator.ticker
    elif isinstance(thing, Strict):
        for name in thing.__struct_fields__:
            yield from _tickers(getattr(thing, name))
    elif isinstance(thing, list):
        for each in thing:
            yield from _tickers(each)
