//! The page's own numbers.

use prost::Message as _;
use protobuf_wire::{Parcel, Stop, unzigzag, write_varint, zigzag};

fn varint(value: u64) -> Vec<u8> {
    let mut out = vec![];
    write_varint(value, &mut out);
    out
}

#[test]
fn a_drift_of_10_ms_is_read_as_a_discount_of_20() {
    let old = Parcel { drift_ms: 10, ..Parcel::default() };
    assert_eq!(old.encode(), [0x20, 20]);
    assert_eq!(zigzag(-3), 5);

    #[derive(Clone, PartialEq, prost::Message)]
    struct July {
        #[prost(int32, tag = "4")]
        discount: i32,
    }
    assert_eq!(July::decode(&old.encode()[..]).expect("a parcel").discount, 20);
}

#[test]
fn minus_one_takes_ten_bytes_as_it_is_and_one_in_zigzag() {
    assert_eq!((varint(-1_i64 as u64).len(), varint(zigzag(-1)).len()), (10, 1));
    assert_eq!(unzigzag(1), -1);
    // From 2⁶³ on, ten bytes: one bit too many for nine.
    assert_eq!((varint((1 << 63) - 1).len(), varint(1 << 63).len()), (9, 10));
}

#[test]
fn a_fixed32_is_shorter_from_2_to_the_28() {
    assert_eq!((varint((1 << 28) - 1).len(), varint(1 << 28).len()), (4, 5));
}

#[test]
fn fields_to_15_have_a_tag_of_one_byte() {
    assert_eq!((varint(15 << 3 | 5).len(), varint(16 << 3).len()), (1, 2));
}

#[test]
fn prost_forgets_what_it_does_not_know() {
    #[derive(Clone, PartialEq, prost::Message)]
    struct Old {
        #[prost(int32, tag = "1")]
        pieces: i32,
    }
    let bytes = [0x08, 0x01, 0x48, 0xa0, 0xc2, 0x1e];
    let passed_on = Old::decode(&bytes[..]).expect("a parcel").encode_to_vec();
    assert_eq!(passed_on, [0x08, 0x01]);
    assert_eq!(Parcel::decode(&bytes).expect("a parcel").encode(), bytes);
    // And of another wire type it takes nothing.
    assert!(Old::decode(&[0x0d, 1, 0, 0, 0][..]).is_err());
}

fn parcel() -> Parcel {
    Parcel {
        pieces: 2,
        label: "Glass, this side up".to_owned(),
        to: Some(Stop { zone: 150, street: "Harbour Road 7".to_owned(), ..Stop::default() }),
        drift_ms: -3,
        checksum: 0xcafe_f00d,
        scans: vec![3, 270, 86_942],
        sent_us: 1_767_225_600_000_000,
        ..Parcel::default()
    }
}

#[test]
fn the_parcel_takes_68_bytes_and_as_json_171() {
    let json = serde_json::json!({
        "pieces": 2, "label": "Glass, this side up", "to": { "zone": 150, "street": "Harbour Road 7" },
        "drift_ms": -3, "checksum": 0xcafe_f00d_u32, "scans": [3, 270, 86_942], "sent_us": 1_767_225_600_000_000_u64,
    });
    assert_eq!((parcel().encode().len(), json.to_string().len()), (68, 171));
}

#[test]
fn a_text_of_a_thousand_letters_takes_1003_bytes_and_as_json_1012() {
    let label = "a".repeat(1000);
    let json = serde_json::json!({ "label": label }).to_string();
    let parcel = Parcel { label, ..Parcel::default() };
    assert_eq!((parcel.encode().len(), json.len()), (1003, 1012));
}

#[test]
fn read_the_other_way_150_is_2817() {
    // The groups of 150, highest first, are 1 and 22; as a varint those bytes are something else.
    assert_eq!(protobuf_wire::read_varint(&[0x81, 0x16]).expect("a varint").0, 2_817);
}
