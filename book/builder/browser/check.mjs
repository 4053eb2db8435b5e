// check.mjs ADDRESS CHROMIUM PICTURES PAGE…
// Looks at every page as readers do and prints one JSON object a line: {"fault": "…"} for each fault, {"done": "…"} at the end.
// What stands on a page is looked at page by page; what stands around it (contents, theme, search) on one page of each kind.
import { createRequire } from 'node:module';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { readers } from './readers.mjs';

const [address, executablePath, pictures, ...pages] = process.argv.slice(2);
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const say = (message) => console.log(JSON.stringify(message));
const seen = new Set();
const fault = (text) => { if (!seen.has(text)) { seen.add(text); say({ fault: text }); } };

// Where the time goes, summed over all who look at once.
const seconds = new Map();
async function timed(what, act) {
  const began = performance.now();
  try { return await act(); } finally { seconds.set(what, (seconds.get(what) || 0) + (performance.now() - began) / 1000); }
}

const profile = mkdtempSync(join(tmpdir(), 'book-browser-'));
const browser = await chromium.launch({
  executablePath,
  args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync', `--crash-dumps-dir=${profile}`],
});

// Of what kind a page is: its place in the book, and for a section whether a figure can be moved or a run played on it.
const sources = new Map(await Promise.all(pages.map(async (path) => [path, await (await fetch(address + path)).text()])));
const kind = (path) => {
  if (path === '404.html') return 'wrong-address';
  if (path === 'index.html') return 'front';
  if (!/^\d+-/.test(path)) return path.replace(/\/.*|\.html$/g, '');
  if (path.endsWith('/index.html')) return 'chapter';
  return /data-player/.test(sources.get(path)) ? 'section-run' : /class="sandbox/.test(sources.get(path)) ? 'section-figure' : 'section';
};
// The first page of each kind; it has its picture taken in every view.
const kinds = [...new Map(pages.toReversed().map((path) => [kind(path), path])).values()].reverse();
for (const file of readdirSync(pictures)) if (file.endsWith('.png')) rmSync(join(pictures, file));
let looks = 0;
let audits = 0;
let pictured = 0;
const lesser = new Map();

// A window that goes from page to page. Pages are loaded wide, narrow and without a script; a theme is changed on the loaded
// page, since it changes colours alone, and without a script the width too, since nothing could have measured it.
class Window {
  constructor(width, script) { this.options = { viewport: { width, height: 900 }, javaScriptEnabled: script, reducedMotion: 'reduce' }; }

  async visit(path, view, act) {
    this.where = `${path} (${view})`;
    this.path = path;
    this.touched = false;
    try {
      if (!this.context) await this.open();
      await timed('load', () => this.page.goto(address + path));
      await act(this.page);
      if (this.options.javaScriptEnabled) await this.page.evaluate(() => localStorage.clear());
    } catch (error) {
      fault(`${this.where}: ${error.message.split('\n')[0]}`);
      await this.context?.close().catch(() => {});
      this.context = null;
    }
  }

  async open() {
    this.context = await browser.newContext(this.options);
    const page = this.page = await this.context.newPage();
    page.setDefaultTimeout(5000);
    page.on('request', (request) => {
      if (!this.touched && request.url().includes('/figures/')) fault(`${this.where}: asks for ${request.url()} before anything was touched`);
      if (!request.url().startsWith(address) && !request.url().startsWith('data:')) fault(`${this.where}: asks for ${request.url()}`);
    });
    page.on('pageerror', (error) => fault(`${this.where}: ${error.message}`));
    page.on('console', (message) => { if (message.type() === 'error' && this.path !== '404.html') fault(`${this.where}: ${message.text()}`); });
  }

  // What every view of every page goes through.
  async look(view, { colorScheme = 'light', width } = {}) {
    this.where = `${this.path} (${view})`;
    if (width) await this.page.setViewportSize({ width, height: 900 });
    await this.page.emulateMedia({ colorScheme });
    looks += 1;
    await timed('layout', () => layout(this.page, this.where));
    this.touched = true;
  }

  async picture(view) {
    if (!kinds.includes(this.path)) return;
    pictured += 1;
    const path = join(pictures, `${kind(this.path)}-${view}.png`);
    await timed('pictures', () => this.page.screenshot({ path, fullPage: true, timeout: 30000 }));
  }
}

async function wide(window, path) {
  await window.visit(path, 'wide-light', async (page) => {
    await window.look('wide-light');
    const where = window.where;
    await timed('quizzes', () => quizzes(page, where));
    await timed('keyboard', () => keyboard(page, where));
    await timed('audit', () => audit(page, where, path));
    await window.picture('wide-light');
    await window.look('wide-dark', { colorScheme: 'dark' });
    await timed('audit, dark', () => audit(page, window.where, path, 'colours'));
    await window.picture('wide-dark');
    await window.look('wide-light');
    await timed('shared', () => shared(page, where));
  });
}

async function phone(window, path) {
  await window.visit(path, 'phone-light', async (page) => {
    await window.look('phone-light');
    await timed('sandboxes', () => openSandboxes(page, window.where));
    await timed('layout', () => layout(page, window.where + ', sandboxes open'));
    // No colour follows from the width.
    await timed('audit, phone', () => audit(page, window.where, path, 'places'));
    await window.picture('phone-light');
    // Colours are those of wide-dark and places those of phone-light: looked at, but not audited again.
    await window.look('phone-dark', { colorScheme: 'dark' });
    await window.picture('phone-dark');
  });
}

async function scriptless(window, path) {
  await window.visit(path, 'wide-no-js', async (page) => {
    for (const [view, width] of [['wide-no-js', 1400], ['phone-no-js', 360]]) {
      await window.look(view, { width });
      await window.picture(view);
      await timed('no script', () => withoutScript(page, window.where, width));
    }
  });
}

// As many look at once as keep the machine busy. Pages with figures take longest and come first.
const figuresFirst = pages.toSorted((a, b) => kind(b).startsWith('section-') - kind(a).startsWith('section-'));
const around = readers({ browser, address, pages, kinds, kind, fault });
const jobs = [
  ...figuresFirst.map((path) => async (windows) => {
    await wide(windows.wide, path);
    await phone(windows.phone, path);
    await scriptless(windows.scriptless, path);
  }),
  ...kinds.map((path) => () => attempt(`${path} (around the page)`, () => timed('around', () => behaviour(path)))),
  ...around.map(({ what, act }) => () => attempt(what, () => timed('readers', act))),
  () => attempt('the contents on a phone', phoneDrawer),
];
await Promise.all(Array.from({ length: Math.min(6, availableParallelism() + 1) }, async () => {
  const windows = { wide: new Window(1400, true), phone: new Window(360, true), scriptless: new Window(1400, false) };
  for (let job = jobs.shift(); job; job = jobs.shift()) await job(windows);
}));
await browser.close();
rmSync(profile, { recursive: true, force: true });
for (const [rule, count] of lesser) console.log(`note: axe ${rule} (${count} times, less than serious)`);
console.log(`note: seconds of work: ${[...seconds].sort((a, b) => b[1] - a[1]).map(([what, took]) => `${what} ${took.toFixed(0)}`).join(', ')}`);
say({ done: `${looks} looks at ${pages.length} pages, ${audits} axe audits, ${kinds.length} pages by keyboard, ${pictured} pictures` });

async function attempt(what, act) {
  try { await act(); } catch (error) { fault(`${what}: ${error.message.split('\n')[0]}`); }
}

// Nothing wider than the window; no drawn text below 11 px or cut off; nothing that moves although motion is reduced.
async function layout(page, where) {
  const found = await page.evaluate(() => {
    const root = document.documentElement;
    const wide = root.scrollWidth > root.clientWidth
      ? [...document.querySelectorAll('main *')].filter((e) => e.getBoundingClientRect().right > root.clientWidth + 1
        && !e.closest('pre, figure, .formula, .table-wrapper')).slice(0, 2).map((e) => e.outerHTML.slice(0, 100))
      : null;
    const [small, cut] = [[], []];
    for (const text of document.querySelectorAll('main svg text')) {
      if (!text.checkVisibility()) continue;
      const matrix = text.getScreenCTM();
      const size = parseFloat(getComputedStyle(text).fontSize) * Math.hypot(matrix.a, matrix.b);
      if (size < 10.95) small.push(`${size.toFixed(1)} px: ${text.textContent.trim()}`);
      const [own, frame] = [text.getBoundingClientRect(), text.ownerSVGElement.getBoundingClientRect()];
      if (own.width && (own.left < frame.left - 2 || own.right > frame.right + 2)) cut.push(text.textContent.trim());
    }
    const moving = document.getAnimations().length > 0 || getComputedStyle(root).scrollBehavior === 'smooth';
    return { wide, small, cut, moving };
  });
  if (found.wide) fault(`${where}: the page is wider than the window: ${found.wide.join(' ')}`);
  for (const text of found.cut.slice(0, 3)) fault(`${where}: drawn text is cut off: ${text}`);
  if (found.moving) fault(`${where}: something moves although motion is reduced`);
  for (const text of found.small.slice(0, 3)) fault(`${where}: drawn text is too small, ${text}`);
}

// Asks axe about the page: about everything, or about the rules that another theme may break, or those that another width may.
// The contents are the same on every page and are asked about on one of each kind; so are, of the thousands of words in listings,
// those that look like one before them.
async function audit(page, where, path, part = 'everything') {
  if (!await page.evaluate(() => Boolean(window.axe))) await page.evaluate(axe);
  // Everything is opened first: what is folded is read as well.
  const { violations } = await page.evaluate(async ({ part, around }) => {
    for (const details of document.querySelectorAll('details')) details.open = true;
    for (const group of document.querySelectorAll('.quiz')) { const first = group.querySelector('input'); if (first) first.checked = true; }
    const looks = new Set();
    const alike = [...document.querySelectorAll('pre span')].filter((word) => {
      const [own, listing] = [getComputedStyle(word), getComputedStyle(word.closest('pre'))];
      const look = [own.color, own.backgroundColor, own.fontWeight, own.fontSize, listing.backgroundColor].join();
      return looks.has(look) || !looks.add(look);
    });
    for (const word of alike) word.style.visibility = 'hidden';
    const colours = ['color-contrast', 'link-in-text-block'];
    const options = {
      everything: { rules: { 'target-size': { enabled: true } } },
      colours: { runOnly: { type: 'rule', values: colours } },
      places: { rules: { 'target-size': { enabled: true }, ...Object.fromEntries(colours.map((rule) => [rule, { enabled: false }])) } },
    }[part];
    const found = await window.axe.run(around ? document : { exclude: ['#contents'] }, { resultTypes: ['violations'], ...options });
    for (const word of alike) word.style.visibility = '';
    return found;
  }, { part, around: kinds.includes(path) });
  audits += 1;
  for (const { id, impact, help, nodes } of violations) {
    if (impact === 'serious' || impact === 'critical') fault(`${where}: axe ${id}, ${help}: ${nodes[0].html.slice(0, 120)} (${nodes.length}) ${nodes[0].failureSummary.replace(/\s+/g, ' ').slice(0, 160)}`);
    else lesser.set(`${id} (${impact})`, (lesser.get(`${id} (${impact})`) || 0) + 1);
  }
  await page.evaluate(() => { for (const details of document.querySelectorAll('details:not(.stage)')) details.open = false; });
}

// A guess is made and committed to; the figure is then drawn by its module.
async function openSandboxes(page, where) {
  for (const box of await page.locator('.sandbox').all()) {
    if (await box.locator('.commit').isHidden()) continue;
    await box.locator('.guess label').first().click();
    await box.locator('.commit').click();
    await drawn(box, where);
  }
  // From the top again: what the bar covers after scrolling is no fault of the page.
  await page.evaluate(() => scrollTo(0, 0));
}

async function drawn(box, where) {
  await box.page().waitForFunction((box) => /drawn|trouble/.test(box.dataset.state), await box.elementHandle(), { timeout: 15000 }).catch(() => {});
  if (await box.getAttribute('data-state') === 'drawn') return;
  fault(`${where}: the figure ${await box.getAttribute('data-figure')} is not drawn: ${await box.locator('.trouble').textContent()}`);
}

function shown(box) {
  return box.evaluate((box) => [box.querySelector('svg').outerHTML, box.querySelector('figcaption').textContent]);
}

// With no hand on the mouse: guess, commit, choose a setting, move every control; the figure follows each time, and says so.
async function keyboard(page, where) {
  for (const box of await page.locator('.sandbox').all()) {
    const name = await box.getAttribute('data-figure');
    const at = `${where}: figure ${name}`;
    const press = (key) => page.keyboard.press(key);
    const focused = (selector) => page.evaluate((selector) => document.activeElement.matches(selector), selector);
    if (await box.locator('.controls').isVisible()) fault(`${at}: its controls are open before a guess`);
    if (/\bwaits\b/.test(await box.getAttribute('class')) && await box.locator('.live-figure').isVisible()) fault(`${at}: its picture is shown before a guess`);
    await box.locator('.guess input').first().focus();
    await press('Space');
    await press('Tab');
    if (!await focused('.commit')) fault(`${at}: after the guess, Tab does not lead to the button that commits to it`);
    await press('Enter');
    await drawn(box, at);
    if (!await focused('.presets button')) fault(`${at}: committing does not lead to the presets`);
    const settings = new Set();
    for (const preset of await box.locator('.presets button').all()) {
      await preset.focus();
      await press('Enter');
      await drawn(box, at);
      settings.add((await shown(box)).join());
      if (await preset.getAttribute('aria-pressed') !== 'true') fault(`${at}: the preset ${await preset.textContent()} is not marked when chosen`);
      if (!await box.locator('.story').textContent()) fault(`${at}: a preset tells no story`);
      await layout(page, `${at}, ${await preset.textContent()}`);
    }
    if (settings.size < await box.locator('.presets button').count()) fault(`${at}: two presets show the same`);
    // A control may be without effect in some setting, but not in all of them.
    for (const control of await box.locator('[data-key]').all()) {
      let moved = false;
      for (const preset of await box.locator('.presets button').all()) {
        await preset.focus();
        await press('Enter');
        await drawn(box, at);
        const before = (await shown(box)).join();
        await control.focus();
        for (const key of ['ArrowDown', 'ArrowUp', 'ArrowUp']) {
          await press(key);
          await drawn(box, at);
          moved = moved || (await shown(box)).join() !== before;
        }
        if (moved) break;
      }
      if (!moved) fault(`${at}: moving ${await control.getAttribute('data-key')} by keyboard changes nothing`);
    }
    const [, sentence] = await shown(box);
    await page.waitForFunction((sentence) => document.getElementById('announce').textContent === sentence, sentence, { timeout: 2000 })
      .catch(async () => fault(`${at}: the result is not announced: "${await page.locator('#announce').textContent()}"`));
    if (!page.url().includes(`figure=${name}`)) fault(`${at}: the state is not in the address`);
    for (const element of await box.locator('button:visible, select:visible, input[type=range]:visible, .guess:visible label').all()) {
      const size = await element.boundingBox();
      if (size && (size.width < 24 || size.height < 24)) fault(`${at}: a target of ${size.width.toFixed(0)} × ${size.height.toFixed(0)} px`);
    }
    await box.screenshot({ path: join(pictures, `sandbox-${name}.png`) });
  }
}

// Who is sent an address sees the same figure; where the module cannot be had, the picture stays and a sentence says so.
async function shared(page, where) {
  for (const box of await page.locator('.sandbox').all()) {
    const name = await box.getAttribute('data-figure');
    const at = `${where}: figure ${name}`;
    await box.locator('.presets button').last().click();
    await drawn(box, at);
    const address = new URL(await box.locator('.share').getAttribute('href'), page.url()).href;
    const other = await (await browser.newContext()).newPage();
    await other.goto(address);
    const theirs = other.locator('#figure-' + name);
    await drawn(theirs, at);
    if ((await shown(theirs)).join() !== (await shown(box)).join()) fault(`${at}: ${address} does not lead to the same figure`);
    await other.route('**/figures/*', (route) => route.abort());
    await other.goto(address.replace(/[?#].*/, ''));
    const before = await shown(theirs);
    await theirs.locator('.guess label').first().click();
    await theirs.locator('.commit').click();
    await theirs.locator('.trouble:not(:empty)').waitFor();
    if ((await shown(theirs)).join() !== before.join()) fault(`${at}: the picture does not stay when its module cannot be loaded`);
    await other.context().close();
  }
}

// No quiz gives its answer away before it is asked, and each choice is explained when it is taken: the first one by mouse.
async function quizzes(page, where) {
  const faults = await page.evaluate(() => {
    const found = [];
    const quizzes = [...document.querySelectorAll('.quiz')];
    if (quizzes.some((quiz) => [...quiz.querySelectorAll('.why')].some((why) => why.checkVisibility()))) found.push('a quiz gives its answer away');
    for (const choice of quizzes.flatMap((quiz) => [...quiz.querySelectorAll('.choice')]).reverse()) {
      choice.querySelector('label').click();
      if (!choice.querySelector('.why').checkVisibility()) found.push('choosing an answer does not explain it');
    }
    for (const again of document.querySelectorAll('.quiz .again')) again.click();
    return found;
  });
  for (const text of faults) fault(`${where}: ${text}`);
  const first = page.locator('.choice').first();
  if (await first.count()) {
    await first.locator('label').click();
    if (!await first.locator('.why').isVisible()) fault(`${where}: choosing an answer does not explain it`);
  }
  await page.evaluate(() => { document.activeElement.blur(); scrollTo(0, 0); });
}

// What stands around every page does what it says: keys, contents, theme, search.
async function behaviour(path) {
  const where = `${path} (wide-light)`;
  const context = await browser.newContext({ viewport: { width: 1400, height: 900 }, reducedMotion: 'reduce' });
  const page = await context.newPage();
  page.setDefaultTimeout(5000);
  page.on('pageerror', (error) => fault(`${where}: ${error.message}`));
  await page.goto(address + path);
  await page.keyboard.press('Tab');
  const first = await page.evaluate(() => document.activeElement.className);
  if (first !== 'skip') fault(`${where}: the first stop of the Tab key is not the skip link`);
  await page.evaluate(() => document.activeElement.blur());

  await page.click('#contents-toggle');
  const closed = await page.evaluate(() => [document.getElementById('contents-toggle').ariaExpanded, getComputedStyle(document.getElementById('contents')).display]);
  if (closed[0] !== 'false' || closed[1] !== 'none') fault(`${where}: the contents button does not close the contents`);
  await page.click('#contents-toggle');

  const paper = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = await paper();
  await page.click('#theme-toggle');
  await page.click('#theme-toggle');
  if (await paper() === light) fault(`${where}: the theme button does not reach the dark theme`);
  await page.click('#theme-toggle');

  await page.evaluate(() => document.activeElement.blur());
  await page.keyboard.press('/');
  await page.keyboard.type('consistent');
  const found = page.locator('#search-results a');
  await found.first().waitFor({ timeout: 5000 }).catch(() => fault(`${where}: a search for "consistent" finds nothing`));
  await page.keyboard.press('Escape');
  if (await page.locator('dialog[open]').count()) fault(`${where}: Escape does not close the search`);
  await context.close();
}

// Without a script the page still has its text, its contents and its quizzes.
async function withoutScript(page, where, width) {
  for (const box of await page.locator('.sandbox').all()) {
    const name = await box.getAttribute('data-figure');
    for (const part of ['svg.drawing', 'figcaption', '.question', '.answer summary']) {
      if (!await box.locator(part).first().isVisible()) fault(`${where}: figure ${name}: ${part} cannot be seen without a script`);
    }
    if (await box.locator('.controls').isVisible()) fault(`${where}: figure ${name}: controls are shown that do nothing without a script`);
  }
  if (!await page.locator('#contents a').first().isVisible()) fault(`${where}: the contents cannot be seen without a script`);
  if (width > 1000) {
    const quiz = page.locator('.choice').first();
    if (await quiz.count()) {
      await quiz.locator('label').click();
      if (!await quiz.locator('.why').isVisible()) fault(`${where}: a quiz does not answer without a script`);
    }
  }
  const dead = await page.locator('button:visible').count();
  if (dead) fault(`${where}: ${dead} buttons are shown that do nothing without a script`);
}

// The contents of a phone, by keyboard.
async function phoneDrawer() {
  const context = await browser.newContext({ viewport: { width: 360, height: 740 } });
  const page = await context.newPage();
  await page.goto(address + kinds.find((path) => kind(path).startsWith('section')));
  await page.keyboard.press('Tab');
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  const inside = await page.evaluate(() => document.getElementById('contents').contains(document.activeElement));
  if (!inside) fault('on a phone, opening the contents by keyboard does not lead into them');
  await page.screenshot({ path: join(pictures, 'contents-phone-light.png') });
  await page.keyboard.press('Escape');
  const back = await page.evaluate(() => document.activeElement.id);
  if (back !== 'contents-toggle') fault('on a phone, Escape does not lead from the contents back to their button');
  await context.close();
}
