"""The functions of TA-Lib that a rule may name, with their parameters and outputs.

A table, so that whoever checks a rule needs no TA-Lib; a test holds it against the library. \
MAVP is
left out: it reads a second series that no candle has. Whole defaults mean whole parameters.
"""

from __future__ import annotations

from typing import Final

import msgspec

__all__ = ["FUNCTIONS", "Function"]


class Function(msgspec.Struct, frozen=True):
    """One function: defaults of its parameters, and the names of what it gives."""

    parameters: dict[str, float]
    outputs: tuple[str, ...]


def _number(text: str) -> float:
    return float(text) if "." in text or "e" in text else int(text)


def _read(line: str) -> tuple[str, Function]:
    name, *words = line.split()
    at = words.index(">")
    parameters = dict(word.split("=") for word in words[:at])
    return name, Function(
        {key: _number(text) for key, text in parameters.items()}, tuple(words[at + 1 :])
    )


_TABLE: Final = """\
AC fastperiod=5 slowperiod=34 signalperiod=5 > real
ACCBANDS timeperiod=20 > upperband middleband lowerband
ACOS > real
AD > real
ADD > real
ADOSC fastperiod=3 slowperiod=10 > real
ADR timeperiod=14 > real
ADX timeperiod=14 > real
ADXR timeperiod=14 > real
AO fastperiod=5 slowperiod=34 > real
APO fastperiod=12 slowperiod=26 matype=1 > real
AROON timeperiod=14 > aroondown aroonup
AROONOSC timeperiod=14 > real
ASIN > real
ATAN > real
ATR timeperiod=14 > real
AVGDEV timeperiod=14 > real
AVGPRICE > real
BBANDS timeperiod=20 nbdevup=2.0 nbdevdn=2.0 matype=0 > upperband middleband lowerband
BETA timeperiod=5 > real
BOP > real
CCI timeperiod=14 > real
CDL2CROWS > integer
CDL3BLACKCROWS > integer
CDL3INSIDE > integer
CDL3LINESTRIKE > integer
CDL3OUTSIDE > integer
CDL3STARSINSOUTH > integer
CDL3WHITESOLDIERS > integer
CDLABANDONEDBABY penetration=0.3 > integer
CDLADVANCEBLOCK > integer
CDLBELTHOLD > integer
CDLBREAKAWAY > integer
CDLCLOSINGMARUBOZU > integer
CDLCONCEALBABYSWALL > integer
CDLCOUNTERATTACK > integer
CDLDARKCLOUDCOVER penetration=0.5 > integer
CDLDOJI > integer
CDLDOJISTAR > integer
CDLDRAGONFLYDOJI > integer
CDLENGULFING > integer
CDLEVENINGDOJISTAR penetration=0.3 > integer
CDLEVENINGSTAR penetration=0.3 > integer
CDLGAPSIDESIDEWHITE > integer
CDLGRAVESTONEDOJI > integer
CDLHAMMER > integer
CDLHANGINGMAN > integer
CDLHARAMI > integer
CDLHARAMICROSS > integer
CDLHIGHWAVE > integer
CDLHIKKAKE > integer
CDLHIKKAKEMOD > integer
CDLHOMINGPIGEON > integer
CDLIDENTICAL3CROWS > integer
CDLINNECK > integer
CDLINVERTEDHAMMER > integer
CDLKICKING > integer
CDLKICKINGBYLENGTH > integer
CDLLADDERBOTTOM > integer
CDLLONGLEGGEDDOJI > integer
CDLLONGLINE > integer
CDLMARUBOZU > integer
CDLMATCHINGLOW > integer
CDLMATHOLD penetration=0.5 > integer
CDLMORNINGDOJISTAR penetration=0.3 > integer
CDLMORNINGSTAR penetration=0.3 > integer
CDLONNECK > integer
CDLPIERCING > integer
CDLRICKSHAWMAN > integer
CDLRISEFALL3METHODS > integer
CDLSEPARATINGLINES > integer
CDLSHOOTINGSTAR > integer
CDLSHORTLINE > integer
CDLSPINNINGTOP > integer
CDLSTALLEDPATTERN > integer
CDLSTICKSANDWICH > integer
CDLTAKURI > integer
CDLTASUKIGAP > integer
CDLTHRUSTING > integer
CDLTRISTAR > integer
CDLUNIQUE3RIVER > integer
CDLUPSIDEGAP2CROWS > integer
CDLXSIDEGAP3METHODS > integer
CEIL > real
CMF timeperiod=20 > real
CMO timeperiod=14 > real
CMOU timeperiod=14 > real
COPPOCK wmaperiod=10 roc1period=11 roc2period=14 > real
CORREL timeperiod=30 > real
COS > real
COSH > real
CUMSUM > real
CVI timeperiod=10 rocperiod=10 > real
DEMA timeperiod=30 > real
DIV > real
DONCHIAN timeperiod=20 > upperband middleband lowerband
DPO timeperiod=20 > real
DX timeperiod=14 > real
EFI timeperiod=13 > real
EMA timeperiod=30 > real
ER timeperiod=10 > real
ERI timeperiod=13 > bullpower bearpower
EXP > real
FLOOR > real
FOSC timeperiod=5 > real
FRACTAL leftbars=2 rightbars=2 > swinghigh swinglow
HA > haopen hahigh halow haclose
HMA timeperiod=20 > real
HT_DCPERIOD > real
HT_DCPHASE > real
HT_PHASOR > inphase quadrature
HT_SINE > sine leadsine
HT_TRENDLINE > real
HT_TRENDMODE > integer
IMI timeperiod=14 > real
KAMA timeperiod=30 > real
KC timeperiod=20 atrperiod=10 nbdev=2.0 > upperband middleband lowerband
KDJ fastk_period=9 slowk_period=3 slowk_matype=13 slowd_period=3 slowd_matype=13 > k d j
LINEARREG timeperiod=14 > real
LINEARREG_ANGLE timeperiod=14 > real
LINEARREG_INTERCEPT timeperiod=14 > real
LINEARREG_SLOPE timeperiod=14 > real
LN > real
LOG10 > real
MA timeperiod=30 matype=0 > real
MACD fastperiod=12 slowperiod=26 signalperiod=9 > macd macdsignal macdhist
MACDEXT fastperiod=12 fastmatype=0 slowperiod=26 slowmatype=0 signalperiod=9 signalmatype=0 > \
macd macdsignal macdhist
MACDFIX signalperiod=9 > macd macdsignal macdhist
MAMA fastlimit=0.5 slowlimit=0.05 > mama fama
MARKETFI > real
MASSI fastperiod=9 slowperiod=25 > real
MAX timeperiod=30 > real
MAXINDEX timeperiod=30 > integer
MEDPRICE > real
MFI timeperiod=14 > real
MIDPOINT timeperiod=14 > real
MIDPRICE timeperiod=14 > real
MIN timeperiod=30 > real
MININDEX timeperiod=30 > integer
MINMAX timeperiod=30 > min max
MINMAXINDEX timeperiod=30 > minidx maxidx
MINUS_DI timeperiod=14 > real
MINUS_DM timeperiod=14 > real
MOM timeperiod=10 > real
MULT > real
NATR timeperiod=14 > real
NVI > real
OBV > real
PERCENTILE timeperiod=30 percentile=50.0 > real
PERCENTRANK timeperiod=100 > real
PLUS_DI timeperiod=14 > real
PLUS_DM timeperiod=14 > real
PPO fastperiod=12 slowperiod=26 matype=1 > real
PVI > real
PVO fastperiod=12 slowperiod=26 matype=1 > real
PVT > real
QSTICK timeperiod=10 > real
RMA timeperiod=30 > real
ROC timeperiod=10 > real
ROCP timeperiod=10 > real
ROCR timeperiod=10 > real
ROCR100 timeperiod=10 > real
RSI timeperiod=14 > real
RVI timeperiod=14 stddevperiod=10 > real
RVOL timeperiod=20 > real
SAR acceleration=0.02 maximum=0.2 > real
SAREXT startvalue=0.0 offsetonreverse=0.0 accelerationinitlong=0.02 accelerationlong=0.02 \
accelerationmaxlong=0.2 accelerationinitshort=0.02 accelerationshort=0.02 \
accelerationmaxshort=0.2 > real
SIN > real
SINH > real
SMA timeperiod=30 > real
SMI timeperiod=13 fastperiod=2 slowperiod=25 signalperiod=9 > smi smisignal
SQRT > real
STDDEV timeperiod=5 nbdev=1.0 > real
STOCH fastk_period=5 slowk_period=3 slowk_matype=0 slowd_period=3 slowd_matype=0 > slowk slowd
STOCHF fastk_period=5 fastd_period=3 fastd_matype=0 > fastk fastd
STOCHRSI timeperiod=14 fastk_period=5 fastd_period=3 fastd_matype=0 > fastk fastd
SUB > real
SUM timeperiod=30 > real
SUPERTREND timeperiod=10 multiplier=3.0 > supertrend trend
T3 timeperiod=5 vfactor=0.7 > real
TAN > real
TANH > real
TEMA timeperiod=30 > real
TRANGE > real
TRIMA timeperiod=30 > real
TRIX timeperiod=30 > real
TSF timeperiod=14 > real
TSI firstperiod=25 secondperiod=13 > real
TYPPRICE > real
ULTOSC timeperiod1=7 timeperiod2=14 timeperiod3=28 > real
VAR timeperiod=5 nbdev=1.0 > real
VHF timeperiod=28 > real
VORTEX timeperiod=14 > plusvi minusvi
VWAP > real
VWMA timeperiod=30 > real
WAD > real
WCLPRICE > real
WILLR timeperiod=14 > real
WMA timeperiod=30 > real
ZLEMA timeperiod=30 > real
"""

FUNCTIONS: Final = dict(_read(line) for line in _TABLE.splitlines())
