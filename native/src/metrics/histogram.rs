//! An explicit bucket histogram, with one exemplar a bucket, and an exponential one
//! beside it where it is asked for.

use super::exponential::Exponential;

/// Where a measurement was made: a span.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Origin {
    pub trace_id: u128,
    pub span_id: u64,
    pub is_sampled: bool,
    pub time_ns: u64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Exemplar {
    pub value: f64,
    pub origin: Origin,
}

#[derive(Clone, Debug)]
pub struct Histogram {
    /// One for each bound and one for what is above the last; not cumulative.
    pub counts: Box<[u64]>,
    pub sum: f64,
    pub count: u64,
    pub min: f64,
    pub max: f64,
    /// The last of each bucket; empty before the first.
    pub exemplars: Box<[Option<Exemplar>]>,
    pub exponential: Option<Box<Exponential>>,
}

impl Histogram {
    pub fn new(bounds: usize, is_exponential: bool) -> Self {
        Histogram {
            counts: vec![0; bounds + 1].into(),
            sum: 0.0,
            count: 0,
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
            exemplars: Box::default(),
            exponential: is_exponential.then(Box::default),
        }
    }

    /// Counts one finite value. `bounds` are inclusive upper bounds, ascending, as
    /// many as the histogram was made for.
    #[inline]
    pub fn observe(&mut self, bounds: &[f64], value: f64, origin: Option<Origin>) {
        // Fifteen bounds at most, and most values are low: faster than halving.
        let at = bounds.iter().take_while(|bound| **bound < value).count();
        let Some(count) = self.counts.get_mut(at) else {
            return;
        };
        *count += 1;
        self.count += 1;
        self.sum += value;
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        if let Some(origin) = origin {
            if self.exemplars.is_empty() {
                self.exemplars = vec![None; self.counts.len()].into();
            }
            self.exemplars[at] = Some(Exemplar { value, origin });
        }
        if let Some(exponential) = &mut self.exponential {
            exponential.observe(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A value equal to a bound is in the bucket that it bounds.
    #[test]
    fn bounds_are_inclusive() {
        let bounds = [1.0, 2.0, 5.0];
        let mut histogram = Histogram::new(3, false);
        for value in [0.0, 1.0, 1.5, 2.0, 5.0, 5.1, 900.0] {
            histogram.observe(&bounds, value, None);
        }
        assert_eq!(*histogram.counts, [2, 2, 1, 2]);
        assert_eq!(
            (histogram.count, histogram.min, histogram.max),
            (7, 0.0, 900.0)
        );
        assert_eq!(histogram.sum, 914.6);
        assert!(histogram.exemplars.is_empty() && histogram.exponential.is_none());
    }

    /// Each bucket keeps the last measurement that came from a span.
    #[test]
    fn one_exemplar_a_bucket() {
        let origin = |time_ns| Origin {
            trace_id: 1,
            span_id: 2,
            is_sampled: true,
            time_ns,
        };
        let mut histogram = Histogram::new(1, false);
        histogram.observe(&[1.0], 0.5, Some(origin(1)));
        histogram.observe(&[1.0], 0.7, Some(origin(2)));
        histogram.observe(&[1.0], 0.9, None);
        let kept = histogram.exemplars[0].unwrap();
        assert_eq!((kept.value, kept.origin.time_ns), (0.7, 2));
        assert_eq!(histogram.exemplars[1], None);
    }
}
