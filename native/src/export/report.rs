//! What the user is told: one sentence a reason and a minute, on stderr.
//!
//! The exporter's thread writes it itself, so that it is said also when the
//! application never drains a queue and while the GIL is held elsewhere. All
//! signals share one [`Reporter`]: a Collector that is not there is said once,
//! not once for each signal.

use std::collections::HashMap;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant, SystemTime};

use super::Signal;
use crate::raw;

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
    /// What the target does not take goes to disk.
    Kept,
    /// The disk does not take it.
    Spool,
    SpoolLimit,
    SpoolCorrupt,
    Shutdown,
    /// What waited at the end went to disk.
    KeptAtShutdown,
    Internal,
}

impl FailureKind {
    /// Whether it concerns the target as a whole, so that all signals that go there
    /// share its sentence.
    fn is_of_the_target(self) -> bool {
        use FailureKind::*;
        match self {
            Unreachable | Tls | Timeout | Protocol | Kept | Spool | SpoolLimit | Shutdown => true,
            Unavailable | Refused | PartialSuccess | BufferFull => false,
            SpoolCorrupt | KeptAtShutdown | Internal => false,
        }
    }
}

/// How much OTEL_LOG_LEVEL wants to hear.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Never the level of a sentence: who wants less hears all there are.
    Info = 1,
    /// A target has trouble and what was made waits, or that is over.
    Warn,
    /// Something is lost, or nothing is exported.
    Error,
    /// Never said.
    None,
}

impl Level {
    /// That of OTEL_LOG_LEVEL.
    pub fn named(name: &str) -> Self {
        match name {
            "warn" => Level::Warn,
            "error" => Level::Error,
            "none" => Level::None,
            _ => Level::Info,
        }
    }
}

/// The lowest [`Level`] that is said.
static LOWEST: AtomicU8 = AtomicU8::new(Level::Info as u8);

pub fn set_lowest(level: Level) {
    LOWEST.store(level as u8, Ordering::Relaxed);
}

/// Says a sentence through `output`, with whose it is before it.
pub fn say(output: &Output, level: Level, sentence: &str) {
    if level as u8 >= LOWEST.load(Ordering::Relaxed) {
        output(&format!("clarity-otel: {sentence}"));
    }
}

/// Says that so many items of each signal were lost for what `sentence` says.
pub fn say_lost(output: &Output, sentence: &str, dropped: [u64; Signal::COUNT]) {
    let sentence = sentence.to_owned();
    Held { sentence, dropped }.write(output);
}

/// The sentence for what a target has not taken by a process's end.
pub fn ended_before(peer: &str) -> String {
    format!("The process ended before {peer} took everything.")
}

/// Scheme, host and port of a target.
pub fn peer(target: &str) -> &str {
    let host = target.find("://").map_or(0, |at| at + 3);
    let end = target[host..].find('/');
    end.map_or(target, |at| &target[..host + at])
}

pub const PAUSE: Duration = Duration::from_secs(60);

/// Takes one line without its end. Called on the exporter's thread.
pub type Output = Arc<dyn Fn(&str) + Send + Sync>;

/// Writes to stderr, whatever state it is in: where nobody reads it, a line is lost and no
/// batch waits for it.
pub fn stderr() -> Output {
    Arc::new(|line| {
        let line = format!("{line}\n");
        // Not through the standard library's handle: its lock may be held by
        // this thread at a fork, and would stay locked in the child. A closed or
        // broken stderr loses the line and nothing else.
        #[cfg(unix)]
        {
            use std::os::fd::AsFd;
            if let Ok(fd) = std::io::stderr().as_fd().try_clone_to_owned()
                && raw::takes_a_write(&fd)
            {
                let at_once = line.len().min(libc::PIPE_BUF);
                let _ = std::fs::File::from(fd).write_all(&line.as_bytes()[..at_once]);
            }
        }
        #[cfg(not(unix))]
        let _ = std::io::stderr().write_all(line.as_bytes());
    })
}

/// Limits how often each kind is said, and adds up what was dropped meanwhile.
pub struct Reporter {
    output: Output,
    /// Signals that have not finished yet.
    open: usize,
    said: HashMap<Key, Said>,
}

type Key = (FailureKind, String);

struct Said {
    at: Instant,
    held: Option<Held>,
}

/// The newest sentence since, and the items dropped for it, by signal.
#[derive(Default)]
struct Held {
    sentence: String,
    dropped: [u64; Signal::COUNT],
}

/// What a sentence is about.
#[derive(Clone, Copy)]
pub struct About<'a> {
    pub signal: Signal,
    /// Scheme, host and port.
    pub peer: &'a str,
}

impl About<'_> {
    fn key(&self, kind: FailureKind) -> Key {
        let of = match kind.is_of_the_target() {
            true => self.peer,
            false => self.signal.name(),
        };
        (kind, of.to_owned())
    }
}

impl Reporter {
    /// For `signals` signals, each of which calls [`finish`](Self::finish) once.
    pub fn new(output: Output, signals: usize) -> Self {
        Reporter {
            output,
            open: signals,
            said: HashMap::new(),
        }
    }

    /// Says `sentence` now, or holds it until this kind's pause is over.
    /// `dropped` items were lost for it.
    pub fn say(
        &mut self,
        kind: FailureKind,
        about: About<'_>,
        sentence: &str,
        dropped: u64,
        now: Instant,
    ) {
        // The first of its kind is due at once.
        let due = now.checked_sub(PAUSE).unwrap_or(now);
        self.hold(kind, about, sentence, dropped, due);
        self.tick(now);
    }

    /// Holds `sentence` for the end, or until this kind's pause is over.
    pub fn hold(
        &mut self,
        kind: FailureKind,
        about: About<'_>,
        sentence: &str,
        dropped: u64,
        now: Instant,
    ) {
        let said = self.said.entry(about.key(kind)).or_insert_with(|| Said {
            at: now,
            held: None,
        });
        let held = said.held.get_or_insert_default();
        held.sentence = sentence.to_owned();
        held.dropped[about.signal as usize] += dropped;
    }

    /// Says what was held and is due.
    pub fn tick(&mut self, now: Instant) {
        for said in self.said.values_mut() {
            if now.saturating_duration_since(said.at) >= PAUSE {
                if let Some(held) = said.held.take() {
                    said.at = now;
                    held.write(&self.output);
                }
            }
        }
    }

    /// Says once that all is well again. The failures before may be said anew
    /// after their pause; what was held of them is over, but for the losses.
    pub fn recovered(&mut self, about: About<'_>, sentence: &str) {
        for ((kind, of), said) in &mut self.said {
            if about.key(*kind).1 == *of {
                said.held.take_if(|held| held.is_without_loss());
            }
        }
        let held = Held {
            sentence: sentence.to_owned(),
            ..Held::default()
        };
        held.write(&self.output);
    }

    /// At the end of the last signal: losses that were held are said now.
    pub fn finish(&mut self) {
        self.open = self.open.saturating_sub(1);
        if self.open > 0 {
            return;
        }
        for said in self.said.values_mut() {
            if let Some(held) = said.held.take() {
                if !held.is_without_loss() {
                    held.write(&self.output);
                }
            }
        }
    }
}

impl Held {
    fn is_without_loss(&self) -> bool {
        self.dropped.iter().all(|dropped| *dropped == 0)
    }

    fn write(&self, output: &Output) {
        let lost: Vec<String> = Signal::ALL
            .into_iter()
            .map(|signal| (self.dropped[signal as usize], signal.items()))
            .filter(|(dropped, _)| *dropped > 0)
            .map(|(dropped, items)| match dropped {
                1 => format!("1 {}", items.trim_end_matches('s')),
                dropped => format!("{dropped} {items}"),
            })
            .collect();
        let sentence = &self.sentence;
        let (level, sentence) = match self.dropped.iter().sum() {
            0u64 => (Level::Warn, sentence.clone()),
            1 => (Level::Error, format!("{sentence} {} was dropped.", lost[0])),
            _ => {
                let lost = lost.join(" and ");
                (Level::Error, format!("{sentence} {lost} were dropped."))
            }
        };
        say(output, level, &sentence);
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
        (Reporter::new(output, 1), lines)
    }

    const SPANS: About<'static> = About {
        signal: Signal::Traces,
        peer: "http://test:4318",
    };
    const LOGS: About<'static> = About {
        signal: Signal::Logs,
        ..SPANS
    };

    /// A kind is said at once, then once a minute with the newest words and all
    /// losses since; other kinds have their own minute.
    #[test]
    fn each_reason_is_said_once_a_minute_with_its_losses() {
        let (mut reporter, lines) = recorded();
        let start = Instant::now();
        let at = |s| start + Duration::from_secs(s);
        reporter.say(FailureKind::Refused, SPANS, "No.", 5, at(0));
        for s in 1..60 {
            reporter.say(FailureKind::Refused, SPANS, &format!("No, {s}."), 1, at(s));
        }
        reporter.say(FailureKind::Timeout, SPANS, "Slow.", 0, at(59));
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
            reporter.say(kind, SPANS, "First.", 0, now);
            reporter.say(kind, SPANS, "Second.", dropped, now);
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
        reporter.say(FailureKind::Timeout, SPANS, "Slow.", 0, now);
        reporter.say(FailureKind::Timeout, SPANS, "Slow.", 0, now);
        reporter.recovered(SPANS, "Well again.");
        reporter.tick(now + PAUSE);
        assert_eq!(
            *lines.lock().unwrap(),
            ["clarity-otel: Slow.", "clarity-otel: Well again."]
        );
    }

    /// A target that is not there is said once for all signals that go there, with
    /// what each of them lost; what it thinks of one signal is said for that one.
    #[test]
    fn signals_share_the_sentences_about_their_target() {
        let (mut reporter, lines) = recorded();
        let now = Instant::now();
        for about in [SPANS, LOGS, SPANS] {
            reporter.say(FailureKind::Unreachable, about, "Not there.", 2, now);
            reporter.say(FailureKind::Refused, about, "No.", 1, now);
        }
        let elsewhere = About {
            peer: "http://other:4318",
            ..LOGS
        };
        reporter.say(FailureKind::Unreachable, elsewhere, "Nor here.", 0, now);
        reporter.tick(now + PAUSE);
        let mut said = lines.lock().unwrap().clone();
        said[4..].sort();
        assert_eq!(
            said,
            [
                "clarity-otel: Not there. 2 spans were dropped.",
                "clarity-otel: No. 1 span was dropped.",
                "clarity-otel: No. 1 log record was dropped.",
                "clarity-otel: Nor here.",
                "clarity-otel: No. 1 span was dropped.",
                "clarity-otel: Not there. 2 spans and 2 log records were dropped.",
            ]
        );
    }

    /// Losses at the end are said together, when the last signal has finished.
    #[test]
    fn the_last_signal_says_what_all_lost() {
        let (mut reporter, lines) = recorded();
        reporter.open = 2;
        let now = Instant::now();
        for about in [SPANS, LOGS] {
            reporter.hold(FailureKind::Shutdown, about, "The end.", 3, now);
            reporter.tick(now);
            reporter.finish();
        }
        assert_eq!(
            *lines.lock().unwrap(),
            ["clarity-otel: The end. 3 spans and 3 log records were dropped."]
        );
    }
}
