//! The way of log lines to where they go: a thread of their own writes what has gathered, all at once.
//!
//! Writing a line costs several times what making it does, and whoever answers a callback shall not wait for a slow reader of the log.

use std::io::{self, ErrorKind, Write};
use std::mem;
use std::sync::{Arc, Condvar, LockResult, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// So many lines in a span are written right away, so that the last ones before a crash are there. Of what comes faster the lines of a while
/// are written together.
const RIGHT_AWAY: u32 = 20;
const SPAN: Duration = Duration::from_millis(100);
const GATHERING: Duration = Duration::from_millis(20);

/// How many bytes may wait. Whoever logs still more waits until they are written; nothing is left out.
const MOST_WAITING: usize = 16 * 1024 * 1024;

/// Room for bytes that is kept for the next lines.
const KEPT_ROOM: usize = 256 * 1024;

/// After so long it is tried again to write what could not be taken at once.
const BETWEEN_TRIES: Duration = Duration::from_millis(10);

/// How long the end waits for a reader of the log.
const LONGEST_END: Duration = Duration::from_secs(1);

/// Lines on their way out.
pub(super) struct Lines {
    out: Mutex<Box<dyn Write + Send>>,
    waiting: Mutex<Waiting>,
    arrived: Condvar,
    written: Condvar,
}

#[derive(Default)]
struct Waiting {
    bytes: Vec<u8>,
    lines: u32,
    /// Whether somebody waits for the last line.
    is_ended: bool,
    /// The thread has ended and everything is written: from then on whoever logs writes.
    is_all_written: bool,
}

impl Lines {
    /// Starts the thread that writes to `out`.
    pub(super) fn to(out: impl Write + Send + 'static) -> Arc<Self> {
        let lines = Arc::new(Self {
            out: Mutex::new(Box::new(out)),
            waiting: Mutex::default(),
            arrived: Condvar::new(),
            written: Condvar::new(),
        });
        let gathered = Arc::clone(&lines);
        let thread = thread::Builder::new().name("log".to_owned());
        // Without a thread whoever logs writes.
        if thread.spawn(move || gathered.write_gathered()).is_err() {
            let mut waiting = lines.waiting();
            (waiting.is_ended, waiting.is_all_written) = (true, true);
        }
        lines
    }

    /// Waits until everything is written, but not for ever. What is logged later is written at once.
    pub(super) fn end(&self) {
        let mut waiting = self.waiting();
        waiting.is_ended = true;
        self.arrived.notify_one();
        let is_unwritten = |waiting: &mut Waiting| !waiting.is_all_written;
        drop(self.written.wait_timeout_while(waiting, LONGEST_END, is_unwritten));
    }

    fn write_gathered(&self) {
        let mut taken = Vec::new();
        let mut pace = Pace::at(Instant::now());
        loop {
            let nothing_to_do = |waiting: &mut Waiting| waiting.bytes.is_empty() && !waiting.is_ended;
            drop(whole(self.arrived.wait_while(self.waiting(), nothing_to_do)));
            if pace.is_fast(Instant::now()) {
                thread::sleep(GATHERING);
            }
            let mut waiting = self.waiting();
            mem::swap(&mut waiting.bytes, &mut taken);
            pace.add(mem::take(&mut waiting.lines));
            waiting.is_all_written = taken.is_empty();
            drop(waiting);
            self.written.notify_all();
            if taken.is_empty() {
                return;
            }
            write(&mut *whole(self.out.lock()), &taken);
            taken.clear();
            taken.shrink_to(KEPT_ROOM);
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        whole(self.waiting.lock())
    }
}

impl Write for &Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let is_full = |waiting: &mut Waiting| waiting.bytes.len() > MOST_WAITING;
        let mut waiting = whole(self.written.wait_while(self.waiting(), is_full));
        if waiting.is_all_written {
            drop(waiting);
            return whole(self.out.lock()).write(line);
        }
        if waiting.bytes.is_empty() {
            self.arrived.notify_one();
        }
        waiting.bytes.extend_from_slice(line);
        waiting.lines = waiting.lines.saturating_add(1);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// How many lines were written lately: in this span and in the one before.
struct Pace {
    since: Instant,
    lines: u32,
    before: u32,
}

impl Pace {
    fn at(now: Instant) -> Self {
        Self {
            since: now,
            lines: 0,
            before: 0,
        }
    }

    fn add(&mut self, lines: u32) {
        self.lines = self.lines.saturating_add(lines);
    }

    fn is_fast(&mut self, now: Instant) -> bool {
        let age = now.duration_since(self.since);
        if age > SPAN {
            let before = if age > 2 * SPAN { 0 } else { self.lines };
            *self = Self {
                before,
                ..Self::at(now)
            };
        }
        self.lines.max(self.before) >= RIGHT_AWAY
    }
}

/// Writes everything, also where a terminal takes a little at a time. A log that cannot be written has nowhere to say so.
fn write(out: &mut dyn Write, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        match out.write(bytes) {
            Ok(0) => return,
            Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
            Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(BETWEEN_TRIES),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}

/// A panic elsewhere leaves lines as they are.
fn whole<T>(locked: LockResult<T>) -> T {
    locked.unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    #[test]
    fn every_line_is_written_whole_and_in_its_order() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("log");
        let lines = Lines::to(File::create(&path).unwrap());
        thread::scope(|scope| {
            for thread in 0..4 {
                let mut lines = &*lines;
                scope.spawn(move || {
                    for number in 0..500 {
                        lines.write_all(format!("{thread} {number}\n").as_bytes()).unwrap();
                    }
                });
            }
        });
        lines.end();
        let log = std::fs::read_to_string(&path).unwrap();
        for thread in 0..4 {
            let of_thread = log.lines().filter_map(|line| line.strip_prefix(&format!("{thread} ")));
            assert!(of_thread.eq((0..500).map(|number| number.to_string())));
        }
        (&*lines).write_all(b"later\n").unwrap();
        assert!(std::fs::read_to_string(&path).unwrap().ends_with("later\n"));
    }

    #[test]
    fn only_what_comes_fast_is_let_gather() {
        let start = Instant::now();
        let mut pace = Pace::at(start);
        pace.add(RIGHT_AWAY - 1);
        assert!(!pace.is_fast(start + SPAN));
        pace.add(1);
        assert!(pace.is_fast(start + SPAN));
        let next = start + 2 * SPAN;
        assert!(pace.is_fast(next), "the span before was fast");
        assert!(!pace.is_fast(next + 2 * SPAN));
        assert!(!pace.is_fast(next + 10 * SPAN));
    }

    #[test]
    fn what_has_gathered_is_written_without_an_end() {
        let (mut reader, writer) = io::pipe().unwrap();
        let lines = Lines::to(writer);
        (&*lines).write_all(b"one\ntwo\n").unwrap();
        let mut read = [0; 8];
        io::Read::read_exact(&mut reader, &mut read).unwrap();
        assert_eq!(&read, b"one\ntwo\n");
    }

    #[test]
    fn an_end_does_not_wait_for_ever() {
        let (_reader, writer) = io::pipe().unwrap();
        let lines = Lines::to(writer);
        // More than a pipe holds, and nobody reads it.
        (&*lines).write_all(&vec![b'x'; 1 << 20]).unwrap();
        lines.end();
        assert!(!lines.waiting().is_all_written);
    }
}
