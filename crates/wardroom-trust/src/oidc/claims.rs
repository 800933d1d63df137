//! What tokens of a provider say (OpenID Connect Core 1.0, Back-Channel Logout 1.0).

use super::{KeySet, OidcError, demand};
use crate::secret::same;
use aws_lc_rs::digest;
use data_encoding::BASE64URL_NOPAD;
use jsonwebtoken::Algorithm;
use serde::Deserialize;
use serde_json::{Map, Value};
use wardroom_core::Timestamp;

/// Difference of clocks that is put up with, in seconds.
const LEEWAY: f64 = 60.0;
/// How old a logout token may be, in seconds.
const LOGOUT_AGE_MAX: f64 = 600.0;
/// The longest subject (OIDC Core §2), in characters.
const SUBJECT_CHARS_MAX: usize = 255;
const LOGOUT_EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// A text or a list of texts (RFC 7519 §4.1.3).
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    fn all(&self) -> &[String] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(all) => all,
        }
    }
}

/// What an ID token says.
#[derive(Debug, Clone, Deserialize)]
pub struct IdToken {
    /// Who, at this issuer.
    pub sub: String,
    /// The issuer's session, if it says so.
    pub sid: Option<String>,
    aud: OneOrMany,
    azp: Option<String>,
    exp: f64,
    iat: f64,
    nonce: Option<String>,
    at_hash: Option<String>,
    auth_time: Option<f64>,
    #[serde(default)]
    amr: Vec<String>,
    /// Everything else.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

impl IdToken {
    /// Whether several factors were shown (RFC 8176 §2).
    pub fn is_multi_factor(&self) -> bool {
        self.amr.iter().any(|method| method == "mfa")
    }

    /// Whether they proved who they are within `seconds` before `now`. Where the issuer does not say, they did not.
    pub fn is_fresh(&self, now: Timestamp, seconds: u32) -> bool {
        self.auth_time.is_some_and(|at| seconds_of(now) - at <= f64::from(seconds) + LEEWAY)
    }
}

/// What a logout token says.
#[derive(Debug, Clone, Deserialize)]
pub struct LogoutToken {
    /// Whose sessions end.
    pub sub: Option<String>,
    /// Which of the issuer's sessions ended.
    pub sid: Option<String>,
    /// Its id: it counts once.
    pub jti: String,
    iat: f64,
    exp: Option<f64>,
    #[serde(default)]
    events: Map<String, Value>,
    nonce: Option<Value>,
}

/// What a session token of the issuer says that is taken as a proof with each request.
#[derive(Debug, Clone, Deserialize)]
pub struct SessionToken {
    /// Who, at this issuer.
    pub sub: String,
    exp: f64,
    nbf: Option<f64>,
    iat: Option<f64>,
    azp: Option<String>,
    /// Everything else.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

impl SessionToken {
    /// Until when it is good.
    pub fn ends_at(&self) -> Timestamp {
        Timestamp::from_micros((self.exp * 1e6) as i64)
    }
}

/// Verifies what one provider says to one client.
#[derive(Debug, Clone)]
pub struct Verifier {
    /// The issuer, as it names itself.
    pub issuer: String,
    /// What we are called there.
    pub client_id: String,
    /// The audience of session tokens.
    pub session_audience: Option<String>,
    /// Origins that session tokens may have been made for (`azp`).
    pub session_parties: Vec<String>,
}

fn seconds_of(now: Timestamp) -> f64 {
    now.as_micros() as f64 / 1e6
}

fn check_times(
    now: f64,
    exp: Option<f64>,
    nbf: Option<f64>,
    iat: Option<f64>,
) -> Result<(), OidcError> {
    demand(exp.is_none_or(|exp| now < exp + LEEWAY), "it has ended")?;
    demand(nbf.is_none_or(|nbf| nbf <= now + LEEWAY), "it is not valid yet")?;
    demand(iat.is_none_or(|iat| iat <= now + LEEWAY), "it was made in the future")
}

fn check_subject(sub: &str) -> Result<(), OidcError> {
    demand(!sub.is_empty() && sub.chars().count() <= SUBJECT_CHARS_MAX, "its subject is not usable")
}

impl Verifier {
    /// An ID token (OIDC Core §3.1.3.7) that answers `nonce` and came with `access_token`.
    pub fn id_token(
        &self,
        keys: &KeySet,
        token: &str,
        nonce: &str,
        access_token: &str,
        now: Timestamp,
    ) -> Result<IdToken, OidcError> {
        let data = keys.open::<IdToken>(token, &self.issuer, Some(&self.client_id))?;
        // SECURITY: a logout token or an access token of the same issuer is no ID token.
        let kind = data.header.typ.as_deref().unwrap_or("JWT");
        demand(kind.eq_ignore_ascii_case("JWT"), "it is another kind of token")?;
        let claims = data.claims;
        demand(!claims.more.contains_key("events"), "it is another kind of token")?;
        check_subject(&claims.sub)?;
        let azp = claims.azp.as_ref();
        demand(
            claims.aud.all().len() == 1 || azp.is_some(),
            "it is for several, and says not for whom",
        )?;
        demand(azp.is_none_or(|azp| *azp == self.client_id), "it was made for another client")?;
        check_times(seconds_of(now), Some(claims.exp), None, Some(claims.iat))?;
        let answers = claims.nonce.as_deref().is_some_and(|own| same(own, nonce));
        demand(answers, "it does not answer this sign-in")?;
        if let Some(hash) = &claims.at_hash {
            let wanted = left_half(data.header.alg, access_token);
            demand(same(hash, &wanted), "it does not belong to its access token")?;
        }
        Ok(claims)
    }

    /// A logout token (Back-Channel Logout §2.6). The caller sees to it that it counts once.
    pub fn logout_token(
        &self,
        keys: &KeySet,
        token: &str,
        now: Timestamp,
    ) -> Result<LogoutToken, OidcError> {
        let data = keys.open::<LogoutToken>(token, &self.issuer, Some(&self.client_id))?;
        let kind = data.header.typ.unwrap_or_else(|| "logout+jwt".to_owned()).to_ascii_lowercase();
        let kind = kind.strip_prefix("application/").unwrap_or(&kind);
        demand(matches!(kind, "logout+jwt" | "jwt"), "it is another kind of token")?;
        let claims = data.claims;
        check_times(seconds_of(now), claims.exp, None, Some(claims.iat))?;
        demand(claims.iat + LOGOUT_AGE_MAX > seconds_of(now), "it is too old")?;
        demand(claims.nonce.is_none(), "it has a nonce, which is forbidden")?;
        let event = claims.events.get(LOGOUT_EVENT).is_some_and(Value::is_object);
        demand(event, "it tells of no logout")?;
        demand(claims.sub.is_some() || claims.sid.is_some(), "it says nobody's")?;
        Ok(claims)
    }

    /// A session token, as those of Clerk are.
    pub fn session_token(
        &self,
        keys: &KeySet,
        token: &str,
        now: Timestamp,
    ) -> Result<SessionToken, OidcError> {
        // SECURITY: without an audience, the party is all that binds the token to this installation.
        let bound = self.session_audience.is_some() || !self.session_parties.is_empty();
        demand(bound, "session tokens are not taken here")?;
        let audience = self.session_audience.as_deref();
        let data = keys.open::<SessionToken>(token, &self.issuer, audience)?;
        let kind = data.header.typ.unwrap_or_else(|| "jwt".to_owned()).to_ascii_lowercase();
        demand(
            matches!(kind.as_str(), "jwt" | "at+jwt" | "application/at+jwt"),
            "it is another kind of token",
        )?;
        let claims = data.claims;
        check_subject(&claims.sub)?;
        if !self.session_parties.is_empty() {
            let made_for =
                claims.azp.as_ref().is_some_and(|azp| self.session_parties.contains(azp));
            demand(made_for, "it was made for another party")?;
        }
        let other = ["nonce", "events"].iter().any(|name| claims.more.contains_key(*name));
        demand(!other, "it is another kind of token")?;
        check_times(seconds_of(now), Some(claims.exp), claims.nbf, claims.iat)?;
        Ok(claims)
    }
}

/// The left half of an access token's hash, by the algorithm of the ID token (OIDC Core §3.1.3.6).
fn left_half(algorithm: Algorithm, token: &str) -> String {
    let hash = match algorithm {
        Algorithm::RS384 | Algorithm::PS384 | Algorithm::ES384 => &digest::SHA384,
        Algorithm::RS512 | Algorithm::PS512 | Algorithm::EdDSA => &digest::SHA512,
        _ => &digest::SHA256,
    };
    let full = digest::digest(hash, token.as_bytes());
    let (half, _) = full.as_ref().split_at(full.as_ref().len() / 2);
    BASE64URL_NOPAD.encode(half)
}
