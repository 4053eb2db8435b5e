//! A shop with a leak, under the `dhat` profiler: it serves some requests and writes what its heap looks like then.
//!
//! The tests' data was made with it, in the folder `exercises/10-observability/heap-diff/tests/data`:
//!
//! ```text
//! cargo build -p heap-diff-solution --example shop
//! target/debug/examples/shop 200 shop-200.json
//! target/debug/examples/shop 1000 shop-1000.json
//! target/debug/examples/shop 2000 shop-2000.json
//! ```
//!
//! It draws nothing and reads no clock: the same number of requests takes the same memory from the same places. Only the
//! addresses of its functions differ from run to run.

use std::{env, hint::black_box};

#[global_allocator]
static HEAP: dhat::Alloc = dhat::Alloc;
/// How many pictures the cache holds.
const PICTURES: usize = 64;
/// The campaign ends after so many requests.
const CAMPAIGN: u32 = 500;

/// What the shop keeps between requests.
struct Shop {
    categories: Category,
    campaign: Option<Vec<u8>>,
    pictures: Vec<Option<Vec<u8>>>,
    #[expect(clippy::vec_box, reason = "each session is to be a block of its own, as in a real one")]
    sessions: Vec<Box<[u8; 96]>>,
}

/// A category and the ones below it.
struct Category {
    _name: String,
    below: Vec<Category>,
}

#[inline(never)]
fn load_categories(levels: u32) -> Category {
    let below = if levels == 0 { Vec::new() } else { (0..2).map(|_| load_categories(levels - 1)).collect() };
    Category { _name: "x".repeat(24), below }
}

/// Loaded at the start, dropped when the campaign ends.
#[inline(never)]
fn load_campaign() -> Vec<u8> {
    vec![1; 100_000]
}

/// Busy: 20 kB for each request, given back at once.
#[inline(never)]
fn render(request: u32) -> usize {
    let mut page = String::with_capacity(20_000);
    page.push_str(&request.to_string());
    black_box(&page).len()
}

/// Fills up within the first 900 requests, and then stays as it is.
#[inline(never)]
fn picture(shop: &mut Shop, request: u32) -> usize {
    let place = (request / 14) as usize % PICTURES;
    shop.pictures[place].get_or_insert_with(|| vec![2; 4096]).len()
}

/// The leak: a session begins with each request, and none ever ends.
#[inline(never)]
fn begin_session(shop: &mut Shop) {
    shop.sessions.push(Box::new([3; 96]));
}

#[inline(never)]
fn serve(shop: &mut Shop, request: u32) {
    if request == CAMPAIGN {
        shop.campaign = None;
    }
    black_box(render(request));
    black_box(picture(shop, request));
    begin_session(shop);
}

fn main() {
    let mut arguments = env::args().skip(1);
    let (Some(requests), Some(file)) = (arguments.next().and_then(|count| count.parse().ok()), arguments.next()) else {
        eprintln!("shop REQUESTS FILE");
        std::process::exit(2);
    };
    let profiler = dhat::Profiler::builder().file_name(file).trim_backtraces(Some(24)).build();
    let mut shop = Shop {
        categories: load_categories(3),
        campaign: Some(load_campaign()),
        pictures: vec![None; PICTURES],
        sessions: Vec::new(),
    };
    for request in 0..requests {
        serve(&mut shop, request);
    }
    // Dropping the profiler writes the file; the shop must still hold what it holds.
    drop(profiler);
    black_box((shop.categories.below.len(), shop.campaign.is_some(), shop.sessions.len()));
}
