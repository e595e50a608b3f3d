//! The only module with `unsafe`: thin wrappers, each with its reason.
#![allow(unsafe_code)]

/// A reference to a value that was leaked and is never freed.
#[inline]
pub fn deref_leaked<T>(pointer: *mut T) -> Option<&'static T> {
    // SAFETY: callers store only pointers made by `Box::leak` (or null), and a
    // leaked value is never freed nor mutated through the pointer.
    unsafe { pointer.as_ref() }
}
