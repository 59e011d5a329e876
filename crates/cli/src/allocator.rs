//! The allocator of the program, and how it is asked to give memory back.
#![allow(unsafe_code, reason = "jemalloc is controlled by a C function")]

/// Also librdkafka allocates through it: records are made on one thread and freed on another, which the usual allocator pays
/// for with locks and memory that never comes back.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Gives what was freed and is kept for later back to the system: all arenas, `MALLCTL_ARENAS_ALL`.
pub fn purge() {
    let name = c"arena.4096.purge";
    // SAFETY: the name ends with a zero; this command takes and gives no value, so that every other argument is null or 0.
    let refused = unsafe {
        tikv_jemalloc_sys::mallctl(name.as_ptr(), std::ptr::null_mut(), std::ptr::null_mut(), std::ptr::null_mut(), 0)
    };
    debug_assert_eq!(refused, 0, "jemalloc knows the command");
}

#[cfg(test)]
mod tests {
    #[test]
    fn memory_can_be_given_back() {
        let kept = vec![1_u8; 64 << 20];
        drop(kept);
        super::purge();
    }
}
