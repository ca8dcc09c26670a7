#!/usr/bin/env python3
"""A tracker written from the mission's document alone, with the original's manners: tracker.py

HTTP/1.0, no Content-Length, one connection at a time, request bodies strictly by Content-Length; one unknown hash and
the whole request is answered 400. Prints `listening PORT`, then a line for each request it refuses."""
import http.server, json, random

holders = {}


class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self, status, body):
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body)

    def body(self):
        return json.loads(self.rfile.read(int(self.headers["Content-Length"])))

    def do_PUT(self):
        told = self.body()
        for name in told["hashes"]:
            holders.setdefault(name, set()).add((told["client_host"], told["client_port"]))
        self.answer(200, b"Ok")

    def do_POST(self):
        asked = self.body()
        if any(name not in holders for name in asked):
            print("refused", len(asked), flush=True)
            return self.answer(400, b"not tracked")
        assigned = {}
        for name in asked:
            assigned.setdefault(random.choice(sorted(holders[name])), []).append(name)
        entries = [{"client_host": host, "client_port": port, "hash_list": names} for (host, port), names in assigned.items()]
        self.answer(200, json.dumps(entries).encode())

    def log_message(self, *_):
        pass


server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
print("listening", server.server_port, flush=True)
server.serve_forever()
