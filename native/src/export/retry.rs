//! When to try again: exponential back-off with jitter, unless the target says.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::time::{Duration, SystemTime};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// The first delay; each further one is twice the last.
    pub initial: Duration,
    pub max: Duration,
    /// A batch is dropped when it was not taken for so long (OTEL_BSP_EXPORT_TIMEOUT);
    /// `Duration::MAX` is no limit. It bounds the harm of one that the target can
    /// never take but answers with 503.
    pub max_elapsed: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        RetryPolicy {
            initial: Duration::from_secs(1),
            max: Duration::from_secs(30),
            max_elapsed: Duration::from_secs(30),
        }
    }
}

/// The delays of one run of failures.
#[derive(Debug)]
pub struct Backoff {
    policy: RetryPolicy,
    failures: u32,
}

impl Backoff {
    pub fn new(policy: RetryPolicy) -> Self {
        Backoff {
            policy,
            failures: 0,
        }
    }

    pub fn reset(&mut self) {
        self.failures = 0;
    }

    /// The delay after one more failure: between half of the exponential step
    /// and the whole, so that a fleet does not come back in one instant; never
    /// sooner than the target asked for.
    pub fn next(&mut self, asked: Option<Duration>) -> Duration {
        let doubled = 2u32.saturating_pow(self.failures);
        self.failures = self.failures.saturating_add(1);
        let step = self.policy.initial.saturating_mul(doubled);
        let step = step.min(self.policy.max);
        let delay = step / 2 + (step / 2).mul_f64(random_fraction());
        delay.max(asked.unwrap_or_default())
    }
}

/// In 0..1. The standard library's hash keys are random: no generator to carry,
/// and none to re-seed after a fork.
fn random_fraction() -> f64 {
    let random = RandomState::new().hash_one(SystemTime::UNIX_EPOCH);
    (random >> 11) as f64 / (1u64 << 53) as f64
}

/// A `Retry-After` header (RFC 9110 section 10.2.3): seconds, or an HTTP date.
/// A date in the past is no delay; what is neither is `None`.
pub fn retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than fit: for ever, which the policy's limit bounds.
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Delays double up to the limit, each within its half of jitter, and start
    /// anew after a success.
    #[test]
    fn delays_double_up_to_the_limit() {
        let mut backoff = Backoff::new(RetryPolicy::default());
        for step in [1, 2, 4, 8, 16, 30, 30, 30] {
            let delay = backoff.next(None);
            let step = Duration::from_secs(step);
            assert!(delay >= step / 2 && delay <= step, "{delay:?} of {step:?}");
        }
        for _ in 0..100 {
            assert!(backoff.next(None) <= Duration::from_secs(30));
        }
        backoff.reset();
        assert!(backoff.next(None) <= Duration::from_secs(1));
    }

    /// Two processes do not wait equally long.
    #[test]
    fn delays_are_spread() {
        let delays: std::collections::HashSet<Duration> = (0..100)
            .map(|_| Backoff::new(RetryPolicy::default()).next(None))
            .collect();
        assert!(delays.len() > 50);
    }

    /// The target's own delay is the least that is waited.
    #[test]
    fn the_targets_delay_counts() {
        let mut backoff = Backoff::new(RetryPolicy::default());
        let asked = Duration::from_secs(90);
        assert_eq!(backoff.next(Some(asked)), asked);
        assert!(backoff.next(Some(Duration::ZERO)) >= Duration::from_secs(1));
    }

    /// Both forms of Retry-After are read, and nonsense is not.
    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let date = "Sun, 06 Nov 1994 08:49:37 GMT";
        let then = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        let before = then - Duration::from_secs(7);
        assert_eq!(retry_after(" 120 ", then), Some(Duration::from_secs(120)));
        assert_eq!(retry_after(date, before), Some(Duration::from_secs(7)));
        assert_eq!(
            retry_after(date, then + Duration::from_secs(1)),
            Some(Duration::ZERO)
        );
        let endless = "9".repeat(40);
        assert_eq!(
            retry_after(&endless, then),
            Some(Duration::from_secs(u64::MAX))
        );
        for nonsense in ["", "-1", "1.5", "soon"] {
            assert_eq!(retry_after(nonsense, then), None, "{nonsense}");
        }
    }
}
