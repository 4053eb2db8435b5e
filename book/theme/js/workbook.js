// The page's behaviour: contents, theme, keys, remembered quiz answers, live progress. The page works without it.
'use strict';
(function () {
  const root = document.documentElement;
  const byId = (id) => document.getElementById(id);
  const remember = (key, value) => { try { localStorage.setItem(key, value); } catch (e) { /* no storage */ } };
  const forget = (key) => { try { localStorage.removeItem(key); } catch (e) { /* no storage */ } };
  const recall = (key) => { try { return localStorage.getItem(key); } catch (e) { return null; } };
  const announce = (text) => { byId('announce').textContent = text; };

  // Contents: a column on a wide screen, a drawer on a narrow one.
  const toggle = byId('contents-toggle');
  const contents = byId('contents');
  const narrow = matchMedia('(max-width: 68.74rem)');
  const shown = () => narrow.matches ? root.dataset.drawer === 'open' : root.dataset.contents !== 'closed';
  const tell = () => toggle.setAttribute('aria-expanded', String(shown()));
  function show(open) {
    if (narrow.matches) {
      root.dataset.drawer = open ? 'open' : 'closed';
      if (open) (contents.querySelector('[aria-current]') || contents.querySelector('a')).focus();
    } else {
      root.dataset.contents = open ? 'open' : 'closed';
      remember('workbook-contents', root.dataset.contents);
    }
    tell();
  }
  toggle.addEventListener('click', () => show(!shown()));
  narrow.addEventListener('change', tell);
  contents.addEventListener('click', (event) => { if (narrow.matches && event.target.closest('a')) show(false); });
  document.addEventListener('click', (event) => {
    if (narrow.matches && shown() && !contents.contains(event.target) && !toggle.contains(event.target)) show(false);
  });
  tell();
  const here = contents.querySelector('[aria-current]');
  if (here && !narrow.matches) contents.scrollTop = Math.max(0, here.offsetTop - contents.clientHeight / 3);

  // Theme: the system's, light, dark.
  const themes = ['system', 'light', 'dark'];
  byId('theme-toggle').addEventListener('click', () => {
    const next = themes[(themes.indexOf(root.dataset.theme || 'system') + 1) % themes.length];
    if (next === 'system') delete root.dataset.theme; else root.dataset.theme = next;
    remember('workbook-theme', next);
    announce('Theme: ' + next);
    byId('theme-toggle').title = 'Theme: ' + next;
  });

  // Keys: neighbours by arrow, drawer by escape. Never while something that uses the key has the focus.
  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.shiftKey || document.querySelector('dialog[open]')) return;
    if (event.key === 'Escape' && narrow.matches && shown()) { show(false); toggle.focus(); }
    if (event.target.closest('input, textarea, select, summary, pre, figure, .formula, .table-wrapper')) return;
    const neighbour = { ArrowLeft: 'prev', ArrowRight: 'next' }[event.key];
    const link = neighbour && document.querySelector('.neighbours a[rel="' + neighbour + '"]');
    if (link) link.click();
  });

  // Quiz answers stay on this machine. What is kept is the answer's text: when a quiz is rewritten, nobody is shown an answer
  // to another question.
  for (const quiz of document.querySelectorAll('.quiz')) {
    const inputs = [...quiz.querySelectorAll('.choice input')];
    const key = 'workbook-quiz-' + inputs[0].name;
    const text = (input) => input.labels[0].textContent.trim();
    const again = document.createElement('button');
    again.type = 'button';
    again.className = 'tool again';
    again.textContent = 'Try again';
    quiz.append(again);
    const offer = () => { again.hidden = !inputs.some((input) => input.checked); };
    for (const input of inputs) {
      if (recall(key) === text(input)) input.checked = true;
      input.addEventListener('change', () => {
        remember(key, text(input));
        announce(input.closest('.choice').querySelector('.why').textContent);
        offer();
      });
    }
    again.addEventListener('click', () => {
      for (const input of inputs) input.checked = false;
      forget(key);
      inputs[0].focus();
      announce('Answer taken back');
      offer();
    });
    offer();
  }

  // A scrollable table can be scrolled by keyboard.
  for (const wrapper of document.querySelectorAll('.table-wrapper')) {
    if (wrapper.scrollWidth > wrapper.clientWidth) wrapper.tabIndex = 0;
  }

  // Live progress, when a server says that it has any.
  const live = document.body.dataset.live;
  if (!live || !window.EventSource) return;
  const events = new EventSource(live);
  let known = null;
  events.addEventListener('reload', () => location.reload());
  events.addEventListener('progress', (event) => {
    const now = JSON.parse(event.data).exercises;
    for (const [id, progress] of Object.entries(now)) paint(id, progress, known && known[id]);
    paintMaps(now);
    known = now;
  });

  const words = { solved: 'Solved', failing: 'Not yet', 'build-error': 'Does not compile', changed: 'Edited, not checked', untouched: 'Not started' };
  function paint(id, progress, before) {
    for (const mark of document.querySelectorAll('[data-state="' + id + '"]')) {
      mark.dataset.status = progress.status;
      mark.setAttribute('role', 'img');
      mark.setAttribute('aria-label', words[progress.status] || progress.status);
    }
    for (const card of document.querySelectorAll('[data-exercise="' + id + '"]')) paintCard(card, progress);
    if (before && before.status !== progress.status) announce(id.split('/')[1] + ': ' + (words[progress.status] || progress.status));
  }

  // How much is solved, by chapter in the contents and at the top of the map, and what is next: the first that is not, in the
  // order of the book.
  function paintMaps(now) {
    const solved = (id) => Boolean(now[id]) && now[id].status === 'solved';
    for (const chapter of contents.querySelectorAll('.chapter')) {
      // Of its sections, those with an exercise: the others can be read and not solved.
      const marks = [...chapter.querySelectorAll('[data-state]')].filter((mark) => now[mark.dataset.state]);
      if (!marks.length) continue;
      let count = chapter.querySelector(':scope > a > .solved');
      if (!count) {
        count = document.createElement('span');
        count.className = 'solved';
        chapter.querySelector(':scope > a').append(count);
      }
      const done = marks.filter((mark) => solved(mark.dataset.state)).length;
      const hidden = document.createElement('span');
      hidden.className = 'visually-hidden';
      hidden.textContent = ' solved';
      count.replaceChildren(done + '/' + marks.length, hidden);
    }
    for (const map of document.querySelectorAll('.map')) {
      const marks = [...map.querySelectorAll('[data-state]')];
      const summary = map.querySelector('[data-map]');
      const open = marks.find((mark) => !solved(mark.dataset.state));
      const done = marks.filter((mark) => solved(mark.dataset.state)).length;
      summary.textContent = 'You have solved ' + done + ' of ' + marks.length + ' exercises. ';
      if (open) {
        const link = map.querySelector('.map-row [data-state="' + open.dataset.state + '"]').parentElement.querySelector('a').cloneNode(true);
        summary.append('Next: ', link, '.');
      }
    }
  }

  function paintCard(card, progress) {
    const box = card.querySelector('.progress');
    const counted = progress.status === 'solved' || progress.status === 'failing';
    box.dataset.status = progress.status;
    box.querySelector('.progress-text').textContent = (words[progress.status] || progress.status)
      + (counted ? ': ' + progress.passed + ' of ' + progress.total + ' tests pass' : '')
      + (progress.misconception ? '. Exactly these tests fail when one believes: ' + progress.misconception + '. Is that it?' : '');
    let meter = box.querySelector('meter');
    if (counted && !meter) {
      meter = document.createElement('meter');
      meter.min = 0;
      meter.setAttribute('aria-label', 'Tests that pass');
      box.append(meter);
    }
    if (meter) {
      meter.hidden = !counted;
      meter.max = progress.total;
      meter.value = progress.passed;
    }
    for (const stage of card.querySelectorAll('.stage')) {
      const tests = stage.querySelectorAll('[data-test]');
      let passed = 0;
      for (const test of tests) {
        const status = progress.tests[test.dataset.test] || '';
        test.dataset.status = status;
        if (status === 'passed') passed += 1;
      }
      stage.querySelector('.stage-count').textContent = counted
        ? passed + ' of ' + tests.length + ' pass'
        : tests.length + (tests.length === 1 ? ' test' : ' tests');
    }
  }
})();
