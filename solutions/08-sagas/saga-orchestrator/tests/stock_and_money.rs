//! The numbers of the page "Stock and money".

#[test]
fn a_row_of_5_ms_sells_200_a_second() {
    let a_second = 1_000 / 5;
    assert_eq!((a_second, 10_000 / a_second, 200_000 / a_second, 20 * a_second), (200, 50, 1_000, 4_000));
}

#[test]
fn reservations_come_back_for_seventy_minutes() {
    let rounds = std::iter::successors(Some(10_000_u32), |left| Some(left * 3 / 10));
    let back: Vec<u32> = rounds.skip(1).take_while(|&left| left > 0).collect();
    assert_eq!(back, [3_000, 900, 270, 81, 24, 7, 2]);
    assert_eq!((back.len() * 10, back.len() * 3), (70, 21));
}

/// A transfer: its id, from where, to where, how much; written once.
type Transfer = (u32, usize, usize, i64);

/// Account 0 is the world; the others may not be overdrawn.
fn write(ledger: &mut Vec<Transfer>, transfer: Transfer) -> bool {
    let (id, from, _, amount) = transfer;
    if ledger.iter().any(|known| known.0 == id) {
        return true;
    }
    let admitted = from == 0 || balance(ledger, from) >= amount;
    if admitted {
        ledger.push(transfer);
    }
    admitted
}

fn balance(ledger: &[Transfer], account: usize) -> i64 {
    let came: i64 = ledger.iter().filter(|transfer| transfer.2 == account).map(|transfer| transfer.3).sum();
    let went: i64 = ledger.iter().filter(|transfer| transfer.1 == account).map(|transfer| transfer.3).sum();
    came - went
}

#[test]
fn the_sum_over_all_accounts_is_zero_and_of_two_times_40_from_50_one_is_refused() {
    let mut ledger = Vec::new();
    let answers = [(1, 0, 1, 50), (2, 1, 2, 40), (3, 1, 2, 40), (2, 1, 2, 40)].map(|it| write(&mut ledger, it));
    assert_eq!(answers, [true, true, false, true], "the last one is the second one again");
    let balances = [0, 1, 2].map(|account| balance(&ledger, account));
    assert_eq!((balances, balances.iter().sum::<i64>()), ([-50, 10, 40], 0));
}
