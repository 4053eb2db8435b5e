//! Memory for one drawing after another: handed out upwards, and taken back only from the top. What that leaves behind goes with the
//! module, of which the page takes a fresh one when it has grown. The standard allocator would be a tenth of every module.

use std::{
    alloc::{GlobalAlloc, Layout},
    arch::wasm32::{memory_grow, memory_size},
    ptr::null_mut,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

const PAGE: usize = 65_536;

struct Upwards {
    /// Where what is free begins; 0 before anything was asked for.
    free: AtomicUsize,
}

#[global_allocator]
static MEMORY: Upwards = Upwards { free: AtomicUsize::new(0) };

// SAFETY: A module has one thread. What is handed out is aligned, ends within the module's memory, and begins where everything ends
// that was handed out before and has not been taken back: all of that lies below `free`.
#[expect(unsafe_code, reason = "an allocator is an unsafe trait")]
unsafe impl GlobalAlloc for Upwards {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let has = memory_size(0) * PAGE;
        let free = self.free.load(Relaxed);
        let start = if free == 0 { has } else { free }.next_multiple_of(layout.align());
        let Some(end) = start.checked_add(layout.size()) else { return null_mut() };
        if end > has && memory_grow(0, (end - has).div_ceil(PAGE)) == usize::MAX {
            return null_mut();
        }
        self.free.store(end, Relaxed);
        start as *mut u8
    }

    unsafe fn dealloc(&self, start: *mut u8, layout: Layout) {
        if start as usize + layout.size() == self.free.load(Relaxed) {
            self.free.store(start as usize, Relaxed);
        }
    }

    /// On the spot where it can be, so that a list that grows does not leave all its former selves behind.
    unsafe fn realloc(&self, start: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let free = self.free.load(Relaxed);
        if start as usize + layout.size() == free {
            self.free.store(start as usize, Relaxed);
        } else if size <= layout.size() {
            return start;
        }
        // SAFETY: the size is not 0, and legal with this alignment, by the contract of `realloc`.
        let moved = unsafe { self.alloc(Layout::from_size_align_unchecked(size, layout.align())) };
        if moved.is_null() {
            self.free.store(free, Relaxed);
        } else if moved != start {
            // SAFETY: it grows, so both places hold that many bytes; the new one lies above the old one's end.
            unsafe { moved.copy_from_nonoverlapping(start, layout.size()) };
        }
        moved
    }
}
