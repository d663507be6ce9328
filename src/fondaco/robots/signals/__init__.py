"""Our own analysis of candles: what of TA-Lib's figures becomes BUY, SELL or NEUTRAL.

It needs the extra `ta` (TA-Lib, numpy) and is for workers only: no edge and no office imports it.
"""
