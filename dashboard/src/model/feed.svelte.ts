// The server's stream, kept open, and what came of it.
import type { Client, News, Sample, Snapshot } from "./wire";

/** The server sends something every second. */
const SILENCE_MS = 5000;
const RETRY_MS = 2000;
/** As many samples as the server keeps. */
const MOST_SAMPLES = 1200;

export type Connection = "opening" | "live" | "lost";

export class Feed {
  connection = $state<Connection>("opening");
  /** The server's clock when it last spoke. */
  now = $state(0);
  /** Replaced at each event, never changed: what is drawn depends on the whole. */
  clients = $state.raw<ReadonlyMap<string, Client>>(new Map());
  history = $state.raw<readonly Sample[]>([]);

  #source: EventSource | undefined;
  #silence: ReturnType<typeof setTimeout> | undefined;
  #retry: ReturnType<typeof setTimeout> | undefined;

  open(): void {
    this.close();
    const source = new EventSource("events");
    this.#source = source;
    source.addEventListener("snapshot", (event) => this.#begin(JSON.parse(event.data) as Snapshot));
    source.addEventListener("news", (event) => this.#go(JSON.parse(event.data) as News));
    // A browser gives up for good after some errors, and waits long after others.
    source.addEventListener("error", () => this.#lose());
    this.#listen();
  }

  close(): void {
    this.#source?.close();
    clearTimeout(this.#silence);
    clearTimeout(this.#retry);
  }

  #begin(snapshot: Snapshot): void {
    this.clients = new Map(snapshot.clients.map((client) => [client.client, client]));
    this.history = snapshot.history;
    this.#heard(snapshot.now_ms);
  }

  #go(news: News): void {
    if (news.clients.length || news.gone.length) {
      const clients = new Map(this.clients);
      for (const name of news.gone) clients.delete(name);
      for (const client of news.clients) clients.set(client.client, client);
      this.clients = clients;
    }
    if (news.sample) this.history = [...this.history, news.sample].slice(-MOST_SAMPLES);
    this.#heard(news.now_ms);
  }

  #heard(now: number): void {
    this.now = now;
    this.connection = "live";
    this.#listen();
  }

  #listen(): void {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => this.#lose(), SILENCE_MS);
  }

  #lose(): void {
    this.close();
    this.connection = "lost";
    this.#retry = setTimeout(() => this.open(), RETRY_MS);
  }
}
