//! The node's own log: what it says, and that tampering shows.

use crate::{
    fake::{Fake, NODE, run},
    machine::Machine,
};
use serde_json::{Value, json};

/// Runs one command and one refusal, then stops the daemon.
async fn worked() -> (Fake, Machine) {
    let fake = Fake::start().await;
    let mut machine = Machine::running(&fake).await;
    let mut conn = fake.link().await;
    conn.offer(&run(1), 1, "count", json!({"tag": "hunter2"})).await;
    conn.follow(&run(1)).await;
    conn.record(&run(1), 1, 1, true).await;
    conn.offer(&run(2), 4, "count", json!({"tag": "--hunter2"})).await;
    conn.follow(&run(2)).await;
    machine.terminate();
    assert_eq!(machine.ended().await, Some(0));
    (fake, machine)
}

async fn log(machine: &Machine, verb: &str) -> (Option<i32>, String) {
    let output = machine.tool(&["log", verb, "--data", &machine.data()]).await;
    (
        output.status.code(),
        String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr),
    )
}

#[tokio::test]
async fn the_export_tells_what_ran_and_what_was_refused_without_values() {
    let (_fake, machine) = worked().await;
    let output = machine.tool(&["log", "export", "--data", &machine.data()]).await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let mut lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let header = lines.next().unwrap();
    assert_eq!(
        (&header["format"], &header["node"]),
        (&json!("wardroom-node-log/1"), &json!(*NODE))
    );
    let lines: Vec<Value> = lines.collect();
    // Every line is there: the chain can be followed outside.
    assert_eq!(header["lines"], json!(lines.len()));
    assert!(lines.iter().all(|line| line["event"] == "opened"
        || (line["run"].is_string() && line["fence"].is_i64() && line["event"].is_string())));
    let of = |number: u128, event: &str| {
        lines
            .iter()
            .find(|line| line["run"] == run(number) && line["event"] == event)
            .unwrap_or_else(|| panic!("{event}: {text}"))
    };
    assert_eq!(of(1, "accepted")["command"], "count");
    of(1, "started");
    assert_eq!(of(1, "finished")["end"], json!({"kind": "exited", "code": 0}));
    assert_eq!(
        (&of(2, "refused")["code"], &of(2, "refused")["fence"]),
        (&json!("bad_parameter"), &json!(4))
    );
    assert!(!text.contains("hunter2"), "neither values nor output belong in the log:\n{text}");
}

#[tokio::test]
async fn verify_finds_an_altered_a_removed_and_a_moved_line_and_a_cut_end() {
    let (_fake, machine) = worked().await;
    let (code, said) = log(&machine, "verify").await;
    assert_eq!(code, Some(0), "{said}");
    let files = journal_files(&machine);
    let path = files.last().unwrap();
    let text = std::fs::read_to_string(path).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let join = |lines: &[&str]| lines.iter().map(|line| format!("{line}\n")).collect::<String>();
    let altered = text.replacen("bad_parameter", "busy_parameter", 1);
    let removed = join(&[&lines[..2], &lines[3..]].concat());
    let mut swapped = lines.clone();
    swapped.swap(2, 3);
    let cut = join(&lines[..lines.len() - 1]);
    for (what, text) in
        [("altered", altered), ("removed", removed), ("moved", join(&swapped)), ("cut", cut)]
    {
        std::fs::write(path, &text).unwrap();
        let (code, said) = log(&machine, "verify").await;
        assert_eq!(code, Some(1), "{what}: {said}");
    }
    std::fs::write(path, &text).unwrap();
    assert_eq!(log(&machine, "verify").await.0, Some(0));
}

#[tokio::test]
async fn a_daemon_does_not_start_on_a_damaged_journal_but_on_a_torn_one() {
    let (fake, mut machine) = worked().await;
    let path = journal_files(&machine).pop().unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("{text}{{\"seq\":9999,\"to")).unwrap();
    machine.start(&[]);
    assert!(fake.link().await.holding.is_empty());
    machine.kill();
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replacen("count", "ct", 1)).unwrap();
    machine.start(&[]);
    let code = machine.ended().await;
    assert!(code.is_some_and(|code| code != 0), "{code:?}");
    assert!(machine.logged().contains("journal"), "{}", machine.logged());
}

/// The files that hold lines, oldest first.
fn journal_files(machine: &Machine) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![machine.path("data")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if std::fs::read_to_string(&path).is_ok_and(|text| text.contains("\"prev\":")) {
                found.push(path);
            }
        }
    }
    found.sort();
    assert!(!found.is_empty());
    found
}
