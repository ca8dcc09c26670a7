//! The cheapest download that looks at every byte: receive, BLAKE3, write, one after the other in one thread, no peers and no checks.
//! `make bench` sets it beside everything else: what a program needs above it is its own doing, and what it needs is the machine's.
//!
//! `bare_loop HOST:PORT PATH OUTPUT`: from an HTTP server, in pieces as large as the chunks that `share` would make.

use std::env;
use std::error::Error;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::FileExt;

use protocol::torrent::ChunkSize;

/// The head is read through this; what of the body comes with it is copied once more, which costs nothing.
const HEAD: usize = 1 << 10;

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = env::args().skip(1).collect();
    let [address, path, output] = words.as_slice() else {
        return Err("usage: bare_loop HOST:PORT PATH OUTPUT".into());
    };
    let mut stream = BufReader::with_capacity(HEAD, TcpStream::connect(address)?);
    write!(stream.get_ref(), "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let length = length_told(&mut stream)?;
    let mut chunk = vec![0; usize::try_from(ChunkSize::default_for(length).get())?];
    let (file, mut hash, mut at) = (File::create(output)?, blake3::Hasher::new(), 0);
    while at < length {
        let left = usize::try_from(length - at)?;
        let part = chunk.len().min(left);
        let part = &mut chunk[..part];
        stream.read_exact(part)?;
        // A chunk has a hash of its own; it goes into one of all of them, so that none is left out.
        hash.update(blake3::hash(part).as_bytes());
        file.write_all_at(part, at)?;
        at += part.len() as u64;
    }
    writeln!(io::stdout(), "{}", hash.finalize())?;
    Ok(())
}

/// Reads the head of an answer; how long its body is.
fn length_told(stream: &mut impl BufRead) -> Result<u64, Box<dyn Error>> {
    let (mut line, mut length) = (String::new(), None);
    stream.read_line(&mut line)?;
    if !line.starts_with("HTTP/1.1 200 ") {
        return Err(format!("not what was asked for: {line}").into());
    }
    loop {
        line.clear();
        if stream.read_line(&mut line)? == 0 {
            return Err("the answer ended in its head".into());
        }
        match line.split_once(':') {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                length = Some(value.trim().parse()?);
            }
            _ if line.trim().is_empty() => return length.ok_or_else(|| "no length was told".into()),
            _ => {}
        }
    }
}
