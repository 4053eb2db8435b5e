//! Fewer steps, same failure.

/// The shortest part of `run` that still `fails`, as far as leaving out contiguous pieces finds it: no single step of
/// the result can be left out (Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", 2002).
///
/// `run` itself is taken to fail. Asks O(n²) times at worst, usually O(n log n).
pub fn ddmin<T: Clone>(run: &[T], mut fails: impl FnMut(&[T]) -> bool) -> Vec<T> {
    let mut kept = run.to_vec();
    let mut piece = kept.len().div_ceil(2).max(1);
    loop {
        let mut at = 0;
        let mut shrunk = false;
        while at < kept.len() {
            let end = (at + piece).min(kept.len());
            let without: Vec<T> = kept[..at].iter().chain(&kept[end..]).cloned().collect();
            if fails(&without) {
                kept = without;
                shrunk = true;
            } else {
                at = end;
            }
        }
        if piece == 1 && !shrunk {
            return kept;
        }
        piece = piece.div_ceil(2).max(1);
    }
}

#[cfg(test)]
mod tests {
    use super::ddmin;

    #[test]
    fn what_is_left_fails_and_nothing_of_it_can_be_left_out() {
        let run: Vec<u32> = (0..1_000).collect();
        let fails = |part: &[u32]| [17, 400, 401, 999].iter().all(|needed| part.contains(needed));
        assert_eq!(ddmin(&run, fails), [17, 400, 401, 999]);
    }

    #[test]
    fn order_is_kept_and_one_step_can_be_enough() {
        assert_eq!(ddmin(&[3, 1, 2], |part| part.contains(&2) && part.contains(&3)), [3, 2]);
        assert_eq!(ddmin(&[7], |part| part.contains(&7)), [7]);
        assert!(ddmin(&[1, 2, 3], |_| true).is_empty());
    }
}
