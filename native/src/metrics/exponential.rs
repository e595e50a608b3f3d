//! A base-2 exponential histogram (OpenTelemetry metrics data model,
//! "ExponentialHistogram"; SDK, "Base2 Exponential Bucket Histogram Aggregation").
//!
//! Bucket `i` of scale `s` holds the values in `(2^(i/2^s), 2^((i+1)/2^s)]`. It begins
//! with the finest scale and halves its resolution whenever the values no longer fit
//! in [`MAX_SIZE`] buckets.

pub const MAX_SIZE: usize = 160;
pub const MAX_SCALE: i32 = 20;
pub const MIN_SCALE: i32 = -10;

#[derive(Clone, Debug, PartialEq)]
pub struct Exponential {
    pub scale: i32,
    pub zero_count: u64,
    /// The index of the first bucket in `counts`.
    pub offset: i32,
    pub counts: Vec<u64>,
}

impl Default for Exponential {
    fn default() -> Self {
        Exponential {
            scale: MAX_SCALE,
            zero_count: 0,
            offset: 0,
            counts: Vec::new(),
        }
    }
}

/// The bucket of a positive value. Exact at powers of two; elsewhere within the
/// error of `log2`, as the data model allows.
pub fn index_of(value: f64, scale: i32) -> i32 {
    // Subnormal values count as the smallest normal one.
    let value = value.max(f64::MIN_POSITIVE);
    let bits = value.to_bits();
    let exponent = ((bits >> 52) & 0x7ff) as i32 - 1023;
    let is_power = bits & ((1 << 52) - 1) == 0;
    if scale <= 0 {
        // A power of two is the upper bound of its bucket.
        return (exponent - i32::from(is_power)) >> -scale;
    }
    if is_power {
        return (exponent << scale) - 1;
    }
    let index = (value.log2() * f64::from(1u32 << scale)).ceil() as i32 - 1;
    // `log2` may round across the powers that bound this exponent.
    index.clamp(exponent << scale, ((exponent + 1) << scale) - 1)
}

impl Exponential {
    /// Counts one finite value; negative ones, which no instrument of ours makes,
    /// count as zero.
    pub fn observe(&mut self, value: f64) {
        if value <= 0.0 {
            self.zero_count += 1;
            return;
        }
        let mut index = index_of(value, self.scale);
        if self.counts.is_empty() {
            self.offset = index;
            self.counts.push(1);
            return;
        }
        let too_coarse_by = self.excess(index);
        if too_coarse_by > 0 {
            self.downscale(too_coarse_by);
            index = index_of(value, self.scale);
        }
        let at = i64::from(index) - i64::from(self.offset);
        if at < 0 {
            let missing = at.unsigned_abs() as usize;
            self.counts.splice(0..0, std::iter::repeat_n(0, missing));
            self.offset = index;
            self.counts[0] += 1;
            return;
        }
        let at = at as usize;
        if at >= self.counts.len() {
            self.counts.resize(at + 1, 0);
        }
        self.counts[at] += 1;
    }

    /// How many halvings of the resolution make room for a bucket at `index`.
    fn excess(&self, index: i32) -> u32 {
        let mut low = self.offset.min(index);
        let mut high = (self.offset + self.counts.len() as i32 - 1).max(index);
        let mut halvings = 0;
        while (i64::from(high) - i64::from(low)) as usize >= MAX_SIZE {
            low >>= 1;
            high >>= 1;
            halvings += 1;
        }
        halvings
    }

    fn downscale(&mut self, by: u32) {
        let first = self.offset >> by;
        let last = (self.offset + self.counts.len() as i32 - 1) >> by;
        let mut merged = vec![0; (last - first) as usize + 1];
        for (at, count) in self.counts.iter().enumerate() {
            let index = (self.offset + at as i32) >> by;
            merged[(index - first) as usize] += count;
        }
        self.counts = merged;
        self.offset = first;
        self.scale -= by as i32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bounds of a bucket by the data model's formula.
    fn bounds(index: i32, scale: i32) -> (f64, f64) {
        let base = (f64::from(index) * 2f64.powi(-scale)).exp2();
        let next = (f64::from(index + 1) * 2f64.powi(-scale)).exp2();
        (base, next)
    }

    fn pseudo_random(seed: &mut u64) -> f64 {
        *seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1);
        (*seed >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Powers of two are the upper bounds of their buckets at every scale.
    #[test]
    fn powers_of_two_are_upper_bounds() {
        for scale in MIN_SCALE..=MAX_SCALE {
            for exponent in [-1000, -37, -1, 0, 1, 10, 900] {
                let index = index_of(2f64.powi(exponent), scale);
                let above = index_of(2f64.powi(exponent) * (1.0 + f64::EPSILON), scale);
                if scale >= 0 {
                    assert_eq!(index, (exponent << scale) - 1);
                    assert_eq!(above, index + 1);
                } else {
                    assert_eq!(index, (exponent - 1) >> -scale);
                }
            }
        }
    }

    /// A value lies between the bounds of its bucket, up to rounding.
    #[test]
    fn a_value_lies_in_its_bucket() {
        let mut seed = 7;
        for scale in MIN_SCALE..=12 {
            for _ in 0..500 {
                let value = (pseudo_random(&mut seed) * 80.0 - 40.0).exp2();
                let (low, high) = bounds(index_of(value, scale), scale);
                assert!(value >= low * (1.0 - 1e-12) && value <= high * (1.0 + 1e-12));
            }
        }
    }

    /// Whatever comes, all is counted in at most so many buckets, and each bucket
    /// holds what a count from nothing at the last scale puts there.
    #[test]
    fn downscaling_keeps_every_count() {
        let mut seed = 99;
        for spread in [0.001, 1.0, 20.0, 1000.0] {
            let mut histogram = Exponential::default();
            let values: Vec<f64> = (0..2000)
                .map(|_| ((pseudo_random(&mut seed) - 0.5) * spread).exp2())
                .collect();
            for value in &values {
                histogram.observe(*value);
            }
            assert!(histogram.counts.len() <= MAX_SIZE);
            assert_eq!(histogram.counts.iter().sum::<u64>(), 2000);
            let mut expected = vec![0; histogram.counts.len()];
            for value in &values {
                let at = index_of(*value, histogram.scale) - histogram.offset;
                expected[at as usize] += 1;
            }
            assert_eq!(histogram.counts, expected);
        }
    }

    /// The ends of the range and zero have their places.
    #[test]
    fn extremes() {
        let mut histogram = Exponential::default();
        for value in [0.0, f64::MAX, f64::MIN_POSITIVE / 4.0, 1.0] {
            histogram.observe(value);
        }
        assert_eq!(histogram.zero_count, 1);
        assert_eq!(histogram.counts.iter().sum::<u64>(), 3);
        assert!(histogram.scale >= MIN_SCALE && histogram.counts.len() <= MAX_SIZE);
    }
}
