//! The one thread that sends: `clarity-export`.
//!
//! It is started with the first span of a process, takes batches from the
//! pipeline and delivers them one at a time. A forked child has no such thread;
//! its new pipeline starts its own, and nothing of the parent's is touched.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;

use super::delivery::Delivery;
use super::report::{self, FailureKind, Health, Output, Reporter};
use super::retry::{Backoff, RetryPolicy};
use super::{ExportConfig, OtlpSink, Signal, Sink, Target};
use crate::pipeline::{DropReason, Next, Pipeline};

/// All that the exporter of one process needs, checked. Cheap to clone; a forked
/// child starts its own thread with a clone of the parent's.
#[derive(Clone)]
pub struct Setup {
    config: ExportConfig,
    target: Target,
    envelope: Envelope,
    pub output: Output,
}

/// What goes around the spans of every batch.
#[derive(Clone, Default)]
pub struct Envelope {
    /// The body of a `Resource` message.
    pub resource: Arc<[u8]>,
    pub resource_schema_url: String,
}

impl Setup {
    /// Checks `config`; an error is a sentence that names the setting.
    pub fn new(config: ExportConfig, envelope: Envelope) -> Result<Self, String> {
        let target = config.validate()?;
        OtlpSink::new(config.clone(), target.clone())?;
        Ok(Setup {
            config,
            target,
            envelope,
            output: report::stderr(),
        })
    }

    /// A forked child's own resource.
    pub fn set_resource(&mut self, resource: Vec<u8>) {
        self.envelope.resource = resource.into();
    }
}

/// Starts the exporter unless this pipeline has one, and sets its
/// `worker_started`. Call it when a span is made; never blocks on the network.
pub fn ensure_worker(
    pipeline: &'static Pipeline,
    setup: impl FnOnce() -> Setup,
) -> &'static Worker {
    let worker = pipeline.worker.get_or_init(|| {
        let Setup {
            config,
            target,
            envelope,
            output,
        } = setup();
        let (signal, policy, shown) = (config.signal, config.retry, target.shown.clone());
        let sink = move || OtlpSink::new(config, target);
        Worker::start(pipeline, sink, envelope, signal, policy, shown, output)
    });
    pipeline.worker_started.store(true, Ordering::Release);
    worker
}

/// Takes nothing in any more, sends what waits, and ends the thread by
/// `deadline` at the latest, whatever the target does: attempts and waits are
/// cut short, and what is left counts as dropped (shutdown). True when nothing
/// was lost. Never call it with the GIL held.
pub fn shutdown(pipeline: &Pipeline, deadline: Instant) -> bool {
    let lost = &pipeline.counters.dropped[DropReason::Shutdown as usize];
    let before = lost.load(Ordering::Relaxed);
    pipeline.stop();
    let ended = match pipeline.worker.get() {
        Some(worker) => worker.stop(deadline),
        None => true,
    };
    pipeline.abandon(DropReason::Shutdown);
    ended && lost.load(Ordering::Relaxed) == before
}

/// The handle of the thread. Any thread may use it.
pub struct Worker {
    stop: watch::Sender<Option<Instant>>,
    ended: Arc<Ended>,
    health: Arc<Mutex<Health>>,
}

#[derive(Default)]
struct Ended {
    flag: Mutex<bool>,
    changed: Condvar,
}

/// Tells of the thread's end, also when it ends by a panic.
struct TellEnd(Arc<Ended>);

impl Drop for TellEnd {
    fn drop(&mut self) {
        *self.0.flag.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.0.changed.notify_all();
    }
}

impl Worker {
    /// Starts the thread; `sink` is made on it.
    pub fn start<S: Sink>(
        pipeline: &'static Pipeline,
        sink: impl FnOnce() -> Result<S, String> + Send + 'static,
        envelope: Envelope,
        signal: Signal,
        policy: RetryPolicy,
        target: String,
        output: Output,
    ) -> Self {
        let (stop, stopped) = watch::channel(None);
        let ended = Arc::new(Ended::default());
        let health = Arc::new(Mutex::new(Health {
            target,
            ..Health::default()
        }));
        let tell = TellEnd(ended.clone());
        let (thread_health, thread_output) = (health.clone(), output.clone());
        let run = move || {
            let _tell = tell;
            let mut reporter = Reporter::new(thread_output, signal.items());
            let started = sink().and_then(|sink| Ok((sink, runtime()?)));
            let (sink, runtime) = match started {
                Ok(started) => started,
                Err(sentence) => {
                    reporter.say(FailureKind::Internal, &sentence, 0, Instant::now());
                    return;
                }
            };
            let delivery = Delivery {
                sink,
                policy,
                backoff: Backoff::new(policy),
                counters: &pipeline.counters,
                stop: stopped,
                reporter,
                health: thread_health,
                limits: pipeline.limits(),
                buffer_full_said: 0,
                given_up: false,
                lost_at_shutdown: 0,
            };
            work(pipeline, delivery, &runtime, &envelope);
            // A name lookup may hang in the system's resolver: not our problem now.
            runtime.shutdown_background();
        };
        let thread = std::thread::Builder::new().name("clarity-export".into());
        if let Err(error) = crate::raw::with_signals_blocked(|| thread.spawn(run)) {
            Reporter::new(output, signal.items()).say(
                FailureKind::Internal,
                &format!(
                    "The export thread cannot be started ({error}): nothing is exported from \
                     process {}.",
                    std::process::id()
                ),
                0,
                Instant::now(),
            );
        }
        Worker {
            stop,
            ended,
            health,
        }
    }

    pub fn health(&self) -> Health {
        let health = self.health.lock();
        health.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits for the thread's end until `deadline`. It cuts its own work a
    /// little before, so that the counters are settled by then.
    fn stop(&self, deadline: Instant) -> bool {
        let now = Instant::now();
        let left = deadline.saturating_duration_since(now);
        let margin = (left / 4).min(Duration::from_millis(50));
        self.stop
            .send_replace(Some(deadline.checked_sub(margin).unwrap_or(now)));
        let mut ended = self
            .ended
            .flag
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        while !*ended {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            (ended, _) = self
                .ended
                .changed
                .wait_timeout(ended, left)
                .unwrap_or_else(PoisonError::into_inner);
        }
        true
    }
}

/// This thread alone: no pool, and timers and sockets only.
fn runtime() -> Result<Runtime, String> {
    Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .thread_name("clarity-resolve")
        .build()
        .map_err(|error| {
            format!(
                "The exporter cannot be started ({error}): nothing is exported from process {}.",
                std::process::id()
            )
        })
}

fn work<S: Sink>(
    pipeline: &Pipeline,
    mut delivery: Delivery<'_, S>,
    runtime: &Runtime,
    envelope: &Envelope,
) {
    loop {
        delivery.tick();
        match pipeline.next() {
            Next::Batch(batch) => {
                // A panic costs this batch, not the export.
                let settled = catch_unwind(AssertUnwindSafe(|| {
                    let request =
                        batch.to_request(&envelope.resource, &envelope.resource_schema_url);
                    runtime.block_on(delivery.deliver(request, batch.items()))
                }));
                let (exported, reason) = settled.unwrap_or((0, DropReason::Internal));
                pipeline.settle(batch, exported, reason);
                if delivery.given_up {
                    delivery.lost_at_shutdown += pipeline.abandon(DropReason::Shutdown);
                }
            }
            Next::Idle => {}
            Next::Stop => break,
        }
    }
    delivery.finish();
}
