//! Tokens for tool servers that take OAuth 2.1 (MCP, «Authorization»): the gateway's own, and those of people who
//! connected their accounts. Nobody's token is passed on, and none is good for another server than it was given for.

mod account;
mod challenge;
mod connect;
mod discover;
mod exchange;

pub use account::SEAL_TOKENS;
pub use challenge::Denial;
pub(crate) use connect::Attempt;
pub use connect::{AccountAnswer, client_document};

use self::{
    discover::{Found, Issuer},
    exchange::{OwnClient, Token},
};
use super::{Ask, Failure, Upstream, endpoint::Endpoint};
use reqwest::header::AUTHORIZATION;
use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use wardroom_core::{
    UserId,
    tool::server::{OauthParty, Shown, Way},
};

/// How long it is taken who gives tokens, without asking again.
const FRESH: Duration = Duration::from_secs(600);
/// Scopes that a server names, and those that it may ask for beyond them.
const NAMED_MAX: usize = 64;
const MORE_MAX: usize = 32;

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
#[error("{why}")]
pub struct Problem {
    why: String,
    /// Whether it will be the same the next time.
    lost: bool,
}

impl Problem {
    pub(crate) fn new(why: impl Into<String>) -> Self {
        Self { why: why.into(), lost: false }
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self::NoToken(problem.why)
    }
}

/// What is known of who lets the gateway in at one tool server.
#[derive(Default)]
pub(super) struct Authorization {
    found: tokio::sync::Mutex<Option<(Instant, Arc<Found>)>>,
    /// The gateway's own token.
    own: tokio::sync::Mutex<Option<Token>>,
    /// An account is renewed by one who wants it; the others wait.
    renewing: Mutex<HashMap<UserId, Arc<tokio::sync::Mutex<()>>>>,
    /// What the server said when it last let nobody in.
    denial: Mutex<Denial>,
    /// Scopes that it asked for beyond the first ones.
    more: Mutex<BTreeSet<String>>,
}

impl Authorization {
    /// Takes note of a refusal. Whether it asks for scopes that were not asked for yet.
    fn heed(&self, denial: &Denial) -> bool {
        let mut more = self.more.lock().unwrap_or_else(PoisonError::into_inner);
        let before = more.len();
        if denial.wants_more {
            let room = MORE_MAX.saturating_sub(before);
            let new: Vec<_> =
                denial.scopes.iter().filter(|one| !more.contains(*one)).cloned().collect();
            more.extend(new.into_iter().take(room));
        }
        let grown = more.len() > before;
        drop(more);
        self.denial.lock().unwrap_or_else(PoisonError::into_inner).clone_from(denial);
        grown
    }
}

impl Authorization {
    /// Whoever holds it renews somebody's account.
    fn turn(&self, user: UserId) -> Arc<tokio::sync::Mutex<()>> {
        let mut all = self.renewing.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, turn| Arc::strong_count(turn) > 1);
        Arc::clone(all.entry(user).or_default())
    }

    /// The authorization server does not know what the tool server asked for.
    fn ask_for_less(&self) {
        self.more.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

impl Upstream {
    /// A token for the server, and whose it is: something that is another for everybody who has one.
    pub(super) async fn token(&self, person: Option<UserId>) -> Result<(String, String), Failure> {
        match &self.server.shown {
            Shown::Client { client, scopes } => {
                Ok((self.own_token(client, scopes).await?, String::new()))
            }
            // What the gateway wants to know itself, it asks as whoever registered the server.
            _ => self.person_token(person.unwrap_or(self.server.created_by)).await,
        }
    }

    async fn own_token(&self, client: &OauthParty, scopes: &[String]) -> Result<String, Failure> {
        // Held over the request: one asks, the others wait.
        let mut own = self.authorization.own.lock().await;
        let now = self.parts.clock.now();
        if let Some(token) = own.as_ref().filter(|token| token.is_fresh(now)) {
            return Ok(token.access.clone());
        }
        let found = self.found(Some(client)).await?;
        let secret = self.secret(client.secret.as_deref().unwrap_or_default()).await?;
        let party = OwnClient::known(&client.id, Some(secret), &found.issuer);
        let scopes = self.scopes(scopes, &found).join(" ");
        let mut form =
            vec![("grant_type", "client_credentials"), ("resource", found.resource.as_str())];
        if !scopes.is_empty() {
            form.push(("scope", &scopes));
        }
        let endpoint = &found.issuer.token_endpoint;
        let token = party.ask(&self.outbound, endpoint, &form, now).await;
        if token.as_ref().is_err_and(|problem| problem.why.contains("invalid_scope")) {
            self.authorization.ask_for_less();
        }
        let token = token?;
        Ok(own.insert(token).access.clone())
    }

    /// What would make a request that was refused come through: whether it is worth trying again. `used` was shown.
    async fn renew(
        &self,
        person: Option<UserId>,
        used: &str,
        denial: &Denial,
    ) -> Result<bool, Failure> {
        let grown = self.authorization.heed(denial);
        let more = denial.status == 403 && grown;
        match &self.server.shown {
            Shown::Client { .. } if denial.status == 401 || more => {
                *self.authorization.found.lock().await = None;
                let mut own = self.authorization.own.lock().await;
                if own.as_ref().is_some_and(|token| token.access == used) {
                    *own = None;
                }
                Ok(true)
            }
            Shown::Account { .. } if denial.status == 401 => {
                self.renew_account(person.unwrap_or(self.server.created_by), used).await?;
                Ok(true)
            }
            Shown::Account { .. } if denial.wants_more => Err(self.no_account(
                "the tool server wants your account for more than you have let the gateway use it",
            )),
            _ => Ok(false),
        }
    }

    /// Whether something else is shown now, after it let nobody in.
    pub(super) async fn shows_another(
        &self,
        endpoint: &Endpoint,
        ask: &Ask,
        denial: &Denial,
    ) -> Result<bool, Failure> {
        let Endpoint::Http(http) = endpoint else { return Ok(false) };
        let used = http.shown.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let used = used.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
        self.renew(ask.person, used, denial).await
    }

    /// Where each caller shows what is their own, a refusal says nothing of the server.
    pub(super) fn of_whom(&self, failure: Failure) -> Failure {
        match failure {
            Failure::Denied(denial) if self.server.shown.is_each_callers() => {
                self.no_account(&format!("the tool server does not take your account ({denial})"))
            }
            failure => failure,
        }
    }

    /// Who gives tokens for the server.
    async fn found(&self, client: Option<&OauthParty>) -> Result<Arc<Found>, Problem> {
        let mut kept = self.authorization.found.lock().await;
        if let Some((at, found)) = &*kept
            && at.elapsed() < FRESH
        {
            return Ok(Arc::clone(found));
        }
        let Way::Http { url, .. } = &self.server.way else {
            return Err(Problem::new("a process is shown no tokens"));
        };
        let denial =
            self.authorization.denial.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let told = client.map(|client| client.issuer.as_str());
        let found = Found::look(&self.outbound, url, &denial, told).await?;
        Ok(Arc::clone(&kept.insert((Instant::now(), Arc::new(found))).1))
    }

    /// What is asked for: what people say, otherwise what the server does, now and since.
    fn scopes(&self, told: &[String], found: &Found) -> Vec<String> {
        if !told.is_empty() {
            return told.to_vec();
        }
        let mut all: Vec<String> = found.scopes.iter().take(NAMED_MAX).cloned().collect();
        let more = self.authorization.more.lock().unwrap_or_else(PoisonError::into_inner);
        let new: Vec<String> = more.iter().filter(|one| !all.contains(one)).cloned().collect();
        all.extend(new);
        all
    }

    fn no_account(&self, why: &str) -> Failure {
        let page = format!("{}/tool-accounts", self.parts.public_url);
        Failure::NoAccount { why: why.to_owned(), page }
    }
}
