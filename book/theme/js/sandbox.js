// Figures that the reader moves. A sandbox's module is the figure's own Rust function, compiled for the browser; it is loaded
// when the sandbox is first touched, and until then, and without a script, the picture of the page stands.
'use strict';
(function () {
  const remember = (key, value) => { try { localStorage.setItem(key, value); } catch (e) { /* no storage */ } };
  const recall = (key) => { try { return localStorage.getItem(key); } catch (e) { return null; } };

  // A module arrives as a script that calls this: pages that lie in a folder may load scripts, and nothing else.
  const awaited = {};
  window.sandbox = (name, text) => awaited[name](text);

  // Resolves to a function from parameters to a promise of { svg, sentence, alt, run }.
  async function load(name, address, player) {
    const text = await new Promise((resolve, reject) => {
      awaited[name] = resolve;
      fetch_script(address).catch(reject);
    });
    if (player && !window.playRun) await fetch_script(player);
    const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
    const plain = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'));
    const compiled = await WebAssembly.compile(await new Response(plain).arrayBuffer());
    let instance = null;
    return async (params) => {
      // A module takes no memory back: when it has much, a fresh one goes on.
      if (!instance || instance.exports.memory.buffer.byteLength > 32 << 20) instance = await WebAssembly.instantiate(compiled);
      const { memory, room, draw } = instance.exports;
      const asked = new TextEncoder().encode(params);
      const at = room(asked.length);
      new Uint8Array(memory.buffer, at, asked.length).set(asked);
      const packed = BigInt.asUintN(64, draw());
      const answer = new TextDecoder().decode(new Uint8Array(memory.buffer, Number(packed >> 32n), Number(packed & 0xffffffffn)));
      if (answer[0] !== '=') throw new Error(answer.slice(1));
      const [svg, sentence, alt, run] = answer.slice(1).split('\0');
      return { svg, sentence, alt, run };
    };
  }

  function fetch_script(address) {
    return new Promise((resolve, reject) => {
      const script = document.createElement('script');
      script.src = address;
      script.onload = resolve;
      script.onerror = () => reject(new Error(address));
      document.head.append(script);
    });
  }

  for (const box of document.querySelectorAll('.sandbox')) set_up(box);

  function set_up(box) {
    const { figure: name, module, player, fixed } = box.dataset;
    const find = (selector) => box.querySelector(selector);
    const controls = [...box.querySelectorAll('[data-key]')];
    const presets = [...box.querySelectorAll('.presets button')];
    const guesses = [...box.querySelectorAll('.guess input')];
    const values = (control) => control.dataset.values ? control.dataset.values.split(' ') : [...control.options].map((option) => option.value);
    const value = (control) => control.dataset.values ? values(control)[control.valueAsNumber] : control.value;
    const set = (control, to) => {
      if (!values(control).includes(to)) return;
      control.value = control.dataset.values ? values(control).indexOf(to) : to;
      label(control);
    };
    function label(control) {
      if (!control.dataset.values) return;
      control.nextElementSibling.value = value(control) + control.dataset.unit;
      control.setAttribute('aria-valuetext', control.nextElementSibling.value);
    }
    const pairs = (text) => new URLSearchParams(text.replaceAll(' ', '&'));
    const chosen = () => controls.map((control) => [control.dataset.key, value(control)]);

    // Drawing: one at a time, always the latest wish; speaking and the address follow when the hand rests.
    let drawing = null;
    let busy = false;
    let again = false;
    let resting;
    async function redraw() {
      again = true;
      if (busy) return;
      busy = true;
      box.dataset.state = 'drawing';
      try {
        drawing = drawing || load(name, module, player);
        const draw = await drawing;
        while (again) {
          again = false;
          const answer = await draw([fixed, ...chosen().map((pair) => pair.join('='))].join(' ').trim());
          show(answer);
          await new Promise((resolve) => setTimeout(resolve));
        }
        find('.trouble').textContent = '';
        box.dataset.state = 'drawn';
      } catch (error) {
        drawing = null;
        again = false;
        box.dataset.state = 'trouble';
        find('.trouble').textContent = 'The figure cannot be drawn anew (' + error.message + '); the picture stays as it was.';
      }
      busy = false;
    }
    function show(answer) {
      // A number and its unit stay on one line, as on the page.
      const sentence = answer.sentence.replace(/(\d) (?=([nµm]?s|min|h|%|[kKMGT]?i?B)([.,;:)]|\s|$))/g, '$1\u00a0');
      const picture = find('.picture');
      if (answer.run && window.playRun) window.playRun(picture, answer); else picture.innerHTML = answer.svg;
      find('figcaption').textContent = sentence;
      for (const preset of presets) {
        const wanted = pairs(preset.dataset.params);
        const is = controls.every((control) => (wanted.get(control.dataset.key) || control.dataset.default) === value(control));
        preset.setAttribute('aria-pressed', String(is));
      }
      const pressed = presets.find((preset) => preset.getAttribute('aria-pressed') === 'true');
      find('.story').innerHTML = pressed ? pressed.dataset.story : '';
      share(sentence);
    }
    // The address names the figure, its controls and, of a run, the step and what is hidden.
    function share(sentence) {
      const state = '?' + new URLSearchParams([['figure', name], ...chosen(), ...new URLSearchParams(box.dataset.place || '')]) + '#' + box.id;
      find('.share').href = state;
      clearTimeout(resting);
      resting = setTimeout(() => {
        if (sentence) document.getElementById('announce').textContent = sentence;
        try { history.replaceState(null, '', state); } catch (e) { /* not in this browser, not from a folder */ }
      }, 600);
    }
    box.addEventListener('played', () => share());

    // The guess opens the controls; it is remembered, as quiz answers are.
    const commit = find('.commit');
    const key = 'workbook-guess-' + name;
    function open(guess) {
      const input = guesses[guess];
      if (input) input.checked = true;
      for (const other of guesses) other.disabled = true;
      commit.hidden = true;
      find('.guessed').textContent = input ? 'You said: ' + input.nextElementSibling.textContent + '. Now look.' : '';
      for (const part of box.querySelectorAll('.play')) part.hidden = false;
      box.classList.add('open');
    }
    for (const guess of guesses) guess.addEventListener('change', () => { commit.disabled = false; });
    commit.addEventListener('click', () => {
      const guess = guesses.findIndex((input) => input.checked);
      remember(key, guess);
      open(guess);
      presets[0].focus();
      redraw();
    });

    for (const control of controls) control.addEventListener('input', () => { label(control); redraw(); });
    for (const preset of presets) {
      preset.addEventListener('click', () => {
        const wanted = pairs(preset.dataset.params);
        for (const control of controls) set(control, wanted.get(control.dataset.key) || control.dataset.default);
        redraw();
      });
    }
    // A browser may bring back what was moved before a reload: the picture on the page is that of the page's own values.
    const reset = (control) => { const own = control.querySelector('option[selected]'); control.value = own ? own.value : control.defaultValue; label(control); };
    controls.forEach(reset);

    // A shared address, or a guess of an earlier day, opens at once.
    const shared = new URLSearchParams(location.search);
    const guess = recall(key);
    if (shared.get('figure') === name) {
      open(guess === null ? -1 : guess);
      for (const control of controls) set(control, shared.get(control.dataset.key));
      box.dataset.place = new URLSearchParams([...shared].filter(([key]) => key === 'step' || key === 'hide'));
      redraw();
      box.scrollIntoView();
    } else if (guess !== null) {
      open(guess);
    }
  }
})();
