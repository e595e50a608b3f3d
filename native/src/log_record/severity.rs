//! The data model's number of a level.

/// Appendix B of the data model, for the levels of Python's logging; between two
/// levels the number counts up, at most to the fourth of its range.
pub(super) fn severity_number(level: i64) -> u64 {
    match level {
        ..=0 => 0,
        1..=9 => 1,
        10..=49 => {
            let range = (level / 10) as u64;
            1 + 4 * range + (level % 10).min(3) as u64
        }
        _ => 21 + (level - 50).min(3) as u64,
    }
}
