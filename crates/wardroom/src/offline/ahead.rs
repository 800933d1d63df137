//! Reads an export's lines on all processors: what a line needs by itself, its form and its hash, is
//! done side by side and ahead; what it says among the others is heard in order.

use super::lines::Lines;
use crate::client::Failure;
use std::{
    io::Read,
    ops::ControlFlow,
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread,
};
use wardroom_core::audit::export::Line;

/// The text that a thread takes at once, in bytes.
const BATCH_BYTES: usize = 256 * 1024;
/// Batches of one thread that are on their way; with the size above they bound the memory.
const WAITING_MAX: usize = 2;

/// What reading a line gave, or what is wrong with its form.
type Said = Result<Line, String>;

/// Lines on their way to a thread.
#[derive(Default)]
struct Batch {
    text: String,
    /// Where each line ends in `text`.
    ends: Vec<usize>,
    /// What is wrong with the line behind them, which can't even be shown.
    broken: Option<String>,
}

impl Batch {
    /// The next lines, and how the lines end if they do behind these.
    fn fill<R: Read>(lines: &mut Lines<R>) -> (Self, Option<Result<(), Failure>>) {
        let mut batch = Self::default();
        while batch.text.len() < BATCH_BYTES && batch.broken.is_none() {
            match lines.next() {
                Ok(Some(Ok(line))) => {
                    batch.text.push_str(line);
                    batch.ends.push(batch.text.len());
                }
                Ok(Some(Err(reason))) => batch.broken = Some(reason),
                Ok(None) => return (batch, Some(Ok(()))),
                Err(failure) => return (batch, Some(Err(failure))),
            }
        }
        (batch, None)
    }

    const fn is_empty(&self) -> bool {
        self.ends.is_empty() && self.broken.is_none()
    }

    fn read(self) -> Vec<Said> {
        let mut from = 0;
        let mut said = Vec::with_capacity(self.ends.len() + 1);
        for end in self.ends {
            said.push(Line::read(self.text.get(from..end).unwrap_or_default()));
            from = end;
        }
        said.extend(self.broken.map(Err));
        said
    }
}

/// A thread that reads.
struct Reader {
    batches: SyncSender<Batch>,
    said: Receiver<Vec<Said>>,
}

impl Reader {
    fn start<'scope>(scope: &'scope thread::Scope<'scope, '_>) -> Self {
        let (batches, waiting) = sync_channel::<Batch>(WAITING_MAX);
        let (answers, said) = sync_channel(WAITING_MAX);
        scope.spawn(move || {
            while let Ok(batch) = waiting.recv() {
                if answers.send(batch.read()).is_err() {
                    return;
                }
            }
        });
        Self { batches, said }
    }
}

/// Gives each line to `take`, in order, until that breaks off; gives what it broke off with.
pub(super) fn in_order<R: Read, T>(
    lines: &mut Lines<R>,
    mut take: impl FnMut(Said) -> ControlFlow<T>,
) -> Result<Option<T>, Failure> {
    let gone = || Failure::local("a thread that reads the export has ended");
    let threads = thread::available_parallelism().map_or(1, std::num::NonZero::get);
    thread::scope(|scope| {
        // In turn: whose batch was given first is heard first.
        let readers: Vec<Reader> = (0..threads).map(|_| Reader::start(scope)).collect();
        let mut given = readers.iter().cycle();
        let mut heard = readers.iter().cycle();
        let mut open = 0;
        let mut end: Option<Result<(), Failure>> = None;
        loop {
            while end.is_none() && open < threads * WAITING_MAX {
                let (batch, ended) = Batch::fill(lines);
                end = ended;
                if batch.is_empty() {
                    break;
                }
                given.next().and_then(|to| to.batches.send(batch).ok()).ok_or_else(gone)?;
                open += 1;
            }
            if open == 0 {
                return end.unwrap_or(Ok(())).map(|()| None);
            }
            let said = heard.next().and_then(|from| from.said.recv().ok()).ok_or_else(gone)?;
            open -= 1;
            for said in said {
                if let ControlFlow::Break(found) = take(said) {
                    return Ok(Some(found));
                }
            }
        }
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use wardroom_core::audit::export::LINE_BYTES_MAX;

    fn note(number: usize) -> String {
        format!("{{\"checkpoint\":\"{number}\"}}\n")
    }

    /// So many lines that every thread has several batches.
    fn many() -> (String, usize) {
        let count = 400_000;
        ((0..count).map(note).collect(), count)
    }

    #[test]
    fn lines_of_many_batches_come_in_order_and_breaking_off_ends_it() {
        let (text, count) = many();
        let mut next = 0;
        let mut lines = Lines::new(text.as_bytes(), LINE_BYTES_MAX);
        let ended = in_order(&mut lines, |said| {
            assert_eq!(said, Ok(Line::Checkpoint(next.to_string())));
            next += 1;
            ControlFlow::<()>::Continue(())
        });
        assert_eq!((ended.unwrap(), next), (None, count));
        let mut heard = 0;
        let mut lines = Lines::new(text.as_bytes(), LINE_BYTES_MAX);
        let ended = in_order(&mut lines, |_| {
            heard += 1;
            if heard == 7 { ControlFlow::Break("seven") } else { ControlFlow::Continue(()) }
        });
        assert_eq!((ended.unwrap(), heard), (Some("seven"), 7));
    }

    #[test]
    fn what_is_wrong_with_a_line_comes_in_its_place() {
        let (text, count) = many();
        let bytes = [text.as_bytes(), b"\xff\n", note(0).as_bytes(), b"x\n"].concat();
        let mut said = Vec::new();
        in_order(&mut Lines::new(&bytes[..], LINE_BYTES_MAX), |line| {
            said.push(line);
            ControlFlow::<()>::Continue(())
        })
        .unwrap();
        let wrong: Vec<usize> = (0..said.len()).filter(|at| said[*at].is_err()).collect();
        assert_eq!((said.len(), wrong), (count + 3, vec![count, count + 2]));
        assert_eq!(said[count], Err("it is not UTF-8".to_owned()));
    }

    #[test]
    fn a_reader_that_fails_is_heard_after_what_it_gave() {
        struct Fails;
        impl Read for Fails {
            fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
                Err(std::io::Error::other("gone"))
            }
        }
        let text = note(0) + &note(1);
        let mut heard = 0;
        let mut lines = Lines::new(text.as_bytes().chain(Fails), LINE_BYTES_MAX);
        let ended = in_order(&mut lines, |_| {
            heard += 1;
            ControlFlow::<()>::Continue(())
        });
        assert!(ended.is_err());
        assert_eq!(heard, 2);
    }
}
