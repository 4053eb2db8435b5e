//! What Prometheus is told. Counters and latencies since the start; who asks computes rates.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use url_shortener::parts::histogram::{Histogram, Micros, Quantile};

/// Counted by what was asked and how it ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Route {
    Redirect,
    Create,
    Other,
}

const ROUTES: [(Route, &str); 3] = [(Route::Redirect, "redirect"), (Route::Create, "create"), (Route::Other, "other")];
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// Threads count apart, in so many places, and are added up when somebody asks: two that count in one wait for each other.
const PLACES: usize = 8;

#[derive(Default)]
pub struct Metrics {
    places: [Counters; PLACES],
}

/// What one thread, or a few, have counted; apart from the others in memory too.
#[derive(Default)]
#[repr(align(128))]
pub struct Counters {
    answered: [[AtomicU64; CLASSES.len()]; ROUTES.len()],
    latency: [Mutex<(Histogram, u64)>; ROUTES.len()],
    pub cache_hits: AtomicU64,
    pub cache_misses: AtomicU64,
    pub ruled_out: AtomicU64,
    pub limited: AtomicU64,
}

impl Counters {
    pub fn answered(&self, route: Route, status: u16, took: Duration) {
        let at = ROUTES.iter().position(|(known, _)| *known == route).unwrap_or_default();
        let class = usize::from(status / 100).clamp(1, CLASSES.len()) - 1;
        self.answered[at][class].fetch_add(1, Ordering::Relaxed);
        let micros = took.as_micros() as u64;
        let mut latency = self.latency[at].lock().unwrap_or_else(PoisonError::into_inner);
        latency.0.record(Micros(micros));
        latency.1 += micros;
    }
}

impl Metrics {
    /// Where this thread counts.
    pub fn here(&self) -> &Counters {
        static THREADS: AtomicUsize = AtomicUsize::new(0);
        thread_local!(static PLACE: usize = THREADS.fetch_add(1, Ordering::Relaxed) % PLACES);
        &self.places[PLACE.with(|place| *place)]
    }

    fn sum(&self, counter: impl Fn(&Counters) -> &AtomicU64) -> u64 {
        self.places.iter().map(|counters| counter(counters).load(Ordering::Relaxed)).sum()
    }

    /// The page, in Prometheus's text format, with these gauges and counters at its end: name, kind, help, value.
    pub fn page(&self, more: &[(&str, &str, &str, u64)]) -> String {
        let mut page = String::from(
            "# HELP shortener_requests_total Requests answered.\n# TYPE shortener_requests_total counter\n",
        );
        for (at, (_, route)) in ROUTES.iter().enumerate() {
            for (class, status) in CLASSES.iter().enumerate() {
                let count = self.sum(|counters| &counters.answered[at][class]);
                let _ = writeln!(page, "shortener_requests_total{{route=\"{route}\",status=\"{status}\"}} {count}");
            }
        }
        page += "# HELP shortener_request_seconds Time to answer, within the service.\n# TYPE shortener_request_seconds summary\n";
        for (at, (_, route)) in ROUTES.iter().enumerate() {
            let mut latency = Histogram::default();
            let mut micros = 0;
            for counters in &self.places {
                let counted = counters.latency[at].lock().unwrap_or_else(PoisonError::into_inner);
                latency.merge(&counted.0);
                micros += counted.1;
            }
            for (share, text) in [(500_000, "0.5"), (990_000, "0.99"), (999_000, "0.999")] {
                let quantile = Quantile::per_million(share).and_then(|quantile| latency.quantile(quantile));
                let seconds = quantile.map_or(f64::NAN, |Micros(micros)| micros as f64 / 1e6);
                let seconds = if seconds.is_nan() { "NaN".to_owned() } else { format!("{seconds:.6}") };
                let _ = writeln!(page, "shortener_request_seconds{{route=\"{route}\",quantile=\"{text}\"}} {seconds}");
            }
            let sum = micros as f64 / 1e6;
            let _ = writeln!(page, "shortener_request_seconds_sum{{route=\"{route}\"}} {sum:.6}");
            let _ = writeln!(page, "shortener_request_seconds_count{{route=\"{route}\"}} {}", latency.count());
        }
        let own = [
            ("shortener_cache_hits_total", "Visits answered from the cache.", self.sum(|own| &own.cache_hits)),
            ("shortener_cache_misses_total", "Visits that had to look further.", self.sum(|own| &own.cache_misses)),
            (
                "shortener_filter_ruled_out_total",
                "Codes that the filter knew not to exist.",
                self.sum(|own| &own.ruled_out),
            ),
            (
                "shortener_limited_total",
                "Creates refused because a client made too many.",
                self.sum(|own| &own.limited),
            ),
        ];
        for (name, help, value) in own {
            let _ = write!(page, "# HELP {name} {help}\n# TYPE {name} counter\n{name} {value}\n");
        }
        for (name, kind, help, value) in more {
            let _ = write!(page, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}\n");
        }
        page
    }
}
