#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
use super::*;
use crate::journal::{Asked, verify};
use wardroom_wire::link::{EndShape, ResultShape};

const NOW: &str = "2026-01-01T00:00:00Z";

fn accepted(run: &str) -> Event {
    let asked = Asked { command: "c".into(), definition: "d".into(), parameters: "p".into() };
    Event::Accepted { run: run.into(), fence: 1, asked }
}

fn finished(run: &str) -> Event {
    let result = ResultShape {
        end: EndShape::Exited { code: 0 },
        message: Some("m".into()),
        started_at: None,
        finished_at: NOW.into(),
        cpu_ms: 3,
        memory_peak_bytes: 4,
        output_bytes: 1,
    };
    Event::Finished {
        run: run.into(),
        fence: 1,
        end: Box::new(Finish { result, chunks: 1, in_file: false }),
    }
}

fn recorded(run: &str) -> Event {
    Event::Recorded { run: run.into(), fence: 1, discarded: false }
}

async fn write(journal: &Journal, event: Event) {
    let output =
        if matches!(event, Event::Finished { .. }) { vec![(false, b"x".to_vec())] } else { vec![] };
    journal.write_with(event, output, NOW.into()).await.unwrap();
}

fn newest(data: &Path) -> PathBuf {
    files(data).unwrap().pop().unwrap()
}

#[tokio::test]
async fn what_is_not_recorded_is_found_again_and_a_torn_line_is_cut() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path(), NOW).unwrap().journal;
    for event in [accepted("a"), accepted("b"), accepted("c"), finished("b"), finished("c")] {
        write(&journal, event).await;
    }
    write(&journal, Event::Adopted { run: "b".into(), fence: 7 }).await;
    write(&journal, recorded("c")).await;
    drop(journal);
    let path = newest(folder.path());
    OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"seq\":99,\"pre").unwrap();
    let opened = Journal::open(folder.path(), NOW).unwrap();
    let names: Vec<_> = opened
        .open
        .iter()
        .map(|run| (run.run.as_str(), run.fence, run.finished.is_some()))
        .collect();
    assert_eq!(names, [("a", 1, false), ("b", 7, true)]);
    assert_eq!(opened.open[1].output, [(false, b"x".to_vec())]);
    assert_eq!(opened.forgotten, [("c".to_owned(), 1)]);
    assert_eq!(verify(folder.path()).unwrap().lines, 9);
    assert!(fs::read_to_string(path).unwrap().contains("\"cut_bytes\":14"));
}

#[tokio::test]
async fn an_altered_line_and_a_cut_end_show() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path(), NOW).unwrap().journal;
    for name in ["a", "b", "d"] {
        write(&journal, accepted(name)).await;
    }
    let path = newest(folder.path());
    let text = fs::read_to_string(&path).unwrap();
    let last = text.trim_end().rfind('\n').unwrap() + 1;
    for bad in
        [text.replace("\"run\":\"b\"", "\"run\":\"x\""), text[..last].to_owned(), String::new()]
    {
        fs::write(&path, bad).unwrap();
        assert!(matches!(Journal::open(folder.path(), NOW), Err(JournalError::Damaged { .. })));
        assert!(verify(folder.path()).is_err());
    }
    fs::write(&path, text).unwrap();
    Journal::open(folder.path(), NOW).unwrap();
}

#[tokio::test]
async fn every_event_is_read_back_as_it_was_written() {
    let open = OpenRun {
        run: "r".into(),
        fence: -4,
        asked: Asked { command: "c".into(), definition: "d".into(), parameters: "p".into() },
        finished: match finished("r") {
            Event::Finished { end, .. } => Some(*end),
            _ => None,
        },
        output: vec![],
    };
    let events = [
        Event::Opened { version: "1".into(), cut_bytes: 2 },
        accepted("r"),
        Event::Refused { run: "r".into(), fence: 1, command: "c".into(), code: "busy".into() },
        Event::PassedOver,
        Event::Started { run: "r".into(), fence: 1 },
        Event::Adopted { run: "r".into(), fence: 2 },
        finished("r"),
        recorded("r"),
        Event::Recorded { run: "r".into(), fence: 1, discarded: true },
        Event::Carried(Box::new(open.clone())),
        Event::Carried(Box::new(OpenRun { finished: None, ..open })),
    ];
    for event in events {
        let text = serde_json::to_string(&Line::of(&event, 3, "p".into(), NOW)).unwrap();
        assert_eq!(serde_json::from_str::<Line>(&text).unwrap().event(), Some(event), "{text}");
    }
}

#[tokio::test]
async fn a_new_file_carries_on_what_is_open_and_the_chain() {
    let folder = tempfile::tempdir().unwrap();
    let opened = Journal::open(folder.path(), NOW).unwrap();
    let held = finished("kept");
    write(&opened.journal, accepted("kept")).await;
    write(&opened.journal, held).await;
    // Long names fill the files fast; more of them than are kept.
    let filler = "x".repeat(60_000);
    let refused = |command: &str| Event::Refused {
        run: "r".into(),
        fence: 1,
        command: command.into(),
        code: "busy".into(),
    };
    for number in 0..60 {
        if number == 55 {
            write(&opened.journal, accepted("gone")).await;
            write(&opened.journal, recorded("gone")).await;
        }
        write(&opened.journal, refused(&filler)).await;
    }
    // When this is written, the file that the one before it filled up has been closed.
    write(&opened.journal, refused("c")).await;
    drop(opened);
    assert_eq!(files(folder.path()).unwrap().len(), FILES_MAX);
    let verified = verify(folder.path()).unwrap();
    assert!(verified.first > 0);
    let again = Journal::open(folder.path(), NOW).unwrap();
    assert_eq!(again.open.len(), 1);
    assert_eq!(again.forgotten, [("gone".to_owned(), 1)], "it stands in the file before");
    assert_eq!(again.open[0].output, [(false, b"x".to_vec())]);
    assert!(again.open[0].finished.is_some());
}
