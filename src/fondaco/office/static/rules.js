/*
 * The rule builder: a form made from the JSON schema of a rule, with the JSON beside it.
 *
 * Both ways: what is set in the form is written to the text at once, and a text that can be read
 * makes the form anew. The text is what is sent; without this script it is all there is. Numbers
 * are written in quotes, so that none is ever a float.
 */
'use strict';
(() => {
  const text = document.querySelector('[data-rule-text]');
  const place = document.querySelector('[data-rule-form]');
  const said = document.querySelector('[data-rule-said]');
  const source = document.getElementById('rule-schema');
  if (!text || !place || !source) return;
  const schema = JSON.parse(source.textContent);
  const NAMES = {
    $when: 'When', $do: 'Do', $then: 'Then', $else: 'Otherwise', $repeat: 'Repeat',
    $comparison: 'a comparison', $and: 'all of', $or: 'any of', $not: 'not',
    $order: 'place an order', $cancel: 'cancel orders', $notify: 'tell me',
    $ticker: 'price of', $indicator: 'an indicator', $position: 'position in', $cash: 'cash',
    $time: 'time', shares: 'Shares, or coins', spend: 'Spend, in cash', bid: 'Limit price (bid)',
    ask: 'Limit price (ask)', stop: 'Stop price', stop_limit: 'Limit price of the stop', itemA: 'This', itemB: 'With that', type: 'Compared by', kind: 'Order type',
    intent: 'Side', then_after: 'Next step after', times: 'Times', pause_s: 'Pause, seconds',
  };
  const SAID = {
    gt: 'is above', gte: 'is at or above', lt: 'is below', lte: 'is at or below', eq: 'equals',
    ne: 'differs from', crosses_above: 'crosses above', crosses_below: 'crosses below',
    TickerField: 'a field of', PositionField: 'a part of', ACCEPTED: 'it is accepted',
    FILLED: 'it is filled', OCO: 'OCO: a limit and a stop, one ends the other',
  };
  // Which prices a kind of order has, beside its side's own; what else is refused with the place.
  const STOPS = ['STOP_LOSS', 'STOP_LOSS_LIMIT', 'TAKE_PROFIT', 'TAKE_PROFIT_LIMIT', 'OCO'];
  const LIMITS = ['LIMIT', 'LIMIT_MAKER', 'STOP_LOSS_LIMIT', 'TAKE_PROFIT_LIMIT', 'OCO'];
  // As people read a rule: what for, then what; the schema has what must be there first.
  const ORDER = ['$when', '$do', '$else', '$then', '$repeat', 'itemA', 'type', 'itemB'];
  const UNITS = { m: 1, h: 60, d: 1440, w: 10080, M: 43200 };
  let count = 0;

  // ---- the schema

  const known = (part) => (part.$ref ? { ...schema.$defs[part.$ref.split('/').pop()], ...part, $ref: undefined } : part);
  const choicesOf = (part) => (known(part).anyOf || [part]).map(known).filter((one) => one.type !== 'null');
  const isWord = (part) => part.type === 'object' && /exactly one word/.test(part.description || '');
  const capital = (name) => name.charAt(0).toUpperCase() + name.slice(1);
  const nameOf = (key) => NAMES[key] || capital(key.replace(/^\$/, '').replaceAll('_', ' '));
  const rank = (key) => (ORDER.includes(key) ? ORDER.indexOf(key) : ORDER.length);
  const keysOf = (part) => Object.keys(part.properties || {}).sort((a, b) => rank(a) - rank(b));
  const minutes = (interval) => Number.parseInt(interval, 10) * (UNITS[interval.at(-1)] || Number.NaN);
  const optionsOf = (words) => (words.every((one) => /^\d+[mhdwM]$/.test(one)) ? [...words].sort((a, b) => minutes(a) - minutes(b)) : words);

  function kindOf(part) {
    if (part.type === 'array') return 'several';
    if (part.title) return SAID[part.title] || part.title.toLowerCase();
    return /number/.test(part.description || '') ? 'a number' : 'by name';
  }

  function fits(part, value) {
    if (value === undefined || value === null) return false;
    if (part.enum) return part.enum.includes(value);
    if (part.type === 'array') return Array.isArray(value);
    if (part.type === 'object') {
      if (typeof value !== 'object' || Array.isArray(value)) return false;
      const keys = Object.keys(value);
      return !part.properties || keys.every((key) => key in part.properties);
    }
    return typeof value === 'string' || typeof value === 'number';
  }

  /** The least that can stand there. */
  function fresh(part, key = '') {
    part = known(part);
    if (part.anyOf) {
      const choices = choicesOf(part);
      const wanted = key === 'itemA' ? 'object' : 'string';
      const first = (type) => choices.find((one) => one.type === type);
      return fresh(first(wanted) || first('object') || choices[0]);
    }
    if (part.enum) return part.enum.includes('gte') ? 'gte' : part.enum[0];
    if (part.type === 'array') return [fresh(part.items)];
    if (part.type === 'integer') return part.minimum ?? 1;
    if (part.type === 'number') return 0;
    if (part.type !== 'object') return /^a ticker/.test(part.description || '') ? place.dataset.ticker || '' : '';
    if (isWord(part)) {
      const word = Object.keys(part.properties)[0];
      return { [word]: fresh(part.properties[word], word) };
    }
    const wanted = [...(part.required || []), '$when', ...(part.title === 'Order' ? ['shares', 'bid'] : [])];
    return Object.fromEntries(keysOf(part).filter((key) => wanted.includes(key)).map((key) => [key, fresh(part.properties[key], key)]));
  }

  // ---- elements

  function make(name, attributes = {}, ...inside) {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) {
      if (key.startsWith('on')) element.addEventListener(key.slice(2), value);
      else element.setAttribute(key, value);
    }
    element.append(...inside);
    return element;
  }

  function labelled(name, control, isQuiet) {
    count += 1;
    control.id = `rule-${count}`;
    const label = make('label', { for: control.id, ...(isQuiet ? { class: 'visually-hidden' } : {}) }, capital(name));
    return make('div', { class: 'field' }, label, control);
  }

  function select(options, chosen, change) {
    const element = make('select', { onchange: () => change(element.value) });
    for (const [value, name] of options) {
      const option = make('option', { value }, name);
      option.selected = value === chosen;
      element.append(option);
    }
    return element;
  }

  const button = (name, act, said = name) => make('button', { type: 'button', class: 'small quiet', 'aria-label': said, onclick: act }, name);
  const remove = (name, act) => button('Remove', act, `Remove ${name.toLowerCase()}`);
  const removeWhole = (name, act) => button(`Remove ${name.toLowerCase()}`, act);

  // ---- the form

  /**
   * Return an element for a value; `set` is told of another one, and draws anew if it must.
   * A quiet one's label is there for those who hear the page: what stands before it says the same.
   */
  function draw(part, value, name, set, isQuiet = false) {
    const choices = choicesOf(part);
    const one = choices.find((each) => fits(each, value)) || choices[0];
    if (choices.length === 1 && !isWord(one)) return drawOne(one, value, name, set, isQuiet);
    const options = choices.flatMap((each, at) => (isWord(each) ? Object.keys(each.properties).map((word) => [`${at} ${word}`, nameOf(word)]) : [[`${at} `, kindOf(each)]]));
    const word = isWord(one) ? Object.keys(value || {})[0] || Object.keys(one.properties)[0] : '';
    const chooser = select(options, `${choices.indexOf(one)} ${word}`, (chosen) => {
      const [at, next] = chosen.split(' ');
      const other = choices[Number(at)];
      set(next ? { [next]: fresh(other.properties[next], next) } : fresh(other), true);
    });
    const inside = word
      ? draw(one.properties[word], value[word], nameOf(word), (found, again) => { value[word] = found; set({ [word]: found }, again); }, true)
      : drawOne(one, value, `${name}: ${kindOf(one)}`, set, true);
    return make('div', { class: 'rule-choice' }, labelled(name, chooser, isQuiet), inside);
  }

  function drawOne(part, value, name, set, isQuiet) {
    if (part.enum) return labelled(name, select(optionsOf(part.enum).map((each) => [each, SAID[each] || each.replaceAll('_', ' ')]), value, (chosen) => set(chosen)), isQuiet);
    if (part.type === 'array') return drawList(part, Array.isArray(value) ? value : [], name, set, isQuiet);
    if (part.type === 'object' && !part.properties) return drawText(name, JSON.stringify(value || {}), (written) => {
      try { set(JSON.parse(written)); } catch { /* not yet */ }
    }, isQuiet);
    if (part.type === 'object') return drawObject(part, value || {}, name, set, isQuiet);
    if (part.type === 'integer') return drawText(name, String(value ?? ''), (written) => set(Number.parseInt(written, 10) || 0), isQuiet);
    return drawText(name, String(value ?? ''), (written) => set(written), isQuiet);
  }

  function drawText(name, value, set, isQuiet) {
    const input = make('input', { type: 'text', autocomplete: 'off', spellcheck: 'false' });
    input.value = value;
    input.addEventListener('input', () => set(input.value));
    return labelled(name, input, isQuiet);
  }

  function box(name, isQuiet) {
    return make('fieldset', { class: 'rule-box' }, make('legend', isQuiet ? { class: 'visually-hidden' } : {}, capital(name)));
  }

  function drawObject(part, value, name, set, isQuiet) {
    const made = box(name, isQuiet);
    const there = (key) => key in value && value[key] !== null;
    for (const key of keysOf(part).filter(there)) {
      const row = make('div', { class: 'rule-row' }, draw(part.properties[key], value[key], nameOf(key), (found, again) => {
        value[key] = found;
        set(value, swapSides(value, key) || fitKind(value, key) || again);
      }));
      if (!(part.required || []).includes(key)) row.append((row.querySelector('fieldset') ? removeWhole : remove)(nameOf(key), () => { delete value[key]; set(value, true); }));
      made.append(row);
    }
    const missing = keysOf(part).filter((key) => !there(key));
    if (missing.length) {
      const adds = make('p', { class: 'rule-adds' }, make('span', { class: 'hint' }, 'Add'));
      for (const key of missing) adds.append(button(nameOf(key).toLowerCase(), () => {
        const whole = {};
        for (const each of keysOf(part)) {
          if (each in value) whole[each] = value[each];
          else if (each === key) whole[each] = fresh(part.properties[key], key);
        }
        set(whole, true);
      }, `Add ${nameOf(key).toLowerCase()}`));
      made.append(adds);
    }
    return made;
  }

  /** A buy has a bid and a sell an ask: the price goes along with the side. */
  function swapSides(value, key) {
    const [from, to] = value.intent === 'SELL' ? ['bid', 'ask'] : ['ask', 'bid'];
    if (key !== 'intent' || !(from in value)) return false;
    value[to] = value[from];
    delete value[from];
    return true;
  }

  /** A kind has the prices that it needs, and none that it can't have. */
  function fitKind(value, key) {
    if (key !== 'kind') return false;
    const price = value.intent === 'SELL' ? 'ask' : 'bid';
    const wanted = { [price]: LIMITS.includes(value.kind), stop: STOPS.includes(value.kind) };
    if (value.kind !== 'OCO') wanted.stop_limit = false;
    if (value.kind !== 'MARKET' && 'spend' in value) Object.assign(wanted, { spend: false, shares: true });
    const different = Object.keys(wanted).filter((name) => wanted[name] !== (name in value));
    for (const name of different) {
      if (wanted[name]) value[name] = '';
      else delete value[name];
    }
    return different.length > 0;
  }

  function drawList(part, value, name, set, isQuiet) {
    const made = box(name, isQuiet);
    value.forEach((each, at) => {
      const row = make('div', { class: 'rule-row' }, draw(part.items, each, `${name} ${at + 1}`, (found, again) => { value[at] = found; set(value, again); }));
      if (value.length > 1) row.append(remove(`${name} ${at + 1}`, () => { value.splice(at, 1); set(value, true); }));
      made.append(row);
    });
    made.append(make('p', { class: 'rule-adds' }, button('Add another', () => { value.push(fresh(part.items)); set(value, true); })));
    return made;
  }

  // ---- both ways

  function tell(message, isError) {
    said.textContent = message;
    said.className = isError ? 'hint down' : 'hint';
  }

  function show(rule) {
    count = 0;
    place.replaceChildren(draw(schema, rule, 'Rule', (found, again) => {
      text.value = JSON.stringify(found, null, 2);
      tell('The form and the text say the same.', false);
      if (again) show(found);
    }, true));
  }

  /** An indicator's parameters are floats, and no text. */
  function asFloats(parameters) {
    for (const [name, given] of Object.entries(parameters)) {
      if (typeof given === 'string' && given && Number.isFinite(Number(given))) parameters[name] = Number(given);
    }
    return parameters;
  }

  /** Read the text; its numbers stay as they are written. */
  function read() {
    const quoted = text.value.replace(/("(?:[^"\\]|\\.)*")|(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)/g, (all, string, number) => {
      if (string) return string;
      return /^\d{1,9}$/.test(number) ? number : `"${number}"`;
    });
    return JSON.parse(quoted, (key, value) => (key === 'parameters' && value && typeof value === 'object' ? asFloats(value) : value));
  }

  function follow() {
    try {
      const rule = read();
      if (typeof rule !== 'object' || rule === null || Array.isArray(rule)) throw new SyntaxError('a rule is an object');
      show(rule);
      tell('The form and the text say the same.', false);
    } catch (error) {
      tell(`The text can't be read yet: ${error.message}`, true);
    }
  }

  text.addEventListener('input', follow);
  if (text.value.trim()) follow();
  else {
    const first = fresh(schema);
    text.value = JSON.stringify(first, null, 2);
    show(first);
  }
})();
