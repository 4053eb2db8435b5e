//! What the page "An interface that others use" computes: pages of a list that changes, and a client's patience.

/// All pages of `rows` by offset, two a page; after the first page the row `gone` is deleted.
fn by_offset(mut rows: Vec<(u32, u32)>, gone: (u32, u32)) -> Vec<u32> {
    let mut read: Vec<u32> = rows.iter().take(2).map(|row| row.1).collect();
    rows.retain(|&row| row != gone);
    read.extend(rows.iter().skip(2).map(|row| row.1));
    read
}

/// The same by a cursor: whatever comes after the last row that was read.
fn by_cursor(mut rows: Vec<(u32, u32)>, gone: (u32, u32), unique: bool) -> Vec<u32> {
    let mut read: Vec<u32> = rows.iter().take(2).map(|row| row.1).collect();
    let last = rows[1];
    rows.retain(|&row| row != gone);
    let after = |row: &(u32, u32)| if unique { *row > last } else { row.0 > last.0 };
    read.extend(rows.into_iter().filter(after).map(|row| row.1));
    read
}

/// Time and id: rows 2 and 3 have the same time.
const ROWS: [(u32, u32); 4] = [(10, 1), (11, 2), (11, 3), (12, 4)];

#[test]
fn an_offset_skips_a_row_when_an_earlier_one_is_deleted() {
    assert_eq!(by_offset(ROWS.to_vec(), (10, 1)), [1, 2, 4], "row 3 was never read");
    assert_eq!(by_cursor(ROWS.to_vec(), (10, 1), true), [1, 2, 3, 4]);
}

#[test]
fn a_cursor_without_the_id_skips_a_row_of_the_same_time() {
    assert_eq!(by_cursor(ROWS.to_vec(), (0, 0), false), [1, 2, 4], "row 3 has row 2's time");
}

#[test]
fn four_tries_of_five_seconds_last_20_7_seconds() {
    assert_eq!(4 * 5_000 + 100 + 200 + 400, 20_700);
}
