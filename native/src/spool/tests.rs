//! The spool as one process sees it, in a folder of its own. Locks between processes are
//! tested with real ones (tests/spool).

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use super::*;

/// A folder that is gone with its test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("clarity-spool-{}-{number}", std::process::id());
        Folder(std::env::temp_dir().join(name))
    }

    /// As a new process finds it.
    fn spool(&self, limit_bytes: u64) -> Spool {
        let folder = self.0.clone();
        let mut spool = Spool::new(Config {
            folder,
            limit_bytes,
        });
        look(&mut spool, Instant::now());
        spool
    }

    fn files(&self) -> Vec<PathBuf> {
        let segments = folder::segments(&self.0);
        segments
            .iter()
            .map(|known| self.0.join(&known.name))
            .collect()
    }

    fn bytes(&self) -> u64 {
        folder::segments(&self.0)
            .iter()
            .map(|known| known.bytes)
            .sum()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

const SPANS: Signal = Signal::Traces;

/// As all signals' lanes do, with a target that is well.
fn look(spool: &mut Spool, now: Instant) {
    for signal in Signal::ALL {
        spool.look(signal, true, now);
    }
}

const LIMIT: u64 = 1 << 20;

fn keep(spool: &mut Spool, request: &[u8], items: u64) {
    spool.keep(SPANS, request, items, Instant::now()).unwrap();
}

/// All that a spool gives, as (first byte, items); each is done.
fn drain(spool: &mut Spool) -> Vec<(u8, u64)> {
    let mut found = Vec::new();
    while let Some((request, items)) = spool.next(SPANS, Instant::now()) {
        found.push((request[0], items));
        spool.done(SPANS);
    }
    found
}

#[cfg(unix)]
fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// What one process kept the next one gives, oldest first, and nothing is left then.
#[test]
fn requests_come_back_oldest_first_and_once() {
    let folder = Folder::new();
    let mut spool = folder.spool(LIMIT);
    for number in 0..5 {
        keep(&mut spool, &[number; 30_000], number.into());
    }
    assert!(
        folder.files().len() > 1,
        "segments of a sixteenth of the limit"
    );
    drop(spool);
    let mut next = folder.spool(LIMIT);
    assert_eq!(next.bytes(SPANS), folder.bytes());
    assert_eq!(drain(&mut next), [(0, 0), (1, 1), (2, 2), (3, 3), (4, 4)]);
    assert_eq!((folder.files().len(), next.bytes(SPANS)), (0, 0));
    assert_eq!(next.take_losses(), []);
}

/// A process takes up again what it has written itself, also what it has not closed.
#[test]
fn a_process_gets_back_its_own() {
    let folder = Folder::new();
    let mut spool = folder.spool(LIMIT);
    keep(&mut spool, b"a", 1);
    assert!(
        spool.next(SPANS, Instant::now()).is_none(),
        "nobody is the sender yet"
    );
    look(&mut spool, Instant::now() + LOOK_EVERY);
    assert_eq!(drain(&mut spool), [(b'a', 1)]);
    keep(&mut spool, b"b", 1);
    assert_eq!(drain(&mut spool), [(b'b', 1)]);
}

/// Each signal has its own order, and its own segments.
#[test]
fn signals_do_not_wait_for_each_other() {
    let folder = Folder::new();
    let mut spool = folder.spool(LIMIT);
    let now = Instant::now();
    keep(&mut spool, b"span", 1);
    spool.keep(Signal::Logs, b"log", 2, now).unwrap();
    look(&mut spool, now + LOOK_EVERY);
    assert_eq!(spool.next(Signal::Logs, now), Some((b"log".to_vec(), 2)));
    assert!(spool.next(Signal::Metrics, now).is_none());
    assert_eq!(spool.next(SPANS, now), Some((b"span".to_vec(), 1)));
}

/// A process that ends between two requests leaves the second to the next one; one that
/// was not said to be done comes again.
#[test]
fn what_is_done_is_not_given_again() {
    let folder = Folder::new();
    let mut spool = folder.spool(LIMIT);
    for request in [b"a", b"b", b"c"] {
        keep(&mut spool, request, 1);
    }
    drop(spool);
    let mut second = folder.spool(LIMIT);
    second.next(SPANS, Instant::now()).unwrap();
    second.done(SPANS);
    second.next(SPANS, Instant::now()).unwrap();
    drop(second);
    assert_eq!(drain(&mut folder.spool(LIMIT)), [(b'b', 1), (b'c', 1)]);
}

/// At the limit the oldest segment goes, counted, and the files stay within the limit.
#[test]
fn the_oldest_goes_at_the_limit() {
    let folder = Folder::new();
    let mut spool = folder.spool(16_000);
    let mut lost = 0;
    for number in 0..100u8 {
        keep(&mut spool, &[number; 600], 10);
        assert!(folder.bytes() <= 16_000);
        for loss in spool.take_losses() {
            assert_eq!(loss.reason, DropReason::SpoolLimit);
            lost += loss.items;
        }
    }
    look(&mut spool, Instant::now() + LOOK_EVERY);
    let left = drain(&mut spool);
    assert_eq!(lost + 10 * left.len() as u64, 1000);
    assert!(left.len() > 20, "a segment is a sixteenth: {}", left.len());
    let newest: Vec<u8> = (0..100u8).rev().take(left.len()).rev().collect();
    assert_eq!(
        left.iter().map(|(number, _)| *number).collect::<Vec<_>>(),
        newest
    );
}

/// A request that is larger than the limit is refused, and costs nothing that is there.
#[test]
fn a_request_beyond_the_limit_is_refused() {
    let folder = Folder::new();
    let mut spool = folder.spool(1000);
    keep(&mut spool, b"small", 1);
    let trouble = spool
        .keep(SPANS, &[0; 1000], 5, Instant::now())
        .unwrap_err();
    assert_eq!(trouble.reason, DropReason::SpoolLimit);
    assert!(trouble.sentence.contains("CLARITY_SPOOL_LIMIT"));
    assert!(spool.is_usable(Instant::now()));
    look(&mut spool, Instant::now() + LOOK_EVERY);
    assert_eq!(drain(&mut spool), [(b's', 1)]);
}

/// A folder that cannot be made is a sentence with its setting, and the spool is left
/// alone for a while.
#[test]
fn a_folder_that_cannot_be_made_is_a_sentence() {
    let folder = Folder::new();
    fs::write(&folder.0, b"a file stands in the way").unwrap();
    let now = Instant::now();
    let mut spool = folder.spool(LIMIT);
    let trouble = spool.keep(SPANS, b"a", 1, now).unwrap_err();
    assert_eq!(trouble.reason, DropReason::SpoolFailed);
    assert!(trouble.sentence.contains("CLARITY_SPOOL_DIR"));
    assert!(!spool.is_usable(now));
    assert!(spool.is_usable(now + PAUSE));
    fs::remove_file(&folder.0).unwrap();
    spool.keep(SPANS, b"a", 1, now + PAUSE).unwrap();
}

/// Nobody else may read what is kept, also where the folder was there and open to all.
#[cfg(unix)]
#[test]
fn only_the_user_may_read() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new();
    fs::create_dir(&folder.0).unwrap();
    fs::set_permissions(&folder.0, fs::Permissions::from_mode(0o755)).unwrap();
    let mut spool = folder.spool(LIMIT);
    keep(&mut spool, b"a", 1);
    assert_eq!(mode(&folder.0), 0o700);
    assert_eq!(mode(&folder.files()[0]), 0o600);
}

/// Numbers from a seed (xorshift): the same at each run.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }

    fn change(&mut self, bytes: &mut Vec<u8>) {
        let at = self.below(bytes.len() + 1);
        let end = bytes.len().min(at + self.below(60));
        match self.below(5) {
            0 if at < bytes.len() => bytes[at] ^= 1 << self.below(8),
            1 => bytes.truncate(at),
            2 => drop(bytes.drain(at..end)),
            3 => {
                let again = bytes[at..end].to_vec();
                bytes.splice(at..at, again);
            }
            _ => {
                let zeros = self.below(60);
                bytes.splice(at..end, std::iter::repeat_n(0, zeros));
            }
        }
    }
}

/// Whatever has happened to a segment, what it gives was kept: never a panic, nor a request
/// that nobody has made. `make fuzz` does it more often.
#[test]
fn a_segment_with_bytes_changed_gives_what_was_kept() {
    let rounds = std::env::var("FUZZ_ROUNDS").ok();
    let rounds = rounds.and_then(|text| text.parse().ok()).unwrap_or(300);
    let mut chance = Chance(20_261_128);
    let mut given = 0;
    for _ in 0..rounds {
        let folder = Folder::new();
        let mut spool = folder.spool(LIMIT);
        let kept: Vec<Vec<u8>> = (1..5u8)
            .map(|number| vec![number; 1 + chance.below(200)])
            .collect();
        for request in &kept {
            keep(&mut spool, request, 7);
        }
        drop(spool);
        let file = folder.files().remove(0);
        let mut bytes = fs::read(&file).unwrap();
        for _ in 0..chance.below(6) {
            chance.change(&mut bytes);
        }
        fs::write(&file, &bytes).unwrap();
        let mut next = folder.spool(LIMIT);
        while let Some((request, items)) = next.next(SPANS, Instant::now()) {
            assert!(kept.contains(&request) && items == 7);
            next.done(SPANS);
            given += 1;
        }
    }
    assert!(given > rounds, "the changes are too wild to reach anything");
}

/// In a folder that others may write to, a link of theirs would change the mode of what
/// it leads to.
#[cfg(unix)]
#[test]
fn a_folder_that_is_a_link_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let (folder, link) = (Folder::new(), Folder::new());
    fs::create_dir(&folder.0).unwrap();
    fs::set_permissions(&folder.0, fs::Permissions::from_mode(0o755)).unwrap();
    std::os::unix::fs::symlink(&folder.0, &link.0).unwrap();
    let trouble = link.spool(LIMIT).keep(SPANS, b"a", 1, Instant::now());
    assert_eq!(trouble.unwrap_err().reason, DropReason::SpoolFailed);
    assert_eq!(mode(&folder.0), 0o755);
    fs::remove_file(&link.0).unwrap();
}

/// A segment that is not a file of ours is neither read nor followed.
#[cfg(unix)]
#[test]
fn links_are_not_followed() {
    let folder = Folder::new();
    let mut spool = folder.spool(LIMIT);
    keep(&mut spool, b"a", 1);
    let target = folder.0.join("elsewhere");
    fs::write(&target, b"secret").unwrap();
    std::os::unix::fs::symlink(&target, folder.0.join("0-1-traces.spool")).unwrap();
    drop(spool);
    assert_eq!(drain(&mut folder.spool(LIMIT)), [(b'a', 1)]);
    assert_eq!(fs::read(&target).unwrap(), b"secret");
}

/// Who may not send a signal, for want of a target or of one that is well, is not its sender,
/// and gives back what it has of it.
#[test]
fn who_may_not_send_is_not_the_sender() {
    let folder = Folder::new();
    let mut spool = folder.spool(LIMIT);
    let now = Instant::now();
    keep(&mut spool, b"a", 1);
    spool.close(SPANS);
    spool.look(Signal::Logs, true, now + LOOK_EVERY);
    spool.look(SPANS, false, now + LOOK_EVERY);
    assert_eq!(spool.next_at(SPANS, now), None);
    assert_eq!(spool.next(SPANS, now), None);
    spool.look(SPANS, true, now + LOOK_EVERY);
    assert_eq!(spool.next(SPANS, now), Some((b"a".to_vec(), 1)));
    spool.look(SPANS, false, now + LOOK_EVERY);
    assert_eq!(spool.next(SPANS, now), None);
    assert!(spool.senders[SPANS as usize].is_none() && spool.readers[SPANS as usize].is_none());
    spool.look(SPANS, true, now + LOOK_EVERY);
    assert_eq!(spool.next(SPANS, now), Some((b"a".to_vec(), 1)));
}

/// It keeps nothing back for itself either: its segment is left to who may send, however
/// often it adds to it and however little that is.
#[test]
fn who_may_not_send_leaves_its_segment_after_a_while() {
    let folder = Folder::new();
    let mut spool = folder.spool(LIMIT);
    let began = Instant::now();
    for second in 0..LONGEST_OPEN.as_secs() {
        let now = began + Duration::from_secs(second);
        spool.keep(SPANS, b"a", 1, now).unwrap();
        spool.look(SPANS, false, now);
        assert!(spool.writers[SPANS as usize].is_some());
    }
    assert_eq!(folder.files().len(), 1);
    spool.look(SPANS, false, began + LONGEST_OPEN);
    assert!(spool.writers[SPANS as usize].is_none());
}

/// What is lost is counted by the first process that passes it: not again by one after it,
/// which finds the file because the target has not taken what follows.
#[test]
fn a_damaged_frame_is_counted_once() {
    let damages: [fn(&mut Vec<u8>); 3] = [
        // In the request: the head tells the items.
        |bytes| bytes[frame::HEAD_BYTES] ^= 1,
        // In the head.
        |bytes| bytes[8] ^= 1,
        // Something else stands before it all.
        |bytes| drop(bytes.splice(..0, [b'C'; 30])),
    ];
    for (damage, items) in damages.into_iter().zip([7, 0, 0]) {
        let folder = Folder::new();
        let mut spool = folder.spool(LIMIT);
        keep(&mut spool, b"a", 7);
        keep(&mut spool, b"b", 1);
        drop(spool);
        let file = folder.files().remove(0);
        let mut bytes = fs::read(&file).unwrap();
        damage(&mut bytes);
        fs::write(&file, &bytes).unwrap();
        let mut losses = Vec::new();
        for _ in 0..3 {
            let mut spool = folder.spool(LIMIT);
            assert!(spool.next(SPANS, Instant::now()).is_some());
            losses.extend(spool.take_losses());
        }
        let lost: u64 = losses.iter().map(|loss| loss.items).sum();
        assert_eq!((losses.len(), lost), (1, items));
    }
}

/// Whatever happens to the files, what was kept is given, or lost by a reason, or in a
/// frame that is counted as corrupt; nothing is given that was not kept, or twice.
#[test]
fn damaged_files_cost_what_was_damaged() {
    let mut seed = 7u64;
    let mut random = move |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 33) as usize % below
    };
    for _ in 0..60 {
        let folder = Folder::new();
        let mut spool = folder.spool(LIMIT);
        for number in 0..20 {
            keep(&mut spool, &vec![number; 1 + random(20_000)], 1);
        }
        drop(spool);
        let mut hit = 0;
        for path in folder.files() {
            let mut bytes = fs::read(&path).unwrap();
            match random(4) {
                0 => continue,
                1 => bytes.truncate(random(bytes.len())),
                2 => {
                    let at = random(bytes.len());
                    bytes[at] ^= 1 << random(8);
                }
                _ => {
                    let from = random(bytes.len());
                    let end = (from + random(200)).min(bytes.len());
                    bytes[from..end].fill(0);
                }
            }
            hit += 1;
            fs::write(&path, bytes).unwrap();
        }
        let mut next = folder.spool(LIMIT);
        let found = drain(&mut next);
        assert!(
            found.is_sorted_by(|one, other| one.0 < other.0),
            "in order, none twice"
        );
        let losses = next.take_losses();
        assert!(
            losses
                .iter()
                .all(|loss| loss.reason == DropReason::SpoolCorrupt)
        );
        assert!(losses.iter().all(|loss| loss.corrupt_frames == 1));
        let lost: u64 = losses.iter().map(|loss| loss.items).sum();
        assert!(found.len() as u64 + lost <= 20);
        if hit == 0 {
            assert_eq!(found.len(), 20);
        }
        assert_eq!(folder.files().len(), 0, "what was looked at is gone");
    }
}
