"""The kinds of happenings that a member may hear of: one table.

Promises: a kind's wire name never changes; its sentence is filled from the data that its webhook
carries, so that mail and webhook say the same. `mailed` is what holds until a member chooses.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple

__all__ = ["CHOOSABLE", "TABLE", "Kind", "Terms"]


class Kind(StrEnum):
    ORDER_TRADED = "order.traded"
    ORDER_FILLED = "order.filled"
    DEPOSIT_CREDITED = "deposit.credited"
    WITHDRAWAL_ASKED = "withdrawal.asked"
    WITHDRAWAL_APPROVED = "withdrawal.approved"
    WITHDRAWAL_PAID = "withdrawal.paid"
    WITHDRAWAL_CANCELLED = "withdrawal.cancelled"
    SIGN_IN_NEW_DEVICE = "sign_in.new_device"
    SIGN_IN_CHANGED = "sign_in.changed"
    KEY_MADE = "api_key.made"
    KEY_REVOKED = "api_key.revoked"
    TOKEN_MADE = "token.made"  # noqa: S105 - the name of a kind
    TOKEN_REVOKED = "token.revoked"  # noqa: S105 - the name of a kind
    MEMBERSHIP_PAID = "membership.paid"
    MEMBERSHIP_ENDING = "membership.ending"
    MEMBERSHIP_ENDED = "membership.ended"
    INVITE_USED = "invite.used"
    STRATEGY_LATE = "strategy.late"
    STRATEGY_BACK = "strategy.back"
    ROBOT_SAYS = "robot.says"
    TEST = "test"


class Terms(NamedTuple):
    """How a kind is shown. `always_mailed`: another mail of the house tells it, asked or not."""

    title: str
    sentence: str  # of str.format
    mailed: bool = False
    always_mailed: bool = False


TABLE: Final[dict[Kind, Terms]] = {
    Kind.ORDER_TRADED: Terms(
        "A part of an order traded",
        "Your {side} order {order_id} traded {quantity} {base} at {price} {quote}.",
    ),
    Kind.ORDER_FILLED: Terms(
        "An order is filled",
        "Your {side} order {order_id} of {quantity} {base} on {symbol} is filled for "
        "{quote_quantity} {quote}.",
    ),
    Kind.DEPOSIT_CREDITED: Terms(
        "A deposit is credited", "{amount} {asset} came in on your account {account}.", mailed=True
    ),
    Kind.WITHDRAWAL_ASKED: Terms(
        "A withdrawal is asked for",
        "A withdrawal of {amount} {asset} from your account {account} is asked for.",
        mailed=True,
    ),
    Kind.WITHDRAWAL_APPROVED: Terms(
        "A withdrawal is approved",
        "A member of the staff approved your withdrawal of {amount} {asset}.",
    ),
    Kind.WITHDRAWAL_PAID: Terms(
        "A withdrawal is paid", "{amount} {asset} left the house.", mailed=True
    ),
    Kind.WITHDRAWAL_CANCELLED: Terms(
        "A withdrawal is cancelled",
        "Your withdrawal of {amount} {asset} is cancelled; the amount is free again.",
    ),
    Kind.SIGN_IN_NEW_DEVICE: Terms(
        "A sign-in from a new device",
        "Somebody signed in with your password from a browser that the house had not seen before "
        "({browser}; address {address}). If that was not you, change your password and end the "
        "session.",
        mailed=True,
    ),
    Kind.SIGN_IN_CHANGED: Terms(
        "Your password or second factor is changed",
        "How you sign in has changed: {what}.",
        always_mailed=True,
    ),
    Kind.KEY_MADE: Terms(
        "An API key is made", "API key {number} of account {account} was made.", mailed=True
    ),
    Kind.KEY_REVOKED: Terms("An API key is revoked", "API key {number} was revoked."),
    Kind.TOKEN_MADE: Terms(
        "A token is made", "Token {prefix}… was made; it may: {scopes}.", mailed=True
    ),
    Kind.TOKEN_REVOKED: Terms("A token is revoked", "Token {prefix}… was revoked."),
    Kind.MEMBERSHIP_PAID: Terms(
        "A membership is paid", "Your membership is paid until {until}.", mailed=True
    ),
    Kind.MEMBERSHIP_ENDING: Terms(
        "A membership ends soon", "Your membership ends on {until}.", always_mailed=True
    ),
    Kind.MEMBERSHIP_ENDED: Terms(
        "A membership has ended",
        "Your membership ended on {until}. Trading, cancelling and withdrawing stay open.",
        mailed=True,
    ),
    Kind.INVITE_USED: Terms("Your invite is used", "{username} joined the house by your invite."),
    Kind.STRATEGY_LATE: Terms(
        "A strategy's report is late",
        "Your strategy {strategy} has not reported since {last}; it is expected every {every_s} "
        "seconds.",
        mailed=True,
    ),
    Kind.STRATEGY_BACK: Terms(
        "A strategy reports again", "Your strategy {strategy} reports again.", mailed=True
    ),
    Kind.ROBOT_SAYS: Terms(
        "A rule bot's $notify", "Your robot {robot} ({mode}) says: {message}", mailed=True
    ),
    Kind.TEST: Terms("A test", "This is a test of your webhook."),
}
CHOOSABLE: Final = tuple(kind for kind in Kind if kind is not Kind.TEST)
