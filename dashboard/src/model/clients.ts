// What the page makes of its clients: sums, groups, order. Pure.
import { shareOf } from "./format";
import type { Client } from "./wire";

export type Group = "all" | "downloading" | "complete" | "trouble" | "gone";
export type Order = "state" | "progress" | "speed" | "name";

/** Bytes where they are known, else chunks. */
export function progress(client: Client): number {
  if (client.complete) return 1;
  const share =
    client.total_bytes > 0
      ? shareOf(client.downloaded_bytes, client.total_bytes)
      : shareOf(client.downloaded_chunks, client.total_chunks);
  // Everything is there and about to be put in its place.
  return Math.min(share, 0.999);
}

/** Seconds until it has all, at its present speed. */
export function remaining(client: Client): number | undefined {
  const missing = client.total_bytes - client.downloaded_bytes;
  if (client.status !== "live" || client.complete || missing <= 0 || client.down_bytes_per_s < 1) return undefined;
  return missing / client.down_bytes_per_s;
}

/** What somebody should look at, in words. */
export function trouble(client: Client): string | undefined {
  if (client.status === "silent") return "no report lately";
  if (client.status === "left") return undefined;
  if (client.waiting && !client.complete) return client.waiting;
  if (!client.tracker_status_up) return "tracker does not answer";
  return undefined;
}

export function isIn(client: Client, group: Group): boolean {
  switch (group) {
    case "all":
      return true;
    case "downloading":
      return client.status === "live" && !client.complete;
    case "complete":
      return client.complete;
    case "trouble":
      return trouble(client) !== undefined;
    case "gone":
      return client.status === "left";
  }
}

export function matches(client: Client, words: string): boolean {
  const wanted = words.trim().toLowerCase();
  if (!wanted) return true;
  return client.client.toLowerCase().includes(wanted) || client.torrents.some((t) => t.name.toLowerCase().includes(wanted));
}

/** `10.0.0.9:1` before `10.0.0.10:1`. */
const byText = new Intl.Collator("en", { numeric: true });
const byName = (a: Client, b: Client) => byText.compare(a.client, b.client);

/** Whoever is still at it first. It changes seldom, so that cards stay where the eye left them. */
function rank(client: Client): number {
  if (client.status === "silent") return 1;
  if (client.status === "left") return 3;
  return client.complete ? 2 : 0;
}

export function sorted(clients: Client[], order: Order): Client[] {
  const compare: Record<Order, (a: Client, b: Client) => number> = {
    state: (a, b) => rank(a) - rank(b),
    progress: (a, b) => progress(a) - progress(b),
    speed: (a, b) => b.down_bytes_per_s + b.up_bytes_per_s - (a.down_bytes_per_s + a.up_bytes_per_s),
    name: () => 0,
  };
  return [...clients].sort((a, b) => compare[order](a, b) || byName(a, b));
}

export interface Summary {
  /** Live ones. */
  clients: number;
  /** Those of them that hold all they want. */
  seeds: number;
  /** Downloads under way or finished, also of clients that left since; who brought the content does not count. */
  downloads: number;
  complete: number;
  /** Bytes of these downloads. */
  held: number;
  wanted: number;
  down: number;
  up: number;
  /** Whole copies that live clients hold together. */
  copies: number;
  /** Seconds until the last one has all, at present speeds; undefined when somebody stands still. */
  left: number | undefined;
}

export function summary(clients: Iterable<Client>): Summary {
  const sum: Summary = { clients: 0, seeds: 0, downloads: 0, complete: 0, held: 0, wanted: 0, down: 0, up: 0, copies: 0, left: 0 };
  for (const client of clients) {
    const live = client.status === "live";
    if (!client.brought && (live || (client.status === "left" && client.complete))) {
      sum.downloads += 1;
      sum.complete += client.complete ? 1 : 0;
      sum.held += Math.min(client.downloaded_bytes, client.total_bytes);
      sum.wanted += client.total_bytes;
    }
    if (!live) continue;
    sum.clients += 1;
    sum.seeds += client.complete ? 1 : 0;
    sum.down += client.down_bytes_per_s;
    sum.up += client.up_bytes_per_s;
    sum.copies += progress(client);
    if (!client.complete && sum.left !== undefined) {
      const left = remaining(client);
      sum.left = left === undefined ? undefined : Math.max(sum.left, left);
    }
  }
  return sum;
}

/** Names of the torrents that clients have, the most shared first. */
export function torrentNames(clients: Iterable<Client>): string[] {
  const names = new Map<string, { name: string; count: number }>();
  for (const client of clients) {
    for (const torrent of client.torrents) {
      const seen = names.get(torrent.id);
      names.set(torrent.id, { name: torrent.name, count: (seen?.count ?? 0) + 1 });
    }
  }
  return [...names.values()].sort((a, b) => b.count - a.count || byText.compare(a.name, b.name)).map((t) => t.name);
}
