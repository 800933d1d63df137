//! The allow-list at work: reload, a broken file, who may write it, and `check`.

use crate::{
    fake::{Fake, run},
    machine::Machine,
};
use serde_json::json;
use std::{fs, os::unix::fs::PermissionsExt as _};
use wardroom_wire::link::{EndShape, NodeFrame, Stream};

#[tokio::test]
async fn a_changed_list_is_published_and_a_broken_one_changes_nothing_but_is_told() {
    let fake = Fake::start().await;
    let machine = Machine::running(&fake).await;
    let mut conn = fake.link().await;
    let before = conn.digest_of("ping").await;
    machine.write_list(
        &machine.list().replace("description = \"Answers\"", "description = \"Answers again\""),
    );
    conn.until(|frame| matches!(frame, NodeFrame::Catalogue { .. }).then_some(())).await;
    let after = conn.digest_of("ping").await;
    assert_ne!(before, after, "a command's digest covers all of it");

    machine.write_list("[[command]]\nname = 5\n");
    let alerts = conn
        .until(|frame| match frame {
            NodeFrame::Heartbeat { report, .. } if !report.alerts.is_empty() => Some(report.alerts),
            _ => None,
        })
        .await;
    assert!(
        alerts.iter().any(|alert| alert.contains("commands.toml") || alert.contains("allow-list")),
        "{alerts:?}"
    );
    conn.offer(&run(1), 1, "ping", json!({})).await;
    assert_eq!(
        conn.follow(&run(1)).await.end(),
        &EndShape::Exited { code: 0 },
        "the old list stays in force"
    );

    machine.write_list(&machine.list());
    conn.until(|frame| match frame {
        NodeFrame::Heartbeat { report, .. } if report.alerts.is_empty() => Some(()),
        _ => None,
    })
    .await;
    assert_eq!(conn.digest_of("ping").await, before);
}

#[tokio::test]
async fn a_list_that_others_may_write_is_not_used() {
    let machine = Machine::new();
    let path = machine.path("commands.toml");
    let check = async || machine.tool(&["check", "commands.toml"]).await;
    assert!(check().await.status.success());
    fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
    assert_eq!(check().await.status.code(), Some(1));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    fs::set_permissions(machine.folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
    assert_eq!(
        check().await.status.code(),
        Some(1),
        "whoever may write the folder may replace the file"
    );
    fs::set_permissions(machine.folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::rename(&path, machine.path("real.toml")).unwrap();
    std::os::unix::fs::symlink("real.toml", &path).unwrap();
    assert_eq!(check().await.status.code(), Some(1), "a symbolic link is not followed");
}

#[tokio::test]
async fn check_names_every_mistake_with_its_place() {
    let machine = Machine::new();
    machine.write_list(
        r#"
[[command]]
name = "one"
description = "d"
program = "relative"

[[command]]
name = "two"
description = "d"
program = "/usr/bin/echo"
arguments = ["{nobody}"]
parameters = [
  { name = "unused", type = "host" },
  { name = "bad", type = "string", pattern = "(", bytes_max = 10 },
]
"#,
    );
    let output = machine.tool(&["check", "commands.toml"]).await;
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8_lossy(&output.stderr).into_owned()
        + &String::from_utf8_lossy(&output.stdout);
    for (place, word) in [
        ("commands.toml:5:", "absolute"),
        ("commands.toml:11:", "nobody"),
        ("commands.toml:13:", "unused"),
        ("commands.toml:14:", "pattern"),
    ] {
        assert!(
            text.lines().any(|line| line.starts_with(place) && line.contains(word)),
            "no line begins with {place} and tells of {word}:\n{text}"
        );
    }
    machine.write_list("[[command]]\nnmae = \"x\"\n");
    let output = machine.tool(&["check", "commands.toml"]).await;
    let text = String::from_utf8_lossy(&output.stderr).into_owned()
        + &String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("commands.toml:2:1: "), "{text}");
}

#[tokio::test]
async fn every_command_of_the_sample_works_in_the_sandbox() {
    let fake = Fake::start().await;
    let machine = Machine::joined(&fake).await;
    let sample = machine.tool(&["sample"]).await;
    assert!(sample.status.success());
    machine.write_list(&String::from_utf8(sample.stdout).unwrap());
    let mut machine = machine;
    machine.start(&[]);
    let mut conn = fake.link().await;
    conn.digest_of("ping").await;
    let log = fs::read_dir("/var/log")
        .unwrap()
        .flatten()
        .find(|entry| {
            let metadata = entry.metadata().unwrap();
            metadata.is_file() && metadata.permissions().mode() & 0o004 != 0 && metadata.len() > 0
        })
        .map(|entry| entry.path().display().to_string());
    let mut number = 0;
    for command in conn.catalogue.clone().unwrap().commands {
        number += 1;
        let parameters = match command.name.as_str() {
            "echo" => json!({"text": "hello; `id`"}),
            "list-directory" => json!({"path": "/var/log"}),
            "read-log" => match &log {
                Some(log) => json!({"path": log}),
                None => continue,
            },
            "sleep" => json!({"seconds": 0}),
            // What a service's state can be asked of differs from machine to machine.
            "service-status" => continue,
            _ => json!({}),
        };
        conn.offer(&run(number), 1, &command.name, parameters).await;
        let followed = conn.follow(&run(number)).await;
        assert_eq!(followed.end(), &EndShape::Exited { code: 0 }, "{}: {followed:?}", command.name);
        assert!(
            command.name == "true" || command.name == "sleep" || !followed.output.is_empty(),
            "{}",
            command.name
        );
        if command.name == "echo" {
            assert_eq!(followed.bytes(Stream::Stdout), b"hello; `id`\n");
        }
        conn.record(&run(number), 1, followed.output.len() as u32, true).await;
    }
    assert!(number >= 12, "the sample offers {number} commands");
}

#[tokio::test]
async fn a_link_planted_beneath_a_root_leads_nowhere() {
    let fake = Fake::start().await;
    let mut machine = Machine::joined(&fake).await;
    let root = machine.path("root");
    fs::create_dir(&root).unwrap();
    fs::write(root.join("plain"), "plain\n").unwrap();
    fs::write(machine.path("outside"), "outside\n").unwrap();
    std::os::unix::fs::symlink("../outside", root.join("link")).unwrap();
    machine.write_list(&format!(
        "[[command]]\nname = \"show\"\ndescription = \"d\"\nprogram = \"/usr/bin/cat\"\narguments = [\"{{path}}\"]\n\
         parameters = [ {{ name = \"path\", type = \"path\", roots = [\"{}\"], entry = \"file\" }} ]\n",
        root.display()
    ));
    machine.start(&[]);
    let mut conn = fake.link().await;
    conn.offer(&run(1), 1, "show", json!({"path": root.join("plain")})).await;
    assert_eq!(conn.follow(&run(1)).await.bytes(Stream::Stdout), b"plain\n");
    for (number, name) in [(2, "link"), (3, "../outside"), (4, "missing")] {
        conn.offer(&run(number), 1, "show", json!({"path": root.join(name)})).await;
        let followed = conn.follow(&run(number)).await;
        assert!(followed.bytes(Stream::Stdout).is_empty(), "{name}: {followed:?}");
        assert!(
            followed.refused.is_some() || followed.end() != &EndShape::Exited { code: 0 },
            "{name}: {followed:?}"
        );
    }
}
