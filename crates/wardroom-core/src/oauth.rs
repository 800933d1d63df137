//! Programs of others that act in somebody's name: OAuth 2.1 clients, what they were granted, and the codes by
//! which they come by it.

use crate::{
    Action, OauthClientId, SessionId, Timestamp, UserId, field::FieldError, identity::SecretHash,
};
use std::collections::BTreeSet;
use url::{Host, Url};

/// The longest name, in characters.
const NAME_CHARS_MAX: usize = 64;
/// The longest address, in bytes.
const URI_BYTES_MAX: usize = 500;
/// The most addresses of one client.
const URIS_MAX: usize = 10;
/// The most clients that are kept.
pub const CLIENTS_MAX: usize = 1000;
/// The most of them that nobody registered: they are known by documents of their own.
pub const DOCUMENTS_MAX: usize = 200;
/// The most of these that one account was the first to grant something.
pub const DOCUMENTS_OF_ONE_MAX: usize = 20;
/// The most grants of one account to one client; the oldest ends when there would be one more.
pub const GRANTS_MAX: usize = 20;
/// The most sessions that a client has at a time in which it acts by itself; each is as short as an access token.
pub const ALONE_MAX: usize = 100;

/// A program that may ask for grants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OauthClient {
    /// The client, as it names itself unless it has a document.
    pub id: OauthClientId,
    /// The address of the document in which it says itself what it is, by which it names itself then (OAuth Client ID
    /// Metadata Document, draft 00).
    pub document: Option<String>,
    /// What people know it by.
    pub name: String,
    /// Hash of its secret; a program on somebody's own machine can keep none.
    pub secret_hash: Option<SecretHash>,
    /// Where codes may be sent, each as it was registered.
    pub redirect_uris: Vec<String>,
    /// The names of the actions that it may ask for, sorted.
    pub scopes: Vec<String>,
    /// The account as which it acts when nobody is there to ask.
    pub acts_as: Option<UserId>,
    /// Who registered it, or first granted it something where it has a document.
    pub created_by: UserId,
    /// When.
    pub created_at: Timestamp,
}

/// What a client may do in somebody's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The client.
    pub client: OauthClientId,
    /// The names of the actions, sorted. Never empty.
    pub scopes: Vec<String>,
    /// Where it is good, as a URL (RFC 8707).
    pub resource: String,
}

impl Grant {
    /// Whether `action` was granted.
    pub fn covers(&self, action: Action) -> bool {
        is_grantable(action) && self.scopes.iter().any(|scope| scope == action.as_str())
    }
}

/// A single-use code that a browser brings to a client, which exchanges it for a grant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OauthCode {
    /// Hash of the code.
    pub secret_hash: SecretHash,
    /// Who granted it.
    pub user: UserId,
    /// In which session; the code ends with it.
    pub session: SessionId,
    /// What was granted.
    pub grant: Grant,
    /// Where the code was sent.
    pub redirect_uri: String,
    /// SHA-256 of what only the client knows that asked (RFC 7636), in base64url.
    pub challenge: String,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// Whether anybody's program may be granted `action`: nothing that wants a fresh proof of who asks, and nothing by
/// which one proves it or ends what proves it elsewhere.
pub fn is_grantable(action: Action) -> bool {
    let of_proofs = matches!(
        action,
        Action::SessionProve
            | Action::SessionEnd
            | Action::SessionRevoke
            | Action::PasswordChange
            | Action::TokenRevoke
    );
    !action.needs_fresh_proof() && !of_proofs
}

/// Scopes out of names of actions: sorted, each once.
pub fn scopes<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Vec<String>, FieldError> {
    let mut found = BTreeSet::new();
    for name in names {
        let action: Action =
            name.parse().map_err(|error| FieldError::new("scopes", format!("{error}")))?;
        if !is_grantable(action) {
            let reason = format!("{action} is for a person alone: it can't be granted");
            return Err(FieldError::new("scopes", reason));
        }
        found.insert(action.as_str().to_owned());
    }
    Ok(found.into_iter().collect())
}

impl OauthClient {
    /// Checks what people say of it.
    pub fn check(&self) -> Result<(), FieldError> {
        let count = self.name.chars().count();
        let seen = self.name.chars().any(char::is_alphanumeric);
        if count > NAME_CHARS_MAX || !seen || self.name.chars().any(misleads) {
            let reason = format!(
                "must be 1 to {NAME_CHARS_MAX} characters, all of them seen, with a letter or digit"
            );
            return Err(FieldError::new("name", reason));
        }
        if self.scopes.is_empty() {
            let reason = "must name at least one action, such as run.list";
            return Err(FieldError::new("scopes", reason));
        }
        // One that did both would, with many sessions of its own, end those that people granted it.
        if self.redirect_uris.is_empty() == self.acts_as.is_none() {
            let reason =
                "must name where codes are sent, or else the client must act as an account";
            return Err(FieldError::new("redirect_uris", reason));
        }
        if self.acts_as.is_some() && self.secret_hash.is_none() {
            let reason = "needs a client that keeps a secret";
            return Err(FieldError::new("acts_as", reason));
        }
        if self.redirect_uris.len() > URIS_MAX {
            let reason = format!("must be at most {URIS_MAX}");
            return Err(FieldError::new("redirect_uris", reason));
        }
        self.redirect_uris.iter().try_for_each(|uri| check_redirect(uri))
    }

    /// Whether it is kept as it says of itself now.
    pub fn is_kept_as(&self, said: &Self) -> bool {
        (&self.name, &self.redirect_uris, &self.scopes)
            == (&said.name, &said.redirect_uris, &said.scopes)
    }

    /// Whether codes may be sent to `uri`: one that was registered, letter by letter, but for the port of a program
    /// on the same machine, which takes whichever is free (RFC 8252 §7.3).
    pub fn redirects_to(&self, uri: &str) -> bool {
        uri.len() <= URI_BYTES_MAX
            && self.redirect_uris.iter().any(|registered| {
                registered == uri
                    || without_port(registered)
                        .is_some_and(|known| without_port(uri) == Some(known))
            })
    }
}

/// An address on the same machine, without its port.
fn without_port(uri: &str) -> Option<Url> {
    let mut url = Url::parse(uri).ok().filter(|url| url.scheme() == "http" && is_loopback(url))?;
    let plain = is_plain(&url, uri);
    url.set_port(None).ok()?;
    plain.then_some(url)
}

/// Whether `uri` is the one spelling of `url`, the slash of an empty path aside.
fn is_plain(url: &Url, uri: &str) -> bool {
    url.as_str() == uri || url.as_str().strip_suffix('/') == Some(uri)
}

/// Whether a character is not seen, or turns those around it: controls, the code points that are ignored by default
/// (Unicode Standard Annex #44, `Default_Ignorable_Code_Point`), separators of lines and the empty braille pattern.
fn misleads(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
            | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}' | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}'
        )
}

/// Whether an address is on the same machine.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// Checks an address that codes are to be sent to.
fn check_redirect(uri: &str) -> Result<(), FieldError> {
    let wrong = |reason: &str| FieldError::new("redirect_uris", format!("{uri:?} {reason}"));
    if uri.len() > URI_BYTES_MAX || !uri.bytes().all(|byte| byte.is_ascii_graphic()) {
        let reason = format!("must be URLs of at most {URI_BYTES_MAX} characters");
        return Err(FieldError::new("redirect_uris", reason));
    }
    let url = Url::parse(uri).map_err(|_| wrong("is no URL"))?;
    // What a browser reads must be what somebody reads who registers it.
    if !is_plain(&url, uri) {
        return Err(wrong(&format!("means {url}: register that")));
    }
    if url.fragment().is_some() || !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("must have no fragment and no name in it"));
    }
    match url.scheme() {
        "https" => Ok(()),
        "http" if is_loopback(&url) => Ok(()),
        "http" => Err(wrong("must be https, unless it is on the same machine")),
        // RFC 8252 §7.1: a name that its owner has in the domain name system, the other way round.
        scheme if scheme.contains('.') && !url.cannot_be_a_base() => Ok(()),
        _ => Err(wrong("must be https, or a private scheme such as com.example.app:/callback")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn client(redirect_uris: &[&str]) -> OauthClient {
        OauthClient {
            id: OauthClientId::from_uuid(uuid::Uuid::nil()),
            document: None,
            name: "Chart".to_owned(),
            secret_hash: None,
            redirect_uris: redirect_uris.iter().map(|uri| (*uri).to_owned()).collect(),
            scopes: vec!["run.list".to_owned()],
            acts_as: None,
            created_by: UserId::from_uuid(uuid::Uuid::nil()),
            created_at: Timestamp::from_micros(0),
        }
    }

    #[test]
    fn codes_go_where_nobody_else_listens() {
        for good in [
            "https://chart.example/cb?a=1",
            "http://127.0.0.1/cb",
            "http://[::1]:8080/cb",
            "http://localhost:3000/cb",
            "com.example.chart:/cb",
        ] {
            assert_eq!(client(&[good]).check(), Ok(()), "{good}");
            assert!(client(&[good]).redirects_to(good), "{good}");
        }
        for bad in [
            "http://chart.example/cb",
            "https://chart.example/cb#x",
            "https://ann@chart.example/cb",
            "https://chart.example/c b",
            "javascript:alert(1)",
            "data:text/html,x",
            "com.example.chart:cb",
            "chart:/cb",
            "https://@evil.example/cb",
            "https://good.example\\@evil.example/cb",
            "https:evil.example/cb",
            "http://127.1/cb",
            "https://CHART.example/cb",
            "/cb",
            "",
        ] {
            assert!(client(&[bad]).check().is_err(), "{bad}");
        }
        let named =
            |name: &str| OauthClient { name: name.to_owned(), ..client(&["https://a.example/"]) };
        assert!(named("Chart Room ü").check().is_ok());
        for bad in [
            "",
            "\u{200b}",
            "\u{2800}",
            "\u{3164}",
            "Chart\u{e0041}",
            "…",
            "Chart\u{202e}mooR",
            "a\nb",
        ] {
            assert!(named(bad).check().is_err(), "{bad:?}");
        }
        assert!(client(&[]).check().is_err(), "nowhere");
        assert!(client(&["https://a.example/"; 11]).check().is_err(), "too many");
    }

    #[test]
    fn only_the_port_of_the_same_machine_may_differ() {
        let local = client(&["http://127.0.0.1/cb"]);
        assert!(local.redirects_to("http://127.0.0.1:51004/cb"));
        for other in [
            "http://127.0.0.1:51004/cb/more",
            "http://127.0.0.1:51004/cb?x=1",
            "http://127.1:51004/cb",
            "http://127.0.0.2/cb",
            "http://localhost/cb",
            "https://127.0.0.1/cb",
            "http://a@127.0.0.1/cb",
        ] {
            assert!(!local.redirects_to(other), "{other}");
        }
        let far = client(&["https://chart.example/cb"]);
        for other in [
            "https://chart.example:8443/cb",
            "https://chart.example/cb/",
            "https://chart.example/CB",
            "https://chart.example.evil.example/cb",
            "https://chart.example/cb?x",
        ] {
            assert!(!far.redirects_to(other), "{other}");
        }
    }

    #[test]
    fn what_people_are_asked_for_is_a_sentence() {
        for action in Action::ALL.iter().filter(|action| is_grantable(**action)) {
            let about = action.about();
            let whole = about.starts_with(char::is_uppercase) && about.ends_with('.');
            assert!(whole && about.len() <= 120, "{action}: {about:?}");
        }
    }

    #[test]
    fn who_acts_alone_keeps_a_secret_and_nothing_that_proves_is_granted() {
        let alone =
            OauthClient { acts_as: Some(UserId::from_uuid(uuid::Uuid::nil())), ..client(&[]) };
        assert!(alone.check().is_err());
        let kept = OauthClient { secret_hash: Some(SecretHash([0; 32])), ..alone };
        assert_eq!(kept.check(), Ok(()));
        assert!(OauthClient { scopes: vec![], ..kept.clone() }.check().is_err());
        let both = vec!["https://chart.example/".to_owned()];
        assert!(OauthClient { redirect_uris: both, ..kept }.check().is_err(), "one or the other");
        assert_eq!(scopes(["run.read", "run.list", "run.read"]).unwrap(), ["run.list", "run.read"]);
        for bad in ["token.create", "session.end", "session.prove", "run.walk", ""] {
            assert!(scopes([bad]).is_err(), "{bad}");
        }
        let grant = Grant {
            client: OauthClientId::from_uuid(uuid::Uuid::nil()),
            scopes: vec!["run.list".to_owned(), "token.create".to_owned()],
            resource: String::new(),
        };
        assert!(grant.covers(Action::RunList));
        assert!(!grant.covers(Action::RunRead) && !grant.covers(Action::TokenCreate));
    }
}
