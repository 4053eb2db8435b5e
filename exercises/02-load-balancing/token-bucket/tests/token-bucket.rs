//! What a client can see: what it is given, what it is refused, and when to come back.

use kit::{Rng, Sometimes, for_seeds};
use rand::RngExt as _;
use std::sync::Arc;
use std::time::Duration;
use token_bucket::{Denied, Limit, Limiter, Refused, TokenBucket};

const SECOND: Duration = Duration::from_secs(1);
const NANOSECOND: Duration = Duration::from_nanos(1);

fn limit(burst: u32, tokens: u32, per: Duration) -> Limit {
    Limit::new(burst, tokens, per).expect("the tests' limits are sound")
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// A bucket that was emptied at zero.
fn emptied(limit: Limit) -> TokenBucket {
    let mut bucket = TokenBucket::new(limit);
    let all = bucket.take(limit.burst(), Duration::ZERO);
    assert!(all.is_ok(), "a new bucket is full and gives all it has at once: {all:?}");
    bucket
}

/// The law itself, slow and without a bucket: in every window, however chosen, no more than the burst and what comes back in it.
struct Law {
    burst: u32,
    tokens: u32,
    per: Duration,
    given: Vec<(Duration, u32)>,
}

impl Law {
    fn of((burst, tokens, per): (u32, u32, Duration)) -> Self {
        Self { burst, tokens, per, given: Vec::new() }
    }

    /// Whether `wanted` more at `now` keep it in every window that ends now.
    fn allows(&self, wanted: u32, now: Duration) -> bool {
        let mut sum = u128::from(wanted);
        let keeps = |sum: u128, from: Duration| {
            sum * self.per.as_nanos()
                <= u128::from(self.burst) * self.per.as_nanos() + u128::from(self.tokens) * (now - from).as_nanos()
        };
        keeps(sum, now)
            && self.given.iter().rev().all(|&(from, tokens)| {
                sum += u128::from(tokens);
                keeps(sum, from)
            })
    }

    fn is_full(&self, now: Duration) -> bool {
        self.allows(self.burst, now)
    }
}

/// A burst, and so many tokens each so long: from one in seven nanoseconds to three an hour.
fn some_limit(rng: &mut Rng) -> (u32, u32, Duration) {
    let per = [Duration::from_nanos(7), ms(1), SECOND, Duration::from_secs(3_600)][rng.random_range(0..4)];
    (rng.random_range(1..=12), rng.random_range(1..=9), per)
}

/// The next reading of a clock that mostly goes on by about a token, sometimes stands, leaps, or lags behind.
///
/// Who wants nothing, or more than there ever is, comes at the latest reading: whether such a reading counts is left open.
fn some_reading(rng: &mut Rng, latest: Duration, (burst, tokens, per): (u32, u32, Duration), wanted: u32) -> Duration {
    if !(1..=burst).contains(&wanted) {
        return latest;
    }
    let token = per.as_nanos() as u64 / u64::from(tokens) + 1;
    match rng.random_range(0..10) {
        0..2 => latest,
        2..7 => latest + Duration::from_nanos(rng.random_range(0..=2 * token)),
        7 => latest + Duration::from_nanos(rng.random_range(0..=2 * token * u64::from(burst))),
        _ => latest.saturating_sub(Duration::from_nanos(rng.random_range(0..=4 * token))),
    }
}

fn some_wish(rng: &mut Rng, burst: u32) -> u32 {
    if rng.random_bool(0.7) { 1 } else { rng.random_range(0..=burst + 1) }
}

mod stage_1_one_bucket {
    use super::*;

    #[test]
    fn a_new_bucket_gives_its_burst_at_once_and_no_more() {
        let mut bucket = TokenBucket::new(limit(5, 10, SECOND));
        let given = (0..20).filter(|_| bucket.take(1, SECOND).is_ok()).count();
        assert!(given == 5, "a burst of 5, 20 requests in the same instant: {given} were given a token");
    }

    #[test]
    fn a_token_is_back_exactly_when_its_time_is_over() {
        let mut bucket = emptied(limit(5, 10, SECOND));
        let early = bucket.take(1, ms(100) - NANOSECOND);
        assert!(early.is_err(), "10 a second: the first is back after 100 ms, not a nanosecond before: {early:?}");
        assert!(bucket.take(1, ms(100)).is_ok(), "10 a second: one is back after 100 ms");
        assert!(bucket.take(1, ms(199)).is_err(), "it was taken at 100 ms; the second is back at 200 ms");
        assert!(bucket.take(4, ms(500)).is_ok(), "from 100 to 500 ms four have come back");
    }

    /// An hour without a request.
    #[test]
    fn it_never_holds_more_than_its_burst() {
        let mut bucket = emptied(limit(5, 10, SECOND));
        let given = (0..20).filter(|_| bucket.take(1, 3_600 * SECOND).is_ok()).count();
        assert!(given == 5, "36,000 would have come back in an hour; the bucket holds 5, and it gave {given}");
    }

    #[test]
    fn a_request_gets_all_it_wants_or_nothing() {
        let mut bucket = emptied(limit(5, 10, SECOND));
        let refused = bucket.take(4, ms(300));
        assert!(refused == Err(Refused::Wait { retry_after: ms(100) }), "3 of 4 are there: {refused:?}");
        assert!(bucket.take(3, ms(300)).is_ok(), "the 3 are still there: a refusal takes nothing");
        assert!(bucket.take(0, ms(300)).is_ok(), "nothing is always there");
    }

    /// Whoever waits for six tokens of a bucket of five waits for ever.
    #[test]
    fn more_than_the_burst_is_refused_for_good() {
        let mut bucket = TokenBucket::new(limit(5, 10, SECOND));
        let refused = bucket.take(6, SECOND);
        assert!(refused == Err(Refused::TooMuch { burst: 5 }), "6 of a bucket of 5: {refused:?}");
        assert!(bucket.take(5, SECOND).is_ok(), "and nothing was taken");
    }

    /// A third of a second is no whole number of nanoseconds.
    #[test]
    fn who_comes_back_when_told_is_served_and_a_nanosecond_earlier_is_not() {
        let mut bucket = emptied(limit(2, 3, SECOND));
        let Err(Refused::Wait { retry_after }) = bucket.take(1, Duration::ZERO) else {
            panic!("the bucket is empty, and 1 was not refused with a time to wait")
        };
        assert!(
            retry_after == Duration::from_nanos(333_333_334),
            "3 a second: wait a third of one, got {retry_after:?}"
        );
        assert!(bucket.take(1, retry_after - NANOSECOND).is_err(), "a nanosecond before");
        assert!(bucket.take(1, retry_after).is_ok(), "at the time that was told");
    }

    /// Somebody asks every millisecond. Between two questions 0.003 of a token comes back.
    #[test]
    fn fractions_add_up() {
        let mut bucket = emptied(limit(2, 3, SECOND));
        let given = (1..=10_000).filter(|&at| bucket.take(1, ms(at)).is_ok()).count();
        assert!(given == 30, "3 a second for 10 seconds, asked for every millisecond: 30, and it gave {given}");
    }

    /// Not for a bucket that counts tenths in a number that cannot hold them.
    #[test]
    fn ten_tenths_are_one() {
        let mut bucket = emptied(limit(10, 1, SECOND));
        let at: Vec<u64> = (1..=600).filter(|&tenth| bucket.take(1, ms(100 * tenth)).is_ok()).collect();
        let expected: Vec<u64> = (1..=60).map(|second| second * 10).collect();
        assert!(at == expected, "one a second: given in these tenths of a second: {at:?}");
    }

    /// Three for each half hour are one each ten minutes.
    #[test]
    fn a_rate_may_be_less_than_one_a_second() {
        let mut bucket = emptied(limit(1, 3, 1_800 * SECOND));
        assert!(bucket.take(1, 600 * SECOND - NANOSECOND).is_err(), "a nanosecond before ten minutes are over");
        assert!(bucket.take(1, 600 * SECOND).is_ok(), "after ten minutes");
    }

    #[test]
    fn what_is_available_can_be_taken() {
        let mut bucket = emptied(limit(5, 10, SECOND));
        let seen = [0, 99, 100, 250, 499, 500, 60_000].map(|at| bucket.available(ms(at)));
        assert!(seen == [0, 0, 1, 2, 4, 5, 5], "whole tokens at 0, 99, 100, 250, 499, 500 and 60,000 ms: {seen:?}");
        assert!(bucket.take(2, ms(250)).is_ok(), "looking takes nothing and brings nothing");
        assert!(bucket.available(ms(250)) == 0, "half a token is none: {}", bucket.available(ms(250)));
    }

    #[test]
    fn a_limit_has_a_burst_a_rate_and_an_end() {
        for (burst, tokens, per) in
            [(0, 1, SECOND), (1, 0, SECOND), (1, 1, Duration::ZERO), (u32::MAX, 1, 300 * SECOND)]
        {
            let made = Limit::new(burst, tokens, per);
            assert!(made.is_none(), "a burst of {burst}, {tokens} each {per:?}: {made:?}");
        }
        let longest = Duration::from_nanos(u64::MAX);
        let mut bucket = emptied(limit(1, 1, longest));
        assert!(bucket.take(1, longest - NANOSECOND).is_err(), "584 years are not over");
        assert!(bucket.take(1, Duration::MAX).is_ok(), "and now they are");
        assert!(Limit::new(2, 1, longest).is_none(), "1,169 years are too long");
        let greatest = limit(u32::MAX, u32::MAX, SECOND);
        assert!(emptied(greatest).available(SECOND / 2) == u32::MAX / 2, "half of them after half a second");
    }

    /// 31 times 1,190,112,520,884,487,201 is twice `u64::MAX`, and one more.
    #[test]
    fn half_a_nanosecond_more_than_584_years_is_too_long() {
        let per = Duration::from_nanos(1_190_112_520_884_487_201);
        let longer = Limit::new(31, 2, per);
        assert!(longer.is_none(), "an empty bucket takes u64::MAX nanoseconds and a half to fill: {longer:?}");
        let mut bucket = emptied(limit(31, 2, per - NANOSECOND));
        let Err(Refused::Wait { retry_after }) = bucket.take(31, Duration::ZERO) else {
            panic!("with a nanosecond less for each two tokens it is sound, and empty")
        };
        assert!(
            retry_after == Duration::from_nanos(u64::MAX - 15),
            "31 tokens, half a nanosecond less for each: full 15 and a half before u64::MAX and a half: {retry_after:?}"
        );
    }

    /// Four each 2,338 years are one each 584.
    #[test]
    fn the_period_itself_may_be_longer() {
        let longest = Duration::from_nanos(u64::MAX);
        let mut bucket = emptied(limit(1, 4, 4 * longest));
        assert!(bucket.take(1, longest - NANOSECOND).is_err(), "584 years are not over");
        assert!(bucket.take(1, longest).is_ok(), "and now they are");
        let longer = Limit::new(1, 4, 4 * longest + NANOSECOND);
        assert!(longer.is_none(), "a quarter of a nanosecond more than u64::MAX: {longer:?}");
        assert!(Limit::new(1, u32::MAX, Duration::MAX).is_some(), "one each 136 years, however long the period");
    }
}

mod stage_2_the_law {
    use super::*;

    /// Ten a second. A counter that begins anew each second is asked ten times just before the second is over and ten times just after.
    #[test]
    fn twice_the_burst_does_not_fit_around_the_turn_of_a_second() {
        let mut bucket = TokenBucket::new(limit(10, 10, SECOND));
        let before = (0..10).filter(|_| bucket.take(1, ms(999)).is_ok()).count();
        let after = (0..10).filter(|_| bucket.take(1, ms(1_001)).is_ok()).count();
        assert!((before, after) == (10, 0), "10 at 999 ms and, two milliseconds later, {after} more; before: {before}");
    }

    /// A thread reads 9.9 s, and is overtaken on its way to the bucket by one that reads 10 s.
    #[test]
    fn time_that_was_counted_is_not_counted_again() {
        let mut bucket = TokenBucket::new(limit(5, 10, SECOND));
        assert!(bucket.take(5, ms(10_000)).is_ok(), "it is full");
        for round in 0..10 {
            let late = bucket.take(1, ms(9_900));
            assert!(late.is_err(), "round {round}: a reading of 9.9 s after one of 10 s counts as 10 s: {late:?}");
            let again = bucket.take(1, ms(10_000));
            assert!(again == Err(Refused::Wait { retry_after: ms(100) }), "round {round}: still 10 s: {again:?}");
        }
        assert!(bucket.take(1, ms(10_100)).is_ok(), "100 ms later");
    }

    #[test]
    fn the_wait_of_a_late_reading_is_counted_from_the_latest_one() {
        let mut bucket = TokenBucket::new(limit(5, 10, SECOND));
        assert!(bucket.take(5, ms(10_000)).is_ok(), "it is full");
        let late = bucket.take(2, ms(9_000));
        assert!(late == Err(Refused::Wait { retry_after: ms(200) }), "the two are back at 10.2 s: {late:?}");
        assert!(bucket.available(ms(9_000)) == 0, "and none is there: {}", bucket.available(ms(9_000)));
    }

    /// One asks a thousand times a second, the other ten times. Being refused costs nothing, and asking wins nothing.
    #[test]
    fn the_impatient_get_what_the_patient_get() {
        let limit = limit(10, 10, SECOND);
        let (mut patient, mut impatient) = (emptied(limit), emptied(limit));
        let to_the_patient = (1..=100).filter(|&tenth| patient.take(1, ms(100 * tenth)).is_ok()).count();
        let to_the_impatient = (1..=10_000).filter(|&at| impatient.take(1, ms(at)).is_ok()).count();
        assert!(
            (to_the_patient, to_the_impatient) == (100, 100),
            "10 a second for 10 seconds: {to_the_patient} to who asked 100 times, {to_the_impatient} to who asked 10,000 times"
        );
    }

    #[test]
    fn exactly_what_every_window_allows_is_given() {
        let sometimes =
            Sometimes::expect(["given", "refused", "more than there ever is", "a clock that lags", "full again"]);
        for_seeds(100, |seed| {
            let mut rng = seed.rng();
            let numbers @ (burst, tokens, per) = some_limit(&mut rng);
            let (mut bucket, mut law) = (TokenBucket::new(limit(burst, tokens, per)), Law::of(numbers));
            let mut latest = Duration::ZERO;
            for step in 0..150 {
                let wanted = some_wish(&mut rng, burst);
                let now = some_reading(&mut rng, latest, numbers, wanted);
                sometimes.saw("a clock that lags", now < latest);
                latest = latest.max(now);
                let allowed = law.allows(wanted, latest);
                sometimes.saw("full again", step > 0 && law.is_full(latest));
                let before = bucket.clone();
                let got = bucket.take(wanted, now);
                let story = format!(
                    "seed {seed}, step {step}: a burst of {burst}, {tokens} each {per:?}; {wanted} wanted at {now:?}, the latest reading is {latest:?}"
                );
                match got {
                    Ok(()) => law.given.push((latest, wanted)),
                    Err(Refused::TooMuch { burst: held }) => {
                        sometimes.saw("more than there ever is", true);
                        assert!(wanted > burst && held == burst, "{story}: {got:?}");
                    }
                    Err(Refused::Wait { retry_after }) => {
                        sometimes.saw("refused", true);
                        let then = latest + retry_after;
                        assert!(wanted <= burst, "{story}: told to wait for what there never is");
                        assert!(
                            !law.allows(wanted, then - NANOSECOND) && law.allows(wanted, then),
                            "{story}: told to come back after {retry_after:?}; the law allows it a nanosecond earlier, or not even then"
                        );
                        assert!(
                            before.clone().take(wanted, then).is_ok(),
                            "{story}: came back after {retry_after:?} and was refused"
                        );
                    }
                }
                sometimes.saw("given", got.is_ok());
                assert!(got.is_ok() == allowed, "{story}: what was given before allows it: {allowed}; got {got:?}");
                let left = bucket.available(latest);
                assert!(
                    law.allows(left, latest) && !law.allows(left + 1, latest),
                    "{story}: then it says that {left} are left"
                );
            }
        });
    }
}

mod stage_3_one_for_each_client {
    use super::*;

    const ALICE: &u32 = &1;
    const BOB: &u32 = &2;
    const CAROL: &u32 = &3;

    /// 10 at once, 10 a second: an empty bucket is full after a second.
    fn limiter(capacity: usize) -> Limiter<u32> {
        Limiter::new(limit(10, 10, SECOND), capacity)
    }

    fn wait(after: Duration) -> Result<(), Denied> {
        Err(Denied::Limited(Refused::Wait { retry_after: after }))
    }

    #[test]
    fn each_client_has_a_bucket_of_its_own() {
        let mut limiter = limiter(10);
        assert!(limiter.take(ALICE, 10, SECOND).is_ok(), "alice is new and may burst");
        let more = limiter.take(ALICE, 1, SECOND);
        assert!(more == wait(ms(100)), "alice has used up hers: {more:?}");
        assert!(limiter.take(BOB, 10, SECOND).is_ok(), "bob has not");
        let too_much = limiter.take(CAROL, 11, SECOND);
        assert!(too_much == Err(Denied::Limited(Refused::TooMuch { burst: 10 })), "11 of 10: {too_much:?}");
    }

    /// A thousand clients come by, one each second. Each takes a second to be forgettable.
    #[test]
    fn who_has_a_full_bucket_makes_room_for_others() {
        let mut limiter = limiter(1);
        for client in 0..1_000 {
            let served = limiter.take(&client, 10, u32::from(client as u16) * SECOND);
            assert!(
                served.is_ok(),
                "client {client} comes when the bucket of the one before is full again: {served:?}"
            );
            assert!(limiter.remembered() <= 1, "{} are remembered, room is for 1", limiter.remembered());
        }
    }

    #[test]
    fn a_thousand_names_are_not_remembered_where_there_is_room_for_a_hundred() {
        let mut limiter = limiter(100);
        for name in 1_000..2_000 {
            _ = limiter.take(&name, 10, SECOND);
            assert!(limiter.remembered() <= 100, "{} are remembered, room is for 100", limiter.remembered());
        }
    }

    /// A thousand invented names, to push her own out of memory.
    #[test]
    fn nobody_gets_a_new_burst_by_being_forgotten() {
        let mut limiter = limiter(100);
        assert!(limiter.take(ALICE, 10, SECOND).is_ok(), "alice is new and may burst");
        for name in 1_000..2_000 {
            _ = limiter.take(&name, 10, ms(1_010));
        }
        let more = limiter.take(ALICE, 1, ms(1_010));
        assert!(more == wait(ms(90)), "ten milliseconds after her burst and a thousand names later: {more:?}");
    }

    /// Alice came first and took all. Bob came later and took one.
    #[test]
    fn who_came_last_may_be_the_first_to_be_forgotten() {
        let mut limiter = limiter(2);
        assert!(limiter.take(ALICE, 10, ms(0)).is_ok() && limiter.take(BOB, 1, ms(500)).is_ok(), "both are new");
        let carol = limiter.take(CAROL, 1, ms(700));
        assert!(carol.is_ok(), "bob's bucket is full since 600 ms and may be forgotten: {carol:?}");
        let alice = limiter.take(ALICE, 8, ms(700));
        assert!(alice == wait(ms(100)), "alice has 7 at 700 ms, whatever others did: {alice:?}");
    }

    #[test]
    fn a_newcomer_waits_until_somebody_may_be_forgotten() {
        let mut limiter = limiter(2);
        assert!(limiter.take(ALICE, 10, ms(0)).is_ok() && limiter.take(BOB, 6, ms(100)).is_ok(), "both are new");
        let carol = limiter.take(CAROL, 1, ms(300));
        assert!(
            carol == Err(Denied::Crowded { retry_after: ms(400) }),
            "bob's bucket is full at 700 ms, alice's at 1 s: {carol:?}"
        );
        assert!(limiter.take(CAROL, 1, ms(700) - NANOSECOND).is_err(), "a nanosecond before");
        assert!(limiter.take(CAROL, 1, ms(700)).is_ok(), "at the time that was told");
    }

    #[test]
    fn who_is_remembered_is_served_in_a_crowd() {
        let mut limiter = limiter(2);
        assert!(limiter.take(ALICE, 5, ms(0)).is_ok() && limiter.take(BOB, 5, ms(0)).is_ok(), "both are new");
        assert!(matches!(limiter.take(CAROL, 1, ms(100)), Err(Denied::Crowded { .. })), "no room for carol");
        let served = [limiter.take(ALICE, 6, ms(100)), limiter.take(BOB, 6, ms(100))];
        assert!(served == [Ok(()), Ok(())], "alice and bob have 6 each: {served:?}");
    }

    /// What leaves a bucket full needs no room.
    #[test]
    fn who_takes_nothing_is_not_remembered() {
        let mut limiter = limiter(1);
        for name in 10..20 {
            assert!(limiter.take(&name, 0, SECOND).is_ok(), "nothing is always there");
            assert!(limiter.take(&name, 11, SECOND).is_err(), "11 of 10");
        }
        assert!(limiter.take(ALICE, 1, SECOND).is_ok(), "room is for one, and nobody before has taken anything");
        let nothing = [limiter.take(BOB, 0, SECOND), limiter.take(BOB, 11, SECOND)];
        assert!(
            nothing == [Ok(()), Err(Denied::Limited(Refused::TooMuch { burst: 10 }))],
            "there is no room for bob, and he needs none: {nothing:?}"
        );
    }

    /// Bob's reading is one second, so alice may be forgotten. Her thread had read the clock before, and comes later.
    #[test]
    fn one_clock_counts_for_all_clients() {
        let mut limiter = limiter(2);
        assert!(limiter.take(ALICE, 10, ms(0)).is_ok() && limiter.take(BOB, 1, ms(1_000)).is_ok(), "both are new");
        assert!(limiter.take(ALICE, 10, ms(500)).is_ok(), "a reading of 0.5 s after one of 1 s counts as 1 s");
        let more = limiter.take(ALICE, 1, ms(1_000));
        assert!(more == wait(ms(100)), "she took ten at 1 s, and it is 1 s: {more:?}");
    }

    /// The fixed moment may lie long ago. A `u64` has room for 584 years of nanoseconds.
    #[test]
    fn the_clock_may_have_been_started_long_ago() {
        let longest = Duration::from_nanos(u64::MAX);
        for at in [longest - SECOND, longest, longest + SECOND, 3 * longest, Duration::MAX / 2] {
            let mut limiter = limiter(1);
            assert!(limiter.take(ALICE, 10, at).is_ok(), "alice is new at {at:?}");
            let more = limiter.take(ALICE, 1, at);
            assert!(more == wait(ms(100)), "alice has used up hers at {at:?}: {more:?}");
            let bob = limiter.take(BOB, 1, at);
            let crowded = Err(Denied::Crowded { retry_after: SECOND });
            assert!(bob == crowded, "alice's bucket is full a second after {at:?}, and room is for one: {bob:?}");
            let later = [limiter.take(BOB, 1, at + SECOND - NANOSECOND), limiter.take(BOB, 10, at + SECOND)];
            assert!(later == [Err(Denied::Crowded { retry_after: NANOSECOND }), Ok(())], "a second later: {later:?}");
        }
        let mut limiter = limiter(1);
        let served = [limiter.take(ALICE, 10, SECOND), limiter.take(BOB, 10, Duration::MAX / 2)];
        assert!(served == [Ok(()), Ok(())], "alice's bucket has been full for ages: {served:?}");
    }

    #[test]
    fn where_there_is_no_room_at_all_everybody_is_crowded_out() {
        let mut limiter = limiter(0);
        assert!(limiter.take(ALICE, 0, SECOND).is_ok(), "nothing is always there");
        let too_much = limiter.take(ALICE, 11, SECOND);
        assert!(too_much == Err(Denied::Limited(Refused::TooMuch { burst: 10 })), "11 of 10: {too_much:?}");
        let alice = limiter.take(ALICE, 1, SECOND);
        let for_ever = Err(Denied::Crowded { retry_after: Duration::MAX });
        assert!(alice == for_ever, "nobody can ever be remembered, so nobody can be forgotten: {alice:?}");
        assert!(limiter.remembered() == 0, "{} are remembered, and there is no room", limiter.remembered());
    }

    /// Somebody wants no bound, and says so.
    #[test]
    fn room_is_not_taken_before_it_is_needed() {
        let mut limiter = limiter(usize::MAX);
        let served = [limiter.take(ALICE, 10, SECOND), limiter.take(BOB, 10, SECOND)];
        assert!(served == [Ok(()), Ok(())], "there is room for everybody: {served:?}");
    }

    /// Alice has taken one token, and is the first who may be forgotten, after a second. Until then Bob comes a thousand times. His name is shared, and
    /// counts how often it is kept: as a key here, as a key there, but not once for each request.
    #[test]
    fn who_comes_often_takes_no_more_room() {
        let (alice, bob): (Arc<str>, Arc<str>) = ("alice".into(), "bob".into());
        let mut limiter = Limiter::new(limit(1_000, 1, SECOND), 2);
        assert!(limiter.take(&alice, 1, ms(0)).is_ok(), "alice is new");
        let given = (0..1_000).filter(|&at| limiter.take(&bob, 1, ms(at)).is_ok()).count();
        let kept = Arc::strong_count(&bob) - 1;
        assert!(given == 1_000, "a burst of 1,000, and bob was given {given}");
        assert!(kept <= 16, "two clients are remembered, and after 1,000 requests bob's name is kept {kept} times");
    }

    /// One comes each 100 µs and takes one token of ten a second. Each bucket is full again after 100 ms.
    #[test]
    fn a_hundred_thousand_clients_go_by_in_the_memory_of_a_thousand() {
        let mut limiter = limiter(1_000);
        for client in 0..100_000 {
            let served = limiter.take(&client, 1, client * Duration::from_micros(100));
            assert!(
                served.is_ok(),
                "client {client}: when it comes, the one that came 1,000 before it is full: {served:?}"
            );
            assert!(limiter.remembered() <= 1_000, "{} are remembered, room is for 1,000", limiter.remembered());
        }
    }

    /// No clock here: whoever looks at all of 50,000 clients for each of 150,000 requests is stopped by the runner's deadline.
    #[test]
    fn who_is_served_is_decided_without_looking_at_everybody() {
        let mut limiter = limiter(50_000);
        for round in 1..=2 {
            let given = (0..50_000).filter(|client| limiter.take(client, 1, ms(round)).is_ok()).count();
            assert!(given == 50_000, "round {round}: each of 50,000 may burst, and {given} were given a token");
        }
        let newcomers = (50_000..100_000).filter(|client| limiter.take(client, 1, ms(3)).is_ok()).count();
        assert!(
            newcomers == 0,
            "50,000 buckets are not full, room is for as many, and {newcomers} newcomers were served"
        );
    }

    /// A handful of clients and less room than they need.
    #[test]
    fn every_client_gets_exactly_its_own_unless_it_is_new_in_a_crowd() {
        let sometimes = Sometimes::expect([
            "crowded",
            "given in a crowd",
            "a clock that lags",
            "back after it was forgotten",
            "refused",
        ]);
        for_seeds(100, |seed| {
            let mut rng = seed.rng();
            let numbers @ (burst, tokens, per) = some_limit(&mut rng);
            let capacity = rng.random_range(1..=3);
            let mut limiter = Limiter::new(limit(burst, tokens, per), capacity);
            let mut laws: Vec<Law> = (0..5).map(|_| Law::of(numbers)).collect();
            let mut latest = Duration::ZERO;
            for step in 0..150 {
                let (client, wanted) = (rng.random_range(0..laws.len()), some_wish(&mut rng, burst));
                let now = some_reading(&mut rng, latest, numbers, wanted);
                sometimes.saw("a clock that lags", now < latest);
                latest = latest.max(now);
                let others = (0..laws.len()).filter(|&other| other != client && !laws[other].is_full(latest)).count();
                let (is_full, allowed) = (laws[client].is_full(latest), laws[client].allows(wanted, latest));
                let crowded = is_full && (1..=burst).contains(&wanted) && others >= capacity;
                let remembered = limiter.remembered();
                let got = limiter.take(&client, wanted, now);
                let story = format!(
                    "seed {seed}, step {step}: a burst of {burst}, {tokens} each {per:?}, room for {capacity}, {remembered} remembered so far; client {client} wants {wanted} at {now:?}, the latest reading is {latest:?}"
                );
                match got {
                    Ok(()) => {
                        sometimes.saw("given in a crowd", others + 1 >= capacity && !is_full);
                        sometimes.saw("back after it was forgotten", is_full && !laws[client].given.is_empty());
                        laws[client].given.push((latest, wanted));
                    }
                    Err(Denied::Crowded { retry_after }) => {
                        sometimes.saw("crowded", true);
                        let then = latest + retry_after;
                        let free = |at| laws.iter().any(|law| !law.is_full(latest) && law.is_full(at));
                        assert!(
                            crowded && free(then) && !free(then - NANOSECOND),
                            "{story}: {others} others have buckets that are not full; got {got:?}"
                        );
                    }
                    Err(Denied::Limited(Refused::Wait { retry_after })) => {
                        sometimes.saw("refused", true);
                        let (law, then) = (&laws[client], latest + retry_after);
                        assert!(
                            !law.allows(wanted, then - NANOSECOND) && law.allows(wanted, then),
                            "{story}: told to come back after {retry_after:?}; the law allows it a nanosecond earlier, or not even then"
                        );
                    }
                    Err(Denied::Limited(Refused::TooMuch { burst: held })) => {
                        assert!(wanted > burst && held == burst, "{story}: {got:?}");
                    }
                }
                assert!(
                    got.is_ok() == (allowed && !crowded),
                    "{story}: its own limit allows it: {allowed}; {others} others have buckets that are not full; got {got:?}"
                );
                assert!(
                    matches!(got, Err(Denied::Crowded { .. })) == crowded,
                    "{story}: it is crowded for this client: {crowded}; got {got:?}"
                );
                assert!(limiter.remembered() <= capacity, "{story}: {} are remembered", limiter.remembered());
            }
        });
    }
}
