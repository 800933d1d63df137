//! Running it: bounds of the doors, certificates, metrics, health, and a database that goes away.
#![allow(
    clippy::cloned_ref_to_slice_refs,
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

use reqwest::StatusCode;
use serde_json::{Value, json};
use std::{net::SocketAddr, time::Duration};
use tokio::{
    io::AsyncReadExt as _,
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::timeout,
};
use tokio_util::sync::CancellationToken;
use wardroom_store::testing::postgres;
use world::{World, wait_for};

/// An address that is free at this moment.
fn free_address() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

#[tokio::test]
async fn metrics_count_what_happens_on_a_listener_of_their_own() {
    let metrics = free_address();
    let world = World::with(&[format!("listen_metrics={metrics}")]).await;
    let run = world.submit("ping", json!({})).await;
    world.ended(&run).await;
    world.client.get(world.at("/api/v1/whoami")).send().await.unwrap();
    let text = reqwest::Client::new().get(format!("http://{metrics}/metrics")).send().await;
    let text = text.unwrap().text().await.unwrap();
    for line in [
        "wardroom_nodes{state=\"online\"} 1",
        "wardroom_runs{state=\"succeeded\"} 1",
        "wardroom_node_links 1",
        "wardroom_store_up 1",
        "wardroom_http_requests_total{method=\"GET\",route=\"/api/v1/whoami\",status=\"401\"} 1",
        "# EOF",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is missing:\n{text}");
    }
    // Labels name routes and states and never what somebody sent.
    assert!(!text.contains(&run) && !text.contains("admin"), "{text}");
    let main = world.client.get(world.at("/metrics")).send().await.unwrap();
    assert_eq!(main.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn only_so_many_connections_come_from_one_address() {
    let world = World::with(&["connections_per_address_max=4".to_owned()]).await;
    let address = world.url.replace("https://localhost", "127.0.0.1");
    // The node's link and the client's own connection have places already.
    let mut held = Vec::new();
    loop {
        let mut stream = TcpStream::connect(&address).await.unwrap();
        // One that has a place waits for our handshake; one over the bound is closed.
        let closed = timeout(Duration::from_secs(1), stream.read_u8()).await.is_ok();
        if closed {
            break;
        }
        held.push(stream);
        assert!(held.len() < 4, "more connections were let in than there are places");
    }
    assert!(!held.is_empty());
    // Who goes makes room.
    drop(held);
    assert_eq!(world.get("/api/v1/whoami").await["name"], "admin");
}

#[tokio::test]
async fn tls_1_2_is_refused_unless_it_is_asked_for() {
    let mut world = World::new().await;
    let pem = std::fs::read(world.data().join("authority.pem")).unwrap();
    let old = || {
        let mut roots = rustls::RootCertStore::empty();
        for certificate in rustls_pemfile(&pem) {
            roots.add(certificate).unwrap();
        }
        let config =
            rustls::ClientConfig::builder_with_protocol_versions(&[&rustls::version::TLS12])
                .with_root_certificates(roots)
                .with_no_client_auth();
        reqwest::Client::builder().tls_backend_preconfigured(config).build().unwrap()
    };
    assert!(old().get(world.at("/health/live")).send().await.is_err());
    world.set("tls12=true");
    world.kill_orchestrator();
    world.restart().await;
    assert!(old().get(world.at("/health/live")).send().await.unwrap().status().is_success());
}

fn rustls_pemfile(pem: &[u8]) -> Vec<rustls::pki_types::CertificateDer<'static>> {
    use rustls::pki_types::pem::PemObject as _;
    rustls::pki_types::CertificateDer::pem_slice_iter(pem).map(Result::unwrap).collect()
}

#[tokio::test]
async fn an_operators_new_certificate_is_served_without_a_restart() {
    let mut world = World::new().await;
    let (chain, key) = (world.folder.path().join("chain.pem"), world.folder.path().join("key.pem"));
    let renew = || {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        std::fs::write(&chain, made.cert.pem()).unwrap();
        let tls = wardroom_trust::tls::client_config(made.cert.pem().as_bytes()).unwrap();
        reqwest::Client::builder().tls_backend_preconfigured(tls).build().unwrap()
    };
    let first = renew();
    world.set(&format!("tls_certificate_file={}", chain.display()));
    world.set(&format!("tls_key_file={}", key.display()));
    world.kill_orchestrator();
    world.restart().await;
    let live = world.at("/health/live");
    assert!(first.get(&live).send().await.unwrap().status().is_success());
    let second = renew();
    wait_for("the new certificate", || async { second.get(&live).send().await.ok() }).await;
    // A broken one changes nothing.
    std::fs::write(&chain, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
        .unwrap();
    wait_for("the complaint", || async { world.logged().contains("is not used").then_some(()) })
        .await;
    assert!(second.get(&live).send().await.unwrap().status().is_success());
}

#[tokio::test]
async fn a_raised_password_cost_renews_the_hash_at_the_next_sign_in_once() {
    let mut world = World::new().await;
    let renewals = async |world: &World| {
        let found = world.get("/api/v1/audit/records?action=auth.password_hash_renewed").await;
        found["items"].as_array().unwrap().len()
    };
    let password = world.password();
    world.sign_in_as("admin", &password).await;
    assert_eq!(renewals(&world).await, 0);
    world.set("password_passes=3");
    world.kill_orchestrator();
    world.restart().await;
    world.sign_in_as("admin", &password).await;
    world.sign_in_as("admin", &password).await;
    assert_eq!(renewals(&world).await, 1);
}

/// Stands between the orchestrator and its database, and can be cut.
struct Wire {
    address: SocketAddr,
    database: SocketAddr,
    cut: CancellationToken,
}

impl Wire {
    async fn new(database: SocketAddr) -> Self {
        let address = free_address();
        let mut wire = Self { address, database, cut: CancellationToken::new() };
        wire.mend().await;
        wire
    }

    async fn mend(&mut self) {
        let listener = TcpListener::bind(self.address).await.unwrap();
        self.cut = CancellationToken::new();
        let (cut, database) = (self.cut.clone(), self.database);
        tokio::spawn(async move {
            let mut carried = JoinSet::new();
            loop {
                tokio::select! {
                    () = cut.cancelled() => return,
                    accepted = listener.accept() => {
                        let mut near = accepted.unwrap().0;
                        carried.spawn(async move {
                            let mut far = TcpStream::connect(database).await.unwrap();
                            let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
                        });
                    }
                }
            }
        });
    }
}

// The programs are waited for on one thread while the wire carries on another.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_goes_away_is_told_of_and_nothing_is_lost_when_it_comes_back() {
    let test = postgres().await;
    let url = test.options.url.clone();
    let database: SocketAddr =
        url.split(['@', '/']).find_map(|part| part.parse().ok()).expect("an address");
    let mut wire = Wire::new(database).await;
    let through = url.replace(&database.to_string(), &wire.address.to_string());
    let world = World::with(&[format!("database_url={through}")]).await;
    let status = async |path: &str| {
        let answer = world.client.get(world.at(path)).bearer_auth(&world.token).send().await;
        answer.unwrap().status()
    };
    assert_eq!(status("/health/ready").await, StatusCode::OK);
    let slow = world.submit("sleep", json!({"seconds": 1})).await;
    world.until(&slow, "running").await;

    wire.cut.cancel();
    wait_for("it to be told", || async {
        (status("/health/ready").await == StatusCode::SERVICE_UNAVAILABLE).then_some(())
    })
    .await;
    assert_eq!(status("/health/live").await, StatusCode::OK);
    let answer = world.post("/api/v1/runs", json!({"command": "ping", "node": "local"})).await;
    assert_eq!(answer["code"], "store_unavailable", "{answer}");

    wire.mend().await;
    wait_for("it to be ready", || async {
        (status("/health/ready").await == StatusCode::OK).then_some(())
    })
    .await;
    assert_eq!(world.ended(&slow).await["state"], "succeeded");
    let health: Value = world.get("/api/v1/health").await;
    assert_eq!(health["status"], "ok", "{health}");
    world.sound().await;
}
