//! What the page says of the shop's profiles.

use heap_diff::{Change, Snapshot, diff};
use serde_json::Value;

const DATA: &str = "../../../exercises/10-observability/heap-diff/tests/data";

fn text(requests: u32) -> String {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(DATA).join(format!("shop-{requests}.json"));
    std::fs::read_to_string(file).expect("the profile is there")
}

fn shop(requests: u32) -> Snapshot {
    Snapshot::read(&text(requests)).expect("it is a profile")
}

#[test]
fn of_40_6_mb_40_are_pages() {
    let late = shop(2_000);
    let most = diff(&Snapshot::default(), &late).iter().map(|change| change.allocated.bytes).max();
    assert_eq!((late.total().allocated.bytes, most), (40_596_338, Some(40_000_000)));
}

#[test]
fn the_lines_of_the_profile_stand_in_it() {
    let profile: Value = serde_json::from_str(&text(200)).expect("JSON");
    let points = profile["pps"].as_array().expect("points");
    let point = points.iter().find(|point| point["eb"] == 19_200).expect("the sessions");
    let frames = serde_json::json!([1, 74, 75, 76, 77, 78, 79, 80, 81, 67, 59]);
    assert_eq!(
        (&point["fs"], &point["tb"], &point["ebk"], &point["tbk"]),
        (&frames, &19_200.into(), &200.into(), &200.into())
    );
    for (index, line) in [
        (74, "0x55e4ed130185: __rust_alloc (heap-diff/examples/shop.rs:18:14)"),
        (81, "0x55e4ed130185: begin_session (heap-diff/examples/shop.rs:69:24)"),
        (67, "0x55e4ed130cb6: serve (heap-diff/examples/shop.rs:79:5)"),
        (59, "0x55e4ed130a20: main (heap-diff/examples/shop.rs:96:9)"),
    ] {
        assert_eq!(profile["ftbl"][index], line);
    }
}

#[test]
fn twenty_nine_entries_are_fourteen_places() {
    let profile: Value = serde_json::from_str(&text(2_000)).expect("JSON");
    let places = diff(&Snapshot::default(), &shop(2_000)).len();
    assert_eq!((profile["pps"].as_array().map(Vec::len), places), (Some(29), 14));
}

#[test]
fn the_cache_grows_by_more_than_the_whole() {
    let (early, middle) = (shop(200), shop(1_000));
    let grown: Vec<i64> = diff(&early, &middle).iter().map(|change| change.in_use.bytes).collect();
    assert_eq!(middle.total().in_use.bytes - early.total().in_use.bytes, 183_648);
    assert_eq!((grown.first(), grown.last()), (Some(&(49 * 4_096)), Some(&-100_000)));
}

#[test]
fn the_table_of_what_was_taken_and_kept() {
    let steps = [diff(&shop(200), &shop(1_000)), diff(&shop(1_000), &shop(2_000))];
    let of = |line: &str| {
        let at = |change: &&Change| change.stack.0.iter().any(|frame| frame.contains(&format!("shop.rs:{line}")));
        let amounts =
            |step: &Vec<Change>| step.iter().find(at).map_or([0, 0], |it| [it.allocated.bytes, it.in_use.bytes]);
        [amounts(&steps[0]), amounts(&steps[1])]
    };
    assert_eq!(of("54:"), [[16_000_000, 0], [20_000_000, 0]], "the page's text");
    assert_eq!(of("63:"), [[200_704, 200_704], [0, 0]], "pictures");
    assert_eq!(of("69:24"), [[76_800, 76_800], [96_000, 96_000]], "sessions");
    assert_eq!(of("69:19"), [[12_288, 6_144], [16_384, 8_192]], "their list");
    assert_eq!(of("91:"), [[0, -100_000], [0, 0]], "the campaign");
}
