//! The reference of `protobuf-wire` against `prost`, and both against JSON by `serde_json`, over the same parcels.
//!
//! `cargo bench -p solutions-bench --bench protobuf_wire`
//!
//! Two kinds of parcels: `mixed`, seven fields, numbers, texts and a message; and `text`, one label of a thousand letters.
//! Before anything is measured, all three have to read back what they wrote, and the first two have to write the same bytes.
//! JSON has all fields, the empty ones too, as `serde` writes it.
//! How many times faster one is than another is printed and not judged: it is these parcels', on this machine.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use prost::Message as _;
use serde::{Deserialize, Serialize};
use std::hint::black_box;
use std::time::Duration;

#[derive(Clone, PartialEq, prost::Message, Serialize, Deserialize)]
struct Stop {
    #[prost(int32, tag = "1")]
    zone: i32,
    #[prost(string, tag = "2")]
    street: String,
}

/// What `prost` generates from the exercise's schema, and what `serde` makes JSON of.
#[derive(Clone, PartialEq, prost::Message, Serialize, Deserialize)]
struct Parcel {
    #[prost(int32, tag = "1")]
    pieces: i32,
    #[prost(string, tag = "2")]
    label: String,
    #[prost(message, optional, tag = "3")]
    to: Option<Stop>,
    #[prost(sint64, tag = "4")]
    drift_ms: i64,
    #[prost(fixed32, tag = "5")]
    checksum: u32,
    #[prost(uint32, repeated, tag = "6")]
    scans: Vec<u32>,
    #[prost(fixed64, tag = "7")]
    sent_us: u64,
    #[prost(message, repeated, tag = "8")]
    via: Vec<Stop>,
}

/// The parcel of the page.
fn mixed() -> Parcel {
    Parcel {
        pieces: 2,
        label: "Glass, this side up".to_owned(),
        to: Some(Stop { zone: 150, street: "Harbour Road 7".to_owned() }),
        drift_ms: -3,
        checksum: 0xcafe_f00d,
        scans: vec![3, 270, 86_942],
        sent_us: 1_767_225_600_000_000,
        via: vec![],
    }
}

fn text() -> Parcel {
    Parcel { label: "a".repeat(1000), ..Parcel::default() }
}

fn benches(criterion: &mut Criterion) {
    for (kind, parcel) in [("mixed", mixed()), ("text", text())] {
        let bytes = parcel.encode_to_vec();
        let ours = protobuf_wire::Parcel::decode(&bytes).expect("what prost wrote");
        let json = serde_json::to_vec(&parcel).expect("a parcel has a form in JSON");
        assert!(ours.encode() == bytes, "prost and the reference write different bytes");
        assert!(Parcel::decode(&bytes[..]).as_ref() == Ok(&parcel), "prost reads another parcel than it wrote");
        assert!(serde_json::from_slice::<Parcel>(&json).expect("what serde wrote") == parcel, "JSON lost something");
        println!("{kind}: {} bytes, as JSON {} bytes", bytes.len(), json.len());

        let mut group = criterion.benchmark_group(format!("parcel, {kind}"));
        group.throughput(Throughput::Elements(1));
        group.bench_function(BenchmarkId::new("encode", "reference"), |bench| bench.iter(|| black_box(&ours).encode()));
        group.bench_function(BenchmarkId::new("encode", "prost"), |bench| {
            bench.iter(|| black_box(&parcel).encode_to_vec());
        });
        group.bench_function(BenchmarkId::new("encode", "json"), |bench| {
            bench.iter(|| serde_json::to_vec(black_box(&parcel)).expect("a parcel"));
        });
        group.bench_function(BenchmarkId::new("decode", "reference"), |bench| {
            bench.iter(|| protobuf_wire::Parcel::decode(black_box(&bytes)).expect("a parcel"));
        });
        group.bench_function(BenchmarkId::new("decode", "prost"), |bench| {
            bench.iter(|| Parcel::decode(black_box(&bytes[..])).expect("a parcel"));
        });
        group.bench_function(BenchmarkId::new("decode", "json"), |bench| {
            bench.iter(|| serde_json::from_slice::<Parcel>(black_box(&json)).expect("a parcel"));
        });
        group.finish();
    }
}

criterion_group! {
    name = group;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(1_000))
        .without_plots();
    targets = benches
}
criterion_main!(group);
