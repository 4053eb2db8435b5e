// check.mjs ADDRESS CHROMIUM PICTURES PAGE…
// Looks at every page as readers do and prints one JSON object a line: {"fault": "…"} for each fault, {"done": "…"} at the end.
import { createRequire } from 'node:module';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { readers } from './readers.mjs';

const [address, executablePath, pictures, ...pages] = process.argv.slice(2);
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const say = (message) => console.log(JSON.stringify(message));
const seen = new Set();
const fault = (text) => { if (!seen.has(text)) { seen.add(text); say({ fault: text }); } };

const profile = mkdtempSync(join(tmpdir(), 'book-browser-'));
const browser = await chromium.launch({
  executablePath,
  args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync', `--crash-dumps-dir=${profile}`],
});

// A page of every kind has its picture taken.
const kind = (page) => page === '404.html' ? 'wrong-address'
  : page === 'index.html' ? 'front'
  : /^\d+-[^/]+\/index\.html$/.test(page) ? 'chapter'
  : /^\d+-[^/]+\/.+\.html$/.test(page) ? 'section-' + page.replace(/^\d+-[^/]+\//, '').replace('.html', '')
  : page.replace(/\.html$/, '').replaceAll('/', '-');
const pictured = new Set();
const views = [
  { name: 'wide-light', width: 1400, scheme: 'light' },
  { name: 'wide-dark', width: 1400, scheme: 'dark' },
  { name: 'phone-light', width: 360, scheme: 'light' },
  // Colours are those of wide-dark and places those of phone-light: looked at, but not audited again.
  { name: 'phone-dark', width: 360, scheme: 'dark', audit: false },
  { name: 'wide-no-js', width: 1400, scheme: 'light', script: false },
  { name: 'phone-no-js', width: 360, scheme: 'light', script: false },
];
let looks = 0;
let audits = 0;
const lesser = new Map();

for (const view of views) {
  const script = view.script !== false;
  const context = await browser.newContext({
    viewport: { width: view.width, height: 900 },
    colorScheme: view.scheme,
    javaScriptEnabled: script,
    reducedMotion: 'reduce',
  });
  for (const path of pages) {
    const page = await context.newPage();
    page.setDefaultTimeout(5000);
    const where = `${path} (${view.name})`;
    let touched = false;
    page.on('request', (request) => {
      if (!touched && request.url().includes('/figures/')) fault(`${where}: asks for ${request.url()} before anything was touched`);
      if (!request.url().startsWith(address) && !request.url().startsWith('data:')) fault(`${where}: asks for ${request.url()}`);
    });
    page.on('pageerror', (error) => fault(`${where}: ${error.message}`));
    page.on('console', (message) => { if (message.type() === 'error' && path !== '404.html') fault(`${where}: ${message.text()}`); });
    try {
      await page.goto(address + path);
      looks += 1;
      await layout(page, where);
      touched = true;
      if (view.name === 'wide-light') await keyboard(page, where);
      if (script && view.audit !== false) await openSandboxes(page, where);
      if (script && view.audit !== false) await audit(page, where);
      if (!pictured.has(kind(path) + view.name)) {
        pictured.add(kind(path) + view.name);
        await page.screenshot({ path: join(pictures, `${kind(path)}-${view.name}.png`), fullPage: true, timeout: 30000 });
      }
      if (view.name === 'wide-light') {
        await behaviour(page, where);
        await shared(page, where);
      }
      if (view.name === 'phone-light') await layout(page, where + ', sandboxes open');
      if (!script) await withoutScript(page, where, view);
    } catch (error) {
      fault(`${where}: ${error.message.split('\n')[0]}`);
    }
    await page.close();
  }
  await context.close();
}
const others = await readers({ browser, address, pages, kind, fault });
await phoneDrawer();
await browser.close();
rmSync(profile, { recursive: true, force: true });
for (const [rule, count] of lesser) console.log(`note: axe ${rule} (${count} times, less than serious)`);
say({ done: `${looks} looks at ${pages.length} pages, ${audits} axe audits, ${others}, ${pictured.size} pictures` });

// Nothing wider than the window; no drawn text below 11 px.
async function layout(page, where) {
  const found = await page.evaluate(() => {
    const root = document.documentElement;
    const wide = root.scrollWidth > root.clientWidth
      ? [...document.querySelectorAll('main *')].filter((e) => e.getBoundingClientRect().right > root.clientWidth + 1
        && !e.closest('pre, figure, .formula, .table-wrapper')).slice(0, 2).map((e) => e.outerHTML.slice(0, 100))
      : null;
    const small = [];
    for (const text of document.querySelectorAll('main svg text')) {
      const matrix = text.getScreenCTM();
      const size = parseFloat(getComputedStyle(text).fontSize) * Math.hypot(matrix.a, matrix.b);
      if (size < 10.95) small.push(`${size.toFixed(1)} px: ${text.textContent.trim()}`);
    }
    return { wide, small };
  });
  if (found.wide) fault(`${where}: the page is wider than the window: ${found.wide.join(' ')}`);
  for (const text of found.small.slice(0, 3)) fault(`${where}: drawn text is too small, ${text}`);
}

async function audit(page, where) {
  await page.evaluate(axe);
  // Everything is opened first: what is folded is read as well.
  const { violations } = await page.evaluate(async () => {
    for (const details of document.querySelectorAll('details')) details.open = true;
    for (const group of document.querySelectorAll('.quiz')) { const first = group.querySelector('input'); if (first) first.checked = true; }
    return await window.axe.run(document, { resultTypes: ['violations'], rules: { 'target-size': { enabled: true } } });
  });
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
  const name = await box.getAttribute('data-figure');
  const deadline = Date.now() + 15000;
  while (await box.getAttribute('data-state') !== 'drawn') {
    const trouble = await box.locator('.trouble').textContent();
    if (trouble || Date.now() > deadline) return fault(`${where}: the figure ${name} is not drawn: ${trouble}`);
    await box.page().waitForTimeout(20);
  }
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
    await page.waitForTimeout(700);
    const said = await page.locator('#announce').textContent();
    if (said !== (await shown(box))[1]) fault(`${at}: the result is not announced: "${said}"`);
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
    const other = await (await page.context().browser().newContext()).newPage();
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

// Keyboard, theme, contents, search and quiz do what they say.
async function behaviour(page, where) {
  await page.reload();
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

  for (const quiz of await page.locator('.quiz').all()) {
    const choice = quiz.locator('.choice').first();
    if (await choice.locator('.why').isVisible()) fault(`${where}: a quiz gives its answer away`);
    await choice.locator('label').click();
    if (!await choice.locator('.why').isVisible()) fault(`${where}: choosing an answer does not explain it`);
  }
}

// Without a script the page still has its text, its contents and its quizzes.
async function withoutScript(page, where, view) {
  for (const box of await page.locator('.sandbox').all()) {
    const name = await box.getAttribute('data-figure');
    for (const part of ['svg.drawing', 'figcaption', '.question', '.answer summary']) {
      if (!await box.locator(part).first().isVisible()) fault(`${where}: figure ${name}: ${part} cannot be seen without a script`);
    }
    if (await box.locator('.controls').isVisible()) fault(`${where}: figure ${name}: controls are shown that do nothing without a script`);
  }
  if (!await page.locator('#contents a').first().isVisible()) fault(`${where}: the contents cannot be seen without a script`);
  if (view.width > 1000) {
    const quiz = page.locator('.choice').first();
    if (await quiz.count()) {
      await quiz.locator('label').click();
      if (!await quiz.locator('.why').isVisible()) fault(`${where}: a quiz does not answer without a script`);
    }
  }
  const dead = await page.locator('button:visible').count();
  if (dead) fault(`${where}: ${dead} buttons are shown that do nothing without a script`);
}

async function phoneDrawer() {
  const context = await browser.newContext({ viewport: { width: 360, height: 740 } });
  const page = await context.newPage();
  await page.goto(address + pages.find((path) => kind(path).startsWith('section')) || '');
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
