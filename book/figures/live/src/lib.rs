//! One figure for the browser. The page's script asks for [`room`] in the module's memory, writes the parameters there
//! (`nodes=4 vnodes=16`), and calls [`draw`].

#[cfg(target_family = "wasm")]
mod memory;

use book_figures::{Figure, Params, named};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Chosen while compiling, so that the linker leaves out all the others.
const FIGURE: Figure = match named(match option_env!("BOOK_FIGURE") {
    Some(name) => name,
    None => "hash-ring",
}) {
    Some(figure) => figure,
    None => panic!("BOOK_FIGURE names no figure"),
};

static ASKED: Mutex<Vec<u8>> = Mutex::new(Vec::new());
static ANSWERED: Mutex<Vec<u8>> = Mutex::new(Vec::new());

/// Where `length` bytes of parameters go. It is valid until the next call.
#[expect(unsafe_code, reason = "the name is this module's own: a module has one `room`")]
#[unsafe(no_mangle)]
pub extern "C" fn room(length: usize) -> *mut u8 {
    let mut asked = own(&ASKED);
    asked.clear();
    asked.resize(length, 0);
    asked.as_mut_ptr()
}

/// Draws what was asked for. The answer is text in the module's memory, at the upper 32 bits of the result, as many bytes as the
/// lower 32 say, until the next call: `=` and [`book_figures::Drawing::packed`], or `!` and why there is no picture.
#[expect(unsafe_code, reason = "the name is this module's own: a module has one `draw`")]
#[unsafe(no_mangle)]
pub extern "C" fn draw() -> u64 {
    let text = match answer(&own(&ASKED)) {
        Ok(packed) => format!("={packed}"),
        Err(why) => format!("!{why}"),
    };
    let mut answered = own(&ANSWERED);
    *answered = text.into_bytes();
    (answered.as_ptr() as u64) << 32 | answered.len() as u64
}

fn answer(asked: &[u8]) -> Result<String, String> {
    let text = str::from_utf8(asked).map_err(|error| error.to_string())?;
    let params = Params::parse(text).map_err(|error| error.to_string())?;
    FIGURE.draw(&params).map(|drawing| drawing.packed()).map_err(|error| error.to_string())
}

/// A module has one thread, so a lock is always free.
fn own(bytes: &Mutex<Vec<u8>>) -> MutexGuard<'_, Vec<u8>> {
    bytes.lock().unwrap_or_else(PoisonError::into_inner)
}
