// How the book is used by people who differ from the one who wrote it: with nothing but a keyboard, with a browser that stores
// nothing, with their own progress, with a wrong idea typed into the search. Returns what there is to try, to be tried in any order.
export function readers({ browser, address, pages, kinds, kind, fault }) {
  const sections = pages.filter((path) => kind(path).startsWith('section'));
  const withQuiz = sections[0];
  const open = async (path, options = {}, prepare = async () => {}) => {
    const context = await browser.newContext({ viewport: { width: 1400, height: 900 }, reducedMotion: 'reduce', ...options });
    await prepare(context);
    const page = await context.newPage();
    page.setDefaultTimeout(10000);
    page.on('pageerror', (error) => fault(`${path}: ${error.message}`));
    await page.goto(address + path);
    return { page, context };
  };
  return [
    ...kinds.map((path) => ({ what: `${path} by keyboard`, act: () => byKeyboard(path) })),
    { what: `${withQuiz} and its quiz`, act: remembered },
    { what: `${withQuiz} without storage`, act: withoutStorage },
    { what: 'a search for what somebody believes', act: beliefs },
    { what: 'progress', act: progress },
  ];

  // Tab comes through the whole page and out of it again, and every stop can be seen.
  async function byKeyboard(path) {
    const { page, context } = await open(path);
    const stops = new Set();
    for (let presses = 0; presses < 600; presses += 1) {
      await page.keyboard.press('Tab');
      const stop = await page.evaluate(() => {
        const at = document.activeElement;
        if (at === document.body) return null;
        at.dataset.stop = at.dataset.stop || String(document.querySelectorAll('[data-stop]').length + 1);
        const style = getComputedStyle(at);
        const box = at.getBoundingClientRect();
        const marked = (style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2) || style.boxShadow !== 'none';
        const under = document.elementFromPoint(Math.min(innerWidth - 1, Math.max(0, box.x + Math.min(8, box.width / 2))),
          Math.min(innerHeight - 1, Math.max(0, box.y + Math.min(8, box.height / 2))));
        return {
          id: at.dataset.stop,
          html: at.outerHTML.slice(0, 90),
          marked,
          inside: box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth,
          covered: Boolean(under && !at.contains(under) && !under.contains(at) && under.closest('.bar') && !at.closest('.bar')),
        };
      });
      if (stop === null || stops.has(stop.id)) { await context.close(); if (stops.size < 5) fault(`${path}: Tab finds only ${stops.size} stops`); return; }
      stops.add(stop.id);
      if (!stop.marked) fault(`${path}: the focus cannot be seen on ${stop.html}`);
      if (!stop.inside) fault(`${path}: the focus is outside the window on ${stop.html}`);
      if (stop.covered) fault(`${path}: the bar covers the focus on ${stop.html}`);
    }
    fault(`${path}: 600 presses of Tab do not lead through the page`);
    await context.close();
  }

  // An answer is there again after a reload, and gone after "Try again".
  async function remembered() {
    const { page, context } = await open(withQuiz);
    const quiz = page.locator('.quiz').first();
    const choice = quiz.locator('.choice').nth(1);
    await choice.locator('label').click();
    await page.reload();
    if (!await choice.locator('input').isChecked()) fault(`${withQuiz}: a quiz forgets its answer`);
    if (!await choice.locator('.why').isVisible()) fault(`${withQuiz}: a remembered answer is not explained`);
    await quiz.locator('.again').click();
    if (await quiz.locator('input:checked').count()) fault(`${withQuiz}: an answer cannot be taken back`);
    await page.reload();
    if (await quiz.locator('input:checked').count()) fault(`${withQuiz}: an answer that was taken back is there again`);
    await context.close();
  }

  async function withoutStorage() {
    const { page, context } = await open(withQuiz, {}, (context) => context.addInitScript(() => {
      Object.defineProperty(window, 'localStorage', { get() { throw new DOMException('denied', 'SecurityError'); } });
    }));
    const choice = page.locator('.quiz .choice').first();
    await choice.locator('label').click();
    if (!await choice.locator('.why').isVisible()) fault(`${withQuiz}: a quiz does not answer where nothing can be stored`);
    await page.click('#theme-toggle');
    await page.click('#theme-toggle');
    if (await page.evaluate(() => document.documentElement.dataset.theme) !== 'dark') fault(`${withQuiz}: the theme cannot be changed where nothing can be stored`);
    await context.close();
  }

  // The words of a wrong answer lead to the section that answers it. Some of them, spread over the book.
  async function beliefs() {
    const { page, context } = await open('index.html');
    await page.keyboard.press('/');
    await page.keyboard.type('a');
    await page.waitForFunction(() => window.search && window.search.index);
    const known = await page.evaluate(() => window.search.doc_urls.map((url, at) => ({ url, doc: window.search.index.documentStore.docs[at] }))
      .filter(({ doc }) => doc.body.startsWith('Wrong: ')).map(({ url, doc }) => ({ url, title: doc.title })));
    if (known.length < sections.length) fault(`search knows only ${known.length} wrong answers`);
    for (const { url, title } of known.filter((_, at) => at % Math.ceil(known.length / 12) === 0)) {
      await page.fill('#search-words', title.split(' ').slice(0, 6).join(' '));
      const links = await page.locator('#search-results a').evaluateAll((all) => all.map((link) => link.getAttribute('href')));
      if (!links.includes(url)) fault(`a search for "${title}" does not find ${url}`);
    }
    await context.close();
  }

  // What a page shows when a server tells it where its reader stands.
  async function progress() {
    const front = await open('index.html');
    const all = await front.page.locator('.map [data-state]').evaluateAll((marks) => marks.map((mark) => mark.dataset.state));
    const [solved, half] = all;
    if (/You have/.test(await front.page.locator('.map').textContent())) fault('a page that nobody serves speaks of progress');
    await front.context.close();
    const exercises = {
      ...Object.fromEntries(all.map((id) => [id, { status: 'untouched', passed: 0, total: 1, tests: {} }])),
      [solved]: { status: 'solved', passed: 3, total: 3, tests: {} },
      [half]: { status: 'failing', passed: 1, total: 4, tests: {}, misconception: 'one is enough' },
    };
    const served = async (context) => {
      await context.route('**/*.html', async (route) => {
        const response = await route.fetch();
        await route.fulfill({ response, body: (await response.text()).replace('<body', '<body data-live="/__events"') });
      });
      await context.route('**/__events', (route) => route.fulfill({
        contentType: 'text/event-stream',
        body: `event: progress\ndata: ${JSON.stringify({ exercises })}\n\n`,
      }));
    };
    const { page, context } = await open('index.html', {}, served);
    const said = page.locator('.map [data-map]');
    await page.waitForFunction(() => /You have solved 1 of/.test(document.querySelector('.map [data-map]').textContent))
      .catch(() => fault('the map does not say how much is solved'));
    const next = await said.locator('a').getAttribute('href');
    if (next !== half + '.html') fault(`the map calls ${next} the next one, not ${half}`);
    for (const place of ['.map', '#contents']) {
      const mark = page.locator(`${place} [data-state="${solved}"]`);
      if (await mark.getAttribute('data-status') !== 'solved' || await mark.getAttribute('aria-label') !== 'Solved') fault(`${place} does not mark what is solved`);
    }
    const counts = await page.locator('#contents .solved').allTextContents();
    const chapters = [...new Set(all.map((id) => id.split('/')[0]))].map((chapter) => all.filter((id) => id.startsWith(chapter + '/')).length);
    if (counts.join() !== chapters.map((many, at) => `${at ? 0 : 1}/${many} solved`).join()) fault(`the contents count what is solved as ${counts.join(', ')}`);
    await page.goto(address + half + '.html');
    await page.waitForFunction(() => /1 of 4 tests pass/.test(document.querySelector('.exercise .progress').textContent))
      .catch(() => fault('the card does not say how many tests pass'));
    if (!/one is enough/.test(await page.locator('.exercise .progress').textContent())) fault('the card does not name what was believed');
    await context.close();
  }
}
