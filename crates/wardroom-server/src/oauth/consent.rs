//! Who may grant what, and the code that carries it.

use super::{
    Ask, Parameters, Unasked,
    ask::nobody,
    error::{Code, Refusal},
};
use crate::{
    context::{Authorised, Ctx},
    error::ApiError,
};
use secrecy::ExposeSecret as _;
use std::time::Duration;
use wardroom_core::{
    Action,
    action::Resource,
    identity::SessionKind,
    oauth::{Grant, OauthCode},
};
use wardroom_trust::secret::CodeSecret;
use wardroom_wire::error::ErrorCode;

/// How long a code is good (RFC 6749 §4.1.2).
const CODE_TTL: Duration = Duration::from_secs(60);

/// A program's request, put before a person who may answer it.
pub(crate) struct Question {
    /// What is asked for: of it, what the person may do themselves.
    pub(crate) ask: Ask,
    allowed: Authorised,
}

impl Question {
    /// Puts it before the caller: somebody in a browser who lately proved who they are, and whom policy lets grant.
    pub(crate) async fn put(ctx: &Ctx, query: &str) -> Result<Self, Unasked> {
        let resource = Resource::user(ctx.account().id);
        let allowed = ctx.authorise(Action::GrantCreate, &resource).await.map_err(Unasked::Here)?;
        if ctx.session().is_none_or(|session| session.kind != SessionKind::Browser) {
            let said = "Only a person in a browser can grant this.";
            return Err(Unasked::Here(ApiError::say(ErrorCode::Forbidden, said)));
        }
        let parameters = Parameters::read(query.as_bytes());
        let named = parameters.get("client_id").unwrap_or_default();
        let client = ctx.app.asking_client(ctx, named).await.map_err(Unasked::Here)?;
        let client = client.ok_or_else(|| nobody(named))?;
        let mut ask = Ask::read(&ctx.app, client, &parameters)?;
        ask.scopes.retain(|scope| scope.parse().is_ok_and(|action: Action| ctx.may(action)));
        if ask.scopes.is_empty() {
            let said = "the person may do nothing of what was asked for";
            let refusal = Refusal::new(Code::AccessDenied, said);
            return Err(ask.unasked(&ctx.app, &refusal));
        }
        Ok(Self { ask, allowed })
    }

    /// The address that tells the program that the person did not grant it.
    pub(crate) fn denied(&self, ctx: &Ctx) -> String {
        let refusal = Refusal::new(Code::AccessDenied, "the person did not grant it");
        self.ask.refuse(&ctx.app, &refusal)
    }

    /// Who asks, in the words that the person was shown: a program that nobody registered may say something else of
    /// itself by the time that they answer.
    pub(crate) fn asker(&self) -> String {
        format!("{} {}", self.ask.redirect_uri, self.ask.client.name)
    }

    /// Grants of it what was `shown`, by the actions' names: what policy came to allow since then was not, and where
    /// nothing is left it is denied. Gives the address that brings the program the answer.
    pub(crate) async fn granted(&self, ctx: &Ctx, shown: &str) -> Result<String, ApiError> {
        let shown: Vec<&str> = shown.split(' ').collect();
        let is_shown = |scope: &&String| shown.contains(&scope.as_str());
        let scopes: Vec<String> = self.ask.scopes.iter().filter(is_shown).cloned().collect();
        if scopes.is_empty() {
            return Ok(self.denied(ctx));
        }
        let session = ctx.session().ok_or_else(|| ApiError::new(ErrorCode::Forbidden))?;
        let engine = &ctx.app.engine;
        let secret = CodeSecret::generate(engine.rng());
        let code = OauthCode {
            secret_hash: secret.hash(),
            user: session.user,
            session: session.id,
            grant: Grant {
                client: self.ask.client.id,
                scopes,
                resource: self.ask.resource.clone(),
            },
            redirect_uri: self.ask.redirect_uri.clone(),
            challenge: self.ask.challenge.clone(),
            expires_at: ctx.now().plus(CODE_TTL),
        };
        engine.add_oauth_code(code, &self.ask.client, self.allowed.draft(ctx)).await?;
        Ok(self.ask.answer(&ctx.app, &[("code", secret.expose().expose_secret())]))
    }
}
