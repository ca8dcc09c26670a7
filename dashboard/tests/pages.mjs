// Opens our pages in a real Chromium, as a person would, and looks at what it shows, runs and loads. Started by
// crates/cli/tests/browser.rs with one JSON argument: { page, link, name, file, seed, downloads, chromium }.
//
// Says "open" when it is time to start the downloads, "watching" when the metrics server may be ended, and ends with 0
// when all is as it should be.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { chromium } from "playwright-core";

const { page: pageUrl, link, name, file, seed, downloads, chromium: executablePath } = JSON.parse(process.argv[2]);
/** Longest wait for anything: a browser's first page alone has taken two minutes on a machine that was compiling. */
const DEADLINE_MS = 300_000;

const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-dev-shm-usage"] });
try {
  await theMetricsPage();
  await theLinkPage();
  await aLostConnection();
} finally {
  await browser.close();
}

/** A page of its own, with everything noted that no page of ours may do. */
async function opened(options = {}) {
  const context = await browser.newContext({ acceptDownloads: true, ...options });
  context.setDefaultTimeout(DEADLINE_MS);
  const page = await context.newPage();
  const noted = { requests: [], wrong: [] };
  page.on("request", (request) => noted.requests.push(request.url()));
  page.on("pageerror", (error) => noted.wrong.push(`error: ${error.message}`));
  page.on("dialog", (dialog) => {
    noted.wrong.push(`dialog: ${dialog.message()}`);
    return dialog.dismiss();
  });
  // Chromium says there what the policy has refused.
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) noted.wrong.push(`console: ${message.text()}`);
  });
  return { page, noted };
}

/** Nothing ran that came as text, and nothing was asked of anybody else. */
async function isHarmless({ page, noted }, origin) {
  assert.deepEqual(noted.wrong, []);
  assert.equal(await page.evaluate(() => globalThis.ran), undefined, "text was run");
  assert.equal(await page.locator("img").count(), 0, "text became an element");
  assert.ok(noted.requests.length > 0);
  for (const request of noted.requests) assert.equal(new URL(request).origin, origin, `a38: ${request}`);
}

function card(page, client) {
  return page.locator(`[data-client="${client}"]`);
}

async function theMetricsPage() {
  const watched = await opened({ viewport: { width: 1280, height: 900 } });
  const { page } = watched;
  await page.goto(pageUrl);

  // The one that shares is there first.
  await card(page, seed).getByText("Seed", { exact: true }).waitFor();
  assert.equal(await page.locator("h1").innerText(), name, "a26");
  await page.evaluate(() => {
    // Every text that this figure has had, for each client: noted in the page, which misses none.
    globalThis.downloaded = {};
    const look = () => {
      for (const element of document.querySelectorAll("[data-client]")) {
        const text = element.querySelector("[data-figure=downloaded]")?.textContent;
        (globalThis.downloaded[element.dataset.client] ??= new Set()).add(text);
      }
    };
    new MutationObserver(look).observe(document.body, { subtree: true, childList: true, characterData: true });
  });
  console.log("open");

  // A card for each running client, without reloading.
  const cards = page.locator("[data-client]");
  await until(async () => (await cards.count()) === downloads + 1, "a card for each client");
  const names = await cards.evaluateAll((elements) => elements.map((element) => element.dataset.client));
  const clients = names.filter((client) => client !== seed);
  const first = await card(page, clients[0]).innerText();
  for (const text of ["Downloaded", "Uploaded", "Ratio", "Total size", "Tracker reachable", "DHT o"]) {
    assert.ok(first.includes(text), `${text} in ${first}`);
  }

  // Until all is there, also of a client that has left since; and the figures moved on the way.
  for (const client of clients) {
    const progress = card(page, client).locator("[data-figure=progress]");
    await until(async () => (await progress.innerText()) === "100 %", `${client} is complete`);
    await card(page, client).getByText("Left, complete").waitFor();
    const texts = await page.evaluate((client) => [...globalThis.downloaded[client]], client);
    assert.ok(texts.length > 2, `figures that do not move: ${texts}`);
  }
  assert.equal(await page.locator("[data-figure=complete]").innerText(), String(downloads));
  assert.equal(await page.locator("[data-figure=held]").innerText(), "100 %");

  // By keyboard: as a table, and only those that match.
  await page.getByRole("button", { name: "table" }).press("Enter");
  await page.getByRole("rowheader", { name: seed }).waitFor();
  assert.equal(await page.getByRole("row").count(), downloads + 2);
  await page.getByRole("searchbox").fill(clients[0]);
  await until(async () => (await page.getByRole("row").count()) === 2, "the search finds one");
  for (const bar of await page.getByRole("progressbar").all()) {
    assert.ok(await bar.getAttribute("aria-label"), "a bar that nobody can name");
  }

  await isHarmless(watched, new URL(pageUrl).origin);
  await page.close();
}

async function theLinkPage() {
  const watched = await opened();
  const { page } = watched;
  await page.goto(link);
  assert.equal(await page.locator("h1").innerText(), name, "a26");
  await isHarmless(watched, new URL(link).origin);
  const [download] = await Promise.all([page.waitForEvent("download"), page.locator("a[download]").click()]);
  assert.equal(await download.failure(), null);
  assert.ok((await readFile(await download.path())).equals(await readFile(file)), "the download is the file");
  await page.close();
}

async function aLostConnection() {
  const { page } = await opened({ viewport: { width: 390, height: 844 }, colorScheme: "dark" });
  await page.goto(pageUrl);
  await card(page, seed).waitFor();
  await page.getByRole("status").getByText("Live").waitFor();
  const width = await page.evaluate(() => document.documentElement.scrollWidth);
  assert.ok(width <= 390, `a phone would scroll sideways: ${width}`);
  console.log("watching");
  await page.getByRole("status").getByText("Connection lost").waitFor();
  assert.equal(await card(page, seed).count(), 1, "what was known is still shown");
  await page.close();
}

async function until(condition, what) {
  const deadline = Date.now() + DEADLINE_MS;
  while (!(await condition())) {
    assert.ok(Date.now() < deadline, `never came true: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
