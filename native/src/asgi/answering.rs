//! The requests that are being answered, by their span's id.
//!
//! A server may call the application in the context of an earlier request, one whose answer
//! is complete: asyncio keeps the context in which reading was resumed, which is that of a
//! request with a long body (cpython#140947), and a pipelined request is begun by the end of
//! the one before it. What such a context holds is nobody's caller. A span knows its request
//! ([`Span::request_id`](crate::span::Span::request_id)), so it is asked here whether that
//! is still being answered.

use std::collections::HashSet;
use std::hash::BuildHasherDefault;

use parking_lot::Mutex;

use crate::metrics::labels::FastHasher;

/// Ids are random, and as many as there are requests in the works.
static IDS: Mutex<HashSet<u64, BuildHasherDefault<FastHasher>>> =
    Mutex::new(HashSet::with_hasher(BuildHasherDefault::new()));

/// A request whose answer is not complete; dropped, it counts as answered.
pub struct Answering(u64);

impl Answering {
    #[inline]
    pub fn begin(request_id: u64) -> Self {
        IDS.lock().insert(request_id);
        Answering(request_id)
    }
}

impl Drop for Answering {
    #[inline]
    fn drop(&mut self) {
        IDS.lock().remove(&self.0);
    }
}

/// The request that a span which begins now is of: none once it has been answered. What a
/// background task does has a caller, whose context it is.
#[inline]
pub fn of_new_span(request_id: u64) -> u64 {
    match is_answered(request_id) {
        true => 0,
        false => request_id,
    }
}

/// Whether a context is of a request of this process that has been answered; one that is of
/// no request, whose id is 0, is not.
#[inline]
pub fn is_answered(request_id: u64) -> bool {
    request_id != 0 && !IDS.lock().contains(&request_id)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A request is being answered from its beginning until it is dropped.
    #[test]
    fn a_request_is_answered_when_it_is_dropped() {
        let (one, other) = (Answering::begin(7), Answering::begin(8));
        assert!(!is_answered(0) && !is_answered(7) && !is_answered(8));
        drop(one);
        assert!(is_answered(7) && !is_answered(8));
        drop(other);
        assert!(is_answered(8));
    }
}
