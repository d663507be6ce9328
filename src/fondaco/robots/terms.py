"""A robot's limits as the core takes them: in the house, on paper and in backtests."""

from __future__ import annotations

from fondaco.core.money import parse_units
from fondaco.core.records import RobotTerms
from fondaco.house.robots import RobotConfig

__all__ = ["terms_of"]


def terms_of(config: RobotConfig, *, cash: int, decimals: int) -> RobotTerms:
    """Return the limits that a config has the core keep; `cash` is an asset's number."""
    return RobotTerms(
        cash=cash,
        day_loss_max=parse_units(config.day_stop_loss, decimals),
        month_loss_max=parse_units(config.month_stop_loss, decimals),
        month_sell_cap=parse_units(config.month_sell_cap, decimals),
        order_notional_max=parse_units(config.order_notional_max, decimals),
        orders_day_max=config.orders_day_max,
    )
