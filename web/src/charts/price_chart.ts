/**
 * The price chart: candles, volume, lines, the person's own orders.
 *
 * The only file that knows the chart library. Takes plain candles, draws them, and reports what
 * the pointer is over and when history to the left is wanted. Colours come from the page's tokens.
 */
import {
  CandlestickSeries,
  ColorType,
  CrosshairMode,
  HistogramSeries,
  type IChartApi,
  type IPriceLine,
  type ISeriesApi,
  LineSeries,
  LineStyle,
  type MouseEventParams,
  type Time,
  type UTCTimestamp,
  createChart,
} from 'lightweight-charts';
import type { Candle } from '../model/candles.ts';
import { bollinger, exponentialAverage, relativeStrength, simpleAverage } from './indicators.ts';

export interface IndicatorChoice {
  readonly name: string;
  readonly label: string;
  readonly lines: readonly {
    readonly colour: string;
    readonly of: (closes: readonly number[]) => (number | null)[];
  }[];
  /** In a pane of its own, below the candles. */
  readonly apart?: boolean;
  readonly guides?: readonly number[];
}

export const INDICATORS: readonly IndicatorChoice[] = [
  {
    name: 'sma20',
    label: 'SMA 20',
    lines: [{ colour: '--chart-1', of: (c) => simpleAverage(c, 20) }],
  },
  {
    name: 'sma50',
    label: 'SMA 50',
    lines: [{ colour: '--chart-2', of: (c) => simpleAverage(c, 50) }],
  },
  {
    name: 'ema12',
    label: 'EMA 12',
    lines: [{ colour: '--chart-3', of: (c) => exponentialAverage(c, 12) }],
  },
  {
    name: 'ema26',
    label: 'EMA 26',
    lines: [{ colour: '--chart-4', of: (c) => exponentialAverage(c, 26) }],
  },
  {
    name: 'bands',
    label: 'Bollinger 20, 2',
    lines: [
      { colour: '--chart-5', of: (c) => bollinger(c, 20, 2).upper },
      { colour: '--chart-5', of: (c) => bollinger(c, 20, 2).lower },
    ],
  },
  {
    name: 'rsi14',
    label: 'RSI 14',
    lines: [{ colour: '--chart-1', of: (c) => relativeStrength(c, 14) }],
    apart: true,
    guides: [30, 70],
  },
];

export interface OrderLine {
  readonly price: number;
  readonly side: 'BUY' | 'SELL';
  /** A stop: drawn at the price that it waits for. */
  readonly waits: boolean;
  readonly text: string;
}

const BARS_SHOWN = 110;
const OLDER_WITHIN = 30;

interface Drawn {
  choice: IndicatorChoice;
  series: ISeriesApi<'Line'>[];
}

export class PriceChart {
  readonly #chart: IChartApi;
  readonly #prices: ISeriesApi<'Candlestick'>;
  readonly #volumes: ISeriesApi<'Histogram'>;
  #indicators: Drawn[] = [];
  #lines: IPriceLine[] = [];
  #candles: readonly Candle[] = [];
  #hovering = false;
  #colours: (name: string) => string;

  constructor(
    private readonly host: HTMLElement,
    private readonly on: { hover: (candle: Candle | null) => void; older: () => void },
  ) {
    this.#colours = coloursOf(host);
    this.#chart = createChart(host, {
      autoSize: true,
      layout: { fontSize: 11, attributionLogo: true, panes: { enableResize: true } },
      crosshair: { mode: CrosshairMode.Normal },
      rightPriceScale: { borderVisible: false, scaleMargins: { top: 0.12, bottom: 0.22 } },
      timeScale: {
        borderVisible: false,
        timeVisible: true,
        secondsVisible: false,
        rightOffset: 6,
        minBarSpacing: 2,
      },
      handleScale: { axisPressedMouseMove: { time: true, price: true } },
    });
    this.#prices = this.#chart.addSeries(CandlestickSeries, { borderVisible: false });
    this.#volumes = this.#chart.addSeries(HistogramSeries, {
      priceFormat: { type: 'volume' },
      priceScaleId: 'volume',
      lastValueVisible: false,
      priceLineVisible: false,
    });
    this.#volumes.priceScale().applyOptions({ scaleMargins: { top: 0.84, bottom: 0 } });
    this.#chart.subscribeCrosshairMove((event) => this.#moved(event));
    this.#chart.timeScale().subscribeVisibleLogicalRangeChange((range) => {
      if (range && range.from < OLDER_WITHIN && this.#candles.length > 0) this.on.older();
    });
    this.paint();
  }

  /** Take the page's colours again: after a change of theme. */
  paint(): void {
    const colour = (this.#colours = coloursOf(this.host));
    this.#chart.applyOptions({
      layout: {
        background: { type: ColorType.Solid, color: colour('--panel') },
        textColor: colour('--text-3'),
        fontFamily: colour('--sans'),
        panes: { separatorColor: colour('--line'), separatorHoverColor: colour('--line-strong') },
      },
      grid: {
        vertLines: { color: colour('--chart-grid') },
        horzLines: { color: colour('--chart-grid') },
      },
      crosshair: {
        vertLine: { color: colour('--text-3'), labelBackgroundColor: colour('--line-strong') },
        horzLine: { color: colour('--text-3'), labelBackgroundColor: colour('--line-strong') },
      },
    });
    this.#prices.applyOptions({
      upColor: colour('--chart-up'),
      wickUpColor: colour('--chart-up'),
      downColor: colour('--chart-down'),
      wickDownColor: colour('--chart-down'),
    });
    for (const drawn of this.#indicators) {
      drawn.series.forEach((series, index) => {
        series.applyOptions({ color: colour(drawn.choice.lines[index]?.colour ?? '--text-3') });
      });
    }
    this.#drawAll();
  }

  setPlaces(places: number): void {
    const priceFormat = { type: 'price', precision: places, minMove: 10 ** -places } as const;
    this.#prices.applyOptions({ priceFormat });
    for (const drawn of this.#indicators) {
      if (drawn.choice.apart) continue;
      for (const series of drawn.series) series.applyOptions({ priceFormat });
    }
  }

  /** Draws the least that shows these candles; a new series is shown from its newest bars. */
  setCandles(candles: readonly Candle[]): void {
    const known = this.#candles;
    this.#candles = candles;
    this.host.dataset['bars'] = String(candles.length);
    const sameStart = known[0]?.time === candles[0]?.time && known.length > 0;
    const grown = candles.length - known.length;
    if (sameStart && (grown === 0 || grown === 1) && agrees(known, candles)) {
      this.#drawLast();
      return;
    }
    const older = grown > 0 && known.length > 0 && known.at(-1)?.time === candles.at(-1)?.time;
    const range = this.#chart.timeScale().getVisibleLogicalRange();
    this.#drawAll();
    if (older && range) {
      this.#chart
        .timeScale()
        .setVisibleLogicalRange({ from: range.from + grown, to: range.to + grown });
    } else if (!sameStart && candles.length > 0) {
      this.#chart.priceScale('right').applyOptions({ autoScale: true });
      this.#chart.timeScale().setVisibleLogicalRange({
        from: candles.length - BARS_SHOWN,
        to: candles.length + 6,
      });
    }
  }

  setIndicators(names: readonly string[]): void {
    for (const drawn of this.#indicators) {
      for (const series of drawn.series) this.#chart.removeSeries(series);
    }
    this.#indicators = INDICATORS.filter((one) => names.includes(one.name)).map((choice) => ({
      choice,
      series: choice.lines.map((line) =>
        this.#chart.addSeries(
          LineSeries,
          {
            color: this.#colours(line.colour),
            lineWidth: choice.name === 'bands' ? 1 : 2,
            lastValueVisible: choice.apart ?? false,
            priceLineVisible: false,
            crosshairMarkerVisible: false,
          },
          choice.apart ? 1 : 0,
        ),
      ),
    }));
    this.host.dataset['indicators'] = String(this.#indicators.length);
    this.#chart.panes()[1]?.setStretchFactor(0.28);
    for (const { choice, series } of this.#indicators) {
      for (const price of choice.guides ?? []) {
        series[0]?.createPriceLine({
          price,
          color: this.#colours('--line-strong'),
          lineWidth: 1,
          lineStyle: LineStyle.Dashed,
          axisLabelVisible: false,
          title: '',
        });
      }
    }
    this.#drawIndicators();
  }

  setOrders(orders: readonly OrderLine[]): void {
    for (const line of this.#lines) this.#prices.removePriceLine(line);
    this.#lines = orders.map((order) =>
      this.#prices.createPriceLine({
        price: order.price,
        title: order.text,
        color: this.#colours(order.side === 'BUY' ? '--chart-up' : '--chart-down'),
        lineWidth: 1,
        lineStyle: order.waits ? LineStyle.SparseDotted : LineStyle.Dashed,
        axisLabelVisible: true,
      }),
    );
  }

  showNewest(): void {
    this.#chart.timeScale().scrollToRealTime();
  }

  remove(): void {
    this.#chart.remove();
  }

  #drawAll(): void {
    this.#prices.setData(this.#candles.map(bar));
    this.#volumes.setData(this.#candles.map((candle) => this.#volume(candle)));
    this.#drawIndicators();
    if (!this.#hovering) this.on.hover(null);
  }

  #drawLast(): void {
    const last = this.#candles.at(-1);
    if (!last) return;
    this.#prices.update(bar(last));
    this.#volumes.update(this.#volume(last));
    const closes = this.#candles.map((candle) => candle.close);
    for (const { choice, series } of this.#indicators) {
      choice.lines.forEach((line, index) => {
        const value = line.of(closes).at(-1) ?? null;
        if (value !== null) series[index]?.update({ time: stamp(last), value });
      });
    }
    if (!this.#hovering) this.on.hover(null);
  }

  #drawIndicators(): void {
    const closes = this.#candles.map((candle) => candle.close);
    for (const { choice, series } of this.#indicators) {
      choice.lines.forEach((line, index) => {
        const values = line.of(closes);
        series[index]?.setData(
          this.#candles.flatMap((candle, at) => {
            const value = values[at] ?? null;
            return value === null ? [] : [{ time: stamp(candle), value }];
          }),
        );
      });
    }
  }

  #volume(candle: Candle): { time: UTCTimestamp; value: number; color: string } {
    const up = candle.close >= candle.open;
    return {
      time: stamp(candle),
      value: candle.volume,
      color: this.#colours(up ? '--chart-up-soft' : '--chart-down-soft'),
    };
  }

  #moved(event: MouseEventParams<Time>): void {
    const index = event.logical;
    this.#hovering = event.point !== undefined && index !== undefined;
    this.on.hover(this.#hovering ? (this.#candles[Number(index)] ?? null) : null);
  }
}

function stamp(candle: Candle): UTCTimestamp {
  return (candle.time / 1000) as UTCTimestamp;
}

function bar(candle: Candle) {
  const { open, high, low, close } = candle;
  return { time: stamp(candle), open, high, low, close };
}

/** Whether the candle before the last is the very same one: then drawing the last is enough. */
function agrees(known: readonly Candle[], next: readonly Candle[]): boolean {
  const before = next.length - 2;
  return known[before] === next[before];
}

function coloursOf(host: HTMLElement): (name: string) => string {
  const style = getComputedStyle(host);
  return (name) => style.getPropertyValue(name).trim();
}
