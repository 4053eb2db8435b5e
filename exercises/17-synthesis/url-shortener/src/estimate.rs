//! Stage 1: what is there to build? Creates and redirects are two different loads.

use crate::parts::bloom_filter::Unsizable;
use crate::parts::envelope::{Bytes, Rate, Requests};

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
        todo!("the busiest second of {self:?}")
    }

    /// Redirects in the busiest second.
    #[must_use]
    pub fn redirects_at_peak(&self) -> Rate {
        todo!("the busiest second of {self:?}")
    }

    /// How many links there are after all days.
    #[must_use]
    pub fn links(&self) -> Requests {
        todo!("how many links {self:?} leaves")
    }

    /// What the links take after all days, in all copies. A redirect reads a link and stores none.
    #[must_use]
    pub fn link_storage(&self) -> Bytes {
        todo!("what the links of {self:?} take")
    }

    /// What it would take to store a `record` of every redirect, in all copies.
    #[must_use]
    pub fn redirect_log(&self, record: Bytes) -> Bytes {
        todo!("what {record:?} of every redirect of {self:?} would take")
    }

    /// The fewest characters of an alphabet of 62 that make at least `room` codes for every link after all days: codes that are
    /// drawn by a hash need room, and so do those that must not be guessed by trying. At least 1.
    #[must_use]
    pub fn code_length(&self, room: u64) -> u32 {
        todo!("how many characters make {room} codes for every link of {self:?}?")
    }

    /// The memory, in whole bytes, of a Bloom filter for all links that is wrong about one code in `1 / rate`.
    ///
    /// # Errors
    /// [`Unsizable`] if there is no such filter.
    pub fn filter(&self, rate: f64) -> Result<Bytes, Unsizable> {
        todo!("the filter for the links of {self:?} at a rate of {rate}")
    }
}
