// player.mjs CHROMIUM RUN PICTURES
// Plays the kit's picture of a failing run, the file RUN, as readers do: by mouse, by keyboard alone, without a script.
// Prints one JSON object a line: {"fault": "…"} for each fault, {"done": "…"} at the end.
import { createRequire } from 'node:module';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { chromium } from 'playwright-core';

const [executablePath, run, pictures] = process.argv.slice(2);
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const address = pathToFileURL(run).href;
const say = (message) => console.log(JSON.stringify(message));
let asked = 0;
const expect = (holds, what) => { asked += 1; if (!holds) say({ fault: what }); };

const profile = mkdtempSync(join(tmpdir(), 'book-player-'));
const browser = await chromium.launch({
  executablePath,
  args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync', `--crash-dumps-dir=${profile}`],
});

async function open(options, place = '') {
  const context = await browser.newContext({ viewport: { width: 1200, height: 900 }, reducedMotion: 'reduce', ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(5000);
  page.on('pageerror', (error) => say({ fault: error.message }));
  page.on('request', (request) => { if (!/^(file|data):/.test(request.url())) say({ fault: `it asks for ${request.url()}` }); });
  await page.goto(address + place);
  return page;
}
const count = (page) => page.locator('.tp-count').textContent();
const said = (page) => page.locator('.tp-say').textContent();
const drawn = (page) => page.locator('.tp-step').evaluateAll((groups) => groups.filter((group) => group.style.visibility !== 'hidden').length);

async function mouse() {
  const page = await open({});
  const [, steps] = (await count(page)).match(/of (\d+)/).map(Number);
  expect((await said(page)).includes('Broken law'), 'a run with a broken law does not open where it broke');
  await page.click('[aria-label="First step"]');
  expect(await count(page) === `1 of ${steps}` && await drawn(page) === 1, 'at the first step more than one step is drawn');
  await page.click('[aria-label="Step on"]');
  expect(await count(page) === `2 of ${steps}` && await drawn(page) === 2, 'a step on does not show the second step');
  await page.click('[aria-label="Step back"]');
  expect(await count(page) === `1 of ${steps}`, 'a step back does not lead back');
  await page.click('[aria-label="Last step"]');
  expect(await drawn(page) === steps, 'at the last step not all is drawn');
  await page.locator('.tp input[type=range]').fill('3');
  expect(await count(page) === `3 of ${steps}`, 'the slider does not scrub');
  const state = await page.locator('.tp-lane').first().locator('.tp-state').textContent();
  await page.click('.tp-law');
  expect((await said(page)).includes('Broken law'), 'the button does not lead to the broken law');
  expect(await page.locator('.tp-lane').first().locator('.tp-state').textContent() !== state, 'the state of a lifeline is the same at every step');

  await page.locator('.tp-lane input').last().uncheck();
  const [, left] = (await count(page)).match(/of (\d+)/).map(Number);
  expect(left < steps, 'hiding a lifeline hides no step');
  await page.waitForFunction(() => location.hash.includes('hide='));
  const shared = page.url();
  const other = await page.context().newPage();
  await other.goto(shared);
  expect(await count(other) === await count(page) && await said(other) === await said(page), 'a shared address shows another place');

  await page.locator('.tp-lane input').last().check();
  await page.click('[aria-label="First step"]');
  await page.click('[aria-label="Play"]');
  await page.waitForFunction(() => /^3 of/.test(document.querySelector('.tp-count').textContent));
  await page.click('[aria-label="Pause"]');
  const paused = await count(page);
  await page.waitForTimeout(1500);
  expect(await count(page) === paused, 'a paused player goes on');
  await page.context().close();
}

async function keyboard() {
  const page = await open({ colorScheme: 'dark' });
  const stops = [];
  for (let i = 0; i < 14; i += 1) {
    await page.keyboard.press('Tab');
    stops.push(await page.evaluate(() => {
      const focused = document.activeElement;
      const style = getComputedStyle(focused);
      return { what: focused.ariaLabel || focused.textContent.trim() || focused.parentElement.textContent.trim(), seen: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2 };
    }));
  }
  for (const wanted of ['First step', 'Step back', 'Play', 'Step on', 'Last step', 'Step', '✕ Broken law', 'Copy link']) {
    const stop = stops.find(({ what }) => what === wanted);
    expect(stop, `the Tab key does not stop at "${wanted}"`);
    expect(!stop || stop.seen, `the focus cannot be seen on "${wanted}"`);
  }
  await page.focus('[aria-label="Step on"]'); // the last stop has uses of its own for these keys
  await page.keyboard.press('Home');
  const first = await said(page);
  expect((await count(page)).startsWith('1 of'), 'Home does not lead to the first step');
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('ArrowRight');
  expect((await count(page)).startsWith('3 of') && await said(page) !== first, 'the right arrow does not step on');
  await page.waitForFunction(() => document.querySelector('.tp-live').textContent.startsWith('Step 3 of'));
  await page.keyboard.press('ArrowLeft');
  expect((await count(page)).startsWith('2 of'), 'the left arrow does not step back');
  await page.keyboard.press('b');
  expect((await said(page)).includes('Broken law'), 'B does not lead to the broken law');
  await page.locator('.tp input[type=range]').focus();
  await page.keyboard.press('ArrowLeft');
  const [at, steps] = (await count(page)).match(/\d+/g).map(Number);
  expect(at === steps - 1, `on the slider an arrow moves by more or less than one step (${at} of ${steps})`);
  await page.locator('.tp-lane input').first().focus();
  await page.keyboard.press(' ');
  expect(!await page.locator('.tp-lane input').first().isChecked(), 'the space bar does not hide a lifeline');
  await page.context().close();
}

async function looks() {
  for (const width of [360, 1400]) {
    for (const colorScheme of ['light', 'dark']) {
      const page = await open({ viewport: { width, height: 900 }, colorScheme });
      const found = await page.evaluate(() => {
        const root = document.documentElement;
        const small = [...document.querySelectorAll('.tp-svg text')].filter((text) => parseFloat(getComputedStyle(text).fontSize) * text.getScreenCTM().a < 10.95);
        const tiny = [...document.querySelectorAll('.tp button, .tp input')].filter((target) => {
          const box = (target.closest('label') || target).getBoundingClientRect();
          return target.checkVisibility() && (box.width < 24 || box.height < 24);
        });
        return { wide: root.scrollWidth > root.clientWidth, small: small.length, tiny: tiny.length };
      });
      const where = `at ${width} px, ${colorScheme}`;
      expect(!found.wide, `${where}: the page is wider than the window`);
      expect(!found.small, `${where}: ${found.small} texts are too small`);
      expect(!found.tiny, `${where}: ${found.tiny} targets are smaller than 24 px`);
      await page.evaluate(axe);
      const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }));
      const bad = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical');
      expect(!bad.length, `${where}: axe ${bad.map(({ id, nodes }) => `${id} ${nodes[0].html.slice(0, 100)}`).join('; ')}`);
      await page.screenshot({ path: join(pictures, `run-${width}-${colorScheme}.png`), fullPage: true });
      await page.context().close();
    }
  }
}

async function withoutScript() {
  const page = await open({ javaScriptEnabled: false });
  expect(await page.locator('.whole svg').isVisible(), 'without a script there is no diagram');
  expect(await page.locator('.verdict').isVisible(), 'without a script there is no verdict');
  expect(await page.locator('button:visible').count() === 0, 'without a script there are buttons that do nothing');
  await page.context().close();
}

for (const part of [mouse, keyboard, looks, withoutScript]) {
  try { await part(); } catch (error) { say({ fault: `${part.name}: ${error.message.split('\n')[0]}` }); }
}
await browser.close();
rmSync(profile, { recursive: true, force: true });
say({ done: `${asked} questions` });
