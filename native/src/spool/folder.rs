//! The spool's folder: who may read it, which segments are there, and who has them.
//!
//! A segment belongs to the process that holds its lock: the one that writes it, then
//! the one that sends it again. A process that dies loses its locks; that is how what it
//! left is told from what is being written.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Error, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::export::Signal;
use crate::raw;

const SUFFIX: &str = ".spool";

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Begins with the time of its making: names sort by age.
    pub name: String,
    pub signal: Signal,
    pub bytes: u64,
}

/// A file that this process holds the lock of, until it is dropped.
///
/// The lock is gone as soon as this process closes any handle of the same file: no
/// segment is opened twice.
#[derive(Debug)]
pub struct Held {
    pub file: File,
    pub path: PathBuf,
}

/// The segments, the oldest first; none where there is no folder of this user.
pub fn segments(folder: &Path) -> Vec<Segment> {
    let entries = check(folder).and_then(|()| fs::read_dir(folder));
    let Ok(entries) = entries else {
        return Vec::new();
    };
    let mut found: Vec<Segment> = entries
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let name = entry.file_name().into_string().ok()?;
            let signal = signal_of(&name)?;
            // Not followed where it is a link.
            let metadata = entry.metadata().ok()?;
            metadata.is_file().then_some(Segment {
                name,
                signal,
                bytes: metadata.len(),
            })
        })
        .collect();
    found.sort_by(|one, other| one.name.cmp(&other.name));
    found
}

fn signal_of(name: &str) -> Option<Signal> {
    let (_, signal) = name.strip_suffix(SUFFIX)?.rsplit_once('-')?;
    Signal::ALL.into_iter().find(|known| known.name() == signal)
}

/// Makes the folder, for this user alone. Fails where [`check`] does.
pub fn prepare(folder: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
        check(folder)?;
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700))
    }
    #[cfg(not(unix))]
    {
        let _ = folder;
        Err(Error::from(ErrorKind::Unsupported))
    }
}

/// Fails for a link, and for the folder of another user: who owns it can remove what is
/// in it and put there what we would send. root, too, uses its own alone: what it leaves in
/// another's, that user's processes could neither send nor remove.
fn check(folder: &Path) -> io::Result<()> {
    let metadata = fs::symlink_metadata(folder)?;
    if !metadata.is_dir() {
        return Err(Error::from(ErrorKind::NotADirectory));
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        if metadata.uid() != raw::user() {
            let text = "it belongs to another user";
            return Err(Error::new(ErrorKind::PermissionDenied, text));
        }
    }
    Ok(())
}

/// A new, empty segment, with its lock.
pub fn create(folder: &Path, signal: Signal) -> io::Result<(String, Held)> {
    let mut last = Error::from(ErrorKind::AlreadyExists);
    // A process that looks for what the dead have left may be faster with the lock.
    for _ in 0..3 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let ns = since.unwrap_or_default().as_nanos();
        let (pid, signal) = (std::process::id(), signal.name());
        let name = format!("{ns:020}-{pid}-{signal}{SUFFIX}");
        match hold(folder.join(&name), |options| options.create_new(true)) {
            Ok(Some(held)) => return Ok((name, held)),
            Ok(None) => last = Error::from(ErrorKind::WouldBlock),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => last = error,
            Err(error) => return Err(error),
        }
    }
    Err(last)
}

/// A segment that nobody else holds; `None` for one that is in use or gone.
pub fn take(folder: &Path, name: &str) -> Option<Held> {
    hold(folder.join(name), |options| options).ok().flatten()
}

/// The lock of the one process that sends a signal again; `None` while another has it.
pub fn take_sender(folder: &Path, signal: Signal) -> Option<Held> {
    let path = folder.join(format!("sender-{}.lock", signal.name()));
    hold(path, |options| options.create(true)).ok().flatten()
}

fn hold(
    path: PathBuf,
    how: impl FnOnce(&mut OpenOptions) -> &mut OpenOptions,
) -> io::Result<Option<Held>> {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600).custom_flags(libc::O_NOFOLLOW);
    }
    let file = how(&mut options).open(&path)?;
    Ok(locked(file, path))
}

/// `None` where another process has the lock, or had it between our opening and our
/// locking and has removed the file: what is written there then is lost, and what is read
/// there was sent or dropped by that process.
fn locked(file: File, path: PathBuf) -> Option<Held> {
    if !raw::lock_for_process(&file) {
        return None;
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        if file.metadata().ok()?.nlink() == 0 {
            return None;
        }
    }
    Some(Held { file, path })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A segment that its last owner has removed is nobody's, though its lock is free.
    #[test]
    fn a_removed_file_is_not_held() {
        let folder = std::env::temp_dir().join(format!("clarity-held-{}", std::process::id()));
        prepare(&folder).unwrap();
        let (name, held) = create(&folder, Signal::Logs).unwrap();
        drop(held);
        let path = folder.join(&name);
        let opened = File::options().read(true).write(true).open(&path).unwrap();
        take(&folder, &name).unwrap();
        fs::remove_file(&path).unwrap();
        assert!(locked(opened, path).is_none());
        fs::remove_dir(&folder).unwrap();
    }
}
