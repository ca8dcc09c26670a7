//! The file that is shared: made from a seed, so that a copy is compared with what it must be and not with another file.

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::Path;

use scenario::OutputFile;

/// Bytes made and compared at a time.
const STEP: usize = 16 << 10;

/// Endless bytes in which no two chunks are equal (xorshift64*).
struct Stream(u64);

impl Stream {
    fn new(seed: u64) -> Self {
        Stream(seed.wrapping_mul(2).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    fn fill(&mut self, bytes: &mut [u8; STEP]) {
        for word in bytes.chunks_exact_mut(8) {
            self.0 ^= self.0 >> 12;
            self.0 ^= self.0 << 25;
            self.0 ^= self.0 >> 27;
            word.copy_from_slice(&self.0.wrapping_mul(0x2545_f491_4f6c_dd1d).to_le_bytes());
        }
    }
}

/// Writes the file. Blocks.
pub(crate) fn write(path: &Path, seed: u64, size: u64) -> io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    let (mut stream, mut bytes) = (Stream::new(seed), [0; STEP]);
    let mut left = size;
    while left > 0 {
        stream.fill(&mut bytes);
        let length = usize::try_from(left).unwrap_or(STEP).min(STEP);
        file.write_all(&bytes[..length])?;
        left -= length as u64;
    }
    file.flush()
}

/// Compares a file with what it must be, every byte. Blocks.
pub(crate) fn compare(path: &Path, seed: u64, size: u64) -> OutputFile {
    match File::open(path).and_then(|file| compared(file, seed, size)) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => OutputFile::Missing,
        Err(error) => OutputFile::Unreadable(error.to_string()),
    }
}

fn compared(mut file: File, seed: u64, size: u64) -> io::Result<OutputFile> {
    let bytes = file.metadata()?.len();
    if bytes != size {
        return Ok(OutputFile::Length { bytes });
    }
    let (mut stream, mut expected, mut found) = (Stream::new(seed), [0; STEP], [0; STEP]);
    let mut at = 0;
    while at < size {
        stream.fill(&mut expected);
        let length = usize::try_from(size - at).unwrap_or(STEP).min(STEP);
        file.read_exact(&mut found[..length])?;
        if let Some(wrong) = (0..length).find(|&byte| found[byte] != expected[byte]) {
            return Ok(OutputFile::Differs { at: at + wrong as u64 });
        }
        at += length as u64;
    }
    Ok(OutputFile::Same)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn one_wrong_byte_is_found_wherever_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        let size = 3 * STEP as u64 + 7;
        assert_eq!(compare(&path, 1, size), OutputFile::Missing);
        write(&path, 1, size).unwrap();
        assert_eq!(compare(&path, 1, size), OutputFile::Same);
        assert_eq!(compare(&path, 1, size - 1), OutputFile::Length { bytes: size });
        assert!(matches!(compare(&path, 2, size), OutputFile::Differs { .. }));
        let whole = fs::read(&path).unwrap();
        for at in [0, STEP, 2 * STEP - 1, whole.len() - 1] {
            let mut wrong = whole.clone();
            wrong[at] ^= 1;
            fs::write(&path, wrong).unwrap();
            assert_eq!(compare(&path, 1, size), OutputFile::Differs { at: at as u64 });
        }
    }
}
