//! Which program asks.

use super::{
    Parameters,
    error::{Code, OauthError, Refusal},
};
use crate::{App, error::ApiError, middleware::RequestInfo};
use axum::http::{HeaderMap, header};
use data_encoding::BASE64;
use subtle::ConstantTimeEq as _;
use wardroom_core::{
    OauthClientId, Principal,
    audit::{AuditDraft, AuditOutcome},
    oauth::OauthClient,
};
use wardroom_trust::secret::ClientSecret;

/// The program that asks: by its secret in the `Authorization` header or in the form, or by its name alone where it
/// keeps none (RFC 6749 §2.3, §3.2.1).
pub(super) async fn authenticate(
    app: &App,
    info: &RequestInfo,
    headers: &HeaderMap,
    parameters: &Parameters,
) -> Result<OauthClient, OauthError> {
    let named = parameters.get("client_id");
    let (id, secret) = match headers.get(header::AUTHORIZATION) {
        Some(value) => {
            let Some((id, secret)) = basic(value.as_bytes()) else {
                return refuse(app, info, None).await;
            };
            if parameters.get("client_secret").is_some() || named.is_some_and(|named| named != id) {
                return Err(Refusal::request("the client names itself in two ways").into());
            }
            (id, Some(secret))
        }
        None => {
            let secret = parameters.get("client_secret").map(str::to_owned);
            (parameters.need("client_id")?.to_owned(), secret)
        }
    };
    match app.known_client(&id).await? {
        Some(client) if proves(&client, secret.as_deref()) => Ok(client),
        other => refuse(app, info, other.map(|client| client.id)).await,
    }
}

impl App {
    /// The program that names itself so, as far as it is known here.
    pub(super) async fn known_client(&self, named: &str) -> Result<Option<OauthClient>, ApiError> {
        let store = self.engine.store();
        Ok(match named.parse() {
            // SECURITY: one that has a document is known by that alone: it may say something else now.
            Ok(id) => store.lookup_oauth_client(id).await?.filter(|known| known.document.is_none()),
            Err(_) => store.lookup_oauth_client_by_document(named).await?,
        })
    }
}

/// SECURITY: one that keeps a secret must show it, and one that keeps none has none to show.
fn proves(client: &OauthClient, shown: Option<&str>) -> bool {
    match (client.secret_hash, shown) {
        (Some(kept), Some(shown)) => {
            ClientSecret::parse(shown).is_ok_and(|shown| shown.hash().0.ct_eq(&kept.0).into())
        }
        (None, None) => true,
        (None, Some(_)) | (Some(_), None) => false,
    }
}

/// Name and secret out of `Basic …`, each encoded as a form's value.
fn basic(value: &[u8]) -> Option<(String, String)> {
    let (scheme, coded) = std::str::from_utf8(value).ok()?.split_once(' ')?;
    let plain = BASE64.decode(coded.trim().as_bytes()).ok()?;
    let (id, secret) = std::str::from_utf8(&plain).ok()?.split_once(':')?;
    let decoded = |text: &str| {
        let mut pairs = form_urlencoded::parse(text.as_bytes());
        let (name, value) = pairs.next()?;
        (value.is_empty() && pairs.next().is_none() && !text.contains('='))
            .then(|| name.into_owned())
    };
    scheme.eq_ignore_ascii_case("basic").then_some((decoded(id)?, decoded(secret)?))
}

async fn refuse(
    app: &App,
    info: &RequestInfo,
    client: Option<OauthClientId>,
) -> Result<OauthClient, OauthError> {
    let now = app.engine.now();
    let audit = AuditDraft::event("auth.client", &Principal::Anonymous, &info.origin(), now)
        .outcome(AuditOutcome::Refused, "the client is not known or did not prove which one it is");
    let audit = match client {
        Some(id) => audit.on(id),
        None => audit,
    };
    app.refusals.record(app, audit).await?;
    let said = "the client is not known here, or did not prove which one it is";
    Err(Refusal::new(Code::InvalidClient, said).into())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_name_and_a_secret_come_out_of_a_header() {
        let header = |text: &str| format!("Basic {}", BASE64.encode(text.as_bytes()));
        let pair = |text: &str| basic(header(text).as_bytes());
        assert_eq!(pair("client_1:a%3Ab+c"), Some(("client_1".into(), "a:b c".into())));
        for bad in ["client_1", "client_1:a&b", "client_1:a=b", "client_1:a=", ":"] {
            assert_eq!(pair(bad), None, "{bad}");
        }
        assert_eq!(basic(b"Bearer abc"), None);
        assert_eq!(basic(b"Basic \xff"), None);
        assert_eq!(basic(b"Basic ==="), None);
    }
}
