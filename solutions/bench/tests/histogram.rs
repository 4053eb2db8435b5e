//! What the page about histograms says of `hdrhistogram`.

use hdrhistogram::Histogram;

#[test]
fn hdrhistogram_answers_56_for_the_55th_percentile_of_1_to_100() {
    let mut histogram = Histogram::<u64>::new(3).expect("three significant digits are possible");
    for value in 1..=100 {
        histogram.record(value).expect("it grows as needed");
    }
    assert_eq!(histogram.value_at_quantile(0.55), 56);
}

#[test]
fn hdrhistogram_leaves_out_waits_shorter_than_the_interval() {
    let mut histogram = Histogram::<u64>::new(3).expect("three significant digits are possible");
    histogram.record_correct(35, 10).expect("it grows as needed");
    let recorded: Vec<u64> = histogram.iter_recorded().map(|value| value.value_iterated_to()).collect();
    assert_eq!(recorded, [15, 25, 35]);
}
