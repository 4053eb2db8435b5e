// Plays a run in the kit's trace format: step, scrub, play, hide a lifeline, jump to the broken law, share the place.
// The kit embeds this file in the picture of a failing run, and the book loads it for its figures; it needs nothing else.
//
//   const player = TracePlayer.mount(element, trace, { step, hidden, first, keys, changed, copied });
//   player.load(trace)   shows another run      player.state()   is { step, hidden }, to give to mount again
'use strict';
(function () {
  const NS = 'http://www.w3.org/2000/svg';
  const LINE = 15;
  const still = matchMedia('(prefers-reduced-motion: reduce)');

  // ---- the run as steps ------------------------------------------------------------------------------------------

  // One step of the player is one step of a node: what happened to it, and all that it did because of it.
  function stepsOf(trace) {
    const steps = [];
    const sentIn = new Map();
    for (const event of trace.events) {
      const last = steps[steps.length - 1];
      const atSending = event.kind === 'lost' && last && sentIn.get(event.id) === last;
      const lane = atSending ? event.from : laneOf(event);
      const follows = atSending || event.kind === 'sent' || event.kind === 'replied' || event.kind === 'persisted';
      if (follows && last && last.at === event.at && last.lane === lane && last.lane !== null) {
        last.also.push(event);
      } else {
        steps.push({ at: event.at, cause: event, also: [], lane });
      }
      if (event.kind === 'sent') sentIn.set(event.id, steps[steps.length - 1]);
    }
    const states = trace.lanes.map(() => '');
    const modes = trace.lanes.map(() => 'up');
    for (const step of steps) {
      step.changed = [];
      for (const event of [step.cause, ...step.also]) {
        const lane = laneOf(event);
        if (event.kind === 'crashed') { modes[lane] = 'down'; states[lane] = ''; step.changed.push(lane); }
        if (event.kind === 'restarted') { modes[lane] = 'up'; step.changed.push(lane); }
        if (event.kind === 'paused') { modes[lane] = 'paused'; step.changed.push(lane); }
        if (event.kind === 'resumed') { modes[lane] = 'up'; step.changed.push(lane); }
        if (event.status !== undefined && lane !== null) { states[lane] = event.status; step.changed.push(lane); }
      }
      step.states = [...states];
      step.modes = [...modes];
    }
    return steps;
  }

  // The lifeline on which an event happens: a message's departure at its sender, its arrival at its receiver.
  function laneOf(event) {
    if (event.kind === 'sent') return event.from;
    if (event.kind === 'delivered' || event.kind === 'lost') return event.to;
    return event.lane === undefined ? null : event.lane;
  }

  // ---- words -----------------------------------------------------------------------------------------------------

  const span = (millis) => millis >= 1000 ? millis / 1000 + ' s' : millis + ' ms';
  const list = (names) => names.length < 2 ? names.join('') : names.slice(0, -1).join(', ') + ' and ' + names[names.length - 1];
  const upper = (text) => text.charAt(0).toUpperCase() + text.slice(1);

  // The kit writes a node as n0, n1, …; a reader knows it by its name.
  const named = (trace, text) => text.replace(/(^|[^\p{L}\p{N}])n(\d+)(?![\p{L}\p{N}])/gu,
    (all, before, lane) => trace.lanes[lane] === undefined ? all : before + trace.lanes[lane]);

  function sentence(trace, step) {
    const name = (lane) => trace.lanes[lane] || '?';
    const say = (text) => named(trace, text);
    const { cause } = step;
    const because = { cut: 'the link is cut', down: name(cause.to) + ' is down', lost: 'the network loses it' };
    const first = {
      sent: () => '',
      delivered: () => `${name(cause.to)} gets “${say(cause.label)}” from ${name(cause.from)}`,
      lost: () => `“${say(cause.label)}” from ${name(cause.from)} never reaches ${name(cause.to)}: ${because[cause.why] || cause.why}`,
      called: () => `${name(cause.lane)} is asked ${say(cause.label)} by a client (call #${cause.call})`,
      replied: () => '',
      timer: () => `${name(cause.lane)}’s timer ${say(cause.label)} goes off`,
      persisted: () => `${name(cause.lane)} writes ${say(cause.label)}`,
      crashed: () => `${name(cause.lane)} crashes` + (cause.lostLastWrite ? ' and loses its last write' : ''),
      restarted: () => `${name(cause.lane)} starts again from its disk`,
      paused: () => `${name(cause.lane)} stands still for ${span(cause.millis)}, and will not notice`,
      resumed: () => `${name(cause.lane)} goes on where it stood still`,
      clock: () => `${name(cause.lane)}’s ${say(cause.label)}`,
      network: () => upper(say(cause.label)),
      note: () => (cause.lane === undefined ? '' : name(cause.lane) + ': ') + say(cause.label),
      broken: () => `Broken law: ${cause.law}: ${say(cause.because)}`,
    }[cause.kind];
    const parts = [first ? first() : cause.kind];
    const did = did_(trace, step);
    if (did) parts.push((parts[0] ? 'it ' : name(step.lane) + ' ') + did);
    let text = parts.filter(Boolean).join('; ').trim();
    if (!/[.?!]$/.test(text)) text += '.';
    return text;
  }

  // What a node did in a step, without its name.
  function did_(trace, step) {
    const name = (lane) => trace.lanes[lane] || '?';
    const own = step.cause.kind === 'sent' || step.cause.kind === 'replied' ? [step.cause, ...step.also] : step.also;
    const done = [];
    const sends = new Map();
    for (const event of own) {
      if (event.kind === 'sent') {
        const label = named(trace, event.label);
        if (!sends.has(label)) { sends.set(label, []); done.push({ label }); }
        sends.get(label).push(name(event.to));
      } else if (event.kind === 'replied') {
        done.push({ text: `answers call #${event.call}: ${named(trace, event.label)}` });
      } else if (event.kind === 'persisted') {
        done.push({ text: `writes ${named(trace, event.label)}` });
      }
    }
    const lost = own.filter((event) => event.kind === 'lost').map((event) => name(event.to));
    if (lost.length) done.push({ text: `what goes to ${list([...new Set(lost)])} is lost at once` });
    return list(done.map(({ label, text }) => text || `sends “${label}” to ${list([...new Set(sends.get(label))])}`));
  }

  // ---- drawing ---------------------------------------------------------------------------------------------------

  const measure = document.createElement('canvas').getContext('2d');
  function widthOf(text) {
    measure.font = '600 13px system-ui, sans-serif';
    return measure.measureText(text).width;
  }

  function make(tag, attributes, text) {
    const element = document.createElementNS(NS, tag);
    for (const [key, value] of Object.entries(attributes || {})) element.setAttribute(key, value);
    if (text !== undefined) element.textContent = text;
    return element;
  }

  // Draws all steps of `view`; what belongs to a step is a group of its own, so that moving on only shows and hides.
  function draw(trace, steps, view, hidden, width) {
    const lanes = trace.lanes.map((_, lane) => lane).filter((lane) => !hidden.has(lane));
    const shown = (lane) => !hidden.has(lane);
    const gaps = Math.max(1, lanes.length);
    const times = 24 + widthOf(String(Math.max(...steps.map((step) => step.at)))); // the column of times
    const gap = Math.min(240, Math.max(64, (width - times - 8) / gaps));
    const full = Math.max(width, times + gap * gaps + 8);
    const x = (lane) => times + gap * (lanes.indexOf(lane) + 0.42);
    const roomy = gap >= 150;

    // A step begins at `y` and ends at `out`, below what is written at its lifeline: so no arrow that leaves crosses the words.
    let bottom = 6;
    const rows = new Map();
    for (const at of view) {
      const step = steps[at];
      const wide = Math.min(full, width) - times - 16;
      const words = isAcross(step) ? { lines: wrap(acrossWords(trace, step), wide), arrow: false } : wordsOf(trace, step, roomy, shown);
      const y = bottom + 16;
      const written = words.lines.length * LINE;
      const leaves = step.also.some((event) => event.kind === 'sent');
      const out = !leaves || !written ? y : y + written + (words.arrow ? 6 : -4);
      rows.set(at, { y, out, top: bottom, words });
      const lost = step.also.filter((event) => event.kind === 'lost' && shown(event.from) && shown(event.to)).length;
      bottom = Math.max(out + 10 + Math.max(0, lost - 1) * LINE, y + written + (words.arrow ? 10 : 0), y + 10);
    }
    bottom += 12;
    const svg = make('svg', { class: 'tp-svg', width: full, height: bottom + 10, viewBox: `0 0 ${full} ${bottom + 10}`, role: 'img' });
    const head = make('svg', { class: 'tp-svg tp-head', width: full, height: 30, viewBox: `0 0 ${full} 30`, 'aria-hidden': 'true' });
    const band = make('rect', { class: 'tp-band', x: 0, width: full });
    const flying = make('g', { class: 'tp-flying' });
    svg.append(band);
    for (const lane of lanes) {
      head.append(make('text', { class: 'tp-name', x: x(lane), y: 20, 'text-anchor': 'middle' }, trace.lanes[lane]));
      lifeline(svg, steps, view, rows, lane, x(lane), bottom);
    }

    const sent = new Map();
    for (const at of view) {
      for (const event of [steps[at].cause, ...steps[at].also]) if (event.kind === 'sent') sent.set(event.id, at);
    }
    const messages = [];
    const groups = new Map();
    let time = null;
    for (const at of view) {
      const step = steps[at];
      const { y, out, words } = rows.get(at);
      const group = make('g', { class: 'tp-step' });
      groups.set(at, group);
      if (step.at !== time) group.append(make('text', { class: 'tp-time', x: 14, y: y + 4 }, String(step.at)));
      time = step.at;
      const { cause } = step;
      if (isAcross(step)) {
        const { kind } = cause;
        const style = kind === 'broken' ? 'tp-bad' : kind === 'note' ? 'tp-note' : 'tp-words';
        words.lines.forEach((line, i) => label(group, style, times, y + 2 + i * LINE, line, 'start'));
        if (kind !== 'note') group.append(make('path', { class: 'tp-across tp-' + kind, d: `M${times} ${y + 8 + (words.lines.length - 1) * LINE}H${full - 8}` }));
        svg.append(group);
        continue;
      }
      let lost = 0; // several that are lost at once lie below each other
      for (const event of [cause, ...step.also]) {
        if (event.kind === 'delivered' || event.kind === 'lost') {
          const from = sent.has(event.id) ? rows.get(sent.get(event.id)).out : y;
          if (shown(event.from) && shown(event.to)) {
            const message = arrow(trace, event, x, gap, from, event === cause ? y : out + LINE * lost++);
            group.append(message.drawn);
            if (sent.has(event.id) && sent.get(event.id) !== at) messages.push({ ...message, left: sent.get(event.id), at });
          }
        }
      }
      if (step.lane !== null && shown(step.lane)) {
        const end = x(step.lane);
        const mark = { crashed: '✕', paused: 'Ⅱ', restarted: '↻' }[cause.kind];
        if (mark) group.append(make('text', { class: cause.kind === 'restarted' ? 'tp-mark' : 'tp-mark tp-bad', x: end, y: y + 5, 'text-anchor': 'middle' }, mark));
        else if (cause.kind !== 'lost') group.append(make('rect', { class: 'tp-dot', x: end - 3, y: y - 3, width: 6, height: out - y + 6, rx: 3 }));
        words.lines.forEach((line, i) => {
          const wide = widthOf(line.text);
          const [place, anchor] = end + 12 + wide < full ? [end + 10, 'start'] : wide + 12 < end ? [end - 10, 'end'] : [Math.max(2, full - wide - 2), 'start'];
          label(group, line.kind, place, y + (words.arrow ? 17 : 4) + i * LINE, line.text, anchor);
        });
      }
      svg.append(group);
    }
    svg.append(flying);

    // What is under way at a step is drawn as far as it has come.
    function fly(at) {
      flying.replaceChildren();
      const now = rows.get(at).out;
      const leaving = new Map();
      for (const message of messages) {
        if (message.left > at || message.at <= at) continue;
        const whole = message.y2 - message.y1;
        const part = (now - message.y1) / (whole || 1);
        if (message.left === at || part < 0.08) {
          const key = message.label + (message.x2 > message.x1);
          const same = leaving.get(key) || { ...message, count: 0 };
          leaving.set(key, { ...same, count: same.count + 1 });
          continue;
        }
        const [tx, ty] = [message.x1 + (message.x2 - message.x1) * part, message.y1 + whole * part];
        flying.append(make('path', { class: 'tp-under-way', d: `M${message.x1} ${message.y1}L${tx} ${ty}` }), make('circle', { class: 'tp-tip', cx: tx, cy: ty, r: 3.5 }));
      }
      for (const { x1, x2, y1, label: text, count } of leaving.values()) {
        const way = x2 > x1 ? 1 : -1;
        const tip = x1 + way * gap * 0.5;
        flying.append(make('path', { class: 'tp-under-way', d: `M${x1} ${y1}L${tip} ${y1}` }), make('circle', { class: 'tp-tip', cx: tip, cy: y1, r: 3.5 }));
        label(flying, 'tp-label', x1 + way * gap * 0.46, y1 + 14, text + (count > 1 ? ' ×' + count : ''));
      }
    }

    return { svg, head, band, groups, rows, fly, x: (lane) => shown(lane) ? x(lane) : null };
  }

  // What is written at the lifeline of a step, line by line.
  function wordsOf(trace, step, roomy, shown) {
    const { cause } = step;
    const say = (text) => named(trace, text);
    const lines = [];
    const drawn = (event) => shown(event.from) && shown(event.to);
    const arrow = (cause.kind === 'delivered' || cause.kind === 'lost') && drawn(cause);
    const put = (text, kind) => lines.push({ text, kind });
    if (cause.kind === 'delivered' && !arrow) put(`${say(cause.label)} from ${trace.lanes[cause.from]}`, 'tp-words');
    if (cause.kind === 'called') put(`${say(cause.label)}?`, 'tp-asked');
    if (cause.kind === 'timer') put(`timer ${say(cause.label)}`, 'tp-words');
    if (cause.kind === 'crashed') put('   crashes' + (cause.lostLastWrite ? ', last write lost' : ''), 'tp-bad');
    if (cause.kind === 'restarted') put('   restarts', 'tp-words');
    if (cause.kind === 'paused') put(`   stands still ${span(cause.millis)}`, 'tp-bad');
    if (cause.kind === 'resumed') put('goes on', 'tp-words');
    if (cause.kind === 'clock' || cause.kind === 'note' || cause.kind === 'persisted') put(say(cause.label), 'tp-words');
    for (const event of [cause, ...step.also]) if (event.kind === 'replied') put(`↩ ${say(event.label)}`, 'tp-asked');
    if (roomy && step.lane !== null && step.changed.includes(step.lane) && step.states[step.lane]) put(say(step.states[step.lane]), 'tp-status');
    return { lines, arrow };
  }

  // What concerns the whole run stands across all lifelines.
  const isAcross = ({ cause, lane }) => cause.kind === 'network' || cause.kind === 'broken' || (cause.kind === 'note' && lane === null);
  const acrossWords = (trace, { cause }) => named(trace, cause.kind === 'broken' ? `✕ ${cause.law}: ${cause.because.split('\n')[0]}` : cause.label);

  function label(group, kind, x, y, text, anchor) {
    group.append(make('text', { class: kind, x, y, 'text-anchor': anchor || 'middle' }, text));
  }

  function wrap(text, width) {
    const lines = [''];
    for (const word of text.split(' ')) {
      const longer = lines[lines.length - 1] + (lines[lines.length - 1] ? ' ' : '') + word;
      if (widthOf(longer) > width && lines[lines.length - 1]) lines.push(word); else lines[lines.length - 1] = longer;
    }
    return lines;
  }

  // A message from where it left to where it arrived; a lost one ends on the way, or it would seem to arrive at a lifeline.
  function arrow(trace, event, x, gap, y1, y2) {
    const lost = event.kind === 'lost';
    const [x1, full] = [x(event.from), x(event.to)];
    const way = full > x1 ? 1 : full < x1 ? -1 : 0;
    const x2 = lost ? x1 + way * gap * 0.6 : full;
    const drawn = make('g');
    const text = named(trace, event.label);
    if (way === 0) {
      drawn.append(make('path', { class: 'tp-sent', d: `M${x1} ${y1}q22 ${(y2 - y1) / 2 - 4} 2 ${y2 - y1}` }));
      label(drawn, 'tp-label', x1 + 16, y2 - 4, text, 'start');
      return { drawn, x1, x2, y1, y2, label: text };
    }
    drawn.append(make('path', { class: lost ? 'tp-lost' : 'tp-sent', d: `M${x1} ${y1}L${x2} ${y2}` }));
    // The label stands close to the end, where no other arrow of the same broadcast has one.
    const back = Math.min(gap * 0.5, widthOf(text) / 2 + 12);
    const lift = Math.abs(y2 - y1) * Math.min(1, back / Math.abs(x2 - x1));
    const middle = [x2 - way * back, lift < 12 ? y2 - lift - 4 : y2 - 2];
    if (lost) {
      drawn.append(make('text', { class: 'tp-mark tp-bad', x: x2, y: y2 + 5, 'text-anchor': 'middle' }, '✕'));
      label(drawn, 'tp-label', x2 + way * 10, y2 + 4, `${text} → ${trace.lanes[event.to]}`, way > 0 ? 'start' : 'end');
    } else {
      const angle = Math.atan2(y2 - y1, x2 - x1);
      const corner = (turn) => `${x2 - 9 * Math.cos(angle + turn)} ${y2 - 9 * Math.sin(angle + turn)}`;
      drawn.append(make('path', { class: 'tp-point', d: `M${x2} ${y2}L${corner(0.4)}L${corner(-0.4)}z` }));
      label(drawn, 'tp-label', middle[0], middle[1], text);
    }
    return { drawn, x1, x2, y1, y2, label: text };
  }

  // A lifeline: a line while its node is up, nothing while it is down, a broad dashed line while it stands still.
  function lifeline(svg, steps, view, rows, lane, x, bottom) {
    let [from, mode] = [0, 'up'];
    const flush = (to) => {
      if (mode !== 'down' && to > from) svg.append(make('path', { class: mode === 'paused' ? 'tp-life tp-paused' : 'tp-life', d: `M${x} ${from}V${to}` }));
      from = to;
    };
    for (const at of view) {
      const next = steps[at].modes[lane];
      if (next !== mode) { flush(rows.get(at).y); mode = next; }
    }
    flush(bottom + 10);
  }

  // ---- the player ------------------------------------------------------------------------------------------------

  const ICONS = {
    first: 'M6 5v14M19 5L9 12l10 7z', back: 'M16 5L7 12l9 7z', play: 'M7 4l13 8-13 8z', pause: 'M7 5v14M17 5v14',
    on: 'M8 5l9 7-9 7z', last: 'M18 5v14M5 5l10 7-10 7z',
  };

  function html(tag, attributes, ...children) {
    const element = document.createElement(tag);
    for (const [key, value] of Object.entries(attributes || {})) element.setAttribute(key, value);
    element.append(...children);
    return element;
  }

  function button(name, words, key, act) {
    const element = html('button', { type: 'button', class: 'tp-button', 'aria-label': words, title: `${words} (${key})` });
    const icon = make('svg', { viewBox: '0 0 24 24', 'aria-hidden': 'true' });
    icon.append(make('path', { d: ICONS[name] }));
    element.append(icon);
    element.addEventListener('click', act);
    return element;
  }

  function mount(host, firstTrace, options = {}) {
    let trace, steps, view, picture, at, lawAt, timer = null, width = 0;
    const hidden = new Set(options.hidden || []);

    const bar = html('div', { class: 'tp-bar' });
    const playing = button('play', 'Play', 'Space', () => play(timer === null));
    const law = html('button', { type: 'button', class: 'tp-button tp-law', title: 'To the broken law (B)' }, '✕ Broken law');
    law.addEventListener('click', () => go(lawAt));
    const scrub = html('input', { type: 'range', min: 1, 'aria-label': 'Step' });
    const count = html('span', { class: 'tp-count' });
    const share = html('button', { type: 'button', class: 'tp-button tp-share' }, 'Copy link');
    bar.append(button('first', 'First step', 'Home', () => go(view[0])), button('back', 'Step back', '←', () => move(-1)), playing,
      button('on', 'Step on', '→', () => move(1)), button('last', 'Last step', 'End', () => go(view[view.length - 1])), scrub, count, law, share);
    const said = html('p', { class: 'tp-say' });
    const live = html('div', { class: 'tp-live', role: 'status' });
    const scroll = html('div', { class: 'tp-scroll', tabindex: 0, role: 'region', 'aria-label': 'Sequence diagram up to this step' });
    const lanes = html('fieldset', { class: 'tp-lanes' });
    const root = html('div', { class: 'tp', role: 'group', 'aria-label': 'Player of the run' }, bar, said, live,
      html('div', { class: 'tp-body' }, scroll, lanes));
    host.append(root);

    function load(next, place = {}) {
      play(false);
      trace = next;
      steps = stepsOf(trace);
      for (const lane of [...hidden]) if (lane >= trace.lanes.length) hidden.delete(lane);
      const broken = steps.findIndex((step) => step.cause.kind === 'broken');
      lawAt = broken < 0 ? null : broken;
      law.hidden = lawAt === null;
      listLanes();
      at = Number.isInteger(place.step) ? place.step - 1 : options.first ? 0 : lawAt === null ? steps.length - 1 : lawAt;
      at = Math.max(0, Math.min(steps.length - 1, at));
      look();
      layout();
      go(at, true);
    }

    // The steps that can be seen while some lifelines are hidden.
    function look() {
      view = steps.map((_, i) => i).filter((i) => steps[i].lane === null || !hidden.has(steps[i].lane));
      if (!view.length) view = [0];
      scrub.max = view.length;
    }

    function layout() {
      width = Math.max(280, scroll.clientWidth || 640);
      picture = draw(trace, steps, view, hidden, width);
      scroll.replaceChildren(picture.head, picture.svg);
    }

    // Who is there, what each shows now, and whether to show it at all.
    function listLanes() {
      lanes.replaceChildren(html('legend', {}, 'Lifelines and their state'));
      trace.lanes.forEach((name, lane) => {
        const box = html('input', { type: 'checkbox' });
        box.checked = !hidden.has(lane);
        box.addEventListener('change', () => {
          if (box.checked) hidden.delete(lane); else hidden.add(lane);
          look();
          layout();
          go(at);
        });
        lanes.append(html('div', { class: 'tp-lane' }, html('label', {}, box, ' ' + name), html('span', { class: 'tp-state' })));
      });
    }

    function go(to, quietly) {
      // A hidden step gives way to the one before it.
      const place = Math.max(0, view.findLastIndex((i) => i <= to));
      at = view[place];
      const step = steps[at];
      for (const [i, group] of picture.groups) {
        group.style.visibility = i <= at ? '' : 'hidden';
        group.classList.toggle('tp-now', i === at);
      }
      picture.fly(at);
      const row = picture.rows.get(at);
      const next = picture.rows.get(view[place + 1]);
      picture.band.setAttribute('y', row.top);
      picture.band.setAttribute('height', (next ? next.top : Number(picture.svg.getAttribute('height'))) - row.top);
      const text = sentence(trace, step);
      said.replaceChildren(html('strong', {}, 't=' + step.at), ' ' + text);
      picture.svg.setAttribute('aria-label', `Sequence diagram up to step ${place + 1}: ${text}`);
      count.textContent = `${place + 1} of ${view.length}`;
      scrub.value = place + 1;
      scrub.setAttribute('aria-valuetext', `step ${place + 1} of ${view.length}, at ${step.at}`);
      [...lanes.querySelectorAll('.tp-lane')].forEach((entry, lane) => {
        const mode = step.modes[lane];
        const state = named(trace, step.states[lane]);
        entry.querySelector('.tp-state').textContent = [mode === 'up' ? '' : mode === 'down' ? 'down' : 'stands still', state].filter(Boolean).join(' · ') || '–';
        entry.classList.toggle('tp-changed', step.changed.includes(lane));
      });
      follow(row, step, quietly);
      announce(quietly ? null : `Step ${place + 1} of ${view.length}, at ${step.at}: ${text}${stateWords(step)}`);
      if (options.changed && !quietly) options.changed(state());
    }

    function stateWords(step) {
      const lane = step.lane;
      const now = lane !== null && step.changed.includes(lane) && step.states[lane];
      return now ? ` ${trace.lanes[lane]} now: ${named(trace, now)}.` : '';
    }

    // Keeps the current step in sight, without moving the page.
    function follow(row, step, atOnce) {
      if (scroll.clientHeight < 120) return; // not laid out yet
      const head = 30;
      const [top, bottom] = [scroll.scrollTop, scroll.scrollTop + scroll.clientHeight - head];
      let y = top;
      if (row.top < top + 20) y = row.top - 40;
      if (row.y + 50 > bottom) y = row.y + 90 - (scroll.clientHeight - head);
      let left = scroll.scrollLeft;
      const x = step.lane === null ? null : picture.x(step.lane);
      if (x !== null && (x < left + 50 || x > left + scroll.clientWidth - 70)) left = x - scroll.clientWidth / 2;
      scroll.scrollTo({ top: y, left, behavior: still.matches || atOnce ? 'auto' : 'smooth' });
    }

    // While steps follow each other quickly only the last one is spoken.
    let speaking = null;
    function announce(text) {
      clearTimeout(speaking);
      if (text !== null) speaking = setTimeout(() => { live.textContent = text; }, 350);
    }

    function move(by) {
      const place = view.indexOf(at) + by;
      if (place < 0 || place >= view.length) return false;
      go(view[place]);
      return true;
    }

    function play(on) {
      if (timer !== null) clearInterval(timer);
      timer = null;
      if (on) {
        if (at === view[view.length - 1]) go(view[0]);
        timer = setInterval(() => { if (!move(1)) play(false); }, 1100);
      }
      playing.setAttribute('aria-label', on ? 'Pause' : 'Play');
      playing.title = (on ? 'Pause' : 'Play') + ' (Space)';
      playing.querySelector('path').setAttribute('d', on ? ICONS.pause : ICONS.play);
    }

    scrub.addEventListener('input', () => { play(false); go(view[scrub.value - 1]); });
    share.addEventListener('click', async () => {
      if (options.changed) options.changed(state(), true);
      let done = 'The link is in the address bar.';
      try { await navigator.clipboard.writeText(options.copied ? options.copied() : location.href); done = 'The link is copied.'; } catch { /* not allowed here */ }
      live.textContent = done;
      share.textContent = done.includes('copied') ? 'Copied' : 'See address bar';
      setTimeout(() => { share.textContent = 'Copy link'; }, 2000);
    });

    // Keys. What has a use of its own for a key keeps it: the slider its arrows, a button its space bar.
    (options.keys || root).addEventListener('keydown', (event) => {
      if (event.ctrlKey || event.altKey || event.metaKey || event.shiftKey) return;
      const target = event.target;
      if (target.closest('select, textarea, summary, dialog, pre, input:not([type=checkbox]):not([type=range])')) return;
      const slides = target.matches('input[type=range]');
      if (slides && /^(Arrow|Home|End|Page)/.test(event.key)) return;
      if (event.key === ' ' && target.closest('button, input, a')) return;
      const act = {
        ArrowLeft: () => move(-1), ArrowRight: () => move(1), Home: () => go(view[0]), End: () => go(view[view.length - 1]),
        ' ': () => play(timer === null), b: () => lawAt !== null && go(lawAt),
      }[event.key.length === 1 ? event.key.toLowerCase() : event.key];
      if (!act) return;
      if (event.key !== ' ') play(false);
      act();
      event.preventDefault();
      event.stopPropagation();
    });
    bar.addEventListener('click', (event) => { if (!playing.contains(event.target)) play(false); });

    if (window.ResizeObserver) {
      new ResizeObserver(() => {
        if (Math.abs(Math.max(280, scroll.clientWidth) - width) > 1) { layout(); go(at, true); }
      }).observe(scroll);
    }

    const state = () => ({ step: at + 1, hidden: [...hidden] });
    load(firstTrace, options);
    return { root, load, state, go: (step) => go(step - 1), trace: () => trace };
  }

  // ---- a page that is nothing but a run ----------------------------------------------------------------------------

  // The kit's picture: the run is in the page, its place in the fragment of the address.
  function page() {
    const data = document.getElementById('trace');
    const host = document.getElementById('player');
    if (!data || !host) return;
    const trace = JSON.parse(data.textContent);
    if (!trace.events.length) return;
    const read = () => {
      const given = new URLSearchParams(location.hash.slice(1));
      const step = parseInt(given.get('step'), 10);
      const hidden = (given.get('hide') || '').split(',').filter(Boolean).map((name) => trace.lanes.indexOf(name)).filter((lane) => lane >= 0);
      return { step: Number.isNaN(step) ? undefined : step, hidden };
    };
    let waiting = null;
    const write = ({ step, hidden }) => {
      const fragment = new URLSearchParams({ step });
      if (hidden.length) fragment.set('hide', hidden.map((lane) => trace.lanes[lane]).join(','));
      try { history.replaceState(null, '', '#' + fragment); } catch { /* a browser that forbids it for files */ }
    };
    const player = mount(host, trace, {
      ...read(),
      keys: document,
      // A browser allows so many changes of the address a minute.
      changed: (state, now) => { clearTimeout(waiting); if (now) write(state); else waiting = setTimeout(() => write(state), 300); },
    });
    addEventListener('hashchange', () => { const { step } = read(); if (step) player.go(step); });
    document.documentElement.classList.add('played');
  }

  window.TracePlayer = { mount, stepsOf, sentence };
  if (document.readyState === 'loading') document.addEventListener('DOMContentLoaded', page); else page();
})();
