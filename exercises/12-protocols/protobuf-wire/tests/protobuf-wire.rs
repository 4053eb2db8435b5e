//! The laws of the wire format, with the numbers of its guide, and at the end a second opinion: `prost`.

use kit::{Rng, Sometimes, for_seeds};
use protobuf_wire::{
    Break, Entry, FieldNumber, Kind, Malformed, Parcel, Payload, Record, Schema, Stop, breaks, read_varint, records,
    unzigzag, write_varint, zigzag,
};
use rand::RngExt as _;

/// Bytes as the guide prints them.
fn hex(text: &str) -> Vec<u8> {
    text.split_whitespace().map(|byte| u8::from_str_radix(byte, 16).expect("two hexadecimal digits")).collect()
}

/// Bytes as the guide would print them.
fn shown(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ")
}

fn varint(value: u64) -> Vec<u8> {
    let mut out = vec![];
    write_varint(value, &mut out);
    out
}

fn field(number: u32) -> FieldNumber {
    FieldNumber::new(number).expect("the tests' numbers are possible")
}

fn record(number: u32, payload: Payload) -> Record {
    Record { number: field(number), payload }
}

fn written(records: &[Record]) -> Vec<u8> {
    let mut out = vec![];
    records.iter().for_each(|record| record.write(&mut out));
    out
}

/// Zero now and then, or a number of which every length as a varint is as likely as any other.
fn some_number(rng: &mut Rng) -> u64 {
    let bits: u32 = rng.random_range(1..=10) * 7 - rng.random_range(0..7);
    let highest = 1 << (bits.min(64) - 1);
    if rng.random_bool(0.1) { 0 } else { highest | rng.random::<u64>() & (highest - 1) }
}

fn some_text(rng: &mut Rng) -> String {
    let letters: Vec<char> = "aåß漢🦀 ".chars().collect();
    (0..rng.random_range(0..5)).map(|_| letters[rng.random_range(0..letters.len())]).collect()
}

/// A record of a field that no version of the tests' schemas has.
fn some_record(rng: &mut Rng) -> Record {
    let number = match rng.random_range(0..3) {
        0 => rng.random_range(9..16),
        1 => rng.random_range(16..2048),
        _ => rng.random_range(2048..=FieldNumber::MAX),
    };
    let payload = match rng.random_range(0..4) {
        0 => Payload::Varint(some_number(rng)),
        1 => Payload::I64(rng.random()),
        2 => Payload::Len((0..rng.random_range(0..200)).map(|_| rng.random()).collect()),
        _ => Payload::I32(rng.random()),
    };
    record(number, payload)
}

fn some_records(rng: &mut Rng, most: usize) -> Vec<Record> {
    (0..rng.random_range(0..=most)).map(|_| some_record(rng)).collect()
}

fn some_stop(rng: &mut Rng, unknown: usize) -> Stop {
    let zone = (some_number(rng) as i32).wrapping_mul(rng.random_range(-1..=1));
    Stop { zone, street: some_text(rng), unknown: some_records(rng, unknown) }
}

/// A parcel with every field at its default now and then, and up to so many unknown ones here and in its stops.
fn some_parcel(rng: &mut Rng, unknown: usize) -> Parcel {
    Parcel {
        pieces: (some_number(rng) as i32).wrapping_mul(rng.random_range(-1..=1)),
        label: some_text(rng),
        to: rng.random_bool(0.7).then(|| some_stop(rng, unknown)),
        drift_ms: (some_number(rng) as i64).wrapping_mul(rng.random_range(-1..=1)),
        checksum: some_number(rng) as u32,
        scans: (0..rng.random_range(0..5)).map(|_| some_number(rng) as u32).collect(),
        sent_us: some_number(rng),
        via: (0..rng.random_range(0..3)).map(|_| some_stop(rng, unknown)).collect(),
        unknown: some_records(rng, unknown),
    }
}

mod stage_1_numbers {
    use super::*;
    use pretty_assertions::assert_eq;

    #[test]
    fn the_guide_s_numbers_have_the_guide_s_bytes() {
        let table = [
            (0, "00"),
            (1, "01"),
            (127, "7f"),
            (128, "80 01"),
            (150, "96 01"),
            (300, "ac 02"),
            (16_384, "80 80 01"),
            (u64::MAX, "ff ff ff ff ff ff ff ff ff 01"),
        ];
        for (value, bytes) in table {
            assert_eq!(shown(&varint(value)), bytes, "{value}, written");
            assert_eq!(read_varint(&hex(bytes)), Ok((value, &[][..])), "{bytes}, read");
        }
    }

    #[test]
    fn a_number_takes_a_byte_for_each_seven_bits_and_comes_back() {
        let sometimes = Sometimes::expect(["a number took ten bytes", "a number took one byte"]);
        for_seeds(500, |seed| {
            let value = some_number(&mut seed.rng());
            let bytes = varint(value);
            let bits = 64 - value.leading_zeros() as usize;
            sometimes.saw("a number took ten bytes", bytes.len() == 10);
            sometimes.saw("a number took one byte", bytes.len() == 1);
            let expected = bits.div_ceil(7).max(1);
            assert!(bytes.len() == expected, "seed {seed}: {value} has {bits} bits and took {} bytes", bytes.len());
            assert_eq!(read_varint(&bytes), Ok((value, &[][..])), "seed {seed}: {}", shown(&bytes));
        });
    }

    #[test]
    fn what_stands_behind_a_number_is_left_alone() {
        assert_eq!(read_varint(&hex("96 01 96 01")), Ok((150, &[0x96, 0x01][..])));
        let mut out = hex("08");
        write_varint(150, &mut out);
        assert_eq!(shown(&out), "08 96 01", "a number is appended to what is there");
    }

    #[test]
    fn a_number_whose_end_is_missing_is_truncated() {
        for value in [128, 150, 1 << 40, u64::MAX] {
            let bytes = varint(value);
            for cut in 0..bytes.len() {
                let read = read_varint(&bytes[..cut]);
                assert!(read == Err(Malformed::Truncated), "{cut} of {} bytes of {value}: {read:?}", bytes.len());
            }
        }
    }

    /// Some writers reserve two bytes for a length that they do not know yet.
    #[test]
    fn a_longer_form_than_needed_is_the_same_number() {
        for (bytes, value) in [("96 81 00", 150), ("80 00", 0), ("ff 80 80 80 80 80 80 80 80 00", 127)] {
            assert_eq!(read_varint(&hex(bytes)), Ok((value, &[][..])), "{bytes}");
        }
    }

    #[test]
    fn what_has_no_place_in_64_bits_or_ten_bytes_is_refused() {
        for bytes in [
            "ff ff ff ff ff ff ff ff ff 02",
            "ff ff ff ff ff ff ff ff ff 03",
            "80 80 80 80 80 80 80 80 80 7f",
            "80 80 80 80 80 80 80 80 80 80",
            "80 80 80 80 80 80 80 80 80 80 00",
            "81 80 80 80 80 80 80 80 80 80 80 01",
        ] {
            let read = read_varint(&hex(bytes)).map(|(value, _)| value);
            assert!(read == Err(Malformed::Varint), "{bytes}: {read:?}");
        }
    }

    #[test]
    fn zigzag_goes_to_and_fro() {
        let table = [
            (0, 0),
            (-1, 1),
            (1, 2),
            (-2, 3),
            (0x7fff_ffff, 0xffff_fffe),
            (-0x8000_0000, 0xffff_ffff),
            (i64::MAX, u64::MAX - 1),
            (i64::MIN, u64::MAX),
        ];
        for (value, mapped) in table {
            assert_eq!(zigzag(value), mapped, "zigzag of {value}");
            assert_eq!(unzigzag(mapped), value, "back from {mapped}");
        }
        for_seeds(200, |seed| {
            let value: i64 = seed.rng().random();
            assert!(unzigzag(zigzag(value)) == value, "seed {seed}: {value} came back as {}", unzigzag(zigzag(value)));
        });
    }
}

mod stage_2_records {
    use super::*;
    use pretty_assertions::assert_eq;

    #[test]
    fn the_guide_s_records_have_the_guide_s_bytes() {
        let table = [
            (record(1, Payload::Varint(150)), "08 96 01"),
            (record(2, Payload::Len(b"testing".to_vec())), "12 07 74 65 73 74 69 6e 67"),
            (record(5, Payload::I32(1)), "2d 01 00 00 00"),
            (record(7, Payload::I64(0x0102_0304)), "39 04 03 02 01 00 00 00 00"),
            (record(16, Payload::Varint(1)), "80 01 01"),
            (record(FieldNumber::MAX, Payload::Len(vec![])), "fa ff ff ff 0f 00"),
        ];
        for (record, bytes) in table {
            assert_eq!(shown(&written(std::slice::from_ref(&record))), bytes, "{record:?}, written");
            assert_eq!(records(&hex(bytes)), Ok(vec![record]), "{bytes}, read");
        }
    }

    /// A connection that breaks off leaves a prefix. Between two records nobody can tell; within one, everybody.
    #[test]
    fn whole_records_are_read_and_a_broken_one_is_noticed_wherever_it_breaks() {
        let sometimes = Sometimes::expect(["it broke between two records", "it broke within a record"]);
        for_seeds(100, |seed| {
            let all = some_records(&mut seed.rng(), 4);
            let ends: Vec<usize> = (0..=all.len()).map(|count| written(&all[..count]).len()).collect();
            let bytes = written(&all);
            for cut in 0..=bytes.len() {
                let whole = ends.iter().position(|&end| end == cut);
                sometimes
                    .saw("it broke between two records", whole.is_some_and(|whole| whole > 0 && whole < all.len()));
                sometimes.saw("it broke within a record", whole.is_none());
                let expected = whole.map_or(Err(Malformed::Truncated), |whole| Ok(all[..whole].to_vec()));
                let read = records(&bytes[..cut]);
                assert!(read == expected, "seed {seed}: {cut} of {} bytes gave {read:?}", bytes.len());
            }
        });
    }

    /// Eleven bytes of a stranger announce eighteen million terabytes.
    #[test]
    fn a_length_is_a_claim_and_the_bytes_are_the_proof() {
        for bytes in [
            "12 08 74 65 73 74 69 6e 67",
            "12 01",
            "12 ff ff ff ff ff ff ff ff ff 01",
            "12 ff ff ff ff 07 00",
            "12 81 80 80 80 10 00", // 2³² + 1, and one byte is there
        ] {
            let read = records(&hex(bytes));
            assert!(read == Err(Malformed::Truncated), "{bytes}: {read:?}");
        }
    }

    /// The writer left two bytes for the length, and filled them in when it knew it.
    #[test]
    fn tags_and_lengths_too_may_be_longer_than_they_need_be() {
        for (bytes, expected) in [
            ("12 81 00 61", record(2, Payload::Len(b"a".to_vec()))),
            ("12 80 80 00", record(2, Payload::Len(vec![]))),
            ("88 00 96 81 00", record(1, Payload::Varint(150))),
            ("88 80 80 80 80 00 01", record(1, Payload::Varint(1))),
        ] {
            assert_eq!(records(&hex(bytes)), Ok(vec![expected]), "{bytes}");
        }
    }

    #[test]
    fn numbers_that_no_field_can_have_are_refused() {
        for (bytes, number) in [
            ("00 01", 0),
            ("80 80 80 80 10 00", 1 << 29),
            ("88 80 80 80 80 01 00", (1 << 32) + 1),
            ("f8 ff ff ff ff ff ff ff ff 01 00", u64::MAX >> 3),
        ] {
            let read = records(&hex(bytes));
            assert!(read == Err(Malformed::FieldNumber(number)), "{bytes}: {read:?}");
        }
        let possible = |number| FieldNumber::new(number).map(FieldNumber::get);
        assert_eq!([0, 1, FieldNumber::MAX, 1 << 29].map(possible), [None, Some(1), Some(536_870_911), None]);
        assert!(records(&[]).is_ok(), "no record at all is a message");
    }

    #[test]
    fn wire_types_that_do_not_exist_and_groups_are_refused() {
        for (bytes, wire_type) in [("0b 0c", 3), ("0c", 4), ("0e 00", 6), ("0f 00", 7), ("08 01 0f", 7)] {
            let read = records(&hex(bytes));
            assert!(read == Err(Malformed::WireType(wire_type)), "{bytes}: {read:?}");
        }
    }
}

mod stage_3_a_message {
    use super::*;
    use pretty_assertions::assert_eq;

    fn decoded(bytes: &str) -> Parcel {
        Parcel::decode(&hex(bytes)).unwrap_or_else(|error| panic!("{bytes} is a parcel, and gave {error:?}"))
    }

    #[test]
    fn each_field_has_its_number_and_its_form() {
        let stop = |zone| Stop { zone, ..Stop::default() };
        let empty = Parcel::default;
        let table = [
            (Parcel { pieces: 150, ..empty() }, "08 96 01"),
            (Parcel { label: "testing".to_owned(), ..empty() }, "12 07 74 65 73 74 69 6e 67"),
            (Parcel { to: Some(stop(150)), ..empty() }, "1a 03 08 96 01"),
            (Parcel { drift_ms: -2, ..empty() }, "20 03"),
            (Parcel { checksum: 258, ..empty() }, "2d 02 01 00 00"),
            (Parcel { scans: vec![3, 270, 86_942], ..empty() }, "32 06 03 8e 02 9e a7 05"),
            (Parcel { sent_us: 1, ..empty() }, "39 01 00 00 00 00 00 00 00"),
            (Parcel { via: vec![stop(1), stop(2)], ..empty() }, "42 02 08 01 42 02 08 02"),
        ];
        for (parcel, bytes) in table {
            assert_eq!(shown(&parcel.encode()), bytes, "{parcel:?}, written");
            assert_eq!(decoded(bytes), parcel, "{bytes}, read");
        }
    }

    #[test]
    fn what_has_its_default_is_not_written_but_an_empty_message_is() {
        assert_eq!(shown(&Parcel::default().encode()), "");
        assert_eq!(Parcel::decode(&[]), Ok(Parcel::default()));
        let to_nowhere = Parcel { to: Some(Stop::default()), via: vec![Stop::default()], ..Parcel::default() };
        assert_eq!(shown(&to_nowhere.encode()), "1a 00 42 00", "a stop without anything is there all the same");
        assert_eq!(decoded("1a 00 42 00"), to_nowhere);
    }

    /// −2 pieces is a correction. A reader whose schema says `int64` must read −2, too.
    #[test]
    fn a_negative_int32_takes_ten_bytes() {
        let correction = Parcel { pieces: -2, ..Parcel::default() };
        assert_eq!(shown(&correction.encode()), "08 fe ff ff ff ff ff ff ff ff 01");
        assert_eq!(decoded("08 fe ff ff ff ff ff ff ff ff 01"), correction);
        let stop = Stop { zone: i32::MIN, ..Stop::default() };
        assert_eq!(shown(&stop.encode()), "08 80 80 80 80 f8 ff ff ff ff 01");
    }

    /// A newer writer has made an `int64` of it.
    #[test]
    fn a_number_too_large_for_32_bits_loses_the_others() {
        assert_eq!(decoded("08 96 81 80 80 10").pieces, 150, "2³² + 150 as an int32");
        assert_eq!(decoded("08 fe ff ff ff 0f").pieces, -2, "2³² − 2 as an int32");
        assert_eq!(decoded("30 96 81 80 80 10").scans, [150], "2³² + 150 as a uint32");
        assert_eq!(decoded("32 05 96 81 80 80 10").scans, [150], "2³² + 150 as a packed uint32");
        assert_eq!(Stop::decode(&hex("08 96 81 80 80 10")).map(|stop| stop.zone), Ok(150), "2³² + 150 as a zone");
    }

    #[test]
    fn repeated_numbers_come_packed_or_one_by_one_or_both() {
        let expected = [3, 270, 86_942];
        for bytes in [
            "32 06 03 8e 02 9e a7 05",
            "30 03 30 8e 02 30 9e a7 05",
            "32 03 03 8e 02 32 03 9e a7 05",
            "30 03 32 05 8e 02 9e a7 05",
            "32 03 03 8e 02 08 01 32 00 30 9e a7 05",
        ] {
            assert_eq!(decoded(bytes).scans, expected, "{bytes}");
        }
        assert_eq!(decoded("32 00").scans, Vec::<u32>::new(), "a packed list of nothing");
        assert_eq!(decoded("30 03 32 00 30 04").scans, [3, 4], "a packed list of nothing, between two numbers");
    }

    #[test]
    fn an_element_never_goes_on_in_the_next_record() {
        for bytes in ["32 02 03 8e", "32 02 03 8e 32 01 02", "32 01 8e 08 01"] {
            let read = Parcel::decode(&hex(bytes));
            assert!(read == Err(Malformed::Truncated), "{bytes}: {read:?}");
        }
        let overflow = Parcel::decode(&hex("32 0a ff ff ff ff ff ff ff ff ff 02"));
        assert_eq!(overflow, Err(Malformed::Varint));
    }

    #[test]
    fn a_text_that_is_not_utf_8_is_refused() {
        assert_eq!(Parcel::decode(&hex("12 02 c3 28")), Err(Malformed::Utf8(field(2))), "in the label");
        assert_eq!(Parcel::decode(&hex("1a 04 12 02 c3 28")), Err(Malformed::Utf8(field(2))), "in the street");
        assert_eq!(Stop::decode(&hex("12 01 ff")), Err(Malformed::Utf8(field(2))));
    }

    /// Its own length is right; what breaks off is a number in it.
    #[test]
    fn a_damaged_message_within_damages_the_whole() {
        for (bytes, within) in [("1a 02 08 96", "the destination"), ("42 02 08 01 42 02 08 96", "a stop on the way")] {
            let read = Parcel::decode(&hex(bytes));
            assert!(read == Err(Malformed::Truncated), "{bytes}, {within} breaks off: {read:?}");
        }
    }

    /// A proxy appends a correction to the bytes it got, without decoding them.
    #[test]
    fn of_scalars_the_last_one_counts_be_it_zero() {
        assert_eq!(decoded("08 96 01 08 01").pieces, 1);
        assert_eq!(decoded("08 96 01 08 00").pieces, 0, "a zero that is there is a value");
        assert_eq!(decoded("12 01 61 12 01 62").label, "b");
        assert_eq!(decoded("12 01 61 12 00").label, "", "an empty text that is there is a value");
        assert_eq!(decoded("20 03 20 01").drift_ms, -1);
        assert_eq!(decoded("2d 01 00 00 00 2d 00 00 00 00").checksum, 0);
        assert_eq!(decoded("39 01 00 00 00 00 00 00 00 39 02 00 00 00 00 00 00 00").sent_us, 2);
    }

    #[test]
    fn a_message_that_comes_twice_is_one_message() {
        let to = decoded("1a 03 08 96 01 1a 03 12 01 61").to;
        let expected = Stop { zone: 150, street: "a".to_owned(), ..Stop::default() };
        assert_eq!(to, Some(expected), "zone 150 came first, then street a");
        assert_eq!(decoded("1a 03 08 96 01 1a 02 08 01 1a 00").to.map(|to| to.zone), Some(1), "the last zone counts");
        let zone = decoded("1a 03 08 96 01 1a 02 08 00").to.map(|to| to.zone);
        assert_eq!(zone, Some(0), "zone 150 came first, then zone 0: a zero that is there is a value, here too");
        let street = decoded("1a 03 12 01 61 1a 02 12 00").to.map(|to| to.street);
        assert_eq!(street.as_deref(), Some(""), "street a came first, then an empty one");
    }

    fn merge(into: &mut Stop, later: Stop) {
        into.zone = if later.zone == 0 { into.zone } else { later.zone };
        into.street = if later.street.is_empty() { into.street.clone() } else { later.street };
        into.unknown.extend(later.unknown);
    }

    /// Two messages, one after the other, are both in one. What the second leaves out, it does not take back.
    #[test]
    fn to_append_is_to_merge() {
        for_seeds(200, |seed| {
            let mut rng = seed.rng();
            let (first, later) = (some_parcel(&mut rng, 0), some_parcel(&mut rng, 0));
            let bytes = [first.encode(), later.encode()].concat();
            let mut both = first;
            both.pieces = if later.pieces == 0 { both.pieces } else { later.pieces };
            both.label = if later.label.is_empty() { both.label } else { later.label };
            if let Some(later) = later.to {
                merge(both.to.get_or_insert_with(Stop::default), later);
            }
            both.drift_ms = if later.drift_ms == 0 { both.drift_ms } else { later.drift_ms };
            both.checksum = if later.checksum == 0 { both.checksum } else { later.checksum };
            both.scans.extend(later.scans);
            both.sent_us = if later.sent_us == 0 { both.sent_us } else { later.sent_us };
            both.via.extend(later.via);
            assert_eq!(Parcel::decode(&bytes), Ok(both), "seed {seed}: {}", shown(&bytes));
        });
    }
}

mod stage_4_other_versions {
    use super::*;
    use pretty_assertions::assert_eq;

    /// A newer sender has a field 9, insured value. This proxy adds a scan and passes the parcel on.
    #[test]
    fn what_this_version_does_not_know_it_passes_on() {
        let insured = record(9, Payload::Varint(500_000));
        let mut bytes = hex("08 01");
        insured.write(&mut bytes);
        let mut parcel = Parcel::decode(&bytes).expect("a parcel with a field from the future");
        assert_eq!(parcel.unknown, std::slice::from_ref(&insured));
        parcel.scans.push(3);
        let passed_on = records(&parcel.encode()).expect("what was encoded is a message");
        assert!(passed_on.contains(&insured), "the parcel was worth 500,000 when it came; it left with {passed_on:?}");
        assert_eq!(shown(&parcel.encode()), "08 01 32 01 03 48 a0 c2 1e", "known fields first, then the unknown");
    }

    /// To the sender, field 9 is a list: two equal elements are two.
    #[test]
    fn what_is_unknown_may_come_twice_and_be_equal() {
        let parcel = Parcel::decode(&hex("48 07 48 07")).expect("a parcel with two fields from the future");
        assert_eq!(parcel.unknown, [record(9, Payload::Varint(7)), record(9, Payload::Varint(7))]);
        let to = Parcel::decode(&hex("1a 04 18 07 18 07")).map(|parcel| parcel.to.map(|to| to.unknown));
        assert_eq!(to, Ok(Some(vec![record(3, Payload::Varint(7)), record(3, Payload::Varint(7))])));
    }

    /// The sender gave a floor; a proxy appends a zone, and a field 4 that only the two of them know.
    #[test]
    fn what_is_unknown_is_merged_too() {
        let to = Parcel::decode(&hex("1a 02 18 04 1a 04 08 01 20 05")).map(|parcel| parcel.to);
        let unknown = vec![record(3, Payload::Varint(4)), record(4, Payload::Varint(5))];
        assert_eq!(to, Ok(Some(Stop { zone: 1, street: String::new(), unknown })), "the floor came first, and stays");
    }

    #[test]
    fn within_messages_too() {
        let floor = record(3, Payload::Varint(4));
        let bytes = written(&[
            record(3, Payload::Len(written(std::slice::from_ref(&floor)))),
            record(8, Payload::Len(written(std::slice::from_ref(&floor)))),
        ]);
        let parcel = Parcel::decode(&bytes).expect("stops with a field from the future");
        let unknown = |stop: &Stop| stop.unknown.clone();
        assert_eq!(parcel.to.as_ref().map(unknown), Some(vec![floor.clone()]), "the destination's floor");
        assert_eq!(parcel.via.iter().map(unknown).collect::<Vec<_>>(), [vec![floor]], "the floor of a stop");
        assert_eq!(shown(&parcel.encode()), shown(&bytes), "passed on");
    }

    /// The sender's field 7 is a text. Read as eight bytes it would be nonsense; thrown away it would be missed.
    #[test]
    fn a_known_number_of_another_wire_type_is_another_field() {
        let others = [
            record(1, Payload::I32(1)),
            record(2, Payload::Varint(1)),
            record(3, Payload::Varint(1)),
            record(4, Payload::I64(1)),
            record(5, Payload::Varint(1)),
            record(6, Payload::I32(1)),
            record(7, Payload::Len(b"Tuesday".to_vec())),
            record(8, Payload::I64(1)),
        ];
        let expected = Parcel { unknown: others.to_vec(), ..Parcel::default() };
        assert_eq!(Parcel::decode(&written(&others)), Ok(expected));
        let others = [record(1, Payload::Len(vec![1])), record(2, Payload::I32(1))];
        let expected = Stop { unknown: others.to_vec(), ..Stop::default() };
        assert_eq!(Stop::decode(&written(&others)), Ok(expected));
    }

    #[test]
    fn whatever_is_unknown_comes_back_in_its_order() {
        let sometimes = Sometimes::expect(["a stop had unknown fields", "a number was unknown twice"]);
        for_seeds(200, |seed| {
            let mut rng = seed.rng();
            let mut parcel = some_parcel(&mut rng, 3);
            if let Some(again) = parcel.unknown.first().map(|first| first.number) {
                parcel.unknown.push(Record { number: again, payload: Payload::Varint(seed.0) });
                sometimes.saw("a number was unknown twice", true);
            }
            sometimes.saw("a stop had unknown fields", parcel.to.as_ref().is_some_and(|to| !to.unknown.is_empty()));
            let bytes = parcel.encode();
            assert_eq!(Parcel::decode(&bytes), Ok(parcel), "seed {seed}: {}", shown(&bytes));
        });
    }
}

mod stage_5_the_next_schema {
    use super::*;
    use pretty_assertions::assert_eq;
    use std::collections::BTreeMap;

    fn a(kind: Kind, name: &str) -> Entry {
        Entry::Field { name: name.to_owned(), kind, repeated: false }
    }

    fn many(kind: Kind, name: &str) -> Entry {
        Entry::Field { name: name.to_owned(), kind, repeated: true }
    }

    fn schema(entries: &[(u32, Entry)]) -> Schema {
        entries.iter().map(|(number, entry)| (field(*number), entry.clone())).collect()
    }

    fn found(old: &[(u32, Entry)], new: &[(u32, Entry)]) -> Vec<(u32, Break)> {
        breaks(&schema(old), &schema(new)).into_iter().map(|(number, found)| (number.get(), found)).collect()
    }

    #[test]
    fn fields_may_be_added_and_renamed() {
        let old = [(1, a(Kind::Int32, "pieces")), (2, a(Kind::String, "label"))];
        let new = [(1, a(Kind::Int32, "parts")), (2, a(Kind::String, "label")), (9, a(Kind::Uint64, "insured"))];
        assert_eq!(found(&old, &new), [], "names do not occur on the wire");
        assert_eq!(found(&old, &old), []);
    }

    /// In March field 4 goes, in June somebody needs a number, in July an old parcel is read.
    #[test]
    fn a_number_is_never_used_again() {
        let with_drift = [(1, a(Kind::Int32, "pieces")), (4, a(Kind::Sint64, "drift_ms"))];
        let without = [(1, a(Kind::Int32, "pieces"))];
        let reserved = [(1, a(Kind::Int32, "pieces")), (4, Entry::Reserved)];
        let discount = [(1, a(Kind::Int32, "pieces")), (4, a(Kind::Sint64, "discount"))];
        assert_eq!(found(&with_drift, &without), [(4, Break::Deleted)], "nothing keeps the next field from taking 4");
        assert_eq!(found(&with_drift, &reserved), []);
        assert_eq!(found(&reserved, &reserved), []);
        assert_eq!(found(&reserved, &discount), [(4, Break::Reused)], "of the old type, and still another field");
        assert_eq!(found(&reserved, &without), [(4, Break::Released)]);
        assert_eq!(found(&without, &reserved), [], "a number may be reserved before it was ever used");
    }

    /// The guide's families. Everything else is read as another value, though the wire type may be the same.
    #[test]
    fn a_type_may_stand_for_those_of_its_family_only() {
        use Kind::*;
        let families: [&[Kind]; 7] = [
            &[Int32, Int64, Uint32, Uint64, Bool],
            &[Sint32, Sint64],
            &[Fixed32, Sfixed32],
            &[Float],
            &[Fixed64, Sfixed64],
            &[Double],
            &[String],
        ];
        for (old_family, old) in families.iter().enumerate().flat_map(|(at, kinds)| kinds.iter().map(move |k| (at, *k)))
        {
            for (new_family, new) in
                families.iter().enumerate().flat_map(|(at, kinds)| kinds.iter().map(move |k| (at, *k)))
            {
                let expected = if old_family == new_family { vec![] } else { vec![(1, Break::Retyped)] };
                assert_eq!(found(&[(1, a(old, "x"))], &[(1, a(new, "x"))]), expected, "from {old:?} to {new:?}");
                assert_eq!(found(&[(1, many(old, "x"))], &[(1, many(new, "x"))]), expected, "of many {old:?}, {new:?}");
            }
        }
    }

    /// A repeated number is packed: a reader that expects one finds a length.
    #[test]
    fn a_text_may_become_many_and_a_number_may_not() {
        let one = |kind| [(1, a(kind, "x"))];
        let several = |kind| [(1, many(kind, "x"))];
        assert_eq!(found(&one(Kind::String), &several(Kind::String)), []);
        assert_eq!(found(&several(Kind::String), &one(Kind::String)), []);
        for kind in [Kind::Int32, Kind::Bool, Kind::Sint64, Kind::Fixed32, Kind::Double] {
            assert_eq!(found(&one(kind), &several(kind)), [(1, Break::Retyped)], "{kind:?} to many");
            assert_eq!(found(&several(kind), &one(kind)), [(1, Break::Retyped)], "many {kind:?} to one");
        }
        assert_eq!(found(&one(Kind::String), &several(Kind::Int32)), [(1, Break::Retyped)]);
        assert_eq!(found(&one(Kind::Int32), &several(Kind::Int64)), [(1, Break::Retyped)], "one family, and packed");
    }

    #[test]
    fn every_break_is_found_under_its_number() {
        let old = [
            (1, a(Kind::Int32, "a")),
            (2, a(Kind::Int32, "b")),
            (3, Entry::Reserved),
            (4, Entry::Reserved),
            (5, a(Kind::String, "e")),
        ];
        let new =
            [(1, a(Kind::Sint32, "a")), (3, a(Kind::Int32, "c")), (5, a(Kind::String, "f")), (6, Entry::Reserved)];
        let expected = BTreeMap::from([
            (field(1), Break::Retyped),
            (field(2), Break::Deleted),
            (field(3), Break::Reused),
            (field(4), Break::Released),
        ]);
        assert_eq!(breaks(&schema(&old), &schema(&new)), expected);
    }
}

/// The same messages, with code that `prost` derives.
mod stage_6_a_second_opinion {
    use super::*;
    use pretty_assertions::assert_eq;
    use prost::Message as _;

    #[derive(Clone, PartialEq, prost::Message)]
    struct ProstStop {
        #[prost(int32, tag = "1")]
        zone: i32,
        #[prost(string, tag = "2")]
        street: String,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    struct ProstParcel {
        #[prost(int32, tag = "1")]
        pieces: i32,
        #[prost(string, tag = "2")]
        label: String,
        #[prost(message, optional, tag = "3")]
        to: Option<ProstStop>,
        #[prost(sint64, tag = "4")]
        drift_ms: i64,
        #[prost(fixed32, tag = "5")]
        checksum: u32,
        #[prost(uint32, repeated, tag = "6")]
        scans: Vec<u32>,
        #[prost(fixed64, tag = "7")]
        sent_us: u64,
        #[prost(message, repeated, tag = "8")]
        via: Vec<ProstStop>,
    }

    fn prost_stop(stop: &Stop) -> ProstStop {
        ProstStop { zone: stop.zone, street: stop.street.clone() }
    }

    /// `prost` has no place for unknown fields, and leaves them out.
    fn prost_parcel(parcel: &Parcel) -> ProstParcel {
        ProstParcel {
            pieces: parcel.pieces,
            label: parcel.label.clone(),
            to: parcel.to.as_ref().map(prost_stop),
            drift_ms: parcel.drift_ms,
            checksum: parcel.checksum,
            scans: parcel.scans.clone(),
            sent_us: parcel.sent_us,
            via: parcel.via.iter().map(prost_stop).collect(),
        }
    }

    #[test]
    fn prost_writes_the_same_bytes() {
        for_seeds(300, |seed| {
            let parcel = some_parcel(&mut seed.rng(), 0);
            let (ours, theirs) = (shown(&parcel.encode()), shown(&prost_parcel(&parcel).encode_to_vec()));
            assert_eq!(ours, theirs, "seed {seed}: {parcel:?}");
        });
    }

    #[test]
    fn prost_reads_what_we_write_and_we_read_what_prost_writes() {
        for_seeds(300, |seed| {
            let parcel = some_parcel(&mut seed.rng(), 3);
            let read = ProstParcel::decode(&parcel.encode()[..]);
            assert_eq!(read, Ok(prost_parcel(&parcel)), "seed {seed}: prost reads what we wrote");
            let bytes = prost_parcel(&parcel).encode_to_vec();
            let read = Parcel::decode(&bytes).map(|parcel| prost_parcel(&parcel));
            assert_eq!(read, Ok(prost_parcel(&parcel)), "seed {seed}: we read what prost wrote, {}", shown(&bytes));
        });
    }

    /// Where prost refuses a known number of another wire type, we keep it.
    fn kept_what_prost_refuses(parcel: &Parcel) -> bool {
        let odd = |unknown: &[Record], known: u32| unknown.iter().any(|record| record.number.get() <= known);
        odd(&parcel.unknown, 8) || parcel.to.iter().chain(&parcel.via).any(|stop| odd(&stop.unknown, 2))
    }

    /// Bits flip, bytes go missing, records are doubled. What is left is a message to both of us, the same one, or to neither.
    #[test]
    fn of_damaged_bytes_we_are_of_one_mind() {
        let sometimes = Sometimes::expect(["both read the damaged bytes", "both refused them"]);
        for_seeds(1_500, |seed| {
            let mut rng = seed.rng();
            let mut bytes = some_parcel(&mut rng, 1).encode();
            for _ in 0..rng.random_range(1..4) {
                let at = rng.random_range(0..=bytes.len());
                match rng.random_range(0..4) {
                    0 if at < bytes.len() => bytes[at] ^= 1 << rng.random_range(0..8),
                    1 if at < bytes.len() => {
                        bytes.remove(at);
                    }
                    2 => bytes.insert(at, rng.random()),
                    _ => bytes.extend_from_within(..at.min(20)),
                }
            }
            let (ours, theirs) = (Parcel::decode(&bytes), ProstParcel::decode(&bytes[..]));
            sometimes.saw("both read the damaged bytes", ours.is_ok() && theirs.is_ok());
            sometimes.saw("both refused them", ours.is_err() && theirs.is_err());
            let agreed = match (&ours, &theirs) {
                (Ok(ours), Ok(theirs)) => prost_parcel(ours) == *theirs,
                (Ok(ours), Err(_)) => kept_what_prost_refuses(ours),
                // prost skips groups; here they are refused.
                (Err(error), Ok(_)) => matches!(error, Malformed::WireType(3 | 4)),
                (Err(_), Err(_)) => true,
            };
            assert!(agreed, "seed {seed}: {}\nours: {ours:?}\nprost: {theirs:?}", shown(&bytes));
        });
    }
}
