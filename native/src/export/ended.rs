//! The end of the exporter's thread, told to whoever shuts down.

use std::sync::{Arc, PoisonError};
use std::time::Instant;

use crate::sync::{Condvar, Mutex};

/// Any thread may wait, none of them with the GIL.
#[derive(Default)]
pub struct Ended {
    flag: Mutex<bool>,
    changed: Condvar,
}

impl Ended {
    /// Waits for the end until `deadline`; false when it has not come by then.
    pub fn wait(&self, deadline: Instant) -> bool {
        let mut ended = self.flag.lock().unwrap_or_else(PoisonError::into_inner);
        while !*ended {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            (ended, _) = self
                .changed
                .wait_timeout(ended, left)
                .unwrap_or_else(PoisonError::into_inner);
        }
        true
    }
}

/// Tells of the thread's end when it is dropped, also when it ends by a panic.
pub struct TellEnd(pub Arc<Ended>);

impl Drop for TellEnd {
    fn drop(&mut self) {
        *self.0.flag.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.0.changed.notify_all();
    }
}

#[cfg(all(test, feature = "models"))]
mod models {
    use std::time::Duration;

    use loom::thread;

    use super::*;

    /// Whoever waits for the thread's end hears of it, whichever of the two is first.
    #[test]
    fn the_end_is_heard() {
        loom::model(|| {
            let ended = Arc::new(Ended::default());
            let tell = TellEnd(ended.clone());
            let exporter = thread::spawn(move || drop(tell));
            let other = ended.clone();
            let deadline = Instant::now() + Duration::from_secs(3600);
            let waiter = thread::spawn(move || other.wait(deadline));
            assert!(ended.wait(deadline));
            assert!(waiter.join().unwrap());
            exporter.join().unwrap();
        });
    }
}
