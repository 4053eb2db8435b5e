use envelope::{Bytes, Requests};
fn main() {
    let (size, count) = (Bytes::gb(40), Requests(3_472));
    let rate = count / std::time::Duration::from_secs(1);
    let _ = size + 3; // refused
    let _ = (size, count, rate);
}
