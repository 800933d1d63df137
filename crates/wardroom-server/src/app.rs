//! What every handler shares.

use crate::{
    Outbound,
    disclosure::Exports,
    doors::{Blocks, DoorRules, Filter, Rates},
    identity::{AccountRules, Ceremonies, PasswordPool, Relying},
    mcp::{Channels, Inboxes, StaticTokens},
    metrics::Metrics,
    middleware::RefusalLog,
    models,
    oauth::ClientDocuments,
    oidc::{Issuer, OidcRules},
    places::PerAddress,
    policies::{Current, InForce, PolicySource},
    posture::LocalChecks,
    tries::Tries,
    watch::{Courier, Delivery, FaultLog},
};
use arc_swap::ArcSwap;
use axum::http::HeaderValue;
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::sync::{Semaphore, broadcast::error::RecvError};
use tokio_util::sync::CancellationToken;
use wardroom_core::{UserId, hint::Hint, store::StoreError};
use wardroom_engine::Engine;
use wardroom_gateway::{door::Gateway, outbound::BreakerRules, trace::Traces};
use wardroom_trust::{
    access_token::AccessTokens,
    node_token::{Challenges, NodeTokens, SpentChallenges},
    password::PasswordHasher,
    policy::Policy,
};
use wardroom_wire::api::AuditVerification;

/// The most requests that change something at the same time.
const CHANGES_MAX: usize = 4096;

/// Files that are taken in at the same time, each of which is held in memory.
const UPLOADS_MAX: usize = 8;

/// Codes of second factors that may be tried for one account within [`CODE_TRIES_WINDOW`]: with three of a
/// million codes good at a time, guessing one takes a year.
const CODE_TRIES_MAX: u32 = 10;
pub(crate) const CODE_TRIES_WINDOW: Duration = Duration::from_secs(300);

/// Links for a new password that are written to one account within [`RESETS_WINDOW`].
const RESETS_MAX: u32 = 3;
const RESETS_WINDOW: Duration = Duration::from_secs(3600);

/// How long a logout token is remembered: none is taken that is older.
const LOGOUTS_WINDOW: Duration = Duration::from_secs(900);

/// Bounds of the doors.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Open connections, all together.
    pub connections_max: usize,
    /// Open connections from one address.
    pub connections_per_address_max: usize,
    /// A request's body, in bytes, before anything of it is parsed.
    pub body_bytes_max: usize,
    /// Connections to the gateway by WebSocket, at the same time.
    pub websockets_max: usize,
    /// Those by TCP.
    pub tcp_max: usize,
    /// Both of one account or token.
    pub channels_per_party_max: usize,
    /// A message to the gateway, in bytes, before anything of it is parsed.
    pub message_bytes_max: usize,
    /// A request's whole time, streams excepted.
    pub request_timeout: Duration,
    /// Live event streams open at the same time.
    pub streams_max: usize,
    /// Passwords hashed at the same time.
    pub password_hashes_max: usize,
    /// Sign-ins that wait for their turn.
    pub password_waiting_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 20_000,
            connections_per_address_max: 512,
            body_bytes_max: 256 * 1024,
            websockets_max: 10_000,
            tcp_max: 10_000,
            channels_per_party_max: 256,
            message_bytes_max: 1024 * 1024,
            request_timeout: Duration::from_secs(30),
            streams_max: 512,
            password_hashes_max: 2,
            password_waiting_max: 128,
        }
    }
}

/// What an application is made of.
pub struct AppParts {
    /// The engine.
    pub engine: Arc<Engine>,
    /// The policy in force until the store says otherwise.
    pub policy: Policy,
    /// Where that comes from.
    pub policy_source: PolicySource,
    /// Hashes passwords.
    pub passwords: PasswordHasher,
    /// What is demanded of accounts.
    pub accounts: AccountRules,
    /// Signs and checks people's access tokens.
    pub access_tokens: AccessTokens,
    /// Signs and checks nodes' access tokens.
    pub node_tokens: NodeTokens,
    /// Makes and checks nodes' challenges.
    pub challenges: Challenges,
    /// The authority's certificate, PEM.
    pub authority_pem: String,
    /// SHA-256 of the authority's certificate.
    pub authority_fingerprint: [u8; 32],
    /// Where people and nodes reach this server, e.g. `https://localhost:4000`.
    pub public_url: String,
    /// Host names and addresses that requests may name, without port.
    pub hosts: BTreeSet<String>,
    /// Origins of other sites whose scripts may call the API with a token.
    pub cors_origins: Vec<HeaderValue>,
    /// Whose documents about themselves are believed.
    pub client_documents: ClientDocuments,
    /// What holds at every door.
    pub doors: DoorRules,
    /// The ways to the outside.
    pub delivery: Delivery,
    /// Asks the outside.
    pub outbound: Outbound,
    /// When tool servers are left alone.
    pub breaker: BreakerRules,
    /// How long calls of tools are kept.
    pub calls_kept: Duration,
    /// Where it is told what requests of the gateway took, if anywhere.
    pub traces: Option<Traces>,
    /// Tokens that settings give its doors.
    pub static_tokens: StaticTokens,
    /// How people sign in through a provider outside, if they do.
    pub oidc: Option<OidcRules>,
    /// Where what goes wrong is counted.
    pub faults: FaultLog,
    /// Looks at settings, files and certificates.
    pub local_checks: LocalChecks,
    /// Bounds.
    pub limits: Limits,
    /// Goes off when the server shuts down.
    pub stop: CancellationToken,
}

/// Looks at how much tools were used, at the same time.
const USAGES_MAX: usize = 2;

/// What every handler shares.
pub struct App {
    pub(crate) engine: Arc<Engine>,
    pub(crate) policy: Current,
    pub(crate) passwords: PasswordPool,
    pub(crate) accounts: AccountRules,
    pub(crate) access_tokens: AccessTokens,
    pub(crate) relying: Relying,
    pub(crate) ceremonies: Ceremonies,
    /// Codes of second factors that were tried, by account.
    pub(crate) code_tries: Tries<UserId>,
    /// Links for new passwords that were written, by account.
    pub(crate) resets: Tries<UserId>,
    pub(crate) node_tokens: NodeTokens,
    pub(crate) challenges: Challenges,
    pub(crate) spent: Mutex<SpentChallenges>,
    pub(crate) authority_pem: String,
    pub(crate) authority_fingerprint: [u8; 32],
    pub(crate) public_url: String,
    pub(crate) hosts: BTreeSet<String>,
    pub(crate) cors_origins: Vec<HeaderValue>,
    pub(crate) client_documents: ClientDocuments,
    pub(crate) outbound: Outbound,
    pub(crate) blocks: Blocks,
    /// Connections by network, for each listener.
    pub(crate) connections: Mutex<Vec<PerAddress>>,
    pub(crate) rates: Rates,
    pub(crate) filter: Filter,
    pub(crate) doors: DoorRules,
    pub(crate) courier: Courier,
    pub(crate) faults: FaultLog,
    /// The provider outside, where there is one.
    pub(crate) oidc: Option<Issuer>,
    /// Logout tokens of it that were heard.
    pub(crate) logouts: Tries<String>,
    pub(crate) local_checks: LocalChecks,
    /// Tool servers, and those who reach them.
    pub(crate) gateway: Arc<Gateway>,
    /// Connections that speak with it.
    pub(crate) channels: Channels,
    /// Where connections that listen on a stream are posted to.
    pub(crate) inboxes: Inboxes,
    /// Tokens that settings give its doors.
    pub(crate) static_tokens: StaticTokens,
    pub(crate) limits: Limits,
    pub(crate) metrics: Metrics,
    pub(crate) refusals: RefusalLog,
    pub(crate) streams: Arc<Semaphore>,
    /// Room for questions to models, in KiB.
    pub(crate) questions: Arc<Semaphore>,
    /// Requests that change something, at the same time: each is a task of its own.
    pub(crate) changes: Arc<Semaphore>,
    /// One catalogue is checked at a time.
    pub(crate) catalogues: Arc<Semaphore>,
    /// Files that are taken in at the same time.
    pub(crate) uploads: Semaphore,
    /// Looks at how much tools were used: each reads many rows.
    pub(crate) usages: Semaphore,
    /// Archives that are being made.
    pub(crate) exports: Exports,
    /// One verification of the audit log at a time.
    pub(crate) verifying: Arc<Semaphore>,
    /// What the last verification found.
    pub(crate) verification: Mutex<Option<AuditVerification>>,
    pub(crate) stop: CancellationToken,
}

impl App {
    /// Puts the parts together.
    pub fn new(parts: AppParts) -> Arc<Self> {
        let limits = parts.limits;
        let issuer = |rules| Issuer::new(rules, &parts.public_url, parts.outbound.clone());
        let oidc = parts.oidc.map(issuer);
        let gateway = parts.engine.gateway(
            parts.outbound.clone(),
            parts.breaker,
            parts.calls_kept,
            parts.public_url.clone(),
            parts.traces,
        );
        let metrics = Metrics::new();
        parts.engine.measure_by(Arc::new(metrics.gen_ai()));
        Arc::new(Self {
            static_tokens: parts.static_tokens,
            passwords: PasswordPool::new(parts.passwords, &limits),
            accounts: parts.accounts,
            access_tokens: parts.access_tokens,
            relying: Relying::new(&parts.public_url),
            ceremonies: Ceremonies::default(),
            code_tries: Tries::new(CODE_TRIES_MAX, CODE_TRIES_WINDOW),
            resets: Tries::new(RESETS_MAX, RESETS_WINDOW),
            engine: parts.engine,
            policy: ArcSwap::from_pointee(InForce {
                policy: parts.policy,
                number: 0,
                source: parts.policy_source,
            }),
            node_tokens: parts.node_tokens,
            challenges: parts.challenges,
            spent: Mutex::default(),
            authority_pem: parts.authority_pem,
            authority_fingerprint: parts.authority_fingerprint,
            public_url: parts.public_url,
            hosts: parts.hosts,
            cors_origins: parts.cors_origins,
            client_documents: parts.client_documents,
            outbound: parts.outbound.clone(),
            blocks: Blocks::new(&parts.doors),
            connections: Mutex::default(),
            rates: Rates::new(&parts.doors),
            filter: Filter::new(&parts.doors.filter),
            doors: parts.doors,
            oidc,
            logouts: Tries::new(1, LOGOUTS_WINDOW),
            courier: Courier::new(parts.delivery, parts.outbound),
            faults: parts.faults,
            local_checks: parts.local_checks,
            gateway,
            channels: Channels::new(&limits),
            inboxes: Inboxes::default(),
            metrics,
            refusals: RefusalLog::default(),
            streams: Arc::new(Semaphore::new(limits.streams_max)),
            questions: Arc::new(Semaphore::new(models::QUESTIONS_KIB_MAX)),
            changes: Arc::new(Semaphore::new(CHANGES_MAX)),
            catalogues: Arc::new(Semaphore::new(1)),
            usages: Semaphore::new(USAGES_MAX),
            uploads: Semaphore::new(UPLOADS_MAX),
            exports: Exports::default(),
            verifying: Arc::new(Semaphore::new(1)),
            verification: Mutex::default(),
            stop: parts.stop,
            limits,
        })
    }

    /// Takes over what the store knows. Called once, before anybody is let in.
    pub async fn prepare(&self) -> Result<(), StoreError> {
        self.blocks.reload(self).await?;
        self.reload_policy().await?;
        self.reload_tools().await
    }

    /// Follows what other orchestrators change, until the server shuts down.
    pub async fn follow_hints(self: Arc<Self>) {
        let mut hints = self.engine.hub().listen();
        loop {
            let hint = tokio::select! {
                () = self.stop.cancelled() => return,
                hint = hints.recv() => hint,
            };
            let (blocks, policy, tools) = match hint {
                Ok(Hint::Resync) | Err(RecvError::Lagged(_)) => (true, true, true),
                Ok(hint) => (hint == Hint::Blocks, hint == Hint::Policy, hint == Hint::Tools),
                Err(RecvError::Closed) => return,
            };
            if blocks && let Err(error) = self.blocks.reload(&self).await {
                tracing::warn!(%error, "the blocked networks could not be read anew");
            }
            if policy && let Err(error) = self.reload_policy().await {
                tracing::error!(%error, "the new policy could not be taken over; the one before holds");
            }
            if tools && let Err(error) = self.reload_tools().await {
                tracing::error!(%error, "the tool servers could not be read anew; those before hold");
            }
        }
    }

    /// What the last verification of the audit log found, if there was one since the start.
    pub(crate) fn last_verification(&self) -> Option<AuditVerification> {
        self.verification.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What is counted and measured.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }
}
