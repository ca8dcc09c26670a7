//! How large a torrent's chunks are: the limits, and the defaults that fix golden ids.

/// Bytes of a whole chunk: 1 byte to 16 MiB. Ours are powers of two from 16 KiB; others' may be anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChunkSize(u32);

/// A size out of bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadChunkSize {
    /// Not within what any torrent may have.
    #[error("chunkSize must be from 1 to 16777216 bytes")]
    OutOfBounds,
    /// Not what `--chunk-size` may ask for.
    #[error("a chunk size is a power of two from 16K to 16M")]
    NotOffered,
}

impl ChunkSize {
    /// Largest chunk: it is held whole in memory while it is verified.
    pub const MAX: u32 = 16 << 20;
    /// Smallest chunk that we make.
    pub const SMALLEST_MADE: u32 = 16 << 10;

    /// A size that a torrent.json may name.
    pub fn new(bytes: u64) -> Result<Self, BadChunkSize> {
        match u32::try_from(bytes) {
            Ok(bytes @ 1..=Self::MAX) => Ok(ChunkSize(bytes)),
            _ => Err(BadChunkSize::OutOfBounds),
        }
    }

    /// A size that `--chunk-size` may name.
    pub fn chosen(bytes: u64) -> Result<Self, BadChunkSize> {
        match Self::new(bytes) {
            Ok(size) if size.0.is_power_of_two() && size.0 >= Self::SMALLEST_MADE => Ok(size),
            _ => Err(BadChunkSize::NotOffered),
        }
    }

    /// The bytes.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// The default for blake3 and sha256: the power of two nearest size/1024, within 64 KiB and 1 MiB; 4 MiB from
    /// 256 GiB up. (A tie goes to the larger.)
    pub const fn default_for(size: u64) -> Self {
        if size >= 256 << 30 {
            return ChunkSize(4 << 20);
        }
        let mut bytes: u32 = 64 << 10;
        // size/1024 ≥ 1.5 × bytes: nearer to the next power of two.
        while bytes < 1 << 20 && size >= bytes as u64 * 1536 {
            bytes *= 2;
        }
        ChunkSize(bytes)
    }

    /// The described programs' size: max(16384, min(size/100, 4194304)) floored to a power of two; if that gives
    /// over 1,000 chunks, the next power of two ≥ size/1000.
    pub const fn described_for(size: u64) -> Self {
        let hundredth = size / 100;
        let mut bytes: u64 = 16 << 10;
        while bytes * 2 <= hundredth && bytes < 4 << 20 {
            bytes *= 2;
        }
        while size.div_ceil(bytes) > 1000 && bytes < Self::MAX as u64 {
            bytes *= 2;
        }
        #[expect(clippy::cast_possible_truncation, reason = "at most 16 MiB")]
        ChunkSize(bytes as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_described_programs_vectors() {
        let mib = 1u64 << 20;
        for (size, chunk, count) in [
            (0, 16384, 0),
            (1, 16384, 1),
            (1_000_000, 16384, 62),
            (100 * mib, 1_048_576, 100),
            (399 * mib, 2_097_152, 200),
            (400 * mib, 4_194_304, 100),
            (1024 * mib, 4_194_304, 256),
            (4096 * mib, 8_388_608, 512),
            (10240 * mib, 16_777_216, 640),
        ] {
            let size_of_chunk = ChunkSize::described_for(size).get();
            assert_eq!((size_of_chunk, size.div_ceil(u64::from(size_of_chunk))), (chunk, count), "{size}");
        }
    }

    #[test]
    fn the_default_is_the_power_of_two_nearest_a_1024th() {
        let (kib, mib, gib) = (1u64 << 10, 1u64 << 20, 1u64 << 30);
        for (size, chunk) in [
            (0, 64 * kib),
            (96 * mib - 1, 64 * kib),
            (96 * mib, 128 * kib),
            (512 * mib, 512 * kib),
            (gib, mib),
            (100 * gib, mib),
            (256 * gib, 4 * mib),
        ] {
            assert_eq!(u64::from(ChunkSize::default_for(size).get()), chunk, "{size}");
        }
    }

    #[test]
    fn sizes_out_of_bounds_are_refused() {
        assert!(
            ChunkSize::new(0).is_err()
                && ChunkSize::new(1 << 63).is_err()
                && ChunkSize::new((16 << 20) + 1).is_err()
        );
        assert!(
            ChunkSize::chosen(1000).is_err()
                && ChunkSize::chosen(8192).is_err()
                && ChunkSize::chosen(65536).is_ok()
        );
    }
}
