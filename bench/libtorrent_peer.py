"""A BitTorrent peer of libtorrent's own making: `libtorrent_peer.py seed|leech|lie TORRENT FOLDER ADDRESS:PORT`.

Its settings are the library's. What is set keeps it on its address and silent towards everybody but the tracker and its peers,
and on TCP, as all others here: uTP gives way to other traffic on purpose, and is slower.

A leecher says `is-complete` once everything is verified and written, and goes on serving. Who lies claims to have everything and
serves whatever is in its file.

Where all peers have one address (127.0.0.1) it must be told that they are not one peer: by itself it keeps one connection to an
address.
"""
import ipaddress
import sys

import libtorrent as lt

WAIT_MS = 1000


def main():
    what, torrent, folder, listen = sys.argv[1:]
    session = lt.session({
        "listen_interfaces": listen, "outgoing_interfaces": listen.rpartition(":")[0],
        "enable_dht": False, "enable_lsd": False, "enable_upnp": False, "enable_natpmp": False,
        "allow_multiple_connections_per_ip": ipaddress.ip_address(listen.rpartition(":")[0]).is_loopback,
        "enable_incoming_utp": False, "enable_outgoing_utp": False,
        "alert_mask": lt.alert.category_t.status_notification | lt.alert.category_t.error_notification
        | lt.alert.category_t.storage_notification,
        "disable_hash_checks": what == "lie"})
    wanted = lt.add_torrent_params()
    wanted.ti, wanted.save_path = lt.torrent_info(torrent), folder
    wanted.flags &= ~lt.torrent_flags.auto_managed & ~lt.torrent_flags.paused
    if what != "leech":
        wanted.flags |= lt.torrent_flags.seed_mode
    handle = session.add_torrent(wanted)
    while True:
        session.wait_for_alert(WAIT_MS)
        for alert in session.pop_alerts():
            if isinstance(alert, lt.torrent_finished_alert):
                handle.flush_cache()    # it is finished with its newest data still in memory
            elif isinstance(alert, lt.cache_flushed_alert) and what == "leech" and handle.status().is_seeding:
                print("is-complete", flush=True)
            elif alert.category() & lt.alert.category_t.error_notification:
                print(alert.message(), file=sys.stderr, flush=True)


main()
