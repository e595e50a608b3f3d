//! OTLP that others send, to columns: the native form of `clarity_otel/store/decode`.
//!
//! [`wire`] reads protobuf, [`value`] makes values of it, [`masked`] masks them, [`json`]
//! writes them; [`spans`] and [`logs`] put them into the columns of [`table`], which
//! DuckDB scans where they lie (the Arrow C data interface, `raw::arrow`).
//!
//! What comes in is hostile: depth and number of values are bounded, nothing here panics
//! on any bytes, and what the official protobuf classes refuse is refused. No thread or
//! lock: many requests may be read at once, without the GIL.

pub mod json;
pub mod logs;
pub mod masked;
pub mod resource;
pub mod spans;
pub mod stacks;
pub mod table;
pub mod value;
pub mod wire;

#[cfg(feature = "python")]
pub mod python;
