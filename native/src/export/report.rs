//! What the user is told: one sentence a reason and a minute, on stderr.
//!
//! The exporter's thread writes it itself, so that it is said also when the
//! application never drains a queue and while the GIL is held elsewhere.

use std::collections::HashMap;
use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

/// What a sentence is about; each is said at most once in [`PAUSE`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FailureKind {
    /// No such host, connection refused, no route.
    Unreachable,
    Tls,
    Timeout,
    /// The peer speaks something else, or broke off.
    Protocol,
    /// It asks for another attempt later (429, 503, UNAVAILABLE…).
    Unavailable,
    /// It does not want the batch (400, 401, 404, INVALID_ARGUMENT…).
    Refused,
    /// It took the batch, but not all of it, or with a warning.
    PartialSuccess,
    BufferFull,
    Shutdown,
    Internal,
}

pub const PAUSE: Duration = Duration::from_secs(60);

/// Takes one line without its end. Called on the exporter's thread.
pub type Output = Arc<dyn Fn(&str) + Send + Sync>;

/// Writes to stderr, whatever state it is in.
pub fn stderr() -> Output {
    Arc::new(|line| {
        let line = format!("{line}\n");
        // Not through the standard library's handle: its lock may be held by
        // this thread at a fork, and would stay locked in the child. A closed or
        // broken stderr loses the line and nothing else.
        #[cfg(unix)]
        {
            use std::os::fd::AsFd;
            if let Ok(fd) = std::io::stderr().as_fd().try_clone_to_owned() {
                let _ = std::fs::File::from(fd).write_all(line.as_bytes());
            }
        }
        #[cfg(not(unix))]
        let _ = std::io::stderr().write_all(line.as_bytes());
    })
}

/// Limits how often each kind is said, and adds up what was dropped meanwhile.
pub struct Reporter {
    output: Output,
    items: &'static str,
    said: HashMap<FailureKind, Said>,
}

struct Said {
    at: Instant,
    /// The newest sentence since, and the items dropped for it.
    held: Option<(String, u64)>,
}

impl Reporter {
    /// `items` is the word for what is dropped ("spans").
    pub fn new(output: Output, items: &'static str) -> Self {
        Reporter {
            output,
            items,
            said: HashMap::new(),
        }
    }

    /// Says `sentence` now, or holds it until this kind's pause is over.
    /// `dropped` items were lost for it.
    pub fn say(&mut self, kind: FailureKind, sentence: &str, dropped: u64, now: Instant) {
        let said = self.said.entry(kind).or_insert_with(|| Said {
            at: now.checked_sub(PAUSE).unwrap_or(now),
            held: None,
        });
        let held = said.held.get_or_insert_default();
        held.0 = sentence.to_owned();
        held.1 += dropped;
        self.tick(now);
    }

    /// Says what was held and is due.
    pub fn tick(&mut self, now: Instant) {
        for said in self.said.values_mut() {
            if now.saturating_duration_since(said.at) >= PAUSE {
                if let Some((sentence, dropped)) = said.held.take() {
                    said.at = now;
                    write(&self.output, &sentence, dropped, self.items);
                }
            }
        }
    }

    /// Says once that all is well again. The failures before may be said anew
    /// after their pause; what was held of them is over, but for the losses.
    pub fn recovered(&mut self, sentence: &str) {
        for said in self.said.values_mut() {
            said.held.take_if(|(_, dropped)| *dropped == 0);
        }
        write(&self.output, sentence, 0, self.items);
    }

    /// At the end: losses that were held are said now.
    pub fn finish(&mut self) {
        for said in self.said.values_mut() {
            if let Some((sentence, dropped)) = said.held.take() {
                if dropped > 0 {
                    write(&self.output, &sentence, dropped, self.items);
                }
            }
        }
    }
}

fn write(output: &Output, sentence: &str, dropped: u64, items: &str) {
    match dropped {
        0 => output(&format!("clarity-otel: {sentence}")),
        1 => output(&format!(
            "clarity-otel: {sentence} 1 {} was dropped.",
            items.trim_end_matches('s')
        )),
        dropped => output(&format!(
            "clarity-otel: {sentence} {dropped} {items} were dropped."
        )),
    }
}

/// How the exporter is doing, for the health endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// Without credentials and query.
    pub target: String,
    pub last_success: Option<SystemTime>,
    /// The newest failure, also when later attempts succeeded.
    pub last_error: Option<String>,
    pub last_error_at: Option<SystemTime>,
    /// Failed attempts since the last success; 0 is healthy.
    pub consecutive_failures: u64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    fn recorded() -> (Reporter, Arc<Mutex<Vec<String>>>) {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let to = lines.clone();
        let output: Output = Arc::new(move |line| to.lock().unwrap().push(line.to_owned()));
        (Reporter::new(output, "spans"), lines)
    }

    /// A kind is said at once, then once a minute with the newest words and all
    /// losses since; other kinds have their own minute.
    #[test]
    fn each_reason_is_said_once_a_minute_with_its_losses() {
        let (mut reporter, lines) = recorded();
        let start = Instant::now();
        let at = |s| start + Duration::from_secs(s);
        reporter.say(FailureKind::Refused, "No.", 5, at(0));
        for s in 1..60 {
            reporter.say(FailureKind::Refused, &format!("No, {s}."), 1, at(s));
        }
        reporter.say(FailureKind::Timeout, "Slow.", 0, at(59));
        assert_eq!(lines.lock().unwrap().len(), 2);
        reporter.tick(at(60));
        reporter.tick(at(200));
        assert_eq!(
            *lines.lock().unwrap(),
            [
                "clarity-otel: No. 5 spans were dropped.",
                "clarity-otel: Slow.",
                "clarity-otel: No, 59. 59 spans were dropped.",
            ]
        );
    }

    /// The end says losses that are still held, and no stale sentence without one.
    #[test]
    fn the_end_says_what_was_lost() {
        let (mut reporter, lines) = recorded();
        let now = Instant::now();
        for (kind, dropped) in [(FailureKind::Refused, 2), (FailureKind::Timeout, 0)] {
            reporter.say(kind, "First.", 0, now);
            reporter.say(kind, "Second.", dropped, now);
        }
        lines.lock().unwrap().clear();
        reporter.finish();
        reporter.finish();
        assert_eq!(
            *lines.lock().unwrap(),
            ["clarity-otel: Second. 2 spans were dropped."]
        );
    }

    /// A recovery is said at once, and the held sentences that it makes stale are not.
    #[test]
    fn a_recovery_ends_the_complaint() {
        let (mut reporter, lines) = recorded();
        let now = Instant::now();
        reporter.say(FailureKind::Timeout, "Slow.", 0, now);
        reporter.say(FailureKind::Timeout, "Slow.", 0, now);
        reporter.recovered("Well again.");
        reporter.tick(now + PAUSE);
        assert_eq!(
            *lines.lock().unwrap(),
            ["clarity-otel: Slow.", "clarity-otel: Well again."]
        );
    }
}
