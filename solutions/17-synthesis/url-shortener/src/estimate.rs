//! Stage 1: what is there to build? Creates and redirects are two different loads.

use std::time::Duration;

use crate::parts::bloom_filter::{Shape, Unsizable};
use crate::parts::envelope::{Bytes, Rate, Requests, storage};

/// What is expected of the service.
#[derive(Clone, Copy, Debug)]
pub struct Workload {
    /// New links a day.
    pub creates: Requests,
    /// Redirects a day.
    pub redirects: Requests,
    /// How many times the mean rate comes in the busiest second.
    pub peak: u64,
    /// What one stored link takes.
    pub link: Bytes,
    /// How many days links are kept.
    pub days: u64,
    /// In how many copies altogether.
    pub copies: u64,
}

impl Workload {
    /// Creates in the busiest second.
    #[must_use]
    pub fn creates_at_peak(&self) -> Rate {
        self.creates / DAY * self.peak
    }

    /// Redirects in the busiest second.
    #[must_use]
    pub fn redirects_at_peak(&self) -> Rate {
        self.redirects / DAY * self.peak
    }

    /// How many links there are after all days.
    #[must_use]
    pub fn links(&self) -> Requests {
        Requests(self.creates.0 * self.days)
    }

    /// What the links take after all days, in all copies. A redirect reads a link and stores none.
    #[must_use]
    pub fn link_storage(&self) -> Bytes {
        storage(self.creates, self.link, self.days, self.copies)
    }

    /// What it would take to store a `record` of every redirect, in all copies.
    #[must_use]
    pub fn redirect_log(&self, record: Bytes) -> Bytes {
        storage(self.redirects, record, self.days, self.copies)
    }

    /// The fewest characters of an alphabet of 62 that make at least `room` codes for every link after all days: codes that are
    /// drawn by a hash need room, and so do those that must not be guessed by trying. At least 1.
    #[must_use]
    pub fn code_length(&self, room: u64) -> u32 {
        let needed = u128::from(self.links().0) * u128::from(room);
        // 62^22 is more than 2^128: no product of two u64 needs more characters.
        let enough = |length: &u32| 62_u128.checked_pow(*length).is_none_or(|codes| codes >= needed);
        (1..).find(enough).expect("some power of 62 is greater")
    }

    /// The memory, in whole bytes, of a Bloom filter for all links that is wrong about one code in `1 / rate`.
    ///
    /// # Errors
    /// [`Unsizable`] if there is no such filter.
    pub fn filter(&self, rate: f64) -> Result<Bytes, Unsizable> {
        Ok(Bytes(Shape::for_items(self.links().0, rate)?.bits() / 8))
    }
}

const DAY: Duration = Duration::from_secs(86_400);
