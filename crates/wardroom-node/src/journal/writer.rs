//! Writing: one thread, many waiting events in one write and one sync.

use super::{
    Event, Finish, Line, OpenRun, Pieces,
    chain::{ChainFault, FOLDER, Follower, HEAD, Head, file_name, files},
    outbox::Outbox,
};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    fs::{self, File, OpenOptions},
    io::{self, Seek as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};
use tokio::sync::{mpsc, oneshot};
use wardroom_core::digest::sha256_hex;

/// A file that has grown to this is closed and a new one begun, in bytes.
const FILE_BYTES_MAX: u64 = if cfg!(test) { 256 * 1024 } else { 16 * 1024 * 1024 };
/// Files that are kept, with the current one.
const FILES_MAX: usize = 8;
/// Events that may wait; who has one more waits to hand it over.
const WAITING_MAX: usize = 1024;
/// Forgotten runs that are remembered, so that a late repetition of their offer is known.
const FORGOTTEN_MAX: usize = 4096;

/// What is answered once the disk can't be relied on.
const BROKEN: &str =
    "the disk failed to store the journal earlier; look at the disk, then start the node again";

/// Why the journal can't be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// It can't be read or written.
    #[error("the journal in {path} can't be used: {source}")]
    Io {
        /// Where it is.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// It is damaged before its last line.
    #[error(
        "the journal in {path} is damaged: {fault}. The node does not start, since it can't know what it ran. Keep the folder for an investigation, then move it away and enrol the node anew"
    )]
    Damaged {
        /// Where it is.
        path: PathBuf,
        /// Why.
        fault: ChainFault,
    },
}

/// What waits to be written.
struct Job {
    event: Event,
    at: String,
    output: Pieces,
    answer: oneshot::Sender<io::Result<()>>,
}

/// An open journal.
#[derive(Debug, Clone)]
pub struct Journal {
    jobs: mpsc::Sender<Job>,
}

/// What opening gives.
#[derive(Debug)]
pub struct Opened {
    /// The journal.
    pub journal: Journal,
    /// The runs that are not recorded yet.
    pub open: Vec<OpenRun>,
    /// Runs that were forgotten lately, with their last fencing tokens; oldest first.
    pub forgotten: VecDeque<(String, i64)>,
}

impl Journal {
    /// Opens the journal in the node's folder `data` at the time `now`.
    pub fn open(data: &Path, now: &str) -> Result<Opened, JournalError> {
        let path = data.join(FOLDER);
        let io = |source| JournalError::Io { path: path.clone(), source };
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&path).map_err(io)?;
        let found = Found::read(data).map_err(|fault| match fault {
            ChainFault::Io(source) => io(source),
            fault => JournalError::Damaged { path: path.clone(), fault },
        })?;
        let wanted: BTreeSet<String> = found.open.keys().cloned().collect();
        let (outbox, mut outputs) = Outbox::open(path.join("outbox"), &wanted).map_err(io)?;
        let head = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path.join(HEAD))
            .map_err(io)?;
        let mut open: Vec<OpenRun> = found.open.values().cloned().collect();
        for run in &mut open {
            run.output = outputs.remove(&run.run).unwrap_or_default();
        }
        let forgotten = found.forgotten;
        let mut writer = Writer {
            folder: path.clone(),
            file: found.file,
            number: found.number,
            bytes: found.bytes,
            next_seq: found.next_seq,
            prev: found.prev,
            head,
            open: found.open,
            outbox,
            broken: false,
        };
        let opened = Event::Opened {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            cut_bytes: found.cut_bytes,
        };
        writer.append([(&opened, now)].into_iter()).map_err(io)?;
        let (jobs, waiting) = mpsc::channel(WAITING_MAX);
        std::thread::Builder::new()
            .name("journal".into())
            .spawn(move || writer.work(waiting))
            .map_err(io)?;
        Ok(Opened { journal: Self { jobs }, open, forgotten })
    }

    /// Writes an event; when this returns, it is on disk (`started` and `recorded`: on its way there).
    pub async fn write(&self, event: Event, now: String) -> io::Result<()> {
        self.write_with(event, Pieces::new(), now).await
    }

    /// Hands an event over without waiting until it is written.
    pub async fn note(&self, event: Event, now: String) {
        let (answer, _) = oneshot::channel();
        // A writer that is gone has told everybody who waits for it.
        let _ = self.jobs.send(Job { event, at: now, output: Pieces::new(), answer }).await;
    }

    /// Writes the end of a run, and before it the run's short output.
    pub async fn write_with(&self, event: Event, output: Pieces, now: String) -> io::Result<()> {
        let (answer, answered) = oneshot::channel();
        let gone = || io::Error::other("the journal's writer has stopped");
        self.jobs.send(Job { event, at: now, output, answer }).await.map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }
}

/// What an earlier process left.
struct Found {
    file: File,
    number: u64,
    bytes: u64,
    next_seq: u64,
    prev: String,
    cut_bytes: u64,
    open: BTreeMap<String, OpenRun>,
    forgotten: VecDeque<(String, i64)>,
}

impl Found {
    /// Reads the newest file, which begins with all that was open before it.
    fn read(data: &Path) -> Result<Self, ChainFault> {
        let mut kept = files(data)?;
        let last = kept.pop();
        let mut forgotten = kept.last().map(|path| forgotten_in(path)).unwrap_or_default();
        let path = last.unwrap_or_else(|| data.join(FOLDER).join(file_name(1)));
        let number = path.file_stem().and_then(|stem| stem.to_str()?.parse().ok()).unwrap_or(1);
        let mut options = OpenOptions::new();
        let file =
            options.read(true).write(true).create(true).truncate(false).mode(0o600).open(&path)?;
        let bytes = fs::read(&path)?;
        // A crash in the middle of a write leaves a last line without its end.
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let text = std::str::from_utf8(bytes.get(..whole).unwrap_or_default())
            .map_err(|_| ChainFault::Form { file: path.display().to_string(), line: 0 })?;
        let head = Head::read(data);
        let mut follower = Follower::default();
        let mut open = BTreeMap::new();
        for (at, text) in text.lines().enumerate() {
            let number = at as u64 + 1;
            let event = follower.take(text, &path, number, head.as_ref())?.event();
            let event = event.ok_or_else(|| ChainFault::Form {
                file: path.display().to_string(),
                line: number,
            })?;
            follow(&mut open, &event);
            remember(&mut forgotten, &event);
        }
        // A head that is older than this file's first line says nothing about this file.
        let (lines, last) = (follower.lines, follower.last.clone());
        let first = last.as_ref().map_or(0, |(seq, _)| (seq + 1).saturating_sub(lines));
        follower.end(head.filter(|head| head.seq >= first).as_ref())?;
        file.set_len(whole as u64)?;
        (&file).seek(io::SeekFrom::End(0))?;
        let (next_seq, prev) = last.map_or((0, sha256_hex(b"")), |(seq, hash)| (seq + 1, hash));
        let cut_bytes = (bytes.len() - whole) as u64;
        Ok(Self { file, number, bytes: whole as u64, next_seq, prev, cut_bytes, open, forgotten })
    }
}

/// The runs that were forgotten while an older file was the newest. It only tells what not to repeat, so
/// a line that can't be read is passed over here; the chain over all files is for `log verify`.
fn forgotten_in(path: &Path) -> VecDeque<(String, i64)> {
    let mut forgotten = VecDeque::new();
    let bytes = fs::read(path).unwrap_or_default();
    for line in bytes.split(|byte| *byte == b'\n') {
        if let Some(event) = serde_json::from_slice::<Line>(line).ok().and_then(Line::event) {
            remember(&mut forgotten, &event);
        }
    }
    forgotten
}

/// Keeps the runs that were forgotten lately.
fn remember(forgotten: &mut VecDeque<(String, i64)>, event: &Event) {
    if let Event::Recorded { run, fence, .. } = event {
        forgotten.push_back((run.clone(), *fence));
        if forgotten.len() > FORGOTTEN_MAX {
            forgotten.pop_front();
        }
    }
}

/// Keeps the runs that are not recorded yet.
fn follow(open: &mut BTreeMap<String, OpenRun>, event: &Event) {
    match event {
        Event::Accepted { run, fence, asked } => {
            let asked = asked.clone();
            let taken =
                OpenRun { run: run.clone(), fence: *fence, asked, finished: None, output: vec![] };
            open.insert(run.clone(), taken);
        }
        Event::Adopted { run, fence } => {
            if let Some(found) = open.get_mut(run) {
                found.fence = *fence;
            }
        }
        Event::Finished { run, end, .. } => {
            if let Some(found) = open.get_mut(run) {
                found.finished = Some(Finish::clone(end));
            }
        }
        Event::Recorded { run, .. } => {
            open.remove(run);
        }
        Event::Carried(run) => {
            open.insert(run.run.clone(), OpenRun::clone(run));
        }
        Event::Opened { .. }
        | Event::Refused { .. }
        | Event::PassedOver
        | Event::Started { .. }
        | Event::InstanceStarted { .. }
        | Event::InstanceEnded { .. } => {}
    }
}

/// Whether somebody counts on the event being on disk.
fn must_sync(event: &Event) -> bool {
    // After a power failure a lost `started` changes nothing and a lost `recorded` is said again.
    !matches!(event, Event::Started { .. } | Event::Recorded { .. })
}

struct Writer {
    folder: PathBuf,
    file: File,
    number: u64,
    bytes: u64,
    next_seq: u64,
    prev: String,
    head: File,
    open: BTreeMap<String, OpenRun>,
    outbox: Outbox,
    /// A sync failed: what the disk has is unknown, and nothing may be built on it.
    broken: bool,
}

impl Writer {
    fn work(mut self, mut waiting: mpsc::Receiver<Job>) {
        while let Some(first) = waiting.blocking_recv() {
            let mut jobs = vec![first];
            while jobs.len() < WAITING_MAX
                && let Ok(next) = waiting.try_recv()
            {
                jobs.push(next);
            }
            let outcome = self.commit(&jobs);
            let last_at = jobs.last().map(|job| job.at.clone()).unwrap_or_default();
            for job in jobs {
                let told = outcome
                    .as_ref()
                    .copied()
                    .map_err(|error| io::Error::new(error.kind(), error.to_string()));
                // Who does not wait any more does not need to know.
                let _ = job.answer.send(told);
            }
            if outcome.is_ok()
                && self.bytes > FILE_BYTES_MAX
                && let Err(error) = self.rotate(&last_at)
            {
                tracing::error!(%error, "a new journal file can't be begun; the old one goes on growing");
            }
        }
    }

    fn commit(&mut self, jobs: &[Job]) -> io::Result<()> {
        let outputs = jobs.iter().filter_map(|job| match &job.event {
            // What was forgotten meanwhile leaves nothing behind.
            Event::Finished { run, .. } if self.open.contains_key(run) => {
                Some((run.as_str(), &job.output))
            }
            _ => None,
        });
        if self.broken || self.outbox.is_broken() {
            return Err(io::Error::other(BROKEN));
        }
        // Before the line that tells of it.
        self.outbox.append(outputs)?;
        self.append(jobs.iter().map(|job| (&job.event, job.at.as_str())))?;
        for job in jobs {
            if let Event::Recorded { run, .. } = &job.event {
                self.outbox.forget(run);
            }
        }
        Ok(())
    }

    /// Appends events and syncs. After a failure the file is as it was before.
    fn append<'a>(
        &mut self,
        events: impl Iterator<Item = (&'a Event, &'a str)> + Clone,
    ) -> io::Result<()> {
        let (text, next_seq, prev) = lines(self.next_seq, self.prev.clone(), events.clone())?;
        if let Err(error) = self.file.write_all(text.as_bytes()) {
            // A half-written line must not stand before the next one.
            self.broken = true;
            self.file.set_len(self.bytes)?;
            self.file.seek(io::SeekFrom::End(0))?;
            self.broken = false;
            return Err(error);
        }
        let sync = events.clone().any(|(event, _)| must_sync(event));
        if sync && let Err(error) = self.file.sync_data() {
            self.broken = true;
            return Err(error);
        }
        self.bytes += text.len() as u64;
        (self.next_seq, self.prev) = (next_seq, prev);
        if sync {
            self.say_head();
        }
        events.for_each(|(event, _)| follow(&mut self.open, event));
        Ok(())
    }

    /// Tells what the last durable line is, so that a log whose end was cut off shows.
    fn say_head(&self) {
        let head = Head { seq: self.next_seq.saturating_sub(1), hash: self.prev.clone() };
        let written = serde_json::to_vec(&head).map_err(io::Error::other).and_then(|mut text| {
            // Always as long as the longest: an older, longer one must not shine through.
            text.resize(128, b' ');
            self.head.write_all_at(&text, 0)
        });
        if let Err(error) = written {
            tracing::error!(%error, "the journal's head could not be written");
        }
    }

    /// Begins a new file, which repeats what is still open.
    fn rotate(&mut self, at: &str) -> io::Result<()> {
        let carried: Vec<Event> =
            self.open.values().map(|run| Event::Carried(Box::new(run.clone()))).collect();
        let opened = Event::Opened { version: env!("CARGO_PKG_VERSION").to_owned(), cut_bytes: 0 };
        let events = std::iter::once(&opened).chain(&carried).map(|event| (event, at));
        let (text, next_seq, prev) = lines(self.next_seq, self.prev.clone(), events)?;
        let (number, new) = (self.number + 1, self.folder.join("new"));
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        file.write_all(text.as_bytes())?;
        // What was not synced in the old file comes before what is in the new one.
        if let Err(error) = self.file.sync_data() {
            self.broken = true;
            return Err(error);
        }
        file.sync_data()?;
        fs::rename(&new, self.folder.join(file_name(number)))?;
        (self.file, self.number, self.bytes) = (file, number, text.len() as u64);
        (self.next_seq, self.prev) = (next_seq, prev);
        File::open(&self.folder)?.sync_all()?;
        self.say_head();
        let kept = self.folder.parent().map(files).transpose()?.unwrap_or_default();
        for old in kept.iter().take(kept.len().saturating_sub(FILES_MAX)) {
            fs::remove_file(old)?;
        }
        Ok(())
    }
}

/// The lines for `events`, and the number and hash that go on from them.
fn lines<'a>(
    mut seq: u64,
    mut prev: String,
    events: impl Iterator<Item = (&'a Event, &'a str)>,
) -> io::Result<(String, u64, String)> {
    let mut text = String::new();
    for (event, at) in events {
        let line =
            serde_json::to_string(&Line::of(event, seq, prev, at)).map_err(io::Error::other)?;
        prev = sha256_hex(line.as_bytes());
        seq += 1;
        text.push_str(&line);
        text.push('\n');
    }
    Ok((text, seq, prev))
}

#[cfg(test)]
#[path = "writer_tests.rs"]
mod tests;
