#!/usr/bin/env python3
"""A client written from the mission's document alone: client.py TORRENT_JSON DIR [has_file] [slowly]

HTTP/1.0, no Content-Length, one connection at a time, as the original. Prints `listening PORT`, then `complete`.
`slowly`: announces a chunk at a time, so that a tracker knows only some of them for a while."""
import base64, hashlib, http.client, http.server, json, sys, threading, time
from pathlib import Path

torrent = json.loads(Path(sys.argv[1]).read_text())
path = Path(sys.argv[2]) / torrent["fileName"]
order = [chunk["hash"] for chunk in sorted(torrent["chunks"], key=lambda chunk: chunk["orderNumber"])]
size, held = torrent["chunkSize"], {}


class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self, status, body):
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.answer(200, b"pong") if self.path == "/ping" else self.answer(404, b"")

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path != "/chunk" or any(name not in held for name in asked):
            return self.answer(400, b"not here")
        self.answer(200, json.dumps([{"hash": name, "content": base64.b64encode(held[name]).decode()} for name in asked]).encode())

    def log_message(self, *_):
        pass


def ask(method, address, body):
    connection = http.client.HTTPConnection(*address, timeout=10)
    connection.request(method, "/chunk", json.dumps(body), {"Content-Type": "application/json"})
    response = connection.getresponse()
    return response.status, response.read()


def announce(names):
    status, answer = ask("PUT", tracker, {"client_host": "127.0.0.1", "client_port": server.server_port, "hashes": names})
    assert (status, answer) == (200, b"Ok"), (status, answer)


def fetch_from(entry):
    try:
        status, answer = ask("POST", (entry["client_host"], int(entry["client_port"])), entry["hash_list"])
    except OSError:
        return  # gone; the tracker names another
    for chunk in json.loads(answer) if status == 200 else []:
        content = base64.b64decode(chunk["content"])
        if hashlib.sha1(content).hexdigest() == chunk["hash"]:
            held[chunk["hash"]] = content
            announce([chunk["hash"]])


host, port = torrent["trackerUrl"].split(":")
tracker = (host, int(port))
server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
if "has_file" in sys.argv:
    content = path.read_bytes()
    held = {name: content[at * size:(at + 1) * size] for at, name in enumerate(order)}
threading.Thread(target=server.serve_forever, daemon=True).start()
print("listening", server.server_port, flush=True)
for part in [[name] for name in held] if "slowly" in sys.argv else [list(held)]:
    announce(part)
    time.sleep(0.1 if "slowly" in sys.argv else 0)
while missing := [name for name in dict.fromkeys(order) if name not in held]:
    status, answer = ask("POST", tracker, missing[:8])
    for entry in json.loads(answer) if status == 200 else []:
        fetch_from(entry)
    time.sleep(0.05)
path.write_bytes(b"".join(held[name] for name in order))
assert hashlib.sha1(path.read_bytes()).hexdigest() == torrent["fileHash"]
print("complete", flush=True)
threading.Event().wait()
