// The page's arithmetic: what it says of numbers and of clients. Run by `npm test` in dashboard/ (part of `make dashboard`).
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { createServer } from "vite";

const vite = await createServer({ configFile: false, logLevel: "error", appType: "custom", server: { middlewareMode: true, ws: false } });
after(() => vite.close());
const format = await vite.ssrLoadModule("/src/model/format.ts");
const model = await vite.ssrLoadModule("/src/model/clients.ts");

function client(more) {
  return {
    client: "10.0.0.1:8000", status: "live", first_ms: 0, last_ms: 0, downloaded_chunks: 0, uploaded_chunks: 0, total_chunks: 10,
    chunk_size: 100, dht_peers: 0, dht_enabled: false, tracker_status_up: true, downloaded_bytes: 0, uploaded_bytes: 0,
    total_bytes: 1000, down_bytes_per_s: 0, up_bytes_per_s: 0, complete: false, brought: false, torrents: [], ...more,
  };
}

test("sizes have three digits, as the program prints them", () => {
  const said = [0, 1023, 1024, 10_240, 1_048_575, 734_003_200, 2 ** 53].map(format.bytes);
  assert.deepEqual(said, ["0 B", "1023 B", "1.00 KiB", "10.0 KiB", "1.00 MiB", "700 MiB", "8.00 PiB"]);
});

test("a percentage is 100 only at the end and 0 only at the start, whatever a client claims", () => {
  const said = [[0, 5], [1, 100_000], [1, 2], [99_999, 100_000], [5, 5], [7, 5], [-1, 5], [1, 0]].map(([part, whole]) => format.percent(part, whole));
  assert.deepEqual(said, ["0 %", "0.1 %", "50 %", "99 %", "100 %", "100 %", "0 %", "0 %"]);
});

test("durations have at most two units", () => {
  const said = [-1, 0.4, 59.6, 61, 600, 3540, 3600, 3661, 90_000, 200_000].map(format.duration);
  assert.deepEqual(said, ["0 s", "0 s", "1 min", "1 min 1 s", "10 min", "59 min", "1 h", "1 h 1 min", "1 day", "2 days"]);
});

test("a client without bytes yet has no ratio to be proud of, and no infinity", () => {
  assert.deepEqual([format.ratio(0, 0), format.ratio(5, 0), format.ratio(1, 2), format.ratio(1e9, 1)], ["0.00", "∞", "0.50", "> 1000"]);
});

test("all chunks are not complete before they are in their place", () => {
  assert.ok(model.progress(client({ downloaded_bytes: 1000 })) < 1);
  assert.equal(model.progress(client({ complete: true })), 1);
  assert.equal(model.progress(client({ total_bytes: 0, downloaded_chunks: 5 })), 0.5);
});

test("the sum counts downloads to their end, and neither who brought the content nor who gave up", () => {
  const sum = model.summary([
    client({ brought: true, complete: true, downloaded_bytes: 1000, up_bytes_per_s: 9 }),
    client({ downloaded_bytes: 500, down_bytes_per_s: 50 }),
    client({ status: "left", complete: true, downloaded_bytes: 1000 }),
    client({ status: "left", downloaded_bytes: 1 }),
    client({ status: "silent", downloaded_bytes: 1 }),
  ]);
  assert.deepEqual(sum, { clients: 2, seeds: 1, downloads: 2, complete: 1, held: 1500, wanted: 2000, down: 50, up: 9, copies: 1.5, left: 10 });
  assert.equal(model.summary([client({ downloaded_bytes: 1 })]).left, undefined, "who stands still has no end");
});

test("whoever is still at it comes first, and addresses are sorted as numbers", () => {
  const names = (order) =>
    model.sorted([
      client({ client: "10.0.0.10:1", downloaded_bytes: 1 }), client({ client: "10.0.0.9:1", downloaded_bytes: 2 }),
      client({ client: "a:1", complete: true, up_bytes_per_s: 5 }), client({ client: "b:1", status: "left" }), client({ client: "c:1", status: "silent" }),
    ], order).map((one) => one.client);
  assert.deepEqual(names("state"), ["10.0.0.9:1", "10.0.0.10:1", "c:1", "a:1", "b:1"]);
  assert.equal(names("speed")[0], "a:1");
  assert.equal(names("progress").at(-1), "a:1");
});

test("trouble is said in words, and only while it matters", () => {
  assert.equal(model.trouble(client({})), undefined);
  assert.equal(model.trouble(client({ tracker_status_up: false })), "tracker does not answer");
  assert.equal(model.trouble(client({ waiting: "nobody has chunk 7" })), "nobody has chunk 7");
  assert.equal(model.trouble(client({ waiting: "x", complete: true })), undefined);
  assert.equal(model.trouble(client({ status: "silent" })), "no report lately");
  assert.equal(model.trouble(client({ status: "left", tracker_status_up: false })), undefined);
});
