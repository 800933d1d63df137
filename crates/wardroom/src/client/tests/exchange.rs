//! Commands against an orchestrator that answers from a script.

use super::super::{
    connection::{Connection, Environment, Globals},
    credentials, follow, parameters,
};
use super::{
    super::{Api, ClientCommand, Exit, Failure, Session, dispatch},
    Cli,
    fake::{Answer, Asked, Fake},
};
use crate::output::Output;
use clap::Parser;
use serde_json::{Value, json};
use std::{path::Path, sync::Arc, time::Duration};
use wardroom_core::Timestamp;
use wardroom_trust::authority::Authority;
use wardroom_wire::api::{List, NodeView, RunView};

const QUIET: Output = Output {
    json: false,
    out_terminal: false,
    err_terminal: false,
    now: Timestamp::from_micros(0),
};

fn answer(body: &Value) -> Answer {
    (200, "content-type: application/json\r\n", body.to_string())
}

fn problem(status: u16, code: &str) -> Answer {
    let body = json!({"type": "t", "title": "T", "status": status, "code": code, "request_id": "req_1", "detail": "Said so."});
    (status, "content-type: application/problem+json\r\n", body.to_string())
}

fn run_in(state: &str, terminal: bool) -> Value {
    json!({"id": "run_1", "state": state, "terminal": terminal, "command": "echo", "parameters": {}, "node": "node_1",
           "labels": null, "all": false, "parent": null, "replay_of": null, "submitted_by": "user_1", "attempt": 1,
           "attempts_max": 1, "priority": 4, "idempotent": true, "dead_letter": false, "deadline": null,
           "not_before": null, "cancel_requested_at": null, "queued_at": "2026-01-01T00:00:00Z", "started_at": null,
           "finished_at": null, "outcome": null})
}

fn node_of(name: &str) -> Value {
    json!({"id": format!("node_{name}"), "version": 3, "name": name, "state": "online", "labels": {"tier": "web", "old": "1"},
           "enrolled_at": "2026-01-01T00:00:00Z", "seen_at": null, "report": null, "commands": 1})
}

async fn plain(
    script: impl Fn(&Asked, usize) -> Answer + Send + Sync + 'static,
) -> (Fake, Arc<Api>) {
    let fake = Fake::start(None, script).await;
    let api = Arc::new(Api::plain(&format!("http://127.0.0.1:{}", fake.port)));
    (fake, api)
}

fn patient(show: bool) -> follow::Options {
    follow::Options { raw: false, show, cancels: false, timeout: Some(Duration::from_secs(30)) }
}

#[tokio::test]
async fn a_run_is_followed_to_its_end_through_a_restart() {
    let (fake, api) = plain(|asked, before| match asked.line.as_str() {
        "GET /api/v1/events" => problem(503, "busy"),
        // The orchestrator is away for a moment.
        "GET /api/v1/runs/run_1" if before == 1 => (0, "", String::new()),
        "GET /api/v1/runs/run_1" => answer(&run_in(if before < 3 { "running" } else { "succeeded" }, before >= 3)),
        "GET /api/v1/runs/run_1/output" => {
            answer(&json!({"chunks": [{"run": "run_1", "attempt": 1, "seq": 0, "stream": "stdout", "data": ""}], "next": "1.1", "complete": false}))
        }
        "GET /api/v1/runs/run_1/output?after=1.1" => {
            answer(&json!({"chunks": [], "next": "1.1", "complete": before >= 2}))
        }
        other => panic!("{other}"),
    })
    .await;
    let run: RunView = serde_json::from_value(run_in("queued", false)).unwrap();
    let ended = follow::follow(&api, &QUIET, run, patient(true)).await.unwrap();
    assert_eq!((ended.state.as_str(), follow::exit_of(&ended)), ("succeeded", Exit::Ok));
    let first_pages = fake.asked().iter().filter(|asked| asked.line.ends_with("/output")).count();
    assert_eq!(first_pages, 1, "no output is asked for twice");
    assert_eq!(fake.asked().last().unwrap().header("authorization"), Some("Bearer test-token"));
}

#[tokio::test]
async fn waiting_ends_at_its_limit_and_a_refusal_ends_it_at_once() {
    let (_fake, api) = plain(|asked, _| match asked.line.as_str() {
        "GET /api/v1/runs/run_1" => answer(&run_in("running", false)),
        _ => problem(404, "not_found"),
    })
    .await;
    let run: RunView = serde_json::from_value(run_in("queued", false)).unwrap();
    let options = follow::Options { timeout: Some(Duration::from_millis(20)), ..patient(false) };
    let failure = follow::follow(&api, &QUIET, run.clone(), options).await.unwrap_err();
    assert_eq!(failure.exit, Exit::Unreachable);
    let failure = follow::follow(&api, &QUIET, run, patient(true)).await.unwrap_err();
    assert_eq!(
        (failure.exit, failure.what.as_str()),
        (Exit::NotFound, "Said so. (asked for /api/v1/runs/run_1/output)")
    );
}

#[tokio::test]
async fn lists_are_gathered_over_pages() {
    let (fake, api) = plain(|asked, _| {
        let next = asked.line.contains("after=").then_some(());
        let count = if next.is_none() { 200 } else { 50 };
        let items: Vec<Value> = (0..count).map(|at| node_of(&format!("n{at}"))).collect();
        answer(&json!({"items": items, "next": if next.is_none() { json!("a b") } else { Value::Null }}))
    })
    .await;
    let all: List<NodeView> =
        api.list("/api/v1/nodes", &vec![("x", "y".into())], 250, None).await.unwrap();
    assert_eq!((all.items.len(), all.next), (250, None));
    let lines: Vec<String> = fake.asked().into_iter().map(|asked| asked.line).collect();
    assert_eq!(
        lines,
        ["GET /api/v1/nodes?x=y&limit=200", "GET /api/v1/nodes?x=y&limit=50&after=a%20b"]
    );
}

#[tokio::test]
async fn answers_that_make_no_sense_are_failures() {
    let (_fake, api) = plain(|asked, _| match asked.line.as_str() {
        "GET /html" => (502, "", "<html>".to_owned()),
        "GET /redirect" => (302, "location: http://127.0.0.1:1/\r\n", String::new()),
        _ => (200, "", "[]".to_owned()),
    })
    .await;
    let exit = async |path: &str| api.get::<NodeView>(path, &vec![]).await.unwrap_err().exit;
    assert_eq!((exit("/html").await, exit("/odd").await), (Exit::Unreachable, Exit::Other));
    let gone = Api::plain("http://127.0.0.1:1");
    assert_eq!(gone.get::<NodeView>("/x", &vec![]).await.unwrap_err().exit, Exit::Unreachable);
}

fn acceptor(authority: &Authority, host: &str) -> tokio_rustls::TlsAcceptor {
    let now = wardroom_trust::ambient::SystemClock;
    let identity = authority.issue(&[host.to_owned()], wardroom_core::Clock::now(&now)).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(identity.chain, identity.key)
        .unwrap();
    tokio_rustls::TlsAcceptor::from(Arc::new(config))
}

fn authority(folder: &Path, name: &str) -> Authority {
    let authority =
        Authority::generate(name, wardroom_core::Clock::now(&wardroom_trust::ambient::SystemClock))
            .unwrap();
    std::fs::write(folder.join(name), authority.certificate_pem()).unwrap();
    authority
}

fn session(folder: &Path, fake: &Fake, ca: Option<&str>, with_token: bool) -> Session {
    let token_file = folder.join("token");
    std::fs::write(&token_file, "the-token\n").unwrap();
    let globals = Globals {
        server: Some(format!("https://localhost:{}", fake.port)),
        ca: ca.map(|name| folder.join(name)),
        token_file: with_token.then_some(token_file),
        json: false,
    };
    let credentials = Some(folder.join("config/wardroom/credentials.toml"));
    Session {
        globals,
        output: QUIET,
        environment: Environment { credentials, ..Environment::default() },
    }
}

async fn done(session: &Session, line: &str) -> Result<Exit, Failure> {
    let command: ClientCommand = Cli::try_parse_from(line.split_whitespace()).unwrap().command;
    dispatch::<Cli>(session, command).await
}

#[tokio::test]
async fn only_the_given_authority_is_trusted_and_the_failure_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let (own, _other) = (authority(folder.path(), "own"), authority(folder.path(), "other"));
    let fake = Fake::start(Some(acceptor(&own, "localhost")), |_, _| {
        answer(&json!({"items": [], "next": null}))
    })
    .await;
    assert_eq!(
        done(&session(folder.path(), &fake, Some("own"), true), "wardroom node list").await,
        Ok(Exit::Ok)
    );
    for (ca, advice) in [(Some("other"), "--ca is not its file"), (None, "--ca FILE")] {
        let failure =
            done(&session(folder.path(), &fake, ca, true), "wardroom node list").await.unwrap_err();
        assert_eq!(failure.exit, Exit::Unreachable);
        assert!(
            failure.what.contains("is not trusted") && failure.further.concat().contains(advice),
            "{failure:?}"
        );
    }
    let elsewhere =
        Fake::start(Some(acceptor(&own, "elsewhere.example")), |_, _| panic!("nothing is sent"))
            .await;
    let failure =
        done(&session(folder.path(), &elsewhere, Some("own"), true), "wardroom node list")
            .await
            .unwrap_err();
    assert!(failure.further.concat().contains("name or address in --server"), "{failure:?}");
    let unsigned = done(&session(folder.path(), &fake, Some("own"), false), "wardroom whoami")
        .await
        .unwrap_err();
    assert_eq!(unsigned.exit, Exit::Denied);
}

fn signed_in(access: &str, refresh: &str) -> Value {
    json!({"access_token": access, "access_expires_at": "2026-01-01T00:15:00Z", "refresh_token": refresh,
           "session": "session_1", "session_expires_at": "2026-01-02T00:00:00Z",
           "standing": {"needs": "open", "factors": []}})
}

#[tokio::test]
async fn login_keeps_the_session_and_goes_on_with_it_until_logout_forgets_it() {
    let folder = tempfile::tempdir().unwrap();
    let own = authority(folder.path(), "own");
    let fake =
        Fake::start(Some(acceptor(&own, "localhost")), |asked, _| match asked.line.as_str() {
            "POST /api/v1/login" => answer(&signed_in("access-1", "refresh-1")),
            "POST /api/v1/session/refresh" => answer(&signed_in("access-2", "refresh-2")),
            "GET /api/v1/nodes?limit=200"
                if asked.header("authorization") == Some("Bearer access-2") =>
            {
                answer(&json!({"items": [], "next": null}))
            }
            "POST /api/v1/logout" => (204, "", String::new()),
            _ => problem(401, "unauthenticated"),
        })
        .await;
    let session = session(folder.path(), &fake, Some("own"), false);
    let (password, code) = (folder.path().join("password"), folder.path().join("code"));
    std::fs::write(&password, "pass word\n").unwrap();
    std::fs::write(&code, "123456\n").unwrap();
    let line = format!(
        "wardroom login --name ada --password-file {} --code-file {}",
        password.display(),
        code.display()
    );
    assert_eq!(done(&session, &line).await, Ok(Exit::Ok));
    let sent: Value = serde_json::from_str(&fake.asked().last().unwrap().body).unwrap();
    assert_eq!((&sent["password"], &sent["code"]), (&json!("pass word"), &json!("123456")));
    assert_eq!(fake.asked().last().unwrap().header("authorization"), None);
    let path = session.environment.credentials.clone().unwrap();
    assert!(credentials::load(&path).unwrap().unwrap().ca.unwrap().is_absolute());
    // From here on nothing but the kept file is needed. The access token has ended: the next one is got once.
    let kept = Session { globals: Globals::default(), ..session };
    for _ in 0..2 {
        assert_eq!(done(&kept, "wardroom node list").await, Ok(Exit::Ok));
    }
    let refreshes: Vec<Asked> =
        fake.asked().into_iter().filter(|asked| asked.line.ends_with("/refresh")).collect();
    assert_eq!(refreshes.len(), 1);
    assert_eq!(refreshes[0].body, json!({"refresh_token": "refresh-1"}).to_string());
    assert_eq!(done(&kept, "wardroom logout").await, Ok(Exit::Ok));
    assert_eq!(fake.asked().last().unwrap().header("authorization"), Some("Bearer access-2"));
    assert!(!path.exists());
    assert!(Connection::resolve(&kept.globals, &kept.environment).is_err());
}

#[tokio::test]
async fn a_submission_is_typed_and_repeated_under_one_key_only() {
    let folder = tempfile::tempdir().unwrap();
    let own = authority(folder.path(), "own");
    let fake =
        Fake::start(Some(acceptor(&own, "localhost")), |asked, before| match asked.line.as_str() {
            "GET /api/v1/nodes/web-1" => {
                let mut detail = node_of("web-1");
                detail["key_fingerprint"] = json!("f");
                let shape = serde_json::to_value(parameters::tests::shape()).unwrap();
                detail["catalogue"] = json!({"digest": "d", "commands": [shape]});
                answer(&detail)
            }
            "POST /api/v1/runs" if before == 0 => (0, "", String::new()),
            "POST /api/v1/runs" => answer(&run_in("queued", false)),
            _ => problem(404, "not_found"),
        })
        .await;
    let session = session(folder.path(), &fake, Some("own"), true);
    let line = "wardroom run tail --node web-1 --param lines=20 --param quiet --deadline 1500ms --backoff 5s";
    assert_eq!(done(&session, line).await, Ok(Exit::Ok));
    let posts: Vec<Asked> =
        fake.asked().into_iter().filter(|asked| asked.line.starts_with("POST")).collect();
    let keys: Vec<_> = posts.iter().map(|post| post.header("idempotency-key").unwrap()).collect();
    assert!(keys.len() == 2 && keys[0] == keys[1] && keys[0].len() == 36, "{keys:?}");
    let body: Value = serde_json::from_str(&posts[1].body).unwrap();
    assert_eq!(body["parameters"], json!({"lines": 20, "quiet": true}));
    assert_eq!(
        (&body["deadline_seconds"], &body["backoff_ms"], &body["node"]),
        (&json!(2), &json!(5000), &json!("web-1"))
    );
    let failure = done(&session, "wardroom run reboot --node web-1 --param x=1").await.unwrap_err();
    assert_eq!(
        (failure.exit, failure.further),
        (Exit::NotFound, vec!["It offers: tail".to_owned()])
    );
}

#[tokio::test]
async fn labels_are_changed_against_the_version_that_was_read() {
    let folder = tempfile::tempdir().unwrap();
    let own = authority(folder.path(), "own");
    let fake = Fake::start(Some(acceptor(&own, "localhost")), |_, _| {
        let mut detail = node_of("web-1");
        detail["key_fingerprint"] = json!("f");
        detail["catalogue"] = json!({"digest": "d", "commands": []});
        (200, "etag: \"3\"\r\n", detail.to_string())
    })
    .await;
    let session = session(folder.path(), &fake, Some("own"), true);
    assert_eq!(done(&session, "wardroom node label web-1 tier=db old- new=1").await, Ok(Exit::Ok));
    let patch = fake.asked().pop().unwrap();
    assert_eq!(
        (patch.line.as_str(), patch.header("if-match")),
        ("PATCH /api/v1/nodes/node_web-1", Some("\"3\""))
    );
    assert_eq!(patch.body, json!({"labels": {"new": "1", "tier": "db"}}).to_string());
    let failure = done(&session, "wardroom node remove web-1").await.unwrap_err();
    assert_eq!(failure.exit, Exit::Usage, "without a terminal nothing is removed by mistake");
}
