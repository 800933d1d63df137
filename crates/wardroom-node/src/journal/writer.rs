//! Writing: one thread, many waiting events in one write and one sync.

use super::{Event, Line, OpenRun};
use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Seek as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::mpsc::{Receiver, SyncSender, sync_channel},
};
use tokio::sync::oneshot;
use wardroom_core::digest::sha256_hex;

/// A file that has grown to this is set aside, in bytes.
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Files that are kept beside the current one.
const FILES_KEPT: usize = 8;
/// Events that may wait.
const WAITING_MAX: usize = 1024;
const FILE: &str = "journal.jsonl";

/// Why the journal can't be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// It can't be read or written.
    #[error("the journal {path} can't be used: {source}")]
    Io {
        /// Where it is.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// It is damaged before its last line.
    #[error(
        "the journal {path} is damaged: {reason}. The node does not start, since it can't know what it ran; keep the file, then move it away"
    )]
    Damaged {
        /// Where it is.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

type Answer = oneshot::Sender<io::Result<()>>;

/// An open journal.
#[derive(Debug, Clone)]
pub struct Journal {
    events: SyncSender<(Event, String, Answer)>,
}

impl Journal {
    /// Opens the journal in `folder`; gives the runs that are not recorded yet. `now` is the time.
    pub fn open(folder: &Path, now: &str) -> Result<(Self, Vec<OpenRun>), JournalError> {
        let path = folder.join(FILE);
        let io = |source| JournalError::Io { path: path.clone(), source };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(io)?;
        let mut text = String::new();
        file.read_to_string(&mut text).map_err(io)?;
        // A crash in the middle of a write leaves a last line without its end.
        let sound = text.rfind('\n').map_or(0, |at| at + 1);
        let cut_bytes = (text.len() - sound) as u64;
        text.truncate(sound);
        file.set_len(sound as u64).map_err(io)?;
        file.seek(io::SeekFrom::End(0)).map_err(io)?;
        let damaged = |reason: String| JournalError::Damaged { path: path.clone(), reason };
        super::verify(text.lines()).map_err(|fault| damaged(fault.to_string()))?;
        let mut open = BTreeMap::new();
        let mut last = None;
        for text in text.lines() {
            let line: Line =
                serde_json::from_str(text).map_err(|error| damaged(error.to_string()))?;
            follow(&mut open, &line.event);
            last = Some((line.seq, sha256_hex(text.as_bytes())));
        }
        let (next_seq, prev) = last.map_or((0, sha256_hex(b"")), |(seq, hash)| (seq + 1, hash));
        let mut writer =
            Writer { folder: folder.to_owned(), file, bytes: sound as u64, next_seq, prev, open };
        let opened = Event::Opened { version: env!("CARGO_PKG_VERSION").to_owned(), cut_bytes };
        writer.append(&[(opened, now.to_owned())]).map_err(io)?;
        let runs = writer.open.values().cloned().collect();
        let (events, waiting) = sync_channel(WAITING_MAX);
        std::thread::Builder::new()
            .name("journal".into())
            .spawn(move || writer.work(&waiting))
            .map_err(io)?;
        Ok((Self { events }, runs))
    }

    /// Writes an event; when this returns, it is on disk.
    pub async fn write(&self, event: Event, now: String) -> io::Result<()> {
        let (answer, answered) = oneshot::channel();
        let gone = || io::Error::other("the journal's writer has stopped");
        // The queue is far longer than the runs that one node takes: a full one is a stuck disk.
        self.events.try_send((event, now, answer)).map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }
}

/// Keeps the runs that are not recorded yet.
fn follow(open: &mut BTreeMap<String, OpenRun>, event: &Event) {
    match event {
        Event::Accepted { run, fence, .. } => {
            open.insert(run.clone(), OpenRun { run: run.clone(), fence: *fence, finished: None });
        }
        Event::Finished { run, fence, result, chunks, output } => {
            let finished = Some(((**result).clone(), *chunks, output.clone()));
            open.insert(run.clone(), OpenRun { run: run.clone(), fence: *fence, finished });
        }
        Event::Recorded { run, fence, .. } => {
            if open.get(run).is_some_and(|found| found.fence == *fence) {
                open.remove(run);
            }
        }
        Event::Opened { .. } | Event::Refused { .. } => {}
    }
}

struct Writer {
    folder: PathBuf,
    file: File,
    bytes: u64,
    next_seq: u64,
    prev: String,
    open: BTreeMap<String, OpenRun>,
}

impl Writer {
    fn work(mut self, waiting: &Receiver<(Event, String, Answer)>) {
        while let Ok(first) = waiting.recv() {
            let mut events = Vec::new();
            let mut answers = Vec::new();
            for (event, now, answer) in std::iter::once(first).chain(waiting.try_iter()) {
                events.push((event, now));
                answers.push(answer);
            }
            let outcome = self.append(&events);
            for answer in answers {
                let told = match &outcome {
                    Ok(()) => Ok(()),
                    Err(error) => Err(io::Error::new(error.kind(), error.to_string())),
                };
                let _ = answer.send(told);
            }
            if outcome.is_ok()
                && self.bytes > FILE_BYTES_MAX
                && let Err(error) = self.rotate()
            {
                tracing::error!(%error, "the journal could not be set aside; it goes on growing");
            }
        }
    }

    /// Appends events and syncs. After a failure the file is as it was before.
    fn append(&mut self, events: &[(Event, String)]) -> io::Result<()> {
        let (mut seq, mut prev) = (self.next_seq, self.prev.clone());
        let mut text = String::new();
        for (event, now) in events {
            let line = Line { seq, prev, at: now.clone(), event: event.clone() };
            let line = serde_json::to_string(&line).map_err(io::Error::other)?;
            prev = sha256_hex(line.as_bytes());
            seq += 1;
            text.push_str(&line);
            text.push('\n');
        }
        let written = self.file.write_all(text.as_bytes()).and_then(|()| self.file.sync_data());
        if let Err(error) = written {
            // A half-written line must not stand before the next one.
            self.file.set_len(self.bytes)?;
            self.file.seek(io::SeekFrom::End(0))?;
            return Err(error);
        }
        self.bytes += text.len() as u64;
        (self.next_seq, self.prev) = (seq, prev);
        events.iter().for_each(|(event, _)| follow(&mut self.open, event));
        Ok(())
    }

    /// Sets the file aside and goes on in a new one, which repeats what is still open.
    fn rotate(&mut self) -> io::Result<()> {
        let aside = self.folder.join(format!("journal.{:020}.jsonl", self.next_seq));
        fs::rename(self.folder.join(FILE), aside)?;
        self.file = OpenOptions::new()
            .append(true)
            .create_new(true)
            .mode(0o600)
            .open(self.folder.join(FILE))?;
        self.bytes = 0;
        let now = String::new();
        let mut carried = Vec::new();
        for run in self.open.values() {
            let event = match &run.finished {
                Some((result, chunks, output)) => Event::Finished {
                    run: run.run.clone(),
                    fence: run.fence,
                    result: Box::new(result.clone()),
                    chunks: *chunks,
                    output: output.clone(),
                },
                None => Event::Accepted {
                    run: run.run.clone(),
                    fence: run.fence,
                    command: String::new(),
                    parameters_digest: String::new(),
                },
            };
            carried.push((event, now.clone()));
        }
        if !carried.is_empty() {
            self.append(&carried)?;
        }
        File::open(&self.folder)?.sync_all()?;
        let mut old: Vec<PathBuf> = fs::read_dir(&self.folder)?
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| {
                path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("journal.0"))
            })
            .collect();
        old.sort();
        let many = old.len().saturating_sub(FILES_KEPT);
        for path in old.into_iter().take(many) {
            fs::remove_file(path)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use wardroom_wire::link::{EndShape, ResultShape};

    const NOW: &str = "2026-01-01T00:00:00Z";

    fn accepted(run: &str) -> Event {
        Event::Accepted {
            run: run.into(),
            fence: 1,
            command: "c".into(),
            parameters_digest: String::new(),
        }
    }

    fn finished(run: &str) -> Event {
        let result = ResultShape {
            end: EndShape::Exited { code: 0 },
            message: None,
            started_at: None,
            finished_at: NOW.into(),
            cpu_ms: 0,
            memory_peak_bytes: 0,
            output_bytes: 1,
        };
        Event::Finished {
            run: run.into(),
            fence: 1,
            result: Box::new(result),
            chunks: 1,
            output: vec![(false, "eA==".into())],
        }
    }

    #[tokio::test]
    async fn what_is_not_recorded_is_found_again_and_a_torn_line_is_cut() {
        let folder = tempfile::tempdir().unwrap();
        let (journal, open) = Journal::open(folder.path(), NOW).unwrap();
        assert!(open.is_empty());
        for event in [accepted("a"), accepted("b"), accepted("c"), finished("b"), finished("c")] {
            journal.write(event, NOW.into()).await.unwrap();
        }
        journal
            .write(Event::Recorded { run: "c".into(), fence: 1, discarded: false }, NOW.into())
            .await
            .unwrap();
        drop(journal);
        let path = folder.path().join(FILE);
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(b"{\"seq\":99,\"pre").unwrap();
        let (_, open) = Journal::open(folder.path(), NOW).unwrap();
        let names: Vec<(&str, bool)> =
            open.iter().map(|run| (run.run.as_str(), run.finished.is_some())).collect();
        assert_eq!(names, [("a", false), ("b", true)]);
        let text = fs::read_to_string(&path).unwrap();
        super::super::verify(text.lines()).unwrap();
    }

    #[tokio::test]
    async fn an_altered_line_shows() {
        let folder = tempfile::tempdir().unwrap();
        let (journal, _) = Journal::open(folder.path(), NOW).unwrap();
        for name in ["a", "b", "d"] {
            journal.write(accepted(name), NOW.into()).await.unwrap();
        }
        let path = folder.path().join(FILE);
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text.replace("\"run\":\"b\"", "\"run\":\"x\"")).unwrap();
        assert!(matches!(Journal::open(folder.path(), NOW), Err(JournalError::Damaged { .. })));
    }
}
