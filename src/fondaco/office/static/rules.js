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
    $time: 'time', itemA: 'This', itemB: 'with that', type: 'compared by',
  };
  let count = 0;

  // ---- the schema

  const known = (part) => (part.$ref ? { ...schema.$defs[part.$ref.split('/').pop()], ...part, $ref: undefined } : part);
  const choicesOf = (part) => (known(part).anyOf || [part]).map(known).filter((one) => one.type !== 'null');
  const isWord = (part) => part.type === 'object' && /exactly one word/.test(part.description || '');
  const nameOf = (key) => NAMES[key] || key.replace(/^\$/, '').replaceAll('_', ' ');

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
    if (part.enum) return part.enum[0];
    if (part.type === 'array') return [fresh(part.items)];
    if (part.type === 'integer') return part.minimum ?? 1;
    if (part.type === 'number') return 0;
    if (part.type !== 'object') return '';
    if (isWord(part)) {
      const word = Object.keys(part.properties)[0];
      return { [word]: fresh(part.properties[word], word) };
    }
    return Object.fromEntries((part.required || []).map((key) => [key, fresh(part.properties[key], key)]));
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

  function labelled(name, control) {
    count += 1;
    control.id = `rule-${count}`;
    return make('div', { class: 'field' }, make('label', { for: control.id }, name), control);
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

  const button = (name, act, kind = 'small') => make('button', { type: 'button', class: kind, onclick: act }, name);

  // ---- the form

  /** Return an element for a value; `set` is told of another one, and draws anew if it must. */
  function draw(part, value, name, set) {
    const choices = choicesOf(part);
    let one = choices.find((each) => fits(each, value)) || choices[0];
    if (choices.length > 1) {
      const kinds = choices.map((each, at) => [String(at), each.title ? each.title.toLowerCase() : each.type === 'array' ? 'several' : /number/.test(each.description || '') ? 'a number' : 'plain']);
      const at = choices.indexOf(one);
      const chooser = select(kinds, String(at), (chosen) => set(fresh(choices[Number(chosen)]), true));
      return make('div', { class: 'rule-choice' }, labelled(`${name}: kind`, chooser), drawOne(one, value, name, set));
    }
    return drawOne(one, value, name, set);
  }

  function drawOne(part, value, name, set) {
    if (part.enum) return labelled(name, select(part.enum.map((each) => [each, each.replaceAll('_', ' ')]), value, (chosen) => set(chosen)));
    if (part.type === 'array') return drawList(part, Array.isArray(value) ? value : [], name, set);
    if (part.type === 'object' && !part.properties) return drawText(name, JSON.stringify(value || {}), (written) => {
      try { set(JSON.parse(written)); } catch { /* not yet */ }
    });
    if (part.type === 'object') return isWord(part) ? drawWord(part, value || {}, name, set) : drawObject(part, value || {}, name, set);
    if (part.type === 'integer') return drawText(name, String(value ?? ''), (written) => set(Number.parseInt(written, 10) || 0));
    return drawText(name, String(value ?? ''), (written) => set(written));
  }

  function drawText(name, value, set) {
    const input = make('input', { type: 'text', autocomplete: 'off', spellcheck: 'false' });
    input.value = value;
    input.addEventListener('input', () => set(input.value));
    return labelled(name, input);
  }

  function drawWord(part, value, name, set) {
    const word = Object.keys(value)[0] || Object.keys(part.properties)[0];
    const words = Object.keys(part.properties).map((each) => [each, nameOf(each)]);
    const chooser = select(words, word, (chosen) => set({ [chosen]: fresh(part.properties[chosen], chosen) }, true));
    const inside = draw(part.properties[word], value[word], nameOf(word), (found, again) => { value[word] = found; set({ [word]: found }, again); });
    return make('div', { class: 'rule-word' }, labelled(name, chooser), inside);
  }

  function drawObject(part, value, name, set) {
    const box = make('fieldset', { class: 'rule-box' }, make('legend', {}, name));
    for (const [key, inside] of Object.entries(part.properties)) {
      if (!(key in value) || value[key] === null) continue;
      const row = make('div', { class: 'rule-row' }, draw(inside, value[key], nameOf(key), (found, again) => { value[key] = found; set(value, again); }));
      if (!(part.required || []).includes(key)) row.append(button(`Remove ${nameOf(key).toLowerCase()}`, () => { delete value[key]; set(value, true); }, 'small quiet'));
      box.append(row);
    }
    const missing = Object.keys(part.properties).filter((key) => !(key in value) || value[key] === null);
    if (missing.length) {
      const adds = make('p', { class: 'actions row' });
      for (const key of missing) adds.append(button(`Add ${nameOf(key).toLowerCase()}`, () => {
        const whole = {};
        for (const each of Object.keys(part.properties)) {
          if (each in value) whole[each] = value[each];
          else if (each === key) whole[each] = fresh(part.properties[key], key);
        }
        set(whole, true);
      }));
      box.append(adds);
    }
    return box;
  }

  function drawList(part, value, name, set) {
    const box = make('fieldset', { class: 'rule-box' }, make('legend', {}, name));
    value.forEach((each, at) => {
      const row = make('div', { class: 'rule-row' }, draw(part.items, each, `${name} ${at + 1}`, (found, again) => { value[at] = found; set(value, again); }));
      if (value.length > 1) row.append(button(`Remove ${at + 1}`, () => { value.splice(at, 1); set(value, true); }, 'small quiet'));
      box.append(row);
    });
    box.append(make('p', { class: 'actions row' }, button('Add another', () => { value.push(fresh(part.items)); set(value, true); })));
    return box;
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
    }));
  }

  /** Read the text; its numbers stay as they are written. */
  function read() {
    const quoted = text.value.replace(/("(?:[^"\\]|\\.)*")|(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)/g, (all, string, number) => {
      if (string) return string;
      return /^\d{1,9}$/.test(number) ? number : `"${number}"`;
    });
    return JSON.parse(quoted);
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
