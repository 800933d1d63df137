//! What holds at every door against those outside: limits, blocks, forged addresses, floods of guesses.
#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    missing_docs,
    reason = "tests"
)]

mod world;

use reqwest::{Response, StatusCode};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use world::{PASSWORD, World};

/// An installation behind a proxy on loopback, which the tests are: each request names its own address.
async fn behind_a_proxy(settings: &[&str]) -> World {
    let mut all = vec!["trusted_proxies=127.0.0.1".to_owned()];
    all.extend(settings.iter().map(|setting| (*setting).to_owned()));
    World::with(&all).await
}

async fn guess(world: &World, from: &str, name: &str, password: &str) -> Response {
    let body = json!({"name": name, "password": password, "client": "guess"});
    let request = world.client.post(world.at("/api/v1/login")).header("x-forwarded-for", from);
    request.json(&body).send().await.unwrap()
}

#[tokio::test]
async fn ten_thousand_guesses_from_fifty_addresses_come_to_nothing() {
    let world = behind_a_proxy(&[]).await;
    world.add_account("carla", wardroom_core::Role::Customer, PASSWORD).await;
    let resident = || {
        let status = std::fs::read_to_string(format!("/proc/{}/status", world.orchestrator_pid()));
        let status = status.unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
    };
    let guessing = async {
        let mut warm = 0;
        let mut answers = std::collections::BTreeMap::<u16, u32>::new();
        for round in 0..200 {
            // By then every worker has hashed and every address is blocked.
            if round == 40 {
                warm = resident();
            }
            let tries = (0..50).map(|number| {
                let from = format!("203.0.113.{number}");
                let world = &world;
                async move { guess(world, &from, "admin", &format!("Guess-{round}-{number}")).await }
            });
            for answer in futures_util::future::join_all(tries).await {
                *answers.entry(answer.status().as_u16()).or_default() += 1;
            }
        }
        (answers, warm)
    };
    // Meanwhile somebody real signs in from elsewhere, again and again.
    let signing_in = async {
        let mut slowest = Duration::ZERO;
        for _ in 0..20 {
            let begun = Instant::now();
            let answer = guess(&world, "198.51.100.7", "carla", PASSWORD).await;
            assert_eq!(answer.status(), StatusCode::CREATED);
            slowest = slowest.max(begun.elapsed());
            tokio::task::yield_now().await;
        }
        slowest
    };
    let ((answers, warm), slowest) = tokio::join!(guessing, signing_in);
    assert_eq!(answers.values().sum::<u32>(), 10_000);
    assert!(!answers.contains_key(&201), "{answers:?}");
    let blocked = answers[&403];
    assert!(blocked > 9000, "most were turned away unheard: {answers:?}");
    eprintln!("answers {answers:?}, slowest real sign-in {slowest:?}");
    assert!(slowest < Duration::from_secs(1), "{slowest:?}");
    let grown = resident().saturating_sub(warm);
    assert!(grown < 16, "8,000 more guesses took {grown} MiB more than {warm}");
    let blocks = world.get("/api/v1/security/blocks").await;
    assert_eq!(blocks["items"].as_array().unwrap().len(), 50);
    let records = world.get("/api/v1/audit/records?action=address.blocked&limit=100").await;
    assert_eq!(records["items"].as_array().unwrap().len(), 50);
    world.sound().await;
}

#[tokio::test]
async fn a_block_outlives_a_restart_grows_and_can_be_lifted() {
    let mut world = behind_a_proxy(&["failed_attempts_max=3"]).await;
    let attacker = "203.0.113.9";
    for number in 0..4 {
        let answer = guess(&world, attacker, "nobody", "Wrong-guess-1").await;
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "attempt {number}");
    }
    let turned_away = guess(&world, attacker, "nobody", "Wrong-guess-1").await;
    assert_eq!(turned_away.status(), StatusCode::FORBIDDEN);
    let wait: u64 = turned_away.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((880..=900).contains(&wait), "{wait}");
    let problem: Value = turned_away.json().await.unwrap();
    assert_eq!(problem["code"], "blocked");
    // Nothing else is open to it either, and nobody else is touched.
    let live = world.client.get(world.at("/sign-in")).header("x-forwarded-for", attacker);
    assert_eq!(live.send().await.unwrap().status(), StatusCode::FORBIDDEN);
    assert_eq!(guess(&world, "203.0.113.10", "x", "y").await.status(), StatusCode::UNAUTHORIZED);
    world.kill_orchestrator();
    world.restart().await;
    assert_eq!(guess(&world, attacker, "x", "y").await.status(), StatusCode::FORBIDDEN);
    let lift = world.client.delete(world.at(&format!("/api/v1/security/blocks/{attacker}")));
    let lifted = lift.bearer_auth(&world.token).send().await.unwrap();
    assert_eq!(lifted.status(), StatusCode::NO_CONTENT);
    assert_eq!(guess(&world, attacker, "x", "y").await.status(), StatusCode::UNAUTHORIZED);
    // An operator turns a network away, but not their own.
    let made =
        world.post("/api/v1/security/blocks", json!({"address": attacker, "seconds": 60})).await;
    assert_eq!((made["active"].as_bool(), made["times"].as_u64()), (Some(true), Some(1)));
    assert_eq!(guess(&world, attacker, "x", "y").await.status(), StatusCode::FORBIDDEN);
    let own = world.post("/api/v1/security/blocks", json!({"address": "127.0.0.1"})).await;
    assert_eq!(own["fields"][0]["field"], "address");
}

#[tokio::test]
async fn a_forged_address_is_not_believed() {
    let world =
        World::with(&["failed_attempts_max=3".to_owned(), "block_exempt=".to_owned()]).await;
    // No proxy is trusted: the header says nothing, and the peer itself is blocked.
    for number in 0..4 {
        guess(&world, &format!("203.0.113.{number}"), "nobody", "Wrong-guess-1").await;
    }
    let answer = guess(&world, "203.0.113.200", "nobody", "Wrong-guess-1").await;
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn limits_are_told_and_held_for_addresses_and_accounts() {
    let world =
        behind_a_proxy(&["rate_limit_address_per_minute=30", "rate_limit_principal_per_minute=20"])
            .await;
    let ask = async |from: &str, token: Option<&str>| {
        let request = world.client.get(world.at("/api/v1/whoami")).header("x-forwarded-for", from);
        match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
        .send()
        .await
        .unwrap()
    };
    let first = ask("203.0.113.1", None).await;
    assert_eq!(first.headers()["ratelimit-limit"], "30");
    assert_eq!(first.headers()["ratelimit-remaining"], "29");
    let mut statuses = Vec::new();
    for _ in 0..40 {
        statuses.push(ask("203.0.113.1", None).await.status());
    }
    assert!(statuses.contains(&StatusCode::TOO_MANY_REQUESTS), "{statuses:?}");
    let refused = ask("203.0.113.1", None).await;
    assert!(refused.headers().contains_key("retry-after"));
    assert_eq!(
        ask("203.0.113.2", None).await.status(),
        StatusCode::UNAUTHORIZED,
        "another's share"
    );
    // One account has one share, from wherever it comes.
    let token = world.token.clone();
    let mut last = StatusCode::OK;
    for number in 0..40 {
        last = ask(&format!("198.51.100.{number}"), Some(&token)).await.status();
        if last == StatusCode::TOO_MANY_REQUESTS {
            break;
        }
    }
    assert_eq!(last, StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test]
async fn the_request_filter_detects_or_blocks_and_counts() {
    let world = World::with(&["request_filter=detect,traversal=block".to_owned()]).await;
    let ask = async |path: &str| {
        let request = world.client.get(world.at(path)).bearer_auth(&world.token);
        request.send().await.unwrap().status()
    };
    assert_eq!(ask("/api/v1/runs?command=%3Cscript%3E").await, StatusCode::OK, "only detected");
    assert_eq!(ask("/api/v1/runs?command=..%2f..%2fetc/passwd").await, StatusCode::FORBIDDEN);
    let found = world.get("/api/v1/audit/records?action=request.suspicious").await;
    let found = found["items"].as_array().unwrap();
    let seen: Vec<(&str, &str)> = found
        .iter()
        .map(|item| {
            let record = &item["record"];
            (record["detail"]["rule"].as_str().unwrap(), record["outcome"].as_str().unwrap())
        })
        .collect();
    assert_eq!(seen, [("traversal", "refused"), ("xss", "done")]);
    assert!(!found[0].to_string().contains("passwd"), "what was sent is not repeated");
}

#[tokio::test]
async fn plain_http_is_only_sent_to_https() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let world = World::with(&[format!("listen_redirect={free}")]).await;
    let plain =
        reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let answer = plain.get(format!("http://{free}/runs?a=b")).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::PERMANENT_REDIRECT);
    assert_eq!(answer.headers()["location"], format!("{}/runs?a=b", world.url));
    let answer = plain.post(format!("http://{free}/api/v1/login")).body("{}").send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
}
