//! The specification's samplers. Rules: OpenTelemetry SDK, "Sampling".

/// What a root span's sampler decides by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Root {
    AlwaysOn,
    AlwaysOff,
    /// Probability in 0..=1, decided by the trace id's low 64 bits, as the
    /// Python SDK's TraceIdRatioBased does: both agree on every trace.
    Ratio(f64),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampler {
    pub root: Root,
    /// Follow the parent's decision when there is one (`parentbased_*`).
    pub parent_based: bool,
    /// Spans with a trace id whose low 64 bits are below this are kept.
    bound: u128,
}

impl Sampler {
    pub fn new(root: Root, parent_based: bool) -> Self {
        let bound = match root {
            Root::AlwaysOn => u128::MAX,
            Root::AlwaysOff => 0,
            Root::Ratio(rate) => (rate.clamp(0.0, 1.0) * 18_446_744_073_709_551_616.0) as u128,
        };
        Sampler {
            root,
            parent_based,
            bound,
        }
    }

    /// `parent`: the parent's sampled flag, `None` for a root.
    #[inline]
    pub fn is_sampled(&self, trace_id: u128, parent: Option<bool>) -> bool {
        match parent {
            Some(sampled) if self.parent_based => sampled,
            _ => self.bound == u128::MAX || (trace_id & u128::from(u64::MAX)) < self.bound,
        }
    }

    /// The share of roots that is kept.
    pub fn probability(&self) -> f64 {
        match self.root {
            Root::AlwaysOn => 1.0,
            Root::AlwaysOff => 0.0,
            Root::Ratio(rate) => rate.clamp(0.0, 1.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A parent's decision binds exactly the parent-based samplers.
    #[test]
    fn parent_based_follows_the_parent() {
        for root in [Root::AlwaysOn, Root::AlwaysOff, Root::Ratio(0.5)] {
            let sampler = Sampler::new(root, true);
            assert!(sampler.is_sampled(1, Some(true)));
            assert!(!sampler.is_sampled(1, Some(false)));
        }
        assert!(Sampler::new(Root::AlwaysOn, false).is_sampled(1, Some(false)));
        assert!(!Sampler::new(Root::AlwaysOff, false).is_sampled(1, Some(true)));
    }

    /// The ratio is a bound on the low 64 bits of the trace id.
    #[test]
    fn ratio_is_decided_by_the_trace_id() {
        let half = Sampler::new(Root::Ratio(0.5), false);
        assert!(half.is_sampled((1 << 63) - 1, None));
        assert!(!half.is_sampled(1 << 63, None));
        let all = Sampler::new(Root::Ratio(1.0), false);
        assert!(all.is_sampled(u128::MAX, None));
        assert!(!Sampler::new(Root::Ratio(0.0), false).is_sampled(0, None));
    }
}
