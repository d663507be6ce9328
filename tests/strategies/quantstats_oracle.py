"""What `quantstats` says of series of equity; runs in its own environment (`make oracle`).

    .venv/oracle/bin/python quantstats_oracle.py < series.json

Takes a list of {"first", "days": [...], "values": [...]} and prints a list of figures, null where
it says infinite or not a number. It is no dependency: it would bring 360 MB to every house.
"""

# mypy: ignore-errors
from __future__ import annotations

import json
import math
import sys
import warnings
from typing import Any

warnings.simplefilter("ignore")  # its own, of pandas

import pandas as pd  # noqa: E402
from quantstats import stats  # noqa: E402

PERIODS = 365


def figures(asked: dict[str, Any]) -> dict[str, Any]:
    values = pd.Series(
        [float(each) for each in (asked["first"], *asked["values"])],
        index=pd.to_datetime(asked["days"]),
    )
    returns = values.pct_change().iloc[1:]
    under = stats.to_drawdown_series(values)
    details = stats.drawdown_details(under)
    table = stats.monthly_returns(returns, prepare_returns=False)
    return {
        "total": stats.comp(returns),
        "yearly": stats.cagr(returns, periods=PERIODS),
        "volatility": stats.volatility(returns, periods=PERIODS, prepare_returns=False),
        "sharpe": stats.sharpe(returns, periods=PERIODS),
        "sortino": stats.sortino(returns, periods=PERIODS),
        "profit_factor": stats.profit_factor(returns, prepare_returns=False),
        "best": stats.best(returns, prepare_returns=False),
        "worst": stats.worst(returns, prepare_returns=False),
        "deepest": stats.max_drawdown(values),
        "under": list(under),
        "longest": int(details["days"].max()) if len(details) else 0,
        "months": {str(year): [float(each) for each in row] for year, *row in table.itertuples()},
    }


def plain(told: Any) -> Any:
    if isinstance(told, dict):
        return {key: plain(each) for key, each in told.items()}
    if isinstance(told, list):
        return [plain(each) for each in told]
    return None if not math.isfinite(told) else float(told)


print(json.dumps([plain(figures(each)) for each in json.load(sys.stdin)]))
