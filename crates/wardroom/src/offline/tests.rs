#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use super::*;
use crate::client::Exit;
use data_encoding::HEXLOWER;
use serde_json::json;
use std::path::PathBuf;
use wardroom_core::{
    Action, Role, Timestamp,
    audit::{
        AuditCheckpoint, AuditEntry,
        export::{FORMAT, Header, checkpoint_line, record_line},
        merkle::{Frontier, Hash, inclusion_ranges, leaf_hash},
    },
};
use wardroom_trust::checkpoint::CheckpointSigner;
use wardroom_wire::api::AuditProof;

fn signer() -> CheckpointSigner {
    CheckpointSigner::new("wardroom/test", &[7; 32]).unwrap()
}

fn body(index: u64) -> String {
    json!({"action": "run.started", "actor": "node_1", "at": "2026-01-01T00:00:00.000000Z",
           "detail": {"fence": "1", "node": "node_1"}, "outcome": "done", "target": format!("run_{index}")})
    .to_string()
}

/// A log of `size` records, with a signed note behind every fifth and the last.
struct Log {
    lines: Vec<String>,
    notes: Vec<(u64, String)>,
    leaves: Vec<Hash>,
}

fn log(size: u64) -> Log {
    let mut log = Log { lines: vec![], notes: vec![], leaves: vec![] };
    let header =
        Header { format: FORMAT.into(), verifier_key: signer().verifier_key().to_string(), size };
    log.lines.push(serde_json::to_string(&header).unwrap());
    let mut frontier = Frontier::default();
    for index in 0..size {
        let leaf = leaf_hash(body(index).as_bytes());
        frontier.append(leaf);
        log.leaves.push(leaf);
        log.lines.push(record_line(&AuditEntry { index, body: body(index), leaf }));
        if (index + 1) % 5 == 0 || index + 1 == size {
            let note = signer().sign(index + 1, &frontier.root());
            let checkpoint = AuditCheckpoint {
                size: index + 1,
                root: frontier.root(),
                at: Timestamp::default(),
                note: note.clone(),
            };
            log.lines.push(checkpoint_line(&checkpoint));
            log.notes.push((index + 1, note));
        }
    }
    log
}

fn verified(lines: &[String], note: Option<&str>) -> verify::Found {
    let text = lines.join("\n");
    verify::export(
        text.as_bytes(),
        note,
        Some(&signer().verifier_key()),
        Timestamp::default(),
        |_| (),
    )
    .unwrap()
}

fn finding(lines: &[String], note: Option<&str>) -> String {
    let found = verified(lines, note).verification;
    assert!(!found.sound);
    found.finding.unwrap()
}

#[test]
fn a_sound_export_verifies_with_every_checkpoint_that_was_kept() {
    let log = log(12);
    let found = verified(&log.lines, None);
    assert_eq!(
        (found.verification.sound, found.verification.records, found.verification.signed),
        (true, 12, 12)
    );
    assert_eq!(found.trusted, Trusted::Given);
    for (_, note) in &log.notes {
        assert!(verified(&log.lines, Some(note)).verification.sound);
    }
}

#[test]
fn the_first_bad_record_is_named() {
    let whole = log(12).lines;
    let mut altered = whole.clone();
    altered[3] = altered[3].replace("run_2", "run_9");
    assert!(finding(&altered, None).starts_with("record 2 was altered"));
    let mut removed = whole.clone();
    removed.remove(4);
    assert_eq!(finding(&removed, None), "record 3 was removed: record 4 stands in its place");
    let mut reordered = whole.clone();
    reordered.swap(1, 2);
    assert!(finding(&reordered, None).contains("record 0"));
    let mut truncated = whole;
    truncated.truncate(8);
    assert!(finding(&truncated, None).starts_with("the log was truncated: record 6"));
}

#[test]
fn a_shortened_and_newly_headed_log_is_caught_by_a_kept_checkpoint() {
    let mut short = log(10).lines;
    let kept = log(12).notes.pop().unwrap().1;
    assert!(verified(&short, None).verification.sound, "nothing in it tells");
    assert!(finding(&short, Some(&kept)).starts_with("the log was truncated: record 10"));
    short.truncate(1);
    assert!(finding(&short, None).starts_with("the log was truncated: record 0"));
}

#[test]
fn another_history_signed_by_the_same_key_is_caught_by_an_older_checkpoint() {
    let log = log(12);
    let mut other = Frontier::default();
    for index in 0..5 {
        other.append(leaf_hash(body(index + 100).as_bytes()));
    }
    let kept = signer().sign(5, &other.root());
    assert!(
        finding(&log.lines, Some(&kept)).starts_with("records 0 to 4 do not make the signed root")
    );
}

#[test]
fn what_is_no_export_or_no_checkpoint_is_said_so() {
    let key = signer().verifier_key();
    for text in ["", "{}", "not json", "{\"format\":\"other/9\",\"verifier_key\":\"\",\"size\":0}"]
    {
        let failure =
            verify::export(text.as_bytes(), None, Some(&key), Timestamp::default(), |_| ())
                .unwrap_err();
        assert_eq!(failure.exit, Exit::Usage, "{text:?}");
    }
    let foreign = CheckpointSigner::new("wardroom/test", &[8; 32]).unwrap().sign(5, &[0; 32]);
    let text = log(5).lines.join("\n");
    let failure =
        verify::export(text.as_bytes(), Some(&foreign), Some(&key), Timestamp::default(), |_| ())
            .unwrap_err();
    assert!(failure.what.contains("no signature by the log's key"), "{failure:?}");
    let mut garbage = log(5).lines;
    garbage.insert(3, "\u{1b}[2J".repeat(3));
    assert!(finding(&garbage, None).starts_with("line 4 is not a line"));
}

fn receipt(index: u64, folder: &std::path::Path) -> (AuditProof, PathBuf) {
    let log = log(12);
    let root = |from: u64, to: u64| {
        let mut frontier = Frontier::default();
        for leaf in &log.leaves[from as usize..to as usize] {
            frontier.append(*leaf);
        }
        HEXLOWER.encode(&frontier.root())
    };
    let ranges = inclusion_ranges(index, 12).unwrap();
    let proof = AuditProof {
        format: "wardroom-audit-proof/1".into(),
        index,
        record: body(index),
        path: ranges.into_iter().map(|range| root(range.start, range.end)).collect(),
        checkpoint: log.notes.last().unwrap().1.clone(),
        verifier_key: signer().verifier_key().to_string(),
    };
    (proof, folder.join("receipt.json"))
}

fn proved(proof: &AuditProof, path: &std::path::Path, key: Option<&VerifierKey>) -> proof::Proved {
    std::fs::write(path, serde_json::to_string(proof).unwrap()).unwrap();
    proof::verify(path, key).unwrap()
}

#[test]
fn a_receipt_verifies_and_an_altered_one_does_not() {
    let folder = tempfile::tempdir().unwrap();
    for index in [0, 4, 7, 11] {
        let (proof, path) = receipt(index, folder.path());
        let found = proved(&proof, &path, None);
        assert_eq!((found.sound, found.size, found.trusted), (true, 12, Trusted::Itself));
        assert!(proved(&proof, &path, Some(&signer().verifier_key())).sound);
        let altered = AuditProof { record: body(index + 1), ..proof.clone() };
        assert!(!proved(&altered, &path, None).sound);
        let moved = AuditProof { index: index ^ 1, ..proof.clone() };
        assert!(!proved(&moved, &path, None).sound);
        let other = CheckpointSigner::new("wardroom/test", &[8; 32]).unwrap().verifier_key();
        let found = proved(&proof, &path, Some(&other));
        assert!(found.finding.unwrap().contains("no signature by the log's key"));
    }
    let (proof, path) = receipt(3, folder.path());
    std::fs::write(
        &path,
        serde_json::to_string(&AuditProof { format: "x".into(), ..proof }).unwrap(),
    )
    .unwrap();
    assert_eq!(proof::verify(&path, None).unwrap_err().exit, Exit::Usage);
}

#[test]
fn a_key_is_given_as_text_or_as_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    let text = signer().verifier_key().to_string();
    std::fs::write(&path, format!("{text}\n")).unwrap();
    assert_eq!(key(&text).unwrap(), signer().verifier_key());
    assert_eq!(key(path.to_str().unwrap()).unwrap(), signer().verifier_key());
    assert_eq!(key("nonsense").unwrap_err().exit, Exit::Usage);
}

#[test]
fn a_policy_is_checked_and_asked_without_an_orchestrator() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("own.cedar");
    std::fs::write(&path, wardroom_trust::policy::DEFAULT).unwrap();
    let checked = policy::check(&path).unwrap();
    assert!(checked.sound && checked.mistakes.is_empty());
    let allowed = policy::explain(&path, Role::Operator, Action::RunSubmit, None, false).unwrap();
    assert!(allowed.allowed && allowed.version == checked.version.unwrap());
    assert!(
        !policy::explain(&path, Role::Operator, Action::RunReplay, None, false).unwrap().allowed
    );
    assert!(policy::explain(&path, Role::Operator, Action::RunReplay, None, true).unwrap().allowed);
    std::fs::write(&path, "permit (principal, action, resource").unwrap();
    let checked = policy::check(&path).unwrap();
    assert!(!checked.sound && !checked.mistakes.is_empty());
    assert_eq!(
        policy::explain(&path, Role::Admin, Action::RunSubmit, None, false).unwrap_err().exit,
        Exit::Usage
    );
}

#[test]
fn a_private_file_appears_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("export.jsonl");
    let mut given_up = PrivateFile::create(&path).unwrap();
    given_up.write(b"half").unwrap();
    drop(given_up);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    let mut whole = PrivateFile::create(&path).unwrap();
    whole.write(b"whole").unwrap();
    assert!(!path.exists());
    whole.keep().unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), b"whole");
    assert_eq!(
        std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(&path).unwrap()) & 0o7777,
        0o600
    );
}

/// A node's log with its chain: run, event and, for an end, whether it was started and its exit code.
fn node_log(events: &[(&str, &str, Option<i64>)]) -> Vec<String> {
    let mut lines: Vec<String> = vec![];
    for (seq, (run, event, code)) in events.iter().enumerate() {
        let prev = wardroom_core::digest::sha256_hex(
            lines.last().map_or(&b""[..], |line| line.as_bytes()),
        );
        let mut line = json!({"seq": seq, "prev": prev, "at": "2026-01-01T00:00:00Z", "event": event, "run": run, "fence": 1});
        match code {
            Some(code) => {
                line["end"] = json!({"kind": "exited", "code": code});
                line["usage"] = json!({"started_at": "2026-01-01T00:00:01Z", "finished_at": "2026-01-01T00:00:02Z",
                                       "cpu_ms": 0, "memory_peak_bytes": 0, "output_bytes": 0});
            }
            None => line["command"] = json!("echo"),
        }
        lines.push(line.to_string());
    }
    let head = lines.last().map(|line| wardroom_core::digest::sha256_hex(line.as_bytes()));
    let header = json!({"format": "wardroom-node-log/1", "node": "node_1", "lines": lines.len(), "first": 0, "head": head});
    lines.insert(0, header.to_string());
    lines
}

fn export_line(run: &str, action: &str, state: &str, node: &str) -> String {
    let outcome = if state == "refused" { "refused" } else { "done" };
    let body = json!({
        "action": action, "actor": if action == "run.leased" { "system" } else { node }, "outcome": outcome, "target": run,
        "at": "2026-01-01T00:00:05Z", "detail": {"fence": "1", "node": node, "state": state, "command": "echo"}});
    record_line(&AuditEntry { index: 0, body: body.to_string(), leaf: [0; 32] })
}

fn compared(node: &[String], export: &[String]) -> compare::Compared {
    compare::logs(node.join("\n").as_bytes(), export.join("\n").as_bytes()).unwrap()
}

#[test]
fn two_logs_that_tell_the_same_do_not_differ() {
    let node = node_log(&[
        ("run_1", "accepted", None),
        ("run_1", "finished", Some(0)),
        ("run_1", "recorded", None),
        ("run_2", "refused", None),
        ("run_3", "accepted", None),
        ("run_3", "finished", Some(3)),
        ("run_4", "accepted", None),
    ]);
    let export = [
        export_line("run_1", "run.leased", "leased", "node_1"),
        export_line("run_1", "run.started", "running", "node_1"),
        export_line("run_1", "run.ended", "succeeded", "node_1"),
        export_line("run_2", "run.ended", "refused", "node_1"),
        export_line("run_3", "run.started", "running", "node_1"),
        export_line("run_3", "run.ended", "retrying", "node_1"),
        export_line("run_4", "run.started", "running", "node_1"),
        // Leased, but lost on the way to the node.
        export_line("run_5", "run.leased", "leased", "node_1"),
        export_line("run_9", "run.ended", "succeeded", "node_2"),
    ];
    let found = compared(&node, &export);
    assert_eq!((found.node.as_str(), found.attempts), ("node_1", 4));
    assert_eq!((found.fault, found.differences), (None, vec![]));
}

#[test]
fn what_one_log_lacks_or_tells_otherwise_is_listed() {
    let node = node_log(&[
        ("run_1", "accepted", None),
        ("run_1", "finished", Some(1)),
        ("run_2", "accepted", None),
        ("run_2", "finished", Some(0)),
        ("run_4", "refused", None),
    ]);
    let export = [
        export_line("run_1", "run.started", "running", "node_1"),
        export_line("run_1", "run.ended", "succeeded", "node_1"),
        export_line("run_3", "run.started", "running", "node_1"),
        export_line("run_4", "run.started", "running", "node_1"),
    ];
    let found = compared(&node, &export);
    let told: Vec<String> =
        found.differences.iter().map(|found| format!("{}: {}", found.run, found.what)).collect();
    assert_eq!(
        told,
        [
            "run_1: the node recorded an end without success, the orchestrator success",
            "run_2: the node's log has it and the orchestrator's has not",
            "run_3: the orchestrator's log has it and the node's has not",
            "run_4: the orchestrator recorded a start, the node started nothing",
        ]
    );
    for no_log in
        ["", "{}", "{\"format\":\"other/1\",\"node\":\"node_1\",\"lines\":0,\"head\":\"\"}"]
    {
        let failure = compare::logs(no_log.as_bytes(), &b""[..]).unwrap_err();
        assert!(failure.exit == Exit::Usage && failure.further.concat().contains("log export"));
    }
}

#[test]
fn an_instance_of_a_tool_server_that_only_one_log_has_is_listed() {
    let line = |seq: u64, prev: &str, instance: &str| {
        json!({"seq": seq, "prev": prev, "at": "2026-01-01T00:00:00Z", "event": "instance_started",
               "instance": instance, "server": "files", "definition": "d"})
        .to_string()
    };
    let digest = |text: &str| wardroom_core::digest::sha256_hex(text.as_bytes());
    let first = line(0, &digest(""), "instance_1");
    let second = line(1, &digest(&first), "instance_2");
    let header = json!({"format": "wardroom-node-log/1", "node": "node_1", "lines": 2, "first": 0, "head": digest(&second)});
    let record = |instance: &str, action: &str, ran: bool| {
        let body = json!({
            "action": action, "actor": "system", "outcome": "done", "target": "files", "at": "2026-01-01T00:00:05Z",
            "detail": {"instance": instance, "node": "node_1", "entry": "files", "ran": ran.to_string()}});
        record_line(&AuditEntry { index: 0, body: body.to_string(), leaf: [0; 32] })
    };
    let export = [
        record("instance_1", "tool_server.start", false),
        record("instance_1", "tool_server.end", true),
        record("instance_3", "tool_server.end", true),
        record("instance_4", "tool_server.end", false),
    ];
    let found = compared(&[header.to_string(), first, second], &export);
    assert_eq!(found.fault, None);
    let told: Vec<String> =
        found.differences.iter().map(|found| format!("{}: {}", found.run, found.what)).collect();
    assert_eq!(
        told,
        [
            "instance_2: the node's log has it and the orchestrator's has not",
            "instance_3: the orchestrator's log has it and the node's has not",
        ]
    );
}

#[test]
fn a_node_log_that_was_changed_does_not_continue_itself() {
    let whole = node_log(&[
        ("run_1", "accepted", None),
        ("run_1", "finished", Some(0)),
        ("run_2", "accepted", None),
    ]);
    let export = [
        export_line("run_1", "run.ended", "succeeded", "node_1"),
        export_line("run_2", "run.leased", "leased", "node_1"),
    ];
    assert_eq!(compared(&whole, &export).fault, None);
    let mut altered = whole.clone();
    altered[2] = altered[2].replace("\"code\":0", "\"code\":1");
    assert!(compared(&altered, &export).fault.unwrap().starts_with("line 4 of the node's log"));
    let mut removed = whole.clone();
    removed.remove(2);
    assert!(compared(&removed, &export).fault.unwrap().starts_with("line 3 of the node's log"));
    let mut cut = whole;
    cut.pop();
    assert!(compared(&cut, &export).fault.unwrap().contains("cut off"));
}
