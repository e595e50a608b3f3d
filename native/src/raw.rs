//! The only module with `unsafe`: thin wrappers over what has no safe form,
//! each with its reason. Everything above it is safe Rust.
#![allow(unsafe_code)]

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

/// Gives memory that nobody uses back to the system.
#[cfg(feature = "python")]
pub fn trim_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: it takes the allocator's own locks, and moves nothing that is in use.
    unsafe {
        libc::malloc_trim(0);
    }
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

/// Signals are a Unix matter.
#[cfg(not(unix))]
pub fn with_signals_blocked<R>(start: impl FnOnce() -> R) -> R {
    start()
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
