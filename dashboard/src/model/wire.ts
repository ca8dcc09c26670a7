// What the server sends (crates/metrics/src/view.rs).

export type Status = "live" | "silent" | "left";

export interface Torrent {
  id: string;
  name: string;
  bytes: number;
  total: number;
}

export interface Client {
  /** `host:port`, unique. */
  client: string;
  status: Status;
  first_ms: number;
  last_ms: number;
  downloaded_chunks: number;
  uploaded_chunks: number;
  total_chunks: number;
  chunk_size: number;
  dht_peers: number;
  dht_enabled: boolean;
  tracker_status_up: boolean;
  downloaded_bytes: number;
  uploaded_bytes: number;
  total_bytes: number;
  down_bytes_per_s: number;
  up_bytes_per_s: number;
  complete: boolean;
  /** It held everything from the start, and downloads nothing. */
  brought: boolean;
  peer?: string;
  peers?: number;
  version?: string;
  waiting?: string;
  torrents: Torrent[];
}

/** At (ms), live clients, complete downloads, received and sent bytes a second, bytes downloaded, bytes of all downloads. */
export type Sample = [number, number, number, number, number, number, number];

export interface Snapshot {
  now_ms: number;
  clients: Client[];
  history: Sample[];
}

export interface News {
  now_ms: number;
  clients: Client[];
  gone: string[];
  sample?: Sample;
}
