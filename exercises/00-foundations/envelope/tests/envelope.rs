//! What an estimate says, and what cannot be said.

use envelope::{Bytes, Rate, Requests, servers, storage, utf8};
use kit::compile::Compiler;
use std::marker::PhantomData;
use std::ops::{Add, AddAssign, Div, Mul, Sub};
use std::path::Path;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(86_400);

/// The clicks of a day.
const CLICKS: Requests = Requests(300_000_000);

mod stage_1_bytes {
    use super::*;

    #[test]
    fn a_unit_is_a_thousand_of_the_one_before() {
        assert!(Bytes::kb(3) == Bytes(3_000), "3 kB: {:?}", Bytes::kb(3));
        assert!(Bytes::mb(1) == Bytes::kb(1_000), "1 MB: {:?}", Bytes::mb(1));
        assert!(Bytes::gb(1) == Bytes::mb(1_000), "1 GB: {:?}", Bytes::gb(1));
        assert!(Bytes::tb(2) == Bytes::gb(2_000), "2 TB: {:?}", Bytes::tb(2));
    }

    #[test]
    fn bytes_add_up() {
        let record = Bytes(100) + Bytes(8) + Bytes(8);
        assert!(record == Bytes(116), "100 + 8 + 8: {record:?}");
        let sum: Bytes = [Bytes(1), Bytes::kb(1), Bytes::mb(1)].into_iter().sum();
        assert!(sum == Bytes(1_001_001), "1 B, 1 kB and 1 MB: {sum:?}");
        assert!(Bytes(116) * 3 == Bytes(348), "three times 116: {:?}", Bytes(116) * 3);
    }

    #[test]
    fn an_amount_is_told_in_the_unit_that_fits() {
        for (bytes, told) in [
            (0, "0 B"),
            (116, "116 B"),
            (999, "999 B"),
            (1_000, "1.000 kB"),
            (1_500_000, "1.500 MB"),
            (34_800_000_000, "34.800 GB"),
            (12_702_000_000_000, "12.702 TB"),
            (12_702_499_999_999, "12.702 TB"),
            (12_702_500_000_000, "12.703 TB"),
            (7_000_000_000_000_001, "7.000 PB"),
            (u64::MAX, "18446.744 PB"),
        ] {
            let got = Bytes(bytes).to_string();
            assert!(got == told, "{bytes} bytes are {told}, and it says {got}");
        }
    }

    #[test]
    fn what_rounds_to_a_thousand_is_one_of_the_next_unit() {
        for (bytes, told) in [
            (999_999, "999.999 kB"),
            (999_999_499, "999.999 MB"),
            (999_999_500, "1.000 GB"),
            (999_999_999_999, "1.000 TB"),
        ] {
            let got = Bytes(bytes).to_string();
            assert!(got == told, "{bytes} bytes are {told}, and it says {got}");
        }
    }
}

mod stage_2_rates {
    use super::*;

    #[test]
    fn three_hundred_million_a_day_are_3472_a_second() {
        let rate = (CLICKS / DAY).per_second();
        assert!(rate == 3_472, "300,000,000 in 86,400 s are 3,472.22 a second: {rate}");
    }

    /// Rounded once, and at the end: 3 · 3,472.22, not 3 · 3,472.
    #[test]
    fn three_times_that_are_10417() {
        let peak = (CLICKS / DAY * 3).per_second();
        assert!(peak == 10_417, "3 · 3,472.22 are 10,416.67 a second: {peak}");
    }

    #[test]
    fn half_a_request_a_second_is_rounded_up_and_less_is_not() {
        for (requests, seconds, rounded) in [(1, 2, 1), (49, 100, 0), (3, 2, 2), (149, 100, 1), (0, 1, 0)] {
            let got = (Requests(requests) / (SECOND * seconds)).per_second();
            assert!(got == rounded, "{requests} in {seconds} s: expected {rounded}, got {got}");
        }
        let fast = (Requests(7) / (SECOND / 1_000)).per_second();
        assert!(fast == 7_000, "7 in a millisecond: {fast}");
        let faster = (Requests(7) / (SECOND / 2_000)).per_second();
        assert!(faster == 14_000, "7 in half a millisecond: {faster}");
        let sum = Requests(2) + Requests(3);
        assert!(sum == Requests(5), "2 and 3 requests: {sum:?}");
    }

    /// A floating-point number has no place for the last digit of this one.
    #[test]
    fn a_rate_is_exact_however_large() {
        for requests in [(1 << 53) + 1, u64::MAX] {
            let got = (Requests(requests) / SECOND).per_second();
            assert!(got == requests, "{requests} in a second are {requests} a second: {got}");
        }
    }

    #[test]
    fn no_time_is_no_time_for_a_rate() {
        let rate = (Requests(1) / SECOND).per_second();
        assert!(rate == 1, "a request in a second: {rate}");
        let rate = std::panic::catch_unwind(|| Requests(1) / Duration::ZERO);
        assert!(rate.is_err(), "a request in no time at all has a rate: {rate:?}");
    }
}

mod stage_3_storage {
    use super::*;

    #[test]
    fn a_year_of_clicks_takes_12_702_tb() {
        let a_day = CLICKS * Bytes(116);
        assert!(a_day == Bytes(34_800_000_000), "300 million times 116 B are 34.8 GB: {a_day}");
        let a_year = storage(CLICKS, Bytes(116), 365, 1);
        assert!(a_year.to_string() == "12.702 TB", "365 days of 34.8 GB: {a_year}");
    }

    #[test]
    fn three_copies_take_three_times_as_much() {
        let all = storage(CLICKS, Bytes(116), 365, 3);
        assert!(all.to_string() == "38.106 TB", "three copies altogether of 12.702 TB: {all}");
    }

    #[test]
    fn plain_english_takes_a_byte_for_each_character() {
        let (text, range) = ("https://example.org", utf8(19));
        assert!(*range.start() == Bytes(19), "19 characters may take 19 bytes, as {text} does: {range:?}");
    }

    #[test]
    fn no_character_takes_more_than_four_bytes_and_some_do() {
        for text in ["Zoë", "日本語", "🦀🦀", ""] {
            let (bytes, most) = (Bytes(text.len() as u64), *utf8(text.chars().count() as u64).end());
            assert!(bytes <= most, "{text} takes {bytes}, and is said to take {most} at most");
        }
        let most = *utf8(100).end();
        assert!(most == Bytes(400), "a hundred crabs take 400 bytes: {most:?}");
    }
}

mod stage_4_servers {
    use super::*;

    fn a_second(requests: u64) -> Rate {
        Requests(requests) / SECOND
    }

    /// The peak of the clicks, on caches that bear 50,000 a second and on servers that bear 2,000.
    #[test]
    fn the_peak_needs_2_caches_and_9_servers() {
        let peak = CLICKS / DAY * 3;
        let caches = servers(peak, a_second(50_000), 50);
        assert!(caches == Some(2), "one bears it, and half of one in addition is one: {caches:?}");
        let api = servers(peak, a_second(2_000), 50);
        assert!(api == Some(9), "six bear it, and half of six in addition are three: {api:?}");
    }

    #[test]
    fn who_bears_exactly_the_peak_is_enough_and_one_request_more_is_not() {
        let exact = servers(a_second(6_000), a_second(2_000), 0);
        assert!(exact == Some(3), "6,000 on servers of 2,000: {exact:?}");
        let more = servers(Requests(6_001) / SECOND, a_second(2_000), 0);
        assert!(more == Some(4), "6,001 on servers of 2,000: {more:?}");
        let a_day = servers(Requests(1) / DAY, a_second(2_000), 0);
        assert!(a_day == Some(1), "one request a day needs a server: {a_day:?}");
    }

    /// Somebody measured for a minute, somebody else for a day.
    #[test]
    fn what_a_server_bears_may_be_told_in_any_time() {
        let peak = CLICKS / DAY * 3;
        let api = servers(peak, Requests(120_000) / MINUTE, 50);
        assert!(api == Some(9), "120,000 a minute are 2,000 a second, as before: {api:?}");
        let api = servers(peak, Requests(172_800_000) / DAY, 50);
        assert!(api == Some(9), "172,800,000 a day are 2,000 a second, as before: {api:?}");
    }

    /// 49 a minute, divided in floating point: three times as much would need a fourth server.
    #[test]
    fn so_many_times_what_one_bears_needs_so_many() {
        for time in [SECOND, MINUTE, DAY] {
            for times in 1..=30 {
                let got = servers(Requests(49) / time * times, Requests(49) / time, 0);
                assert!(got == Some(times), "{times} times what one bears in {time:?}: {got:?}");
            }
        }
    }

    #[test]
    fn a_spare_is_a_whole_server() {
        for (spare, expected) in [(0, 10), (1, 11), (10, 11), (11, 12), (100, 20)] {
            let got = servers(a_second(20_000), a_second(2_000), spare);
            assert!(got == Some(expected), "ten and {spare} % of them in addition: expected {expected}, got {got:?}");
        }
        let hundred = servers(a_second(100), a_second(1), 7);
        assert!(hundred == Some(107), "a hundred and 7 % of them in addition are 107: {hundred:?}");
    }

    #[test]
    fn nothing_needs_no_server_and_no_number_of_idlers_bears_anything() {
        let none = servers(a_second(0), a_second(2_000), 50);
        assert!(none == Some(0), "no requests: {none:?}");
        let idlers = servers(a_second(1), a_second(0), 50);
        assert!(idlers.is_none(), "servers that bear nothing: {idlers:?}");
    }

    /// Two fields of a sheet that nobody has filled in yet.
    #[test]
    fn who_bears_nothing_is_not_enough_for_nothing_either() {
        let unmeasured = servers(a_second(0), a_second(0), 50);
        assert!(unmeasured.is_none(), "servers that bear nothing, even if nothing is asked: {unmeasured:?}");
    }
}

/// What does not compile cannot be called, but it can be asked for: of two constants of the same name, the one that belongs to the type itself is
/// taken where its bounds hold, and the trait's otherwise.
mod stage_5_nonsense_does_not_compile {
    use super::*;

    struct Of<A, B>(PhantomData<(A, B)>);

    macro_rules! ask {
        ($operation:ident, $name:ident, $fallback:ident) => {
            trait $fallback {
                const $name: bool = false;
            }
            impl<T> $fallback for T {}
            impl<A: $operation<B>, B> Of<A, B> {
                #[allow(dead_code, reason = "taken only where its bounds hold")]
                const $name: bool = true;
            }
        };
    }

    ask!(Add, ADDS, NoAdd);
    ask!(AddAssign, GROWS, NoAddAssign);
    ask!(Sub, SUBTRACTS, NoSub);
    ask!(Mul, MULTIPLIES, NoMul);
    ask!(Div, DIVIDES, NoDiv);

    #[test]
    fn gigabytes_and_requests_do_not_add_up() {
        assert!(Bytes(1) + Bytes(2) == Bytes(3), "bytes do");
        let sums =
            [("bytes and bytes", Of::<Bytes, Bytes>::ADDS), ("requests and requests", Of::<Requests, Requests>::ADDS)];
        for (what, compiles) in sums {
            assert!(compiles, "{what} cannot be added");
        }
        let sums = [
            ("bytes and requests", Of::<Bytes, Requests>::ADDS),
            ("requests and bytes", Of::<Requests, Bytes>::ADDS),
            ("bytes and a rate", Of::<Bytes, Rate>::ADDS),
            ("a rate and bytes", Of::<Rate, Bytes>::ADDS),
            ("requests and a rate", Of::<Requests, Rate>::ADDS),
            ("bytes and a time", Of::<Bytes, Duration>::ADDS),
            ("bytes += requests", Of::<Bytes, Requests>::GROWS),
            ("requests += bytes", Of::<Requests, Bytes>::GROWS),
        ];
        for (what, compiles) in sums {
            assert!(!compiles, "{what} can be added: what would the sum be?");
        }
    }

    /// `Bytes::gb(40) + 3`: three what?
    #[test]
    fn a_bare_number_has_no_unit() {
        assert!(Bytes(2) * 3 == Bytes(6), "a number of times is no amount, and may be bare");
        let sums = [
            ("bytes plus a number", Of::<Bytes, u64>::ADDS),
            ("requests plus a number", Of::<Requests, u64>::ADDS),
            ("bytes += a number", Of::<Bytes, u64>::GROWS),
            ("requests += a number", Of::<Requests, u64>::GROWS),
            ("bytes less a number", Of::<Bytes, u64>::SUBTRACTS),
            ("a rate plus a number", Of::<Rate, u64>::ADDS),
        ];
        for (what, compiles) in sums {
            assert!(!compiles, "{what} compiles");
        }
    }

    #[test]
    fn a_product_of_amounts_is_not_an_amount() {
        assert!(Requests(2) * Bytes(3) == Bytes(6), "two records of three bytes");
        let sound = [
            ("requests in a time", Of::<Requests, Duration>::DIVIDES),
            ("a number of times a rate", Of::<Rate, u64>::MULTIPLIES),
        ];
        for (what, compiles) in sound {
            assert!(compiles, "{what} does not compile");
        }
        let products = [
            ("bytes times bytes", Of::<Bytes, Bytes>::MULTIPLIES),
            ("requests times requests", Of::<Requests, Requests>::MULTIPLIES),
            ("bytes through requests a second", Of::<Bytes, Rate>::DIVIDES),
            ("requests through bytes", Of::<Requests, Bytes>::DIVIDES),
        ];
        for (what, compiles) in products {
            assert!(!compiles, "{what} compiles: in which unit is the result?");
        }
    }

    /// The same question, put to the compiler itself by `trybuild`: programs of five lines, one of which says what cannot be said. That takes a second.
    #[test]
    fn the_compiler_refuses_gigabytes_plus_requests_a_second() {
        assert!(Bytes::gb(1) + Bytes::gb(2) == Bytes::gb(3), "bytes and bytes are bytes");
        let compiler = Compiler {
            package: env!("CARGO_MANIFEST_DIR"),
            test: "stage_5_nonsense_does_not_compile::the_compiler_refuses_gigabytes_plus_requests_a_second",
        };
        // A grader's box has no compiler. There the grader asks the same of the same programs, and this test is as good as its answers.
        if !Path::new(compiler.package).join("Cargo.toml").exists() {
            return;
        }
        macro_rules! programs {
            ($($name:literal),*) => {
                [$(include_str!(concat!("programs/the_compiler_refuses_gigabytes_plus_requests_a_second/", $name, ".rs"))),*]
            };
        }
        let programs = programs![
            "compiles",
            "refused-size-plus-rate",
            "refused-rate-plus-size",
            "refused-size-plus-count",
            "refused-size-plus-three",
            "refused-a-count-as-bytes"
        ];
        let line_5 = |program: &'static str| program.lines().nth(4).unwrap_or_default().trim();
        let [sensible, refused @ ..] = compiler.refusals(programs);
        assert!(sensible.is_empty(), "`{}` must compile, and does not: {sensible:?}", line_5(programs[0]));
        for (program, refusals) in programs[1..].iter().zip(refused) {
            assert!(!refusals.is_empty(), "`{}` compiles: in which unit is the result?", line_5(program));
            let elsewhere: Vec<_> = refusals.iter().filter(|refusal| refusal.line != 5).collect();
            assert!(
                elsewhere.is_empty(),
                "line 5 of the program is nonsense, and the others are refused: {elsewhere:?}"
            );
        }
    }
}
