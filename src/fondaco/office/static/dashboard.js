/*
 * The curves of the dashboard and of track records, and what moves on their pages.
 *
 * The dashboard reads its curve once, then follows the socket: each message is the dashboard as of
 * now. A record's page holds its curves as JSON; when one of its strategies has reported, the page
 * is asked again and its parts marked data-fresh are put in place. No message is trusted to be the
 * only one: after a gap everything is asked again.
 */
'use strict';
(() => {
  const SVG = 'http://www.w3.org/2000/svg';
  const WIDTH = 1000;
  const BOTTOM = 22;
  const RECONNECT_MS = 2000;
  const HOUR_MS = 3600000;
  const MONEY = new Intl.NumberFormat('en-GB', { maximumFractionDigits: 2, minimumFractionDigits: 2 });
  const format = (options) => new Intl.DateTimeFormat('en-GB', { timeZone: 'UTC', ...options });
  const DAY = format({ day: 'numeric', month: 'short' });
  const MONTH = format({ month: 'short', year: 'numeric' });
  const CLOCK = format({ hour: '2-digit', minute: '2-digit' });
  const APART = 0.02; // labels have two digits after the point
  const HOUR = format({ day: 'numeric', month: 'short', year: 'numeric', hour: '2-digit', minute: '2-digit' });
  const figure = document.querySelector('[data-curve], [data-track]');
  if (!figure) return;
  const plot = figure.querySelector('.plot:not(.under)');
  const under = figure.querySelector('.plot.under');
  const connection = figure.querySelector('[data-connection]');
  const isTrack = 'track' in figure.dataset;
  let points = [];

  // ---- drawing

  function make(name, attributes, parent) {
    const element = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    parent.append(element);
    return element;
  }

  function label(at, text, kind, place) {
    const element = document.createElement('span');
    element.className = `label ${kind}`;
    element.textContent = text;
    for (const [side, share] of Object.entries(place)) element.style[side] = `${share * 100}%`;
    at.append(element);
  }

  const signed = (value, unit) => `${value < 0 ? '\u2212' : unit === '%' && value > 0 ? '+' : ''}${MONEY.format(Math.abs(value))}`;

  /** The extent of values; a flat one is given room: its line in the middle, its labels apart. */
  function extent(values, isUnder, least) {
    const [low, high] = [Math.min(...values), isUnder ? 0 : Math.max(...values)];
    if (high - low >= least && low !== high) return [low, high];
    if (isUnder) return [Math.min(low, -1), 0];
    const [middle, room] = [(low + high) / 2, Math.max(Math.abs(low) * 0.001, least) || 1];
    return [middle - room, middle + room];
  }

  /** Draw lines of {at, value}; of one line also the area below it (of drawdowns above it). */
  function draw(into, lines, { unit = 'USD', isLog = false, isUnder = false, empty = '' } = {}) {
    into.replaceChildren();
    const height = isUnder ? 110 : 260;
    const all = lines.flatMap((line) => line.points);
    if (!lines.some((line) => line.points.length > 1)) {
      const told = document.createElement('p');
      told.className = 'empty';
      told.textContent = empty;
      into.append(told);
      return;
    }
    const first = Math.min(...lines.map((line) => line.points[0].at));
    const last = Math.max(...lines.map((line) => line.points[line.points.length - 1].at));
    const base = unit === '%' ? 100 : 0; // growth is drawn by what 100 became
    const canLog = isLog && !isUnder && all.every((point) => point.value + base > 0);
    const bent = (value) => (canLog ? Math.log(value + base) : value);
    const straight = (value) => (canLog ? Math.exp(value) - base : value);
    const [low, high] = extent(all.map((point) => bent(point.value)), isUnder, canLog || isUnder ? 0 : APART);
    const x = (at) => ((at - first) / (last - first || 1)) * WIDTH;
    const y = (value) => 16 + ((high - value) / (high - low)) * (height - BOTTOM - 24);
    const svg = make('svg', { viewBox: `0 0 ${WIDTH} ${height}`, preserveAspectRatio: 'none' }, into);
    for (const share of isUnder ? [0, 1] : [0, 0.5, 1]) {
      const value = low + (high - low) * share;
      make('line', { class: 'grid-line', x1: 0, x2: WIDTH, y1: y(value), y2: y(value) }, svg);
      label(into, signed(straight(value), isUnder ? '' : unit), 'value', { top: y(value) / height });
    }
    lines.forEach((line, place) => {
      const path = line.points.map((point) => `${x(point.at).toFixed(1)},${y(bent(point.value)).toFixed(1)}`);
      const from = x(line.points[0]?.at ?? first).toFixed(1);
      const to = x(line.points[line.points.length - 1]?.at ?? last).toFixed(1);
      const edge = isUnder ? y(0) : height - BOTTOM;
      if (lines.length === 1) make('polygon', { class: `area of-${place}`, points: `${from},${edge} ${path.join(' ')} ${to},${edge}` }, svg);
      make('polyline', { class: `line of-${place}`, points: path.join(' ') }, svg);
    });
    const span = last - first;
    const words = span > 400 * 24 * HOUR_MS ? MONTH : span < 36 * HOUR_MS ? CLOCK : DAY;
    for (const share of [0, 0.5, 1]) label(into, words.format(first + span * share), 'day', { left: share });
    const main = lines[0].points;
    into.dataset.points = String(main.length);
    into.dataset.last = main.length ? String(main[main.length - 1].text ?? main[main.length - 1].value) : '';
    hover(into, svg, lines, { x, first, last, unit, height });
  }

  function hover(into, svg, lines, { x, first, last, unit, height }) {
    const rule = make('line', { class: 'rule', visibility: 'hidden', x1: 0, x2: 0, y1: 0, y2: height - BOTTOM }, svg);
    const told = document.createElement('output');
    into.append(told);
    const nearest = (line, at) => line.points.reduce((best, each) => (Math.abs(each.at - at) < Math.abs(best.at - at) ? each : best));
    svg.addEventListener('pointermove', (event) => {
      const box = svg.getBoundingClientRect();
      const at = first + ((event.clientX - box.left) / box.width) * (last - first);
      const shown = lines.filter((line) => line.points.length).map((line) => [line, nearest(line, at)]);
      rule.setAttribute('visibility', 'visible');
      rule.setAttribute('x1', x(shown[0][1].at));
      rule.setAttribute('x2', x(shown[0][1].at));
      const values = shown.map(([line, near]) => `${lines.length > 1 ? `${line.name} ` : ''}${signed(near.value, unit)}`);
      told.textContent = `${HOUR.format(shown[0][1].at)} UTC · ${values.join(' · ')} ${unit}`;
    });
    svg.addEventListener('pointerleave', () => {
      rule.setAttribute('visibility', 'hidden');
      told.textContent = '';
    });
  }

  // ---- figures

  /** Decimal text as people read it; the exact text stays in the value. */
  function shown(text) {
    const [whole, places = ''] = text.replace('-', '').split('.');
    const grouped = whole.replace(/\B(?=(\d{3})+$)/g, ',');
    return (text.startsWith('-') ? '\u2212' : '') + grouped + (places ? `.${places}` : '');
  }

  function put(element, text) {
    if (!element || element.querySelector('data')?.value === text) return;
    const exact = document.createElement('data');
    exact.value = text;
    exact.textContent = shown(text);
    element.replaceChildren(exact);
  }

  function moment(text) {
    const element = document.createElement('time');
    element.dateTime = text;
    element.textContent = `${HOUR.format(Date.parse(text))}:${text.slice(17, 19)} UTC`;
    return element;
  }

  function tellAges() {
    for (const age of document.querySelectorAll('[data-age]')) {
      const seconds = Math.max(0, Math.round((Date.now() - Date.parse(age.dateTime)) / 1000));
      const [unit, size] = [['day', 86400], ['hour', 3600], ['minute', 60], ['second', 1]].find(([, each]) => seconds >= each) ?? ['second', 1];
      const count = Math.floor(seconds / size);
      age.textContent = `${count} ${unit}${count === 1 ? '' : 's'} ago`;
    }
  }

  /** What was reported may grow late while nothing comes: no message says so. */
  function tellLate() {
    for (const badge of document.querySelectorAll('[data-late-after]')) {
      const age = Date.now() - Date.parse(badge.dataset.last);
      badge.hidden = age <= 2000 * Number(badge.dataset.lateAfter);
    }
  }

  // ---- the dashboard

  const pointOf = (each) => ({ at: Date.parse(each.time), value: Number(each.equity), text: each.equity });
  const drawHours = () => draw(plot, [{ name: 'Equity', points }], {
    empty: points.length ? 'The curve begins with the second hour.' : 'No reports yet.',
  });

  async function loadHours() {
    const answer = await fetch(figure.dataset.source, { headers: { Accept: 'application/json' } });
    if (!answer.ok) return;
    points = (await answer.json()).hourly.map(pointOf);
    drawHours();
  }

  function tellDashboard(dashboard) {
    for (const name of ['equity', 'pnl_24h']) put(document.querySelector(`[data-live="${name}"]`), dashboard[name]);
    const percent = document.querySelector('[data-live="pnl_24h_percent"]');
    if (percent) percent.textContent = dashboard.pnl_24h_percent ?? '\u2013';
    for (const strategy of [...dashboard.strategies, ...dashboard.robots]) {
      const row = document.querySelector(`tr[data-strategy="${strategy.id}"]`);
      for (const cell of strategy.last && row ? row.querySelectorAll('[data-value]') : []) {
        const text = strategy.last[cell.dataset.value];
        if (cell.dataset.value === 'created_at') cell.replaceChildren(moment(text));
        else put(cell, text);
      }
      const badge = row?.querySelector('[data-late-after]');
      if (badge && strategy.last) badge.dataset.last = strategy.last.created_at;
    }
    for (const point of dashboard.hourly.map(pointOf)) {
      const newest = points[points.length - 1];
      if (newest && newest.at === point.at) points[points.length - 1] = point;
      else if (!newest || newest.at < point.at) points.push(point);
    }
    tellLate();
    drawHours();
  }

  // ---- track records

  const followed = new Set((figure.dataset.follow ?? '').split(' ').filter(Boolean));
  let known = '';
  let asking = false;
  let askAgain = false;

  function drawTrack() {
    const curves = JSON.parse(document.getElementById('curves').textContent);
    const lines = (list) => list.map(({ name, points: pairs }) => ({ name, points: pairs.map(([at, value]) => ({ at, value })) }));
    const isLog = figure.dataset.scale === 'log';
    draw(plot, lines(curves.lines), { unit: curves.unit, isLog, empty: 'No reports in this span.' });
    draw(under, lines(curves.under), { unit: '%', isUnder: true, empty: '\u2013' });
    const legend = figure.querySelector('[data-legend]');
    legend.replaceChildren(...curves.lines.map((line, place) => {
      const item = document.createElement('li');
      item.className = `of-${place}`;
      item.textContent = line.name;
      return item;
    }));
  }

  async function refresh() {
    if (asking) {
      askAgain = true;
      return;
    }
    asking = true;
    try {
      const answer = await fetch(location.pathname + location.search, { headers: { Accept: 'text/html' } });
      if (!answer.ok || answer.redirected) return;
      const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
      for (const part of document.querySelectorAll('[data-fresh]')) {
        const fresh = page.querySelector(`[data-fresh="${part.dataset.fresh}"]`);
        if (fresh && fresh.innerHTML !== part.innerHTML) part.replaceChildren(...fresh.childNodes);
      }
      drawTrack();
      tellAges();
      tellLate();
    } finally {
      asking = false;
      if (askAgain) {
        askAgain = false;
        refresh();
      }
    }
  }

  function tellTrack(dashboard) {
    const now = [...dashboard.strategies, ...dashboard.robots].filter((each) => followed.has(String(each.id))).map((each) => each.last?.created_at).join(' ');
    if (known && now !== known) refresh();
    known = now || '-';
  }

  // ---- the socket

  function follow() {
    const socket = new WebSocket(`${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/ws/dashboard`);
    socket.addEventListener('open', () => {
      connection.textContent = 'live';
      if (isTrack) refresh();
      else loadHours();
    });
    socket.addEventListener('message', (event) => (isTrack ? tellTrack : tellDashboard)(JSON.parse(event.data)));
    socket.addEventListener('close', () => {
      connection.textContent = 'not live';
      setTimeout(follow, RECONNECT_MS);
    });
  }

  if (isTrack) drawTrack();
  follow();
  setInterval(() => {
    tellAges();
    tellLate();
  }, 1000);
})();
