"""A node of libtorrent's DHT on loopback, told over stdin what to announce and to find.

Usage: libtorrent_dht.py WAY_IN. Then, a task each: `find N` or `announce N`, followed by N lines `KEY PORT`.
"""

import sys
import time

import libtorrent as lt

SETTINGS = {
    "listen_interfaces": "127.0.0.1:0",
    "enable_dht": True,
    "enable_lsd": False,
    "enable_upnp": False,
    "enable_natpmp": False,
    "dht_bootstrap_nodes": "",
    # One machine is a whole network here.
    "dht_restrict_routing_ips": False,
    "dht_restrict_search_ips": False,
    "allow_multiple_connections_per_ip": True,
    "dht_prefer_verified_node_ids": False,
    "dht_enforce_node_id": False,
    "dht_ignore_dark_internet": False,
    "dht_block_ratelimit": 1_000_000,
    "dht_upload_rate_limit": 1_000_000,
    "alert_mask": lt.alert.category_t.all_categories,
    "alert_queue_size": 100_000,
}
# The longest a task may take, in seconds.
PATIENCE = 100
# Look-ups at a time, and how long each is waited for before it is tried again, in seconds.
AT_ONCE = 8
LOOK_UP = 3


def say(text):
    print(text, flush=True)


def known_nodes(session):
    session.post_dht_stats()
    until = time.monotonic() + 1
    while time.monotonic() < until:
        session.wait_for_alert(100)
        for alert in session.pop_alerts():
            if isinstance(alert, lt.dht_stats_alert):
                return sum(bucket["num_nodes"] for bucket in alert.routing_table)
    return 0


def read_tasks(count):
    lines = (sys.stdin.readline().split() for _ in range(count))
    return {lt.sha1_hash(bytes.fromhex(key)): int(port) for key, port in lines}


def find(session, tasks):
    """Looks every key up, a few at a time: a flood would be taken for one. Again while it is not found."""
    waiting, asked, found = list(tasks), {}, 0
    until = time.monotonic() + PATIENCE
    while found < len(tasks) and time.monotonic() < until:
        now = time.monotonic()
        for key in [key for key, since in asked.items() if now - since > LOOK_UP]:
            del asked[key]
            waiting.append(key)
        while waiting and len(asked) < AT_ONCE:
            key = waiting.pop(0)
            asked[key] = now
            session.dht_get_peers(key)
        session.wait_for_alert(100)
        for alert in session.pop_alerts():
            if isinstance(alert, lt.dht_get_peers_reply_alert):
                peers = {(peer[0], peer[1]) for peer in alert.peers()}
                key = alert.info_hash
                if key in asked and ("127.0.0.1", tasks[key]) in peers:
                    del asked[key]
                    found += 1
    say(f"found {found} of {len(tasks)}")


def announce(session, tasks):
    """Thirty a second: faster, and the other nodes take it for a flood."""
    for number, (key, port) in enumerate(tasks.items()):
        session.dht_announce(key, port, 0)
        if number % 3 == 2:
            time.sleep(0.1)
            session.pop_alerts()
    say(f"announced {len(tasks)}")


def main():
    session = lt.session(SETTINGS)
    until = time.monotonic() + PATIENCE
    while session.listen_port() == 0 and time.monotonic() < until:
        session.wait_for_alert(100)
        session.pop_alerts()
    say(f"listening {session.listen_port()}")
    host, port = sys.argv[1].rsplit(":", 1)
    session.add_dht_node((host, int(port)))
    while known_nodes(session) < 3:
        if time.monotonic() > until:
            raise SystemExit("no node of the network answers")
        session.add_dht_node((host, int(port)))
    say("joined")
    for line in sys.stdin:
        verb, count = line.split()
        {"find": find, "announce": announce}[verb](session, read_tasks(int(count)))


main()
