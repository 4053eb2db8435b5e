//! "Did you mean …?"

/// The candidate that a typist most likely meant by `word`; nothing if none is near.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    let limit = (word.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .filter_map(|candidate| {
            let lower = candidate.to_lowercase();
            let contained = word.len() >= 3 && lower.contains(&word);
            let edits = if contained { 1 } else { distance(&word, &lower) };
            (edits <= limit).then_some((edits, candidate))
        })
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, candidate)| candidate)
}

/// Insertions, deletions, replacements and swaps of neighbours that turn `a` into `b`.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    rows[0] = (0..=b.len()).collect();
    for i in 1..=a.len() {
        rows[i][0] = i;
        for j in 1..=b.len() {
            let replace = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replace.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = best;
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 3] = ["cap-demo", "hash-ring", "bloom-filter"];

    #[test]
    fn a_slip_of_the_finger_is_understood() {
        for (typed, meant) in [("cap-dmeo", "cap-demo"), ("hashring", "hash-ring"), ("Bloom-Filtre", "bloom-filter")] {
            assert_eq!(nearest(typed, NAMES), Some(meant));
        }
    }

    #[test]
    fn a_part_of_a_name_is_enough() {
        assert_eq!(nearest("bloom", NAMES), Some("bloom-filter"));
    }

    #[test]
    fn something_else_is_not_guessed_at() {
        assert_eq!(nearest("kubernetes", NAMES), None);
        assert_eq!(nearest("", NAMES), None);
    }

    #[test]
    fn a_swap_of_neighbours_is_one_slip() {
        assert_eq!(distance("chekc", "check"), 1);
    }
}
