//! What the hand-over between threads stands on: the standard library's and tokio's, or
//! loom's in a test with the feature `models` (`make loom`), which runs a model in every
//! order of its threads' steps. Only names: there is nothing here at run time.

#[cfg(not(all(test, feature = "models")))]
mod real {
    pub use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering};
    pub use std::sync::{Condvar, Mutex, MutexGuard};

    pub use tokio::sync::Notify;
    pub use tokio::time::timeout_at;

    /// A static. Loom's are made anew for each order.
    macro_rules! global {
        ($(#[$about:meta])* static $name:ident: $type:ty = $value:expr;) => {
            $(#[$about])*
            static $name: $type = $value;
        };
    }
    pub(crate) use global;
}

#[cfg(all(test, feature = "models"))]
mod real {
    use std::future::poll_fn;
    use std::task::{Poll, Waker};

    pub use loom::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering};
    pub use loom::sync::{Condvar, Mutex, MutexGuard};
    use tokio::time::Instant;

    /// Of tokio's `Notify` what one waiter sees: a permit that is kept until it is taken,
    /// also when whoever waited for it has let go.
    pub struct Notify(Mutex<(bool, Option<Waker>)>);

    impl Notify {
        pub fn new() -> Self {
            Notify(Mutex::new((false, None)))
        }

        pub fn notify_one(&self) {
            let mut state = self.0.lock().unwrap();
            state.0 = true;
            let waiter = state.1.take();
            drop(state);
            if let Some(waiter) = waiter {
                waiter.wake();
            }
        }

        pub async fn notified(&self) {
            poll_fn(|context| {
                let mut state = self.0.lock().unwrap();
                if std::mem::take(&mut state.0) {
                    return Poll::Ready(());
                }
                state.1 = Some(context.waker().clone());
                Poll::Pending
            })
            .await;
        }
    }

    /// No time passes in a model: what only a timeout would end is a deadlock.
    pub async fn timeout_at<T>(_: Instant, work: impl Future<Output = T>) -> Result<T, ()> {
        Ok(work.await)
    }

    macro_rules! global {
        ($(#[$about:meta])* static $name:ident: $type:ty = $value:expr;) => {
            loom::lazy_static! {
                $(#[$about])*
                static ref $name: $type = $value;
            }
        };
    }
    pub(crate) use global;
}

pub(crate) use real::global;
pub use real::*;
