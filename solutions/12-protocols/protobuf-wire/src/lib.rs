//! Protocol Buffers on the wire: numbers, records, a message, and which changes of its schema old readers survive.

use std::collections::BTreeMap;

/// Why bytes are not a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// They end in the middle of a record, or of a packed element.
    Truncated,
    /// A varint goes on after ten bytes, or its value has more than 64 bits.
    Varint,
    /// No field can have this number: 0, or more than [`FieldNumber::MAX`].
    FieldNumber(u64),
    /// This wire type does not exist (6 and 7), or belongs to groups (3 and 4), which are deprecated and refused here.
    WireType(u8),
    /// The text in this field is not UTF-8.
    Utf8(FieldNumber),
}

// ANCHOR: varint
/// Appends `value` as a varint: seven bits a byte, the lowest first; all bytes but the last have their highest bit set.
/// Takes as few bytes as possible, from one to ten.
pub fn write_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
// ANCHOR_END: varint

/// The varint that `bytes` begin with, and the bytes behind it. A form that is longer than it need be is a form
/// of the same number, up to ten bytes.
///
/// # Errors
/// [`Malformed::Truncated`] if the bytes end before the number does; [`Malformed::Varint`] if the tenth byte does not end
/// it, or has bits that 64 bits have no place for.
pub fn read_varint(bytes: &[u8]) -> Result<(u64, &[u8]), Malformed> {
    let mut value = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        // Nine bytes hold 63 bits: the tenth has room for one, and none may follow.
        if at == 9 && byte > 1 {
            return Err(Malformed::Varint);
        }
        value |= u64::from(byte & 0x7f) << (7 * at);
        if byte < 0x80 {
            return Ok((value, &bytes[at + 1..]));
        }
    }
    Err(Malformed::Truncated)
}
/// Maps numbers close to zero to small ones, whatever their sign: 0, −1, 1, −2 become 0, 1, 2, 3.
#[must_use]
pub fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

/// The number whose [`zigzag`] is `value`.
#[must_use]
pub fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

/// A field's number in its schema: from 1 to [`FieldNumber::MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FieldNumber(u32);

impl FieldNumber {
    /// 2²⁹ − 1: a tag of 32 bits, without the three for the wire type.
    pub const MAX: u32 = (1 << 29) - 1;

    /// Nothing for 0 and for more than [`FieldNumber::MAX`].
    #[must_use]
    pub const fn new(number: u32) -> Option<Self> {
        if number == 0 || number > Self::MAX { None } else { Some(Self(number)) }
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }
}

/// What a record carries. The wire type tells how long it is, not what it means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payload {
    /// Wire type 0: a varint.
    Varint(u64),
    /// Wire type 1: eight bytes, little-endian.
    I64(u64),
    /// Wire type 2: a varint with the number of bytes, then the bytes. Text, messages and packed numbers.
    Len(Vec<u8>),
    /// Wire type 5: four bytes, little-endian.
    I32(u32),
}

/// One field of a message, as it stands on the wire: the tag `number << 3 | wire type`, as a varint, then the payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Which field.
    pub number: FieldNumber,
    /// Its value, not yet interpreted.
    pub payload: Payload,
}

impl Record {
    /// Appends the record.
    pub fn write(&self, out: &mut Vec<u8>) {
        write_field(self.number.0, &self.payload, out);
    }
}

fn write_field(number: u32, payload: &Payload, out: &mut Vec<u8>) {
    let tag = |wire_type: u64| u64::from(number) << 3 | wire_type;
    match payload {
        Payload::Varint(value) => {
            write_varint(tag(0), out);
            write_varint(*value, out);
        }
        Payload::I64(value) => {
            write_varint(tag(1), out);
            out.extend(value.to_le_bytes());
        }
        Payload::Len(bytes) => {
            write_varint(tag(2), out);
            write_varint(bytes.len() as u64, out);
            out.extend(bytes);
        }
        Payload::I32(value) => {
            write_varint(tag(5), out);
            out.extend(value.to_le_bytes());
        }
    }
}

/// All records of a message, in their order.
///
/// # Errors
/// The first reason why `bytes` are not a sequence of records. A length is believed only as far as there are bytes.
pub fn records(mut bytes: &[u8]) -> Result<Vec<Record>, Malformed> {
    let mut records = vec![];
    while !bytes.is_empty() {
        let record;
        (record, bytes) = read_record(bytes)?;
        records.push(record);
    }
    Ok(records)
}

fn read_record(bytes: &[u8]) -> Result<(Record, &[u8]), Malformed> {
    let (tag, rest) = read_varint(bytes)?;
    let number = u32::try_from(tag >> 3).ok().and_then(FieldNumber::new).ok_or(Malformed::FieldNumber(tag >> 3))?;
    let (payload, rest) = match tag as u8 & 7 {
        0 => {
            let (value, rest) = read_varint(rest)?;
            (Payload::Varint(value), rest)
        }
        1 => {
            let (value, rest) = rest.split_first_chunk().ok_or(Malformed::Truncated)?;
            (Payload::I64(u64::from_le_bytes(*value)), rest)
        }
        2 => {
            let (length, rest) = read_varint(rest)?;
            let length = usize::try_from(length).map_err(|_| Malformed::Truncated)?;
            let (value, rest) = rest.split_at_checked(length).ok_or(Malformed::Truncated)?;
            (Payload::Len(value.to_vec()), rest)
        }
        5 => {
            let (value, rest) = rest.split_first_chunk().ok_or(Malformed::Truncated)?;
            (Payload::I32(u32::from_le_bytes(*value)), rest)
        }
        other => return Err(Malformed::WireType(other)),
    };
    Ok((Record { number, payload }, rest))
}

/// Where a parcel goes.
///
/// ```proto
/// message Stop {
///   int32  zone   = 1;
///   string street = 2;
/// }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stop {
    /// The carrier's number for the district.
    pub zone: i32,
    /// Street and house.
    pub street: String,
    /// What this schema has no field for, in the order of arrival.
    pub unknown: Vec<Record>,
}

impl Stop {
    /// As [`Parcel::encode`].
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![];
        if self.zone != 0 {
            write_field(1, &int32(self.zone), &mut out);
        }
        if !self.street.is_empty() {
            write_field(2, &Payload::Len(self.street.clone().into()), &mut out);
        }
        self.unknown.iter().for_each(|record| record.write(&mut out));
        out
    }

    /// As [`Parcel::decode`].
    ///
    /// # Errors
    /// As [`Parcel::decode`].
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut stop = Self::default();
        stop.merge(bytes)?;
        Ok(stop)
    }

    fn merge(&mut self, bytes: &[u8]) -> Result<(), Malformed> {
        for Record { number, payload } in records(bytes)? {
            match (number.0, payload) {
                (1, Payload::Varint(zone)) => self.zone = zone as i32,
                (2, Payload::Len(street)) => self.street = text(number, street)?,
                (_, payload) => self.unknown.push(Record { number, payload }),
            }
        }
        Ok(())
    }
}

/// What the carrier knows of a parcel.
///
/// ```proto
/// syntax = "proto3";
/// message Parcel {
///   int32           pieces   = 1;
///   string          label    = 2;
///   Stop            to       = 3;
///   sint64          drift_ms = 4;
///   fixed32         checksum = 5;
///   repeated uint32 scans    = 6;  // packed
///   fixed64         sent_us  = 7;
///   repeated Stop   via      = 8;
/// }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parcel {
    /// How many pieces; a correction may be negative. An `int32`: a varint of the number's 64-bit two's complement.
    pub pieces: i32,
    /// What is printed on it.
    pub label: String,
    /// Its destination. A message, so it can be absent.
    pub to: Option<Stop>,
    /// How far the scanner's clock is off, in milliseconds. A `sint64`: the varint of its [`zigzag`].
    pub drift_ms: i64,
    /// CRC-32 of the label. A `fixed32`, four bytes.
    pub checksum: u32,
    /// Which scanners have seen it, in order. Written packed.
    pub scans: Vec<u32>,
    /// When it was sent, in microseconds since 1970. A `fixed64`, eight bytes.
    pub sent_us: u64,
    /// Stops on its way, in order.
    pub via: Vec<Stop>,
    /// What this schema has no field for, in the order of arrival.
    pub unknown: Vec<Record>,
}

impl Parcel {
    /// The message: known fields by their numbers, then the unknown ones in their order. What has its default (0, empty,
    /// absent) is not written.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![];
        if self.pieces != 0 {
            write_field(1, &int32(self.pieces), &mut out);
        }
        if !self.label.is_empty() {
            write_field(2, &Payload::Len(self.label.clone().into()), &mut out);
        }
        if let Some(to) = &self.to {
            write_field(3, &Payload::Len(to.encode()), &mut out);
        }
        if self.drift_ms != 0 {
            write_field(4, &Payload::Varint(zigzag(self.drift_ms)), &mut out);
        }
        if self.checksum != 0 {
            write_field(5, &Payload::I32(self.checksum), &mut out);
        }
        if !self.scans.is_empty() {
            let mut packed = vec![];
            self.scans.iter().for_each(|&scan| write_varint(u64::from(scan), &mut packed));
            write_field(6, &Payload::Len(packed), &mut out);
        }
        if self.sent_us != 0 {
            write_field(7, &Payload::I64(self.sent_us), &mut out);
        }
        self.via.iter().for_each(|stop| write_field(8, &Payload::Len(stop.encode()), &mut out));
        self.unknown.iter().for_each(|record| record.write(&mut out));
        out
    }

    /// The parcel in `bytes`, by a writer of any version.
    ///
    /// Fields may come in any order, and more than once: a scalar or text replaces what came before, a message is merged into
    /// it, repeated fields go on. Repeated numbers may come packed, one by one, or both. A number that an `int32` or
    /// `uint32` has no room for is cut to its low 32 bits. What has no field here, or a field of another wire type, is kept
    /// as it is, in messages within messages too.
    ///
    /// # Errors
    /// [`Malformed`], with a reason.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut parcel = Self::default();
        for Record { number, payload } in records(bytes)? {
            parcel.take(number, payload)?;
        }
        Ok(parcel)
    }

    fn take(&mut self, number: FieldNumber, payload: Payload) -> Result<(), Malformed> {
        match (number.0, payload) {
            (1, Payload::Varint(pieces)) => self.pieces = pieces as i32,
            (2, Payload::Len(label)) => self.label = text(number, label)?,
            (3, Payload::Len(stop)) => self.to.get_or_insert_default().merge(&stop)?,
            (4, Payload::Varint(drift)) => self.drift_ms = unzigzag(drift),
            (5, Payload::I32(checksum)) => self.checksum = checksum,
            (6, Payload::Varint(scan)) => self.scans.push(scan as u32),
            (6, Payload::Len(packed)) => {
                let mut rest = &packed[..];
                while !rest.is_empty() {
                    let scan;
                    (scan, rest) = read_varint(rest)?;
                    self.scans.push(scan as u32);
                }
            }
            (7, Payload::I64(sent)) => self.sent_us = sent,
            (8, Payload::Len(stop)) => self.via.push(Stop::decode(&stop)?),
            (_, payload) => self.unknown.push(Record { number, payload }),
        }
        Ok(())
    }
}

/// Sign-extended to 64 bits, so that a reader who takes it for an `int64` reads the same number.
fn int32(value: i32) -> Payload {
    Payload::Varint(i64::from(value) as u64)
}

fn text(number: FieldNumber, bytes: Vec<u8>) -> Result<String, Malformed> {
    String::from_utf8(bytes).map_err(|_| Malformed::Utf8(number))
}

/// The type of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "named as in the language")]
pub enum Kind {
    Int32,
    Int64,
    Uint32,
    Uint64,
    Bool,
    Sint32,
    Sint64,
    Fixed32,
    Sfixed32,
    Float,
    Fixed64,
    Sfixed64,
    Double,
    String,
}

/// What a schema says of a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// It is this field.
    Field {
        /// What programs call it. It does not occur on the wire.
        name: String,
        /// How its value is written.
        kind: Kind,
        /// Whether it may occur any number of times.
        repeated: bool,
    },
    /// It was a field once and never may be again.
    Reserved,
}

/// A message's schema: its numbers.
pub type Schema = BTreeMap<FieldNumber, Entry>;

/// What a new schema does to messages that are under way, or to readers that have the old one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Break {
    /// The field's values are read as others than were written.
    Retyped,
    /// The field is gone and its number not reserved, so that nothing keeps the next field from taking it.
    Deleted,
    /// A reserved number is a field again: old messages have other values under it.
    Reused,
    /// A number is no longer reserved.
    Released,
}

/// What breaks when `new` follows `old`, by number.
///
/// Fields may be added and renamed. Of types, those of one line may stand for each other, as the guide of proto3 says:
///
/// * `int32`, `int64`, `uint32`, `uint64`, `bool`;
/// * `sint32`, `sint64`;
/// * `fixed32`, `sfixed32`;
/// * `fixed64`, `sfixed64`.
///
/// A `string` may become repeated, and single again. A number may not: it would be packed.
#[must_use]
pub fn breaks(old: &Schema, new: &Schema) -> BTreeMap<FieldNumber, Break> {
    let after = |number| match (&old[number], new.get(number)) {
        (Entry::Field { kind: old, repeated: one, .. }, Some(Entry::Field { kind: new, repeated: other, .. })) => {
            let safe = family(*old) == family(*new) && (one == other || *old == Kind::String);
            (!safe).then_some(Break::Retyped)
        }
        (Entry::Field { .. }, None) => Some(Break::Deleted),
        (Entry::Reserved, Some(Entry::Field { .. })) => Some(Break::Reused),
        (Entry::Reserved, None) => Some(Break::Released),
        (_, Some(Entry::Reserved)) => None,
    };
    old.keys().filter_map(|number| Some((*number, after(number)?))).collect()
}

/// The same for types that may stand for each other.
fn family(kind: Kind) -> Kind {
    match kind {
        Kind::Int32 | Kind::Int64 | Kind::Uint32 | Kind::Uint64 | Kind::Bool => Kind::Int64,
        Kind::Sint32 | Kind::Sint64 => Kind::Sint64,
        Kind::Fixed32 | Kind::Sfixed32 => Kind::Fixed32,
        Kind::Fixed64 | Kind::Sfixed64 => Kind::Fixed64,
        Kind::Float | Kind::Double | Kind::String => kind,
    }
}
