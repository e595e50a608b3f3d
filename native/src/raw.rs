//! The only module with `unsafe`: thin wrappers over what has no safe form,
//! each with its reason. Everything above it is safe Rust.
#![allow(unsafe_code)]

pub mod arrow;
#[cfg(feature = "python")]
pub mod recorder;

/// A reference to a value that was leaked and is never freed.
#[inline]
pub fn deref_leaked<T>(pointer: *mut T) -> Option<&'static T> {
    // SAFETY: callers store only pointers made by `Box::leak` (or null), and a
    // leaked value is never freed nor mutated through the pointer.
    unsafe { pointer.as_ref() }
}

/// Random bytes from the operating system; false when it has none to give.
pub fn os_random(out: &mut [u8]) -> bool {
    // SAFETY: the pointer and the length describe `out`, which is writable.
    let got = unsafe { libc::getrandom(out.as_mut_ptr().cast(), out.len(), 0) };
    got == out.len() as isize
}

/// Nanoseconds since the Unix epoch; 0 for a clock before it, or none.
///
/// `SystemTime` has a second of its own type subtracted, each time.
#[cfg(unix)]
#[inline]
pub fn now_ns() -> u64 {
    let mut now = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the pointer is to a live local, which is left as it is where there is no clock.
    unsafe { libc::clock_gettime(libc::CLOCK_REALTIME, &mut now) };
    (now.tv_sec * 1_000_000_000 + now.tv_nsec).max(0) as u64
}

#[cfg(not(unix))]
pub fn now_ns() -> u64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| since.as_nanos() as u64)
}

/// Gives memory that nobody uses back to the system.
#[cfg(feature = "python")]
pub fn trim_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: it takes the allocator's own locks, and moves nothing that is in use.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Lets go of those pages of this library that nothing writes to: code and constants, of
/// which the start needed more than a service does. What is run again comes back from the
/// file's pages in the system's cache.
///
/// The loader's lock is held meanwhile: not while the process may be forking.
#[cfg(all(feature = "python", target_os = "linux"))]
pub fn release_library() {
    use std::ffi::{c_int, c_void};

    unsafe extern "C" fn visit(info: *mut libc::dl_phdr_info, _: usize, _: *mut c_void) -> c_int {
        // SAFETY: the loader hands over a valid description of a loaded object, and its
        // program headers. Only whole segments that are mapped without a right to write
        // are advised on, so that they are what the file holds (no text relocations); one
        // that was made read-only after relocation is a writable segment here.
        unsafe {
            let base = (*info).dlpi_addr as usize;
            let headers =
                std::slice::from_raw_parts((*info).dlpi_phdr, usize::from((*info).dlpi_phnum));
            let segments = || {
                let loaded = headers.iter().filter(|h| h.p_type == libc::PT_LOAD);
                loaded.map(|h| {
                    let begin = base + h.p_vaddr as usize;
                    (h.p_flags, begin..begin + h.p_memsz as usize)
                })
            };
            let here = release_library as *const () as usize;
            if !segments().any(|(_, segment)| segment.contains(&here)) {
                return 0;
            }
            let page = libc::sysconf(libc::_SC_PAGESIZE) as usize;
            for (_, segment) in segments().filter(|(flags, _)| flags & libc::PF_W == 0) {
                // A page that two segments share may be written to.
                let begin = segment.start.next_multiple_of(page);
                let end = segment.end / page * page;
                if begin < end {
                    libc::madvise(begin as *mut c_void, end - begin, libc::MADV_DONTNEED);
                }
            }
            1
        }
    }
    // SAFETY: the callback keeps nothing of what it is shown.
    unsafe {
        libc::dl_iterate_phdr(Some(visit), std::ptr::null_mut());
    }
}

/// Takes a file's lock for this process; false when another one has it.
///
/// A POSIX record lock: unlike `flock`, a forked child does not share it, so that it is
/// gone with this process whatever its children do. Closing any handle of the file in
/// this process gives it up.
#[cfg(unix)]
pub fn lock_for_process(file: &std::fs::File) -> bool {
    use std::os::fd::AsRawFd;
    // SAFETY: a flock is plain data, zero is valid for it (the whole file, from its
    // start), and the descriptor is open as long as `file` is borrowed.
    unsafe {
        let mut lock: libc::flock = std::mem::zeroed();
        lock.l_type = libc::F_WRLCK as _;
        lock.l_whence = libc::SEEK_SET as _;
        libc::fcntl(file.as_raw_fd(), libc::F_SETLK, &lock) == 0
    }
}

/// No spool without such locks.
#[cfg(not(unix))]
pub fn lock_for_process(_: &std::fs::File) -> bool {
    false
}

/// Runs `start` with the signals that belong to the application blocked on this
/// thread; a thread it spawns inherits that, so the application's threads stay
/// the ones that get SIGTERM, SIGINT and the rest. Faults (SIGSEGV…) stay open:
/// they hit the thread that made them, and faulthandler wants to see them.
#[cfg(unix)]
pub fn with_signals_blocked<R>(start: impl FnOnce() -> R) -> R {
    struct Restore(libc::sigset_t);
    impl Drop for Restore {
        fn drop(&mut self) {
            // SAFETY: the set was written by pthread_sigmask below, and the old
            // mask may be left unasked for (null).
            unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &self.0, std::ptr::null_mut()) };
        }
    }
    // SAFETY: a sigset_t is plain data that sigfillset and pthread_sigmask fill
    // before anything reads it, and both pointers are to live locals.
    let restore = unsafe {
        let mut blocked: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&mut blocked);
        for fault in [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL] {
            libc::sigdelset(&mut blocked, fault);
        }
        let mut before: libc::sigset_t = std::mem::zeroed();
        let failed = libc::pthread_sigmask(libc::SIG_BLOCK, &blocked, &mut before) != 0;
        (!failed).then_some(Restore(before))
    };
    let result = start();
    drop(restore);
    result
}

/// The user whose rights this process has.
#[cfg(unix)]
pub fn user() -> u32 {
    // SAFETY: it has no preconditions and cannot fail.
    unsafe { libc::geteuid() }
}

/// Whether a write of [`PIPE_BUF`](libc::PIPE_BUF) bytes ends at once. A pipe that nobody
/// reads is full in the end.
#[cfg(unix)]
pub fn takes_a_write(file: &impl std::os::fd::AsRawFd) -> bool {
    let mut asked = libc::pollfd {
        fd: file.as_raw_fd(),
        events: libc::POLLOUT,
        revents: 0,
    };
    // SAFETY: the pointer is to one live pollfd.
    let answered = unsafe { libc::poll(&mut asked, 1, 0) };
    answered == 1 && asked.revents & libc::POLLOUT != 0
}

/// Signals are a Unix matter.
#[cfg(not(unix))]
pub fn with_signals_blocked<R>(start: impl FnOnce() -> R) -> R {
    start()
}

/// SIGTERM, sent again while Python sleeps over it, and fatal where it does not wake.
///
/// CPython's handler in C only notes the signal; the one in Python runs between two
/// instructions of the main thread. A signal that comes after the last look and before
/// a call that blocks (a worker of `multiprocessing.Pool` on its way back to the queue)
/// would be seen when that call ends, which may be never. Without a handler it kills.
#[cfg(all(feature = "python", target_os = "linux"))]
pub mod sigterm {
    use std::ptr::{null, null_mut};
    use std::sync::atomic::{AtomicI32, AtomicI64, AtomicPtr, AtomicUsize, Ordering};

    /// Under load Python may take some milliseconds; nobody waits longer than that for
    /// what usually takes none. Once for each signal, not at an interval: a handler that
    /// the app sets meanwhile is called once more at most.
    const AGAIN_AFTER_NS: i64 = 20_000_000;
    /// The main thread computes, or waits in a library that goes on after a signal: it does
    /// so no longer than a shutdown may take. What had ended is sent on schedule meanwhile.
    static KILLS_AFTER_NS: AtomicI64 = AtomicI64::new(i64::MAX);

    /// The process that the timer belongs to: a fork does not copy timers.
    static OWNER: AtomicI32 = AtomicI32::new(0);
    static TIMER: AtomicPtr<libc::c_void> = AtomicPtr::new(null_mut());
    /// The forked child that was signalled before it had a timer: what CPython had noted
    /// until then it forgets when the fork is done.
    static EARLY: AtomicI32 = AtomicI32::new(0);
    /// When the signal came that Python has not handled yet; 0 where there is none.
    static SINCE_NS: AtomicI64 = AtomicI64::new(0);
    /// CPython's handler in C.
    static NOTED_BY: AtomicUsize = AtomicUsize::new(0);

    extern "C" fn on_signal(number: libc::c_int) {
        // SAFETY: all calls are async-signal-safe, errno is put back, and NOTED_BY was
        // read from a sigaction that has a plain handler.
        unsafe {
            let errno = *libc::__errno_location();
            let now_ns = now_ns();
            let since_ns =
                match SINCE_NS.compare_exchange(0, now_ns, Ordering::AcqRel, Ordering::Acquire) {
                    Ok(_) => now_ns,
                    Err(earlier) => earlier,
                };
            let waited_ns = now_ns - since_ns;
            let kills_after_ns = KILLS_AFTER_NS.load(Ordering::Acquire);
            if waited_ns >= kills_after_ns {
                // It is blocked while this runs, and kills when this returns.
                let action: libc::sigaction = std::mem::zeroed();
                libc::sigaction(number, &action, null_mut());
                libc::kill(libc::getpid(), number);
            } else {
                let due_ns = if waited_ns < AGAIN_AFTER_NS {
                    AGAIN_AFTER_NS
                } else {
                    kills_after_ns
                };
                if !set_timer(due_ns - waited_ns) {
                    EARLY.store(libc::getpid(), Ordering::Release);
                }
            }
            *libc::__errno_location() = errno;
            let noted_by = NOTED_BY.load(Ordering::Acquire);
            let note: extern "C" fn(libc::c_int) = std::mem::transmute(noted_by);
            note(number);
        }
    }

    fn now_ns() -> i64 {
        let mut now = libc::timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        // SAFETY: the pointer is to a live local; this clock is always there.
        unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut now) };
        now.tv_sec * 1_000_000_000 + now.tv_nsec
    }

    /// Lets this process's timer send SIGTERM in `ns`, never where that is 0; false where
    /// it has none.
    fn set_timer(ns: i64) -> bool {
        let time = |ns| libc::timespec {
            tv_sec: ns / 1_000_000_000,
            tv_nsec: ns % 1_000_000_000,
        };
        let times = libc::itimerspec {
            it_value: time(ns),
            it_interval: time(0),
        };
        // SAFETY: the timer was made by the process that OWNER names, and is never
        // deleted; the old times may be left unasked for (null).
        unsafe {
            OWNER.load(Ordering::Acquire) == libc::getpid()
                && libc::timer_settime(TIMER.load(Ordering::Acquire), 0, &times, null_mut()) == 0
        }
    }

    /// Begins to send SIGTERM again, where it has a handler of Python. To be called
    /// after that was set, which takes this away, and again in a forked child.
    pub fn repeat(kills_after_ns: i64) {
        // The default action does not end the first process of a container.
        let never_kills = std::process::id() == 1;
        let kills_after_ns = if never_kills {
            i64::MAX
        } else {
            kills_after_ns
        };
        KILLS_AFTER_NS.store(kills_after_ns, Ordering::Release);
        // SAFETY: sigaction and sigevent are plain data, zero is valid for both, and
        // all pointers are to live locals.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            if libc::sigaction(libc::SIGTERM, null(), &mut action) != 0
                || action.sa_flags & libc::SA_SIGINFO != 0
                || matches!(action.sa_sigaction, libc::SIG_DFL | libc::SIG_IGN)
            {
                return;
            }
            if OWNER.load(Ordering::Acquire) != libc::getpid() {
                let mut event: libc::sigevent = std::mem::zeroed();
                event.sigev_notify = libc::SIGEV_SIGNAL;
                event.sigev_signo = libc::SIGTERM;
                let mut timer: libc::timer_t = null_mut();
                if libc::timer_create(libc::CLOCK_MONOTONIC, &mut event, &mut timer) != 0 {
                    return;
                }
                TIMER.store(timer, Ordering::Release);
                OWNER.store(libc::getpid(), Ordering::Release);
                let is_early = EARLY.load(Ordering::Acquire) == libc::getpid();
                // What waits in the parent is none of the child's.
                SINCE_NS.store(if is_early { now_ns() } else { 0 }, Ordering::Release);
                if is_early {
                    set_timer(AGAIN_AFTER_NS);
                }
            }
            let own = on_signal as extern "C" fn(libc::c_int) as usize;
            if action.sa_sigaction != own {
                // One that came before belonged to a handler that has gone since.
                SINCE_NS.store(0, Ordering::Release);
                NOTED_BY.store(action.sa_sigaction, Ordering::Release);
                action.sa_sigaction = own;
                libc::sigaction(libc::SIGTERM, &action, null_mut());
            }
        }
    }

    /// Python's handler runs.
    pub fn is_handled() {
        SINCE_NS.store(0, Ordering::Release);
        let _ = set_timer(0);
    }
}

/// Other systems have no such timers.
#[cfg(all(feature = "python", not(target_os = "linux")))]
pub mod sigterm {
    pub fn repeat(_kills_after_ns: i64) {}
    pub fn is_handled() {}
}

#[cfg(feature = "python")]
pub use python::*;

#[cfg(feature = "python")]
mod python {
    use pyo3::exceptions::PyRuntimeError;
    use pyo3::ffi;
    use pyo3::prelude::*;
    use pyo3::types::PyString;

    /// A `contextvars.ContextVar` with a default of `None`, by CPython's own
    /// calls: 3 ns for a read, against 60 ns through `ContextVar.get`.
    pub struct ContextVar(Py<PyAny>);

    impl ContextVar {
        pub fn new(py: Python<'_>, name: &std::ffi::CStr) -> PyResult<Self> {
            let none = py.None();
            // SAFETY: `name` is NUL-terminated, `none` is a live object, and the
            // result is a new reference or null with an exception set.
            unsafe {
                let var = ffi::PyContextVar_New(name.as_ptr(), none.as_ptr());
                Ok(ContextVar(Bound::from_owned_ptr_or_err(py, var)?.unbind()))
            }
        }

        /// The value in the current context; `None` where it was never set.
        #[inline]
        pub fn get<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
            let mut value = std::ptr::null_mut();
            // SAFETY: the variable is a ContextVar; on success `value` is a new
            // reference (never null, for the variable has a default).
            unsafe {
                if ffi::PyContextVar_Get(self.0.as_ptr(), std::ptr::null_mut(), &mut value) < 0 {
                    return Err(PyErr::fetch(py));
                }
                Bound::from_owned_ptr_or_err(py, value)
            }
        }

        /// Sets the value; the token goes to [`ContextVar::reset`].
        #[inline]
        pub fn set<'py>(
            &self,
            py: Python<'py>,
            value: &Bound<'py, PyAny>,
        ) -> PyResult<Bound<'py, PyAny>> {
            // SAFETY: both are live objects; the result is a new reference or
            // null with an exception set.
            unsafe {
                let token = ffi::PyContextVar_Set(self.0.as_ptr(), value.as_ptr());
                Bound::from_owned_ptr_or_err(py, token)
            }
        }

        /// Goes back to the value before the token's `set`. Fails when the token
        /// was made in another context or was used already.
        #[inline]
        pub fn reset(&self, token: &Bound<'_, PyAny>) -> PyResult<()> {
            // SAFETY: both are live objects; a wrong token is answered by an
            // exception, which is taken here.
            unsafe {
                if ffi::PyContextVar_Reset(self.0.as_ptr(), token.as_ptr()) < 0 {
                    return Err(PyErr::fetch(token.py()));
                }
            }
            Ok(())
        }

        pub fn object(&self) -> &Py<PyAny> {
            &self.0
        }
    }

    /// `context[key] = value` for a dict whose class forbids it (the API's
    /// `Context` is read-only from Python, and this fills a new one).
    pub fn set_in_new_dict(
        dict: &Bound<'_, PyAny>,
        key: &Bound<'_, PyString>,
        value: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        // SAFETY: PyDict_SetItem checks that its first argument is a dict (or a
        // subclass) and answers with an exception when it is not.
        unsafe {
            if ffi::PyDict_SetItem(dict.as_ptr(), key.as_ptr(), value.as_ptr()) < 0 {
                return Err(PyErr::fetch(dict.py()));
            }
        }
        Ok(())
    }

    unsafe extern "C" {
        fn PyMethod_Self(method: *mut ffi::PyObject) -> *mut ffi::PyObject;
    }

    /// The object that a method is bound to, without a look-up by name; `None` for what is
    /// no method, which costs an exception.
    pub fn method_self<'py>(method: &Bound<'py, PyAny>) -> Option<Bound<'py, PyAny>> {
        let py = method.py();
        // SAFETY: the function looks at what it is given; its answer is borrowed from the
        // method, or null with an exception set.
        let bound = unsafe { Bound::from_borrowed_ptr_or_opt(py, PyMethod_Self(method.as_ptr())) };
        if bound.is_none() {
            drop(PyErr::take(py));
        }
        bound
    }

    /// Lets the main thread run `call` at its next safe point, with the GIL held. Where
    /// too many calls wait already it is forgotten.
    pub fn call_soon(call: extern "C" fn(*mut std::ffi::c_void) -> std::ffi::c_int) {
        // SAFETY: the function lives as long as the process and ignores its argument.
        unsafe { ffi::Py_AddPendingCall(Some(call), std::ptr::null_mut()) };
    }

    /// A RuntimeError; reported by the guard, never seen by the app.
    pub fn runtime_error(message: &str) -> PyErr {
        PyRuntimeError::new_err(message.to_owned())
    }
}
