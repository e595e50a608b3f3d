//! The native engine of Clarity OTel.
//!
//! Data flow: a patch opens a [`span`], the span's end encodes it ([`proto`])
//! into the [`pipeline`], and the [`export`] thread sends it. Everything here
//! but `raw` is safe Rust.

pub mod pipeline;
pub mod proto;
mod raw;
