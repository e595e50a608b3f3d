//! Trace ids, span ids and the clock.
//!
//! Ids come from xoshiro256++ per thread, seeded by the operating system and
//! again after a fork: a child that went on with its parent's state would make
//! the same ids. Trace ids have 128 random bits (W3C Trace Context level 2).

use std::cell::Cell;
use std::sync::atomic::{AtomicU32, Ordering};

/// Forks since the process tree's first interpreter; spans of another
/// generation belong to the parent process.
static GENERATION: AtomicU32 = AtomicU32::new(1);

#[inline]
pub fn generation() -> u32 {
    GENERATION.load(Ordering::Relaxed)
}

pub fn next_generation() {
    GENERATION.fetch_add(1, Ordering::Relaxed);
}

#[derive(Clone, Copy)]
struct Rng {
    state: [u64; 4],
    generation: u32,
}

thread_local! {
    static RNG: Cell<Rng> = const { Cell::new(Rng { state: [0; 4], generation: 0 }) };
}

fn seeded(generation: u32) -> Rng {
    let mut bytes = [0u8; 32];
    if !crate::raw::os_random(&mut bytes) {
        // Only in a sandbox without getrandom(2): time and addresses still
        // differ between processes and threads.
        let mix = now_ns() ^ (std::process::id() as u64) << 32 ^ (&raw const bytes as u64);
        for (i, chunk) in bytes.chunks_mut(8).enumerate() {
            let word = (mix + i as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            chunk.copy_from_slice(&word.to_le_bytes());
        }
    }
    let mut state = [0u64; 4];
    for (word, chunk) in state.iter_mut().zip(bytes.chunks(8)) {
        *word = u64::from_le_bytes(chunk.try_into().unwrap_or([1; 8]));
    }
    if state == [0; 4] {
        state[0] = 1;
    }
    Rng { state, generation }
}

#[inline]
fn random() -> u64 {
    RNG.with(|cell| {
        let mut rng = cell.get();
        let generation = generation();
        if rng.generation != generation {
            rng = seeded(generation);
        }
        let s = &mut rng.state;
        let result = s[0].wrapping_add(s[3]).rotate_left(23).wrapping_add(s[0]);
        let t = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= t;
        s[3] = s[3].rotate_left(45);
        cell.set(rng);
        result
    })
}

/// A new span id; never zero.
#[inline]
pub fn span_id() -> u64 {
    loop {
        let id = random();
        if id != 0 {
            return id;
        }
    }
}

/// A new trace id; never zero.
#[inline]
pub fn trace_id() -> u128 {
    u128::from(span_id()) << 64 | u128::from(random())
}

/// Nanoseconds since the Unix epoch; 0 for a clock before it.
#[inline]
pub fn now_ns() -> u64 {
    crate::raw::now_ns()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    /// Ids of several threads do not meet, and a new generation starts anew.
    #[test]
    fn ids_are_unique_over_threads_and_generations() {
        let threads: Vec<_> = (0..4)
            .map(|_| std::thread::spawn(|| (0..1000).map(|_| span_id()).collect::<Vec<_>>()))
            .collect();
        let mut seen = HashSet::new();
        for thread in threads {
            for id in thread.join().unwrap() {
                assert!(id != 0 && seen.insert(id));
            }
        }
        let before = RNG.with(Cell::get).state;
        next_generation();
        span_id();
        assert_ne!(before, RNG.with(Cell::get).state);
    }
}
