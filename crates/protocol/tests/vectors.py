#!/usr/bin/env python3
"""Prints vectors.json: what torrents, ids, bitmaps, frames and links look like byte for byte.

Written from docs/protocol.md with the standard library alone, its own BLAKE3 included, so that it shares no line with
the Rust code that tests/golden.rs compares with it. After a deliberate change of the wire format:

    python3 crates/protocol/tests/vectors.py > crates/protocol/tests/vectors.json
"""

import hashlib
import json
import struct

# --- BLAKE3 (https://github.com/BLAKE3-team/BLAKE3-specs), hash mode, 32 bytes of output

IV = (0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A, 0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19)
ORDER = (2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8)
LANES = ((0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15),
         (0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14))
CHUNK_START, CHUNK_END, PARENT, ROOT = 1, 2, 4, 8
MASK = 0xFFFFFFFF


def compress(chaining, words, counter, length, flags):
    s = [*chaining, *IV[:4], counter & MASK, counter >> 32, length, flags]
    for _ in range(7):
        for lane, (a, b, c, d) in enumerate(LANES):
            for word, right_d, right_b in ((words[2 * lane], 16, 12), (words[2 * lane + 1], 8, 7)):
                s[a] = (s[a] + s[b] + word) & MASK
                x = s[d] ^ s[a]
                s[d] = (x >> right_d | x << (32 - right_d)) & MASK
                s[c] = (s[c] + s[d]) & MASK
                x = s[b] ^ s[c]
                s[b] = (x >> right_b | x << (32 - right_b)) & MASK
        words = [words[at] for at in ORDER]
    return [s[at] ^ s[at + 8] for at in range(8)]


def leaf(data, counter, root):
    """The chaining value of one 1,024-byte leaf of the tree (BLAKE3's own word is chunk, ours means another thing)."""
    parts = [data[at:at + 64] for at in range(0, len(data), 64)] or [b""]
    value = list(IV)
    for at, part in enumerate(parts):
        last = at == len(parts) - 1
        flags = (CHUNK_START if at == 0 else 0) | (CHUNK_END if last else 0) | (ROOT if last and root else 0)
        value = compress(value, struct.unpack("<16I", part.ljust(64, b"\0")), counter, len(part), flags)
    return value


def tree(data, counter, root):
    leaves = -(-len(data) // 1024)
    if leaves <= 1:
        return leaf(data, counter, root)
    left = 1 << (leaves - 1).bit_length() - 1  # the largest power of two below the number of leaves
    words = tree(data[:left * 1024], counter, False) + tree(data[left * 1024:], counter + left, False)
    return compress(IV, words, 0, 64, PARENT | (ROOT if root else 0))


def blake3(data):
    return struct.pack("<8I", *tree(data, 0, True))


DIGEST = {
    "blake3": blake3,
    "sha256": lambda data: hashlib.sha256(data).digest(),
    "sha1": lambda data: hashlib.sha1(data).digest(),
}

# --- content by formula


def content(size, salt=0, repeat=None):
    """Byte i is (j*j + (j >> 8) + 3*(j >> 16) + salt) & 255, where j is i, or i modulo `repeat` where that is given."""
    positions = (i % repeat if repeat else i for i in range(size))
    return bytes((j * j + (j >> 8) + 3 * (j >> 16) + salt) & 255 for j in positions)


# --- torrents


def file(path, size, exec=False, salt=0, repeat=None):
    return {"path": path, "size": size, "exec": exec, "salt": salt, "repeat": repeat}


def canonical(value):
    """RFC 8785 for what stands in a torrent: objects with ASCII keys, lists, texts, whole numbers, booleans."""
    if isinstance(value, dict):
        return "{" + ",".join(canonical(key) + ":" + canonical(value[key]) for key in sorted(value)) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(canonical, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def torrent(label, algorithm, chunk_size, name, files, folder, tracker=""):
    digest = DIGEST[algorithm]
    hashes, described_files, id_files, whole = [], [], [], b""
    for one in files:
        data = content(one["size"], one["salt"], one["repeat"])
        own = [digest(data[at:at + chunk_size]) for at in range(0, len(data), chunk_size)]
        described_files.append({"path": one["path"], "size": len(data), "exec": one["exec"],
                                "firstChunk": len(hashes), "chunkCount": len(own)})
        id_files.append({"chunks": [h.hex() for h in own], "exec": one["exec"],
                         "path": one["path"].split("/"), "size": len(data)})
        hashes += own
        whole += data
    named = {"chunkSize": chunk_size, "files": id_files, "hash": algorithm, "name": name}
    if folder and [one["path"] for one in files] == [name]:
        named["folder"] = True
    text = canonical(named)
    torrent_id = blake3(b"http-torrent 1\n" + text.encode()).hex()
    written = {
        "fileName": name,
        "chunkSize": chunk_size,
        "trackerUrl": tracker,
        "fileHash": digest(whole if algorithm == "sha1" else b"".join(hashes)).hex(),
        "fileSize": len(whole),
        "hashAlgorithm": algorithm,
    }
    if folder:
        written["files"] = described_files
    elif files[0]["exec"]:
        written["exec"] = True
    written["chunks"] = [{"orderNumber": at, "hash": h.hex()} for at, h in enumerate(hashes)]
    return {
        "label": label, "algorithm": algorithm, "chunkSize": chunk_size, "name": name, "folder": folder,
        "tracker": tracker, "files": files, "canonical": text, "id": torrent_id,
        "dhtKey": hashlib.sha1(torrent_id.encode()).hexdigest(),
        "json": json.dumps(written, ensure_ascii=False, separators=(",", ":")) + "\n",
    }


def single(label, algorithm, chunk_size, size, name="example.bin", tracker="localhost:5000", **more):
    return torrent(label, algorithm, chunk_size, name, [file(name, size, **more)], False, tracker)


def torrents():
    for algorithm in ("blake3", "sha256", "sha1"):
        yield single(f"{algorithm}: no byte", algorithm, 65536, 0)
        yield single(f"{algorithm}: one byte", algorithm, 65536, 1)
        yield single(f"{algorithm}: exactly three chunks", algorithm, 1000, 3000)
        yield single(f"{algorithm}: three chunks and a tail", algorithm, 1000, 3001)
        yield single(f"{algorithm}: equal chunks", algorithm, 1000, 4500, repeat=1000)
    yield single("chunks of a size we make", "blake3", 65536, 200_000)
    yield single("an executable file", "blake3", 1000, 1500, name="tool", exec=True)
    yield single("no tracker", "blake3", 1000, 1500, tracker="")
    yield single("a tracker behind a path", "blake3", 1000, 1500, tracker="https://site.example/p2p")
    yield single("a tracker with an IPv6 address", "blake3", 1000, 1500, tracker="[::1]:5000")
    yield single("a name to escape", "blake3", 1000, 10, name="a \"b\"\t\n\b\f\r\x01\x1f\x7f\u2028é 文件 🦀")
    nested = [
        file("a-b", 10, salt=1), file("a/b/c", 2500, salt=2), file("a/d", 0), file("a0", 1000, exec=True, salt=3),
        file("empty", 0), file("z", 1, salt=4), file("é", 1, salt=5), file("～", 1, salt=6), file("🦀", 1, salt=7),
    ]
    assert nested == sorted(nested, key=lambda one: one["path"].encode())
    for algorithm in ("blake3", "sha1"):
        yield torrent(f"{algorithm}: a folder, paths in the order of their bytes", algorithm, 1000, "photos", nested,
                      True, "localhost:5000")
    twins = [file("one", 1500, repeat=500), file("two", 1500, repeat=500)]
    yield torrent("a folder with equal files", "blake3", 500, "pair", twins, True)
    small = [file("album/cover.txt", 5), file("run.sh", 0, exec=True)]
    yield torrent("the folder in docs/protocol.md", "blake3", 65536, "music", small, True, "10.0.0.1:5000")
    yield torrent("a folder of empty files", "blake3", 65536, "hollow", [file("a", 0), file("b", 0)], True)
    yield torrent("a folder with nothing in it", "blake3", 65536, "void", [], True)
    yield torrent("a folder whose only file has the folder's name", "blake3", 1000, "x", [file("x", 5)], True)
    yield single("the same file without the folder", "blake3", 1000, 5, name="x", tracker="")
    yield torrent("the same name, deeper", "blake3", 1000, "x", [file("x/x", 5)], True)


# --- chunk sizes, bitmaps, frames, links


def default_chunk_size(size):
    if size >= 256 << 30:
        return 4 << 20
    powers = [64 << 10 << at for at in range(5)]
    # Nearest in distance; a tie goes to the larger.
    return min(powers, key=lambda power: (abs(power * 1024 - size), -power))


def described_chunk_size(size):
    chunk = 1 << max(16384, min(size // 100, 4194304)).bit_length() - 1
    if -(-size // chunk) > 1000:
        chunk = 16384
        while chunk * 1000 < size:
            chunk *= 2
    return min(chunk, 16 << 20)


SIZES = [0, 1, 16384, 16385, 10**6, 10**7, 98303 << 10, (96 << 20) - 1, 96 << 20, 100 << 20, 192 << 20, (384 << 20) - 1,
         384 << 20, 399 << 20, 400 << 20, 512 << 20, 768 << 20, 1 << 30, 4 << 30, 10 << 30, 15 << 30, 100 << 30,
         (256 << 30) - 1, 256 << 30, 1 << 40]


def bitmap(length, chunks):
    bits = "".join("1" if at in chunks else "0" for at in range(length))
    bits = bits.ljust(-(-length // 8) * 8, "0")
    return {"chunks": length, "held": sorted(chunks),
            "hex": "".join(f"{int(bits[at:at + 8], 2):02x}" for at in range(0, len(bits), 8))}


def bitmaps():
    for length in (0, 1, 7, 8, 9, 63, 64, 65, 130):
        yield bitmap(length, set())
        yield bitmap(length, set(range(length)))
        yield bitmap(length, {at for at in range(length) if at * at % 7 == 1})


def frames():
    for position, length in ((0, 0), (0, 1), (1, 65536), (1023, 16 << 20), (0x01020304, 0x05060708)):
        yield {"position": position, "length": length, "hex": struct.pack(">II", position, length).hex()}


def links():
    torrent_id = blake3(b"link").hex()
    for tracker, more, dht, secret in (
        ("http://10.0.0.1:5000", [], [], None),
        ("http://tracker.example", [], [], None),
        ("https://site.example/p2p", ["10.0.0.2:5000", "https://b.example/x"], ["[::1]:8468"], "s3cret"),
        ("http://[::1]:5000", [], ["10.0.0.3:8468", "node.example:1"], None),
    ):
        extras = [f"tr={one}" for one in more] + [f"dht={one}" for one in dht]
        text = f"{tracker}/torrent/{torrent_id}" + ("?" + "&".join(extras) if extras else "")
        yield {"tracker": tracker, "id": torrent_id, "tr": more, "dht": dht, "secret": secret,
               "text": text + (f"#{secret}" if secret else "")}


LENGTHS = [0, 1, 63, 64, 65, 127, 128, 1023, 1024, 1025, 2048, 2049, 3072, 4096, 5000, 8193, 31744, 65536, 100_000]

vectors = {
    "content": content.__doc__,
    "hashes": [{"size": size, **{name: digest(content(size)).hex() for name, digest in DIGEST.items()}}
               for size in LENGTHS],
    "torrents": list(torrents()),
    "chunkSizes": [{"size": size, "default": default_chunk_size(size), "described": described_chunk_size(size)}
                   for size in SIZES],
    "bitmaps": list(bitmaps()),
    "frames": list(frames()),
    "links": list(links()),
}
assert blake3(b"abc").hex() == "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85"
print(json.dumps(vectors, ensure_ascii=False, indent=1))
