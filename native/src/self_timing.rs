//! What a span costs its app, by samples: of one span at a time, what the calls on it take.
//!
//! The cost limit (`clarity_otel.cost`) knows what starting and ending a span takes on the
//! whole. What apps set on their spans differs a hundredfold; of one span in a while it is
//! measured. All others pay one comparison for each call.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Instant;

/// Spans that begin until one is timed; that one with it. 0: none is.
static BEGIN: AtomicU32 = AtomicU32::new(0);
/// The id of the span that is timed; no span has 0.
static TIMED: AtomicU64 = AtomicU64::new(0);
static SPENT_NS: AtomicU64 = AtomicU64::new(0);
/// That of the last one that has ended, and one more; 0: nobody has it.
static TOLD_NS: AtomicU64 = AtomicU64::new(0);

/// Has a span timed: the one that begins after `passed` others.
pub fn time_next(passed: u32) {
    BEGIN.store(passed.saturating_add(1), Ordering::Relaxed);
}

/// What the calls on the last span that was timed took, in nanoseconds; once.
pub fn take() -> Option<u64> {
    TOLD_NS.swap(0, Ordering::Relaxed).checked_sub(1)
}

/// A span that will be recorded begins.
#[inline]
pub fn begins(span_id: u64) {
    if BEGIN.load(Ordering::Relaxed) != 0 {
        count_down(span_id);
    }
}

#[cold]
fn count_down(span_id: u64) {
    let one_less = |left: u32| left.checked_sub(1);
    if BEGIN.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less) == Ok(1) {
        SPENT_NS.store(0, Ordering::Relaxed);
        TIMED.store(span_id, Ordering::Relaxed);
    }
}

/// Runs `body`, which works on the span.
#[inline]
pub fn within<R>(span_id: u64, body: impl FnOnce() -> R) -> R {
    if TIMED.load(Ordering::Relaxed) != span_id {
        return body();
    }
    timed(body)
}

#[cold]
fn timed<R>(body: impl FnOnce() -> R) -> R {
    let began = Instant::now();
    let result = body();
    let took_ns = u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
    SPENT_NS.fetch_add(took_ns, Ordering::Relaxed);
    result
}

/// The span has ended.
#[inline]
pub fn ends(span_id: u64) {
    if TIMED.load(Ordering::Relaxed) == span_id {
        tell();
    }
}

#[cold]
fn tell() {
    TIMED.store(0, Ordering::Relaxed);
    TOLD_NS.store(
        SPENT_NS.load(Ordering::Relaxed).saturating_add(1),
        Ordering::Relaxed,
    );
}
