//! What stands in every file: entries, each with its checksum.

/// What precedes key and value: checksum (4 bytes), length of the key (4), length of the value (4), the lowest byte first.
pub const HEADER: usize = 12;

/// The length that says that there is no value: a tombstone.
pub const NO_VALUE: u32 = u32::MAX;

/// A key, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Any bytes.
    pub key: Vec<u8>,
    /// Any bytes; nothing if the key was deleted. Such an entry is a *tombstone*.
    pub value: Option<Vec<u8>>,
}

impl Entry {
    /// The entry as it stands in a file. The checksum is that of all its other bytes.
    ///
    /// # Panics
    /// If key or value have 4 GiB or more.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let length =
            |bytes: &[u8]| u32::try_from(bytes.len()).ok().filter(|&n| n != NO_VALUE).expect("less than 4 GiB");
        let value = self.value.as_deref();
        let mut bytes = vec![0; 4];
        bytes.extend(length(&self.key).to_le_bytes());
        bytes.extend(value.map_or(NO_VALUE, length).to_le_bytes());
        bytes.extend(&self.key);
        bytes.extend(value.unwrap_or_default());
        let checksum = checksum(&bytes[4..]);
        bytes[..4].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }
}

/// The entry at the beginning of `bytes`, and how many bytes it takes. Nothing if no whole, unharmed entry stands there, whatever stands there instead.
#[must_use]
pub fn decode(bytes: &[u8]) -> Option<(Entry, usize)> {
    todo!("read an entry from {} bytes", bytes.len())
}

/// CRC-32, the one of zip and Ethernet.
#[must_use]
pub fn checksum(bytes: &[u8]) -> u32 {
    const TABLE: [u32; 256] = {
        let mut table = [0; 256];
        let mut i = 0;
        while i < 256 {
            let mut crc = i as u32;
            let mut bit = 0;
            while bit < 8 {
                crc = if crc & 1 == 1 { 0xedb8_8320 ^ (crc >> 1) } else { crc >> 1 };
                bit += 1;
            }
            table[i] = crc;
            i += 1;
        }
        table
    };
    !bytes.iter().fold(!0, |crc, &byte| TABLE[((crc ^ u32::from(byte)) & 0xff) as usize] ^ (crc >> 8))
}
