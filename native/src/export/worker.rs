//! The one thread that sends: `clarity-export`.
//!
//! It is started with the first item of a process. Each signal has a lane of its
//! own on it, which takes batches from the signal's pipeline and delivers them one
//! at a time; a target that hangs holds up its own lane only. A forked child has no
//! such thread; its new pipelines start their own, and nothing of the parent's is
//! touched.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;

use super::delivery::Delivery;
use super::ended::{Ended, TellEnd};
use super::keeping::Keeping;
use super::lane::{Lane, Recovery};
use super::report::{self, Health, Level, Output, Reporter};
use super::{ExportConfig, OtlpSink, Signal, Target};
use crate::pipeline::{DropReason, Pipeline, Pipelines};
use crate::spool::{self, Spool};

/// All that the exporter of one signal needs, checked. Cheap to clone; a forked
/// child starts its own thread with a clone of the parent's.
#[derive(Clone)]
pub struct Setup {
    config: ExportConfig,
    target: Target,
    envelope: Envelope,
    pub output: Output,
    /// Where batches go that the target does not take; all signals have the same.
    pub spool: Option<spool::Config>,
}

/// What goes around the items of every batch.
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
            spool: None,
        })
    }

    pub fn signal(&self) -> Signal {
        self.config.signal
    }

    /// Where it goes, without credentials and query.
    pub fn target(&self) -> &str {
        &self.target.shown
    }

    /// Where it goes and what is sent with each request, secrets included.
    pub fn checked(&self) -> &Target {
        &self.target
    }

    /// A forked child's own resource.
    pub fn set_resource(&mut self, resource: Vec<u8>) {
        self.envelope.resource = resource.into();
    }
}

/// Starts the exporter of all signals that `setups` has one for, unless these
/// pipelines have it already, and sets their `worker_started`. Call it when an item
/// is made; never blocks on the network.
pub fn ensure_worker(
    pipelines: &'static Pipelines,
    setups: impl FnOnce() -> Vec<Setup>,
) -> &'static Worker {
    let worker = pipelines
        .worker
        .get_or_init(|| Worker::start(pipelines, setups()));
    pipelines.worker_started.store(true, Ordering::Release);
    worker
}

/// Takes nothing in any more, sends what waits, and ends the thread by
/// `deadline` at the latest, whatever the targets do: attempts and waits are
/// cut short, and what is left counts as dropped (shutdown). True when nothing
/// was lost. Never call it with the GIL held.
pub fn shutdown(pipelines: &Pipelines, deadline: Instant) -> bool {
    let all = Signal::ALL.map(|signal| pipelines.of(signal));
    let lost = || -> u64 {
        let reason = DropReason::Shutdown as usize;
        let of = |one: &&Pipeline| one.counters.dropped[reason].load(Ordering::Relaxed);
        all.iter().map(of).sum()
    };
    let before = lost();
    all.iter().for_each(|pipeline| pipeline.stop());
    let ended = match pipelines.worker.get() {
        Some(worker) => worker.stop(deadline),
        None => true,
    };
    let abandoned = all.map(|pipeline| pipeline.abandon(DropReason::Shutdown));
    if let Some(worker) = pipelines.worker.get() {
        worker.say_abandoned(abandoned);
    }
    ended && lost() == before
}

/// The same for one signal, while the others go on.
pub fn shutdown_signal(pipelines: &Pipelines, signal: Signal, deadline: Instant) -> bool {
    let pipeline = pipelines.of(signal);
    pipeline.stop();
    let flushed = match pipelines.worker.get() {
        Some(worker) => {
            worker.cut(&[signal], deadline);
            pipeline.flush(deadline)
        }
        None => true,
    };
    let mut abandoned = [0; Signal::COUNT];
    abandoned[signal as usize] = pipeline.abandon(DropReason::Shutdown);
    if let Some(worker) = pipelines.worker.get() {
        worker.say_abandoned(abandoned);
    }
    abandoned[signal as usize] == 0 && flushed
}

/// The handle of the thread. Any thread may use it.
pub struct Worker {
    /// By [`Signal`]: when its lane is to be done.
    stop: [watch::Sender<Option<Instant>>; Signal::COUNT],
    ended: Arc<Ended>,
    health: Vec<(Signal, Arc<Mutex<Health>>)>,
    output: Output,
    /// What the thread needs at the end, after its last attempt.
    margin: Duration,
}

impl Worker {
    /// Starts the thread, with a lane for each setup.
    fn start(pipelines: &'static Pipelines, setups: Vec<Setup>) -> Self {
        let stop = [(); Signal::COUNT].map(|()| watch::Sender::new(None));
        let stopped = stop.each_ref().map(watch::Sender::subscribe);
        let ended = Arc::new(Ended::default());
        let health: Vec<(Signal, Arc<Mutex<Health>>)> = setups
            .iter()
            .map(|setup| {
                let health = Health {
                    target: setup.target.shown.clone(),
                    ..Health::default()
                };
                (setup.config.signal, Arc::new(Mutex::new(health)))
            })
            .collect();
        let output = setups.first().map(|setup| setup.output.clone());
        let output = output.unwrap_or_else(report::stderr);
        let reporter = Reporter::new(output.clone(), setups.len());
        let reporter = Arc::new(Mutex::new(reporter));
        let tell = TellEnd(ended.clone());
        let spool = setups.iter().find_map(|setup| setup.spool.clone());
        // Full buffers of all signals are 48 MiB to write, and Python's own end comes after.
        let margin = Duration::from_millis(if spool.is_some() { 500 } else { 50 });
        let (healths, complain) = (health.clone(), output.clone());
        let run = move || {
            let _tell = tell;
            let runtime = match runtime() {
                Ok(runtime) => runtime,
                Err(sentence) => return report::say(&complain, Level::Error, &sentence),
            };
            let spool = spool.map(|config| Rc::new(RefCell::new(Spool::new(config))));
            let lanes = setups
                .into_iter()
                .zip(healths)
                .filter_map(|(setup, (signal, health))| {
                    let (policy, envelope) = (setup.config.retry, setup.envelope);
                    let sink = match OtlpSink::new(setup.config, setup.target) {
                        Ok(sink) => sink,
                        // `Setup::new` has tried the same.
                        Err(sentence) => {
                            report::say(&complain, Level::Error, &sentence);
                            return None;
                        }
                    };
                    let pipeline = pipelines.of(signal);
                    let (stop, reporter) = (stopped[signal as usize].clone(), reporter.clone());
                    let delivery = Delivery::new(
                        signal,
                        sink,
                        policy,
                        pipeline,
                        stop,
                        reporter.clone(),
                        health,
                    );
                    let keeping = Keeping {
                        signal,
                        pipelines,
                        envelope,
                        spool: spool.clone(),
                        reporter,
                        peer: delivery.about().peer.to_owned(),
                    };
                    let lane = Lane {
                        pipeline,
                        delivery,
                        keeping,
                        recovery: Recovery::default(),
                    };
                    let lane: Running = Box::pin(lane.run());
                    Some(lane)
                })
                .collect();
            runtime.block_on(all(lanes));
            // A name lookup may hang in the system's resolver: not our problem now.
            runtime.shutdown_background();
        };
        let thread = std::thread::Builder::new().name("clarity-export".into());
        if let Err(error) = crate::raw::with_signals_blocked(|| thread.spawn(run)) {
            let sentence = format!(
                "The export thread cannot be started ({error}): nothing is exported from \
                 process {}.",
                std::process::id()
            );
            report::say(&output, Level::Error, &sentence);
        }
        Worker {
            stop,
            ended,
            health,
            output,
            margin,
        }
    }

    /// How a signal's export is doing; `None` for one without a target.
    pub fn health(&self, signal: Signal) -> Option<Health> {
        let (_, health) = self.health.iter().find(|(of, _)| *of == signal)?;
        let health = health.lock();
        Some(health.unwrap_or_else(PoisonError::into_inner).clone())
    }

    /// Says what was given up, by signal, without the thread: it may be late, with the
    /// reporter in its hands, or gone.
    fn say_abandoned(&self, abandoned: [u64; Signal::COUNT]) {
        let mut peers: Vec<(String, [u64; Signal::COUNT])> = Vec::new();
        for (signal, health) in &self.health {
            let health = health.lock().unwrap_or_else(PoisonError::into_inner);
            let peer = report::peer(&health.target);
            let at = peers.iter().position(|(known, _)| known == peer);
            let at = at.unwrap_or_else(|| {
                peers.push((peer.to_owned(), [0; Signal::COUNT]));
                peers.len() - 1
            });
            peers[at].1[*signal as usize] = abandoned[*signal as usize];
        }
        for (peer, dropped) in peers {
            if dropped.iter().any(|items| *items > 0) {
                report::say_lost(&self.output, &report::ended_before(&peer), dropped);
            }
        }
    }

    /// Waits for the thread's end until `deadline`.
    fn stop(&self, deadline: Instant) -> bool {
        self.cut(&Signal::ALL, deadline);
        self.ended.wait(deadline)
    }

    /// Has the lanes of `signals` cut their work a little before `deadline`, so that what is
    /// left is on disk and the counters are settled by then.
    fn cut(&self, signals: &[Signal], deadline: Instant) {
        let now = Instant::now();
        let left = deadline.saturating_duration_since(now);
        let margin = (left / 4).min(self.margin);
        let at = deadline.checked_sub(margin).unwrap_or(now);
        for signal in signals {
            self.stop[*signal as usize].send_replace(Some(at));
        }
    }
}

/// This thread alone: no pool, and timers and sockets only.
fn runtime() -> Result<Runtime, String> {
    Builder::new_current_thread()
        .enable_io()
        .enable_time()
        // Three sockets at most: the default has room for 1024.
        .max_io_events_per_tick(16)
        .thread_name("clarity-resolve")
        .build()
        .map_err(|error| {
            format!(
                "The exporter cannot be started ({error}): nothing is exported from process {}.",
                std::process::id()
            )
        })
}

/// One signal's part of the thread.
type Running = Pin<Box<dyn Future<Output = ()>>>;

/// Ends with the last of `lanes`. Each is asked whenever one of them may go on: there
/// are three at most.
async fn all(mut lanes: Vec<Running>) {
    poll_fn(|context| {
        lanes.retain_mut(|lane| lane.as_mut().poll(context).is_pending());
        match lanes.is_empty() {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    })
    .await
}
