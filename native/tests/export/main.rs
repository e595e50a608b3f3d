//! The exporter against real sockets on loopback: pipeline, thread, client, server.

mod grpc;
mod http;
mod proxy;
mod shutdown;
mod signals;
mod spool;
mod stub;
mod tls;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use _native::draft::{self, Head, Parts};
use _native::export::{
    Envelope, ExportConfig, OtlpSink, Outcome, Protocol, RetryPolicy, Setup, Signal, Sink,
    ensure_worker,
};
use _native::pipeline::{Batch, Limits, Pipeline, Pipelines, ScopeId, register_scope, snapshot};
use _native::spool as spool_of;

/// Long enough for a slow machine; a condition that holds ends the wait at once.
const PATIENCE: Duration = Duration::from_secs(30);

const RESOURCE: &[u8] = b"\x0a\x00";

fn config(protocol: Protocol, endpoint: &str) -> ExportConfig {
    let mut config = ExportConfig::new(Signal::Traces, protocol, endpoint);
    config.retry = RetryPolicy {
        initial: Duration::from_millis(1),
        max: Duration::from_millis(5),
        max_elapsed: PATIENCE,
    };
    config
}

fn http(endpoint: &str) -> ExportConfig {
    config(Protocol::HttpProtobuf, endpoint)
}

fn grpc(endpoint: &str) -> ExportConfig {
    config(Protocol::Grpc, endpoint)
}

/// Pipelines of this test alone with their exporter, and what was said to the user.
struct Exporter {
    pipelines: &'static Pipelines,
    /// That of the spans.
    pipeline: &'static Pipeline,
    lines: Arc<Mutex<Vec<String>>>,
    /// Held, it makes the thread wait with the line that it says.
    holds_up: Arc<Mutex<()>>,
}

impl Exporter {
    fn start(config: ExportConfig) -> Self {
        Exporter::of(vec![config])
    }

    /// One for each signal that has a configuration.
    fn of(configs: Vec<ExportConfig>) -> Self {
        Exporter::make(configs, None)
    }

    fn with_spool(configs: Vec<ExportConfig>, spool: spool_of::Config) -> Self {
        Exporter::make(configs, Some(spool))
    }

    fn make(configs: Vec<ExportConfig>, spool: Option<spool_of::Config>) -> Self {
        let limits = Limits {
            schedule_delay: Duration::from_millis(1),
            ..Limits::default()
        };
        let pipelines = Pipelines::new([(); Signal::COUNT].map(|()| limits.clone()));
        let pipelines: &'static Pipelines = Box::leak(Box::new(pipelines));
        let lines: Arc<Mutex<Vec<String>>> = Arc::default();
        let holds_up: Arc<Mutex<()>> = Arc::default();
        let setups = configs.into_iter().map(|config| {
            let envelope = Envelope {
                resource: RESOURCE.into(),
                resource_schema_url: String::new(),
            };
            let mut setup = Setup::new(config, envelope).unwrap();
            let (to, holds_up) = (lines.clone(), holds_up.clone());
            setup.output = Arc::new(move |line| {
                to.lock().unwrap().push(line.to_owned());
                if std::thread::current().name() == Some("clarity-export") {
                    drop(holds_up.lock());
                }
            });
            setup.spool = spool.clone();
            setup
        });
        ensure_worker(pipelines, || setups.collect());
        Exporter {
            pipelines,
            pipeline: &pipelines.spans,
            lines,
            holds_up,
        }
    }

    /// Makes one batch of `count` spans and waits until it is sent or dropped.
    fn export(&self, count: usize) {
        self.pipeline.emit_block(&block(count));
        assert!(self.pipeline.flush(Instant::now() + PATIENCE));
    }

    fn count(&self, name: &str) -> u64 {
        self.count_of(Signal::Traces, name)
    }

    fn count_of(&self, signal: Signal, name: &str) -> u64 {
        let counts = snapshot(self.pipelines.of(signal));
        let dropped: u64 = _native::pipeline::DROP_REASONS
            .iter()
            .map(|(_, reason)| counts[reason])
            .sum();
        assert_eq!(
            counts["made"] + counts["recovered"],
            counts["exported"]
                + dropped
                + counts["spooled"]
                + counts["waiting"]
                + counts["in_flight"],
            "{counts:?}"
        );
        counts[name]
    }

    fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        _native::export::shutdown(self.pipelines, Instant::now());
    }
}

fn emit(pipeline: &Pipeline, count: usize) {
    for number in 0..count {
        pipeline.emit(scope(), |out| span(out, number));
    }
}

fn scope() -> ScopeId {
    register_scope(b"\x0a\x04test", "")
}

/// The draft of a span with a name of its own.
fn span(out: &mut Vec<u8>, number: usize) {
    let name = format!("span {number}");
    let parts = Parts {
        name: name.as_bytes(),
        ..Parts::default()
    };
    draft::write(out, &Head::default(), &parts);
}

/// The body that `count` spans must arrive as.
fn request(count: usize) -> Vec<u8> {
    block(count).to_request(RESOURCE, "")
}

fn block(count: usize) -> Batch {
    let mut block = Batch::of_drafts(draft::finish);
    for number in 0..count {
        block.push(scope(), &mut |out| span(out, number));
    }
    block
}

/// One attempt, without pipeline and thread.
fn attempt(config: ExportConfig) -> Outcome {
    let target = config.validate().unwrap();
    let mut sink = OtlpSink::new(config, target).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let body = sink.prepare(request(3).into());
    runtime.block_on(sink.send(body))
}

fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "{what} did not happen");
        std::thread::yield_now();
    }
}
