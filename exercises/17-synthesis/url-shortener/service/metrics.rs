//! What Prometheus is told. Counters and latencies since the start; who asks computes rates.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
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

#[derive(Default)]
pub struct Metrics {
    answered: [[AtomicU64; 5]; 3],
    latency: [Mutex<(Histogram, u64)>; 3],
    pub cache_hits: AtomicU64,
    pub cache_misses: AtomicU64,
    pub ruled_out: AtomicU64,
    pub limited: AtomicU64,
}

impl Metrics {
    pub fn answered(&self, route: Route, status: u16, took: Duration) {
        let at = ROUTES.iter().position(|(known, _)| *known == route).unwrap_or_default();
        let class = usize::from(status / 100).clamp(1, 5) - 1;
        self.answered[at][class].fetch_add(1, Ordering::Relaxed);
        let micros = took.as_micros() as u64;
        let mut latency = self.latency[at].lock().unwrap_or_else(PoisonError::into_inner);
        latency.0.record(Micros(micros));
        latency.1 += micros;
    }

    /// The page, in Prometheus's text format, with these gauges and counters at its end: name, kind, help, value.
    pub fn page(&self, more: &[(&str, &str, &str, u64)]) -> String {
        let mut page = String::from(
            "# HELP shortener_requests_total Requests answered.\n# TYPE shortener_requests_total counter\n",
        );
        for (at, (_, route)) in ROUTES.iter().enumerate() {
            for (class, status) in CLASSES.iter().enumerate() {
                let count = self.answered[at][class].load(Ordering::Relaxed);
                let _ = writeln!(page, "shortener_requests_total{{route=\"{route}\",status=\"{status}\"}} {count}");
            }
        }
        page += "# HELP shortener_request_seconds Time to answer, within the service.\n# TYPE shortener_request_seconds summary\n";
        for (at, (_, route)) in ROUTES.iter().enumerate() {
            let latency = self.latency[at].lock().unwrap_or_else(PoisonError::into_inner);
            for (share, text) in [(500_000, "0.5"), (990_000, "0.99"), (999_000, "0.999")] {
                let quantile = Quantile::per_million(share).and_then(|quantile| latency.0.quantile(quantile));
                let seconds = quantile.map_or(f64::NAN, |Micros(micros)| micros as f64 / 1e6);
                let seconds = if seconds.is_nan() { "NaN".to_owned() } else { format!("{seconds:.6}") };
                let _ = writeln!(page, "shortener_request_seconds{{route=\"{route}\",quantile=\"{text}\"}} {seconds}");
            }
            let sum = latency.1 as f64 / 1e6;
            let _ = writeln!(page, "shortener_request_seconds_sum{{route=\"{route}\"}} {sum:.6}");
            let _ = writeln!(page, "shortener_request_seconds_count{{route=\"{route}\"}} {}", latency.0.count());
        }
        let own = [
            ("shortener_cache_hits_total", "Visits answered from the cache.", &self.cache_hits),
            ("shortener_cache_misses_total", "Visits that had to look further.", &self.cache_misses),
            ("shortener_filter_ruled_out_total", "Codes that the filter knew not to exist.", &self.ruled_out),
            ("shortener_limited_total", "Creates refused because a client made too many.", &self.limited),
        ];
        for (name, help, counter) in own {
            let value = counter.load(Ordering::Relaxed);
            let _ = write!(page, "# HELP {name} {help}\n# TYPE {name} counter\n{name} {value}\n");
        }
        for (name, kind, help, value) in more {
            let _ = write!(page, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}\n");
        }
        page
    }
}
