//! Tool servers: started as the list says and not otherwise, talked to within bounds, gone with their link.

use crate::{
    fake::{Conn, Fake},
    machine::Machine,
};
use data_encoding::BASE64;
use std::collections::BTreeMap;
use wardroom_wire::link::{NodeFrame, OrchestratorFrame, PIECES_MAX};

fn instance(number: u128) -> String {
    format!("instance_{number:032x}")
}

/// A list with an echo, one that tells its environment, and one that writes without an end.
fn list(machine: &Machine) -> String {
    machine.program("tells", "printf '%s %s\\n' \"$KEY\" \"$OWN\"");
    machine.program("floods", "echo begin >&2\nexec yes 0123456789abcdef");
    let folder = machine.folder.path().display();
    format!(
        r#"
[[tool_server]]
name = "echo"
description = "Says what it hears"
program = "/usr/bin/cat"
instances_max = 2

[[tool_server]]
name = "tells"
description = "Tells its environment"
program = "{folder}/tells"
environment = {{ OWN = "own" }}
secrets = ["KEY"]
sandbox = {{ read = ["{folder}"] }}

[[tool_server]]
name = "floods"
description = "Never stops"
program = "{folder}/floods"
sandbox = {{ read = ["{folder}"] }}
"#
    )
}

async fn linked() -> (Fake, Machine, Conn) {
    let fake = Fake::start().await;
    let mut machine = Machine::joined(&fake).await;
    machine.write_list(&list(&machine));
    machine.start(&[]);
    let mut conn = fake.link().await;
    conn.digest_of("").await;
    (fake, machine, conn)
}

fn digest(conn: &Conn, server: &str) -> String {
    let servers = &conn.catalogue.as_ref().unwrap().tool_servers;
    servers.iter().find(|found| found.name == server).unwrap().digest.clone()
}

async fn start(conn: &mut Conn, number: u128, server: &str, environment: &[(&str, &str)]) {
    let digest = digest(conn, server);
    let environment: BTreeMap<String, String> =
        environment.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    let server = server.to_owned();
    let frame = OrchestratorFrame::StartInstance {
        instance: instance(number),
        server,
        digest,
        environment,
    };
    conn.say(&frame).await;
}

async fn started(conn: &mut Conn, number: u128) {
    match conn.next().await {
        NodeFrame::InstanceStarted { instance: told } => assert_eq!(told, instance(number)),
        other => panic!("{other:?}"),
    }
}

async fn put(conn: &mut Conn, number: u128, text: &str) {
    let data = BASE64.encode(text.as_bytes());
    conn.say(&OrchestratorFrame::InstanceInput { instance: instance(number), data }).await;
}

/// Reads to the end of an instance: what it printed, the code, the words.
async fn ended(conn: &mut Conn, number: u128) -> (String, String, String) {
    let mut printed = Vec::new();
    loop {
        match conn.next().await {
            NodeFrame::InstanceOutput { instance: told, data } if told == instance(number) => {
                printed.extend(BASE64.decode(data.as_bytes()).unwrap());
                let took = OrchestratorFrame::InstanceTook { instance: told, pieces: 1 };
                conn.say(&took).await;
            }
            NodeFrame::InstanceEnded { instance: told, code, message } => {
                assert_eq!(told, instance(number));
                return (String::from_utf8(printed).unwrap(), code, message);
            }
            _ => {}
        }
    }
}

#[tokio::test]
async fn a_tool_server_hears_and_speaks_until_it_is_stopped() {
    let (_fake, machine, mut conn) = linked().await;
    start(&mut conn, 1, "echo", &[]).await;
    started(&mut conn, 1).await;
    put(&mut conn, 1, "{\"id\":1}\n").await;
    let mut heard = (String::new(), 0);
    while heard.0.is_empty() || heard.1 == 0 {
        match conn.next().await {
            NodeFrame::InstanceOutput { data, .. } => {
                heard.0 = String::from_utf8(BASE64.decode(data.as_bytes()).unwrap()).unwrap();
            }
            NodeFrame::InstanceTook { pieces, .. } => heard.1 += pieces,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(heard, ("{\"id\":1}\n".to_owned(), 1));
    conn.say(&OrchestratorFrame::StopInstance { instance: instance(1) }).await;
    assert_eq!(ended(&mut conn, 1).await.1, "stopped");
    let log = machine.tool(&["log", "export", "--data", &machine.data()]).await;
    let log = String::from_utf8(log.stdout).unwrap();
    assert!(log.contains("\"event\":\"instance_started\"") && log.contains("\"server\":\"echo\""));
    assert!(log.contains("\"event\":\"instance_ended\"") && log.contains("\"code\":\"stopped\""));
}

#[tokio::test]
async fn only_what_the_list_has_is_started_and_only_with_what_it_names() {
    let (_fake, machine, mut conn) = linked().await;
    let wrong = |server: &str, digest: &str, name: &str| OrchestratorFrame::StartInstance {
        instance: instance(1),
        server: server.to_owned(),
        digest: digest.to_owned(),
        environment: [(name.to_owned(), "x".to_owned())].into(),
    };
    let tells = digest(&conn, "tells");
    for (frame, code) in [
        (wrong("sh", &tells, "KEY"), "unknown_server"),
        (wrong("tells", "0", "KEY"), "digest_changed"),
        (wrong("tells", &tells, "LD_PRELOAD"), "bad_environment"),
    ] {
        conn.say(&frame).await;
        assert_eq!(ended(&mut conn, 1).await.1, code);
    }
    start(&mut conn, 2, "tells", &[("KEY", "planted-s3cret")]).await;
    let (printed, code, _) = ended(&mut conn, 2).await;
    assert_eq!((printed.as_str(), code.as_str()), ("planted-s3cret own\n", "exited"));
    for number in 3..5 {
        start(&mut conn, number, "echo", &[]).await;
        started(&mut conn, number).await;
    }
    start(&mut conn, 5, "echo", &[]).await;
    assert_eq!(ended(&mut conn, 5).await.1, "busy");
    assert!(!machine.logged().contains("planted-s3cret"));
    let log = machine.tool(&["log", "export", "--data", &machine.data()]).await;
    assert!(!String::from_utf8(log.stdout).unwrap().contains("planted-s3cret"));
}

#[tokio::test]
async fn no_more_is_on_its_way_than_may_be_and_what_it_says_beside_is_only_logged() {
    let (_fake, machine, mut conn) = linked().await;
    start(&mut conn, 1, "floods", &[]).await;
    started(&mut conn, 1).await;
    let mut pieces = 0;
    while pieces < PIECES_MAX {
        if let NodeFrame::InstanceOutput { .. } = conn.next().await {
            pieces += 1;
        }
    }
    // Nothing more comes until something was taken: the next frame of all is a heartbeat.
    conn.until(|frame| match frame {
        NodeFrame::Heartbeat { .. } => Some(()),
        NodeFrame::InstanceOutput { .. } => panic!("more than may be on its way"),
        _ => None,
    })
    .await;
    conn.say(&OrchestratorFrame::InstanceTook { instance: instance(1), pieces: 1 }).await;
    conn.until(|frame| matches!(frame, NodeFrame::InstanceOutput { .. }).then_some(())).await;
    assert!(machine.logged().contains("begin"), "{}", machine.logged());
    // Who says that more was taken than there was is not believed.
    let pieces = PIECES_MAX + 1;
    let lie = OrchestratorFrame::InstanceTook { instance: instance(1), pieces };
    conn.say(&lie).await;
    conn.try_next_quietly().await;
}

#[tokio::test]
async fn too_much_input_ends_the_link_and_the_link_all_instances() {
    let (fake, machine, mut conn) = linked().await;
    // Hears nothing of what it is told.
    start(&mut conn, 1, "floods", &[]).await;
    started(&mut conn, 1).await;
    let piece = "x".repeat(32 * 1024);
    for _ in 0..2 * PIECES_MAX + 4 {
        put(&mut conn, 1, &piece).await;
    }
    conn.try_next_quietly().await;
    let mut conn = fake.link().await;
    conn.digest_of("").await;
    start(&mut conn, 2, "echo", &[]).await;
    started(&mut conn, 2).await;
    assert!(machine.logged().contains("is over"), "{}", machine.logged());
}

#[tokio::test]
async fn an_entry_that_changes_or_goes_takes_its_instances_with_it() {
    let (_fake, machine, mut conn) = linked().await;
    start(&mut conn, 1, "echo", &[]).await;
    started(&mut conn, 1).await;
    machine.write_list(&list(&machine).replace("instances_max = 2", "instances_max = 3"));
    assert_eq!(ended(&mut conn, 1).await.1, "stopped");
    start(&mut conn, 2, "echo", &[]).await;
    started(&mut conn, 2).await;
}
