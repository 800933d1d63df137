//! Running the orchestrator: puts the parts together, serves until it is told to stop.

pub(crate) mod certificate;
pub(crate) mod installation;
pub(crate) mod key_file;

use crate::config::{Config, ModelParts};
use anyhow::Context as _;
use installation::Installation;
use std::{
    collections::BTreeSet,
    fs::{File, TryLockError},
    net::SocketAddr,
    path::Path,
    sync::Arc,
};
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;
use wardroom_core::{
    Clock, Rng,
    change::{Change, Write},
};
use wardroom_engine::{Engine, Parts, hub::Hub, models::Keys};
#[cfg(feature = "otlp")]
use wardroom_server::open_traces;
use wardroom_server::{
    App, AppParts, FaultLog, Listener, PolicySource, StaticTokens, serve_metrics, serve_redirects,
};
use wardroom_trust::{
    access_token::AccessTokens,
    ambient::{SystemClock, SystemRng},
    node_token::{Challenges, NodeTokens},
    password::PasswordHasher,
    policy::Policy,
    tls::server_config,
};

/// A running orchestrator.
pub(crate) struct Running {
    /// The engine.
    pub(crate) engine: Arc<Engine>,
    /// Where people reach it.
    pub(crate) url: String,
    /// Where nodes reach it.
    pub(crate) nodes_url: String,
    /// SHA-256 of the authority's certificate.
    pub(crate) fingerprint: [u8; 32],
    stop: CancellationToken,
    tasks: JoinSet<()>,
    /// Held for as long as it runs.
    _lock: File,
}

impl Running {
    /// Stops: links are told, open requests end, the last audit records are signed.
    pub(crate) async fn stop(mut self) {
        self.stop.cancel();
        while self.tasks.join_next().await.is_some() {}
    }
}

/// Keeps a second orchestrator away from the same folder: each would take itself for the only one.
fn lock(data: &Path) -> anyhow::Result<File> {
    installation::must_be_there(data)?;
    let path = data.join("lock");
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .with_context(|| format!("{} can't be opened", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => anyhow::bail!(
            "another orchestrator runs with {}: stop it, or give another folder with --data",
            data.display()
        ),
        Err(TryLockError::Error(error)) => Err(error).context(format!("{}", path.display())),
    }
}

/// Starts serving an installation.
#[expect(clippy::too_many_lines, reason = "puts one part after the other together")]
pub(crate) async fn start(
    data: &Path,
    config: &Config,
    faults: FaultLog,
) -> anyhow::Result<Running> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let rng: Arc<dyn Rng> = Arc::new(SystemRng);
    let hub = Arc::new(Hub::default());
    let lock = lock(data)?;
    let listener = bind(config).await?;
    let installation = Installation::open_to_serve(data, config, hub.clone()).await?;
    let stop = CancellationToken::new();
    let mut tasks = JoinSet::new();
    let delivery = config.delivery()?;
    let outbound = config.outbound()?;
    let models = config.models()?.build(&ModelParts {
        outbound: outbound.clone(),
        keys: Keys {
            store: installation.store.clone(),
            sealer: installation.sealer.clone(),
            clock: clock.clone(),
        },
        breaker: config.breaker()?,
    })?;
    let engine = Engine::new(Parts {
        store: installation.store.clone(),
        hub,
        clock,
        rng,
        sealer: installation.sealer.clone(),
        vault: installation.vault.clone(),
        signer: installation.signer.clone(),
        token_keys: installation.token_keys.clone(),
        outlets: delivery.outlets(),
        approvals_open_for: config.approvals_open_for()?,
        models: Arc::new(models),
        model_calls_kept: config.model_calls_kept()?,
    });
    engine.seal_old_names().await?;
    let alone = installation.store.health().await?.engine == "sqlite";
    if alone {
        // No other process can have links open on this database.
        installation.store.commit(Change::default().write(Write::DisconnectAllNodes)).await?;
    }
    let address = listener.address();
    let names = names(config, address);
    let url = config.text("public_url").map_or_else(|| url_of(address), str::to_owned);
    let certificate = certificate::obtain(config, &installation.authority, &names)?;
    tasks.spawn(certificate::keep_fresh(
        certificate.clone(),
        config.clone(),
        installation.authority.clone(),
        names.iter().cloned().collect(),
        stop.clone(),
    ));
    let fingerprint = installation.authority.fingerprint();
    let (policy, policy_source) = policy(config)?;
    let static_tokens = config.static_tokens()?;
    #[cfg(feature = "otlp")]
    let traces = config.traces()?.map(|rules| {
        let (traces, sending) = open_traces(rules, stop.clone());
        tasks.spawn(sending);
        traces
    });
    #[cfg(not(feature = "otlp"))]
    let traces = None;
    let app = App::new(AppParts {
        engine: engine.clone(),
        policy,
        policy_source,
        passwords: PasswordHasher::new(config.password_cost()?, &SystemRng)?,
        accounts: config.accounts()?,
        access_tokens: AccessTokens::new(installation.token_keys.clone(), config.token_ttl()?),
        node_tokens: NodeTokens::new(installation.token_keys.clone(), config.token_ttl()?),
        challenges: Challenges::new(installation.token_keys.clone()),
        authority_pem: installation.authority.certificate_pem(),
        authority_fingerprint: fingerprint,
        public_url: url.clone(),
        hosts: names.into_iter().map(|name| name.to_ascii_lowercase()).collect(),
        cors_origins: config
            .list("cors_origins")
            .iter()
            .map(|origin| {
                origin.parse().with_context(|| format!("cors_origins: {origin:?} is not an origin"))
            })
            .collect::<anyhow::Result<_>>()?,
        client_documents: config.client_documents()?,
        doors: config.doors()?,
        delivery,
        outbound,
        breaker: config.breaker()?,
        calls_kept: config.calls_kept()?,
        traces,
        static_tokens: StaticTokens::new(&static_tokens),
        oidc: config.oidc()?,
        faults,
        local_checks: {
            let (data, config) = (data.to_owned(), config.clone());
            Arc::new(move || crate::doctor::local_checks(&data, &config))
        },
        limits: config.limits()?,
        stop: stop.clone(),
    });
    app.prepare().await?;
    let account = config.text("mcp_static_token_user").unwrap_or_default();
    app.keep_static_tokens(&static_tokens, account).await.context("mcp_static_token_user")?;
    if alone {
        app.end_open_calls().await?;
        engine.end_open_model_calls().await?;
    }
    tasks.spawn(app.clone().follow_hints());
    tasks.spawn(app.clone().work_desk());
    tasks.spawn(app.clone().deliver());
    tasks.spawn(app.clone().count_faults());
    tasks.spawn(app.clone().work_gateway());
    tasks.spawn(app.clone().work_agents(alone));
    let tls = Arc::new(server_config(certificate, config.flag("tls12")?)?);
    let mut nodes_url = url.clone();
    if let Some(nodes_address) = config.address("listen_nodes")? {
        let nodes = Listener::nodes(nodes_address).await?;
        nodes_url = url_of(nodes.address());
        tasks.spawn(nodes.serve(app.clone(), tls.clone()));
    }
    for (name, plain, open) in config.mcp_listeners()? {
        let listener = open.listen(plain).await.with_context(|| name)?;
        tasks.spawn(listener.serve(app.clone(), tls.clone()));
    }
    if let Some(metrics) = config.address("listen_metrics")? {
        let socket = TcpListener::bind(metrics)
            .await
            .with_context(|| format!("can't listen on {metrics} for metrics"))?;
        let app = app.clone();
        tasks.spawn(async move {
            if let Err(error) = serve_metrics(app, socket).await {
                tracing::error!(%error, "metrics are not served any more");
            }
        });
    }
    if let Some(plain) = config.address("listen_redirect")? {
        let socket = TcpListener::bind(plain)
            .await
            .with_context(|| format!("can't listen on {plain} for redirects"))?;
        let app = app.clone();
        tasks.spawn(async move {
            if let Err(error) = serve_redirects(app, socket).await {
                tracing::error!(%error, "plain HTTP is not redirected any more");
            }
        });
    }
    tasks.spawn(key_file::follow(
        installation.sealer.clone(),
        data.to_owned(),
        config.clone(),
        stop.clone(),
    ));
    tasks.spawn(certificate::warn(engine.clone(), data.to_owned(), config.clone(), stop.clone()));
    tasks.spawn(engine.clone().work(stop.clone()));
    tasks.spawn(listener.serve(app, tls));
    Ok(Running { engine, url, nodes_url, fingerprint, stop, tasks, _lock: lock })
}

/// Whether the address for people is free.
pub(crate) fn can_listen(config: &Config) -> anyhow::Result<()> {
    let address = config.address("listen")?.context("the setting listen is missing")?;
    std::net::TcpListener::bind(address)
        .map(drop)
        .with_context(|| format!("can't listen on {address}"))
}

async fn bind(config: &Config) -> anyhow::Result<Listener> {
    let address = config.address("listen")?.context("the setting listen is missing")?;
    let own_door = config.address("listen_nodes")?.is_some();
    Ok(if own_door { Listener::people(address).await? } else { Listener::all(address).await? })
}

/// `https://` and the address, by name where it is loopback.
fn url_of(address: SocketAddr) -> String {
    if address.ip().is_loopback() || address.ip().is_unspecified() {
        format!("https://localhost:{}", address.port())
    } else {
        format!("https://{address}")
    }
}

/// The names that this server answers to.
fn names(config: &Config, address: SocketAddr) -> BTreeSet<String> {
    let mut names: BTreeSet<String> =
        ["localhost", "127.0.0.1", "::1"].into_iter().map(str::to_owned).collect();
    names.extend(config.list("names"));
    if !address.ip().is_unspecified() {
        names.insert(address.ip().to_string());
    }
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    if !host.is_empty() {
        names.insert(host);
    }
    if let Some(host) = config.text("public_url").and_then(host_of) {
        names.insert(host.to_owned());
    }
    names
}

/// The host in a URL.
fn host_of(url: &str) -> Option<&str> {
    let authority = url.split("://").nth(1)?.split('/').next()?;
    match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next(),
        None => authority.split(':').next(),
    }
}

fn policy(config: &Config) -> anyhow::Result<(Policy, PolicySource)> {
    match config.path("policy_file") {
        Some(file) => {
            let text = std::fs::read_to_string(&file)
                .with_context(|| format!("policy_file {} can't be read", file.display()))?;
            let policy =
                Policy::load(&text).with_context(|| format!("policy_file {}", file.display()))?;
            Ok((policy, PolicySource::File))
        }
        None => Ok((Policy::default_set()?, PolicySource::Default)),
    }
}
