//! Three hash functions to judge. All are in use somewhere; none is cryptographic.

/// A function from names to the 2⁶⁴ positions of a ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hash {
    /// XXH64, seed 0.
    Xxh64,
    /// CRC-32 as in zlib and Ethernet; its 32 bits are the upper half of the position.
    Crc32,
    /// FNV-1a with 64 bits.
    Fnv1a,
}

impl Hash {
    /// Where `name` lies on the ring.
    #[must_use]
    pub fn position(self, name: &str) -> u64 {
        match self {
            Self::Xxh64 => xxhash_rust::xxh64::xxh64(name.as_bytes(), 0),
            Self::Crc32 => u64::from(crc32(name.as_bytes())) << 32,
            Self::Fnv1a => name
                .bytes()
                .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)),
        }
    }
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 })
    })
}
