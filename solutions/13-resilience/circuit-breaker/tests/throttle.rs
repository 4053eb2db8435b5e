//! The numbers of the introduction's section on refusing before one sends.

/// Dropped by the client, sent, and refused by the server, each second.
fn steady(wanted: f64, accepted: f64, k: f64) -> (f64, f64, f64) {
    let dropped = wanted * ((wanted - k * accepted) / (wanted + 1.0)).max(0.0);
    (dropped / wanted, wanted - dropped, wanted - dropped - accepted)
}

#[test]
fn a_client_that_wants_ten_times_too_much_sends_twice_too_much() {
    let (dropped, sent, refused) = steady(1_000.0, 100.0, 2.0);
    assert_eq!(((dropped * 100.0).round(), sent.round(), refused.round()), (80.0, 201.0, 101.0));
    assert_eq!(steady(1_000.0, 1_000.0, 2.0), (0.0, 1_000.0, 0.0), "a server that is well");
    assert!(steady(1_000.0, 100.0, 1.1).2 < refused, "a smaller factor spares the server");
}
