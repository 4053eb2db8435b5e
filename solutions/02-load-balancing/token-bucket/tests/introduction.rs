//! What the chapter's introduction says of Maglev's table.

/// Servers take turns; each takes the next entry of its permutation that is still free. `servers` are (name, offset, skip).
fn table(entries: usize, servers: &[(usize, usize, usize)]) -> Vec<usize> {
    let mut table = vec![usize::MAX; entries];
    let mut tried = vec![0; servers.len()];
    let mut taken = 0;
    for turn in (0..servers.len()).cycle() {
        let (name, offset, skip) = servers[turn];
        loop {
            let entry = (offset + tried[turn] * skip) % entries;
            tried[turn] += 1;
            if table[entry] == usize::MAX {
                table[entry] = name;
                break;
            }
        }
        taken += 1;
        if taken == entries {
            break;
        }
    }
    table
}

#[test]
fn without_server_1_two_entries_of_seven_must_move_and_three_do() {
    let (zero, one, two) = ((0, 3, 4), (1, 0, 2), (2, 3, 1));
    let (before, after) = (table(7, &[zero, one, two]), table(7, &[zero, two]));
    assert_eq!((&before[..], &after[..]), (&[1, 0, 1, 0, 2, 2, 0][..], &[0, 0, 0, 0, 2, 2, 2][..]));
    let moved = |must: bool| before.iter().zip(&after).filter(|(old, new)| old != new && (**old == 1) == must).count();
    assert_eq!((moved(true), moved(false)), (2, 1));
}

#[test]
fn no_two_servers_differ_by_more_than_one_entry() {
    let servers: Vec<_> = (0..10).map(|name| (name, name * 97 % 1_009, 1 + name * 31 % 1_008)).collect();
    let table = table(1_009, &servers);
    let counts: Vec<usize> = (0..10).map(|name| table.iter().filter(|&&entry| entry == name).count()).collect();
    assert!(counts.iter().max().expect("ten") - counts.iter().min().expect("ten") <= 1, "{counts:?}");
}

#[test]
fn in_a_prime_number_of_entries_every_step_visits_all() {
    for (entries, all) in [(7, true), (65_537, true), (655_373, true), (8, false)] {
        let least = (2..).find(|divisor| entries % divisor == 0 || divisor * divisor > entries).expect("there is one");
        assert_eq!(entries % least != 0, all, "{entries}");
    }
    let visited = |entries: usize, skip| {
        (0..entries).map(|turn| turn * skip % entries).collect::<std::collections::BTreeSet<_>>().len()
    };
    assert!((1..101).all(|skip| visited(101, skip) == 101));
    assert_eq!(visited(100, 10), 10);
}
