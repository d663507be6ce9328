/*
 * The curve of a dashboard or strategy page, and what moves on it.
 *
 * Reads the curve once from data-source, draws it as SVG, then follows the socket: each message is
 * the dashboard as of now. No message is trusted to be the only one: after a gap the page asks again.
 */
'use strict';
(() => {
  const SVG = 'http://www.w3.org/2000/svg';
  const WIDTH = 1000;
  const HEIGHT = 260;
  const BOTTOM = 22;
  const RECONNECT_MS = 2000;
  const MONEY = new Intl.NumberFormat('en-GB', { maximumFractionDigits: 2, minimumFractionDigits: 2 });
  const DAY = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', timeZone: 'UTC' });
  const HOUR = new Intl.DateTimeFormat('en-GB', {
    day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit', timeZone: 'UTC',
  });
  const figure = document.querySelector('[data-curve]');
  if (!figure) return;
  const plot = figure.querySelector('.plot');
  const connection = figure.querySelector('[data-connection]');
  const { curve: field, source, list, strategyPage } = figure.dataset;
  let points = [];

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

  function make(name, attributes, parent) {
    const element = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    parent.append(element);
    return element;
  }

  function draw() {
    plot.replaceChildren();
    if (points.length < 2) {
      const empty = document.createElement('p');
      empty.className = 'empty';
      empty.textContent = points.length ? 'The curve begins with the second hour.' : 'No reports yet.';
      plot.append(empty);
      return;
    }
    const times = points.map((point) => point.at);
    const values = points.map((point) => point.value);
    const [first, last] = [times[0], times[times.length - 1]];
    let low = Math.min(...values);
    let high = Math.max(...values);
    if (low === high) [low, high] = [low - 1, high + 1];
    const x = (at) => ((at - first) / (last - first)) * WIDTH;
    const y = (value) => 8 + ((high - value) / (high - low)) * (HEIGHT - BOTTOM - 16);
    const svg = make('svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: 'none' }, plot);
    for (const share of [0, 0.5, 1]) {
      const value = low + (high - low) * share;
      make('line', { class: 'grid-line', x1: 0, x2: WIDTH, y1: y(value), y2: y(value) }, svg);
      label(MONEY.format(value), 'value', { top: y(value) / HEIGHT });
    }
    const line = points.map((point) => `${x(point.at).toFixed(1)},${y(point.value).toFixed(1)}`);
    make('polygon', { class: 'area', points: `0,${HEIGHT - BOTTOM} ${line.join(' ')} ${WIDTH},${HEIGHT - BOTTOM}` }, svg);
    make('polyline', { class: 'line', points: line.join(' ') }, svg);
    for (const share of [0, 0.5, 1]) {
      label(DAY.format(first + (last - first) * share), 'day', { left: share });
    }
    plot.dataset.points = String(points.length);
    plot.dataset.last = points[points.length - 1].text;
    hover(svg, x, first, last);
  }

  function label(text, kind, place) {
    const element = document.createElement('span');
    element.className = `label ${kind}`;
    element.textContent = text;
    for (const [side, share] of Object.entries(place)) element.style[side] = `${share * 100}%`;
    plot.append(element);
  }

  function hover(svg, x, first, last) {
    const rule = make('line', { class: 'rule', x1: -9, x2: -9, y1: 0, y2: HEIGHT - BOTTOM }, svg);
    const told = document.createElement('output');
    plot.append(told);
    svg.addEventListener('pointermove', (event) => {
      const box = svg.getBoundingClientRect();
      const at = first + ((event.clientX - box.left) / box.width) * (last - first);
      const near = points.reduce((best, each) => (Math.abs(each.at - at) < Math.abs(best.at - at) ? each : best));
      rule.setAttribute('x1', x(near.at));
      rule.setAttribute('x2', x(near.at));
      told.textContent = `${HOUR.format(near.at)} UTC · ${MONEY.format(near.value)} USD`;
    });
    svg.addEventListener('pointerleave', () => {
      rule.setAttribute('x1', -9);
      rule.setAttribute('x2', -9);
      told.textContent = '';
    });
  }

  const pointOf = (each) => ({ at: Date.parse(each.time), value: Number(each[field]), text: each[field] });

  async function load() {
    const answer = await fetch(source, { headers: { Accept: 'application/json' } });
    if (!answer.ok) return;
    const told = await answer.json();
    points = told[list].map(pointOf);
    draw();
    if (strategyPage) tellReports(told.reports);
  }

  function merge(hours) {
    for (const point of hours.map(pointOf)) {
      const newest = points[points.length - 1];
      if (newest && newest.at === point.at) points[points.length - 1] = point;
      else if (!newest || newest.at < point.at) points.push(point);
    }
    draw();
  }

  function moment(text) {
    const element = document.createElement('time');
    element.dateTime = text;
    element.textContent = `${HOUR.format(Date.parse(text))}:${text.slice(17, 19)} UTC`;
    return element;
  }

  function tellReports(reports) {
    const body = document.querySelector('[data-reports] tbody');
    if (!body) {
      if (reports.length) location.reload();
      return;
    }
    const fields = [
      ['wallet_balance', 'Wallet'], ['margin_balance', 'Margin'], ['realised_pnl', 'Realised PnL'],
      ['positions', 'Positions'], ['average_entry_price', 'Average entry price'], ['last_price', 'Last price'],
    ];
    body.replaceChildren(...reports.map((report) => {
      const row = document.createElement('tr');
      for (const [name, title] of fields) {
        const cell = row.insertCell();
        cell.className = 'number';
        cell.dataset.label = title;
        put(cell, report[name]);
      }
      const cell = row.insertCell();
      cell.dataset.label = 'Time';
      cell.append(moment(report.created_at));
      return row;
    }));
  }

  function tell(dashboard) {
    if (strategyPage) {
      const mine = dashboard.strategies.find((each) => String(each.id) === strategyPage);
      const age = document.querySelector('[data-age]');
      if (mine?.last && mine.last.created_at !== age?.dateTime) {
        if (age) age.dateTime = mine.last.created_at;
        load();
        tellAge();
      }
      return;
    }
    for (const name of ['equity', 'pnl_24h']) put(document.querySelector(`[data-live="${name}"]`), dashboard[name]);
    const percent = document.querySelector('[data-live="pnl_24h_percent"]');
    if (percent) percent.textContent = dashboard.pnl_24h_percent ?? '\u2013';
    for (const strategy of dashboard.strategies) {
      const row = document.querySelector(`tr[data-strategy="${strategy.id}"]`);
      for (const cell of strategy.last && row ? row.querySelectorAll('[data-value]') : []) {
        const text = strategy.last[cell.dataset.value];
        if (cell.dataset.value === 'created_at') cell.replaceChildren(moment(text));
        else put(cell, text);
      }
    }
    merge(dashboard.hourly);
  }

  function tellAge() {
    const age = document.querySelector('[data-age]');
    if (!age) return;
    const seconds = Math.max(0, Math.round((Date.now() - Date.parse(age.dateTime)) / 1000));
    const [unit, size] = [['day', 86400], ['hour', 3600], ['minute', 60], ['second', 1]].find(([, each]) => seconds >= each) ?? ['second', 1];
    const count = Math.floor(seconds / size);
    age.textContent = `${count} ${unit}${count === 1 ? '' : 's'} ago`;
  }

  function follow() {
    const socket = new WebSocket(`${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/ws/dashboard`);
    socket.addEventListener('open', () => {
      connection.textContent = 'live';
      load();
    });
    socket.addEventListener('message', (event) => tell(JSON.parse(event.data)));
    socket.addEventListener('close', () => {
      connection.textContent = 'not live';
      setTimeout(follow, RECONNECT_MS);
    });
  }

  follow();
  setInterval(tellAge, 1000);
})();
