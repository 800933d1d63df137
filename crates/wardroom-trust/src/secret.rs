//! Opaque secrets: a prefix that tells what they are, 256 random bits, and a checksum of both by which a secret
//! scanner knows one for certain without asking anybody. Only their SHA-256 is kept.

use data_encoding::BASE64URL_NOPAD;
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq as _;
use uuid::Uuid;
use wardroom_core::{JoinTokenId, Rng, digest::sha256, identity::SecretHash};

/// A text that is not a secret of the wanted kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the text does not have the form of {0}")]
pub struct SecretError(&'static str);

/// 43 characters of base64url: 32 bytes.
const TEXT_LENGTH: usize = 43;

/// 256 random bits as text.
pub fn random_text(rng: &dyn Rng) -> String {
    let mut bytes = zeroize::Zeroizing::new([0_u8; 32]);
    rng.fill(&mut *bytes);
    BASE64URL_NOPAD.encode(&*bytes)
}

/// The 32 bytes of a text in its one canonical spelling.
fn bytes_of(text: &str) -> Option<[u8; 32]> {
    if text.len() != TEXT_LENGTH {
        return None;
    }
    BASE64URL_NOPAD.decode(text.as_bytes()).ok()?.try_into().ok()
}

/// Whether two texts are the same, in a time that tells nothing of where they differ.
pub(crate) fn same(a: &str, b: &str) -> bool {
    a.as_bytes().ct_eq(b.as_bytes()).into()
}

fn hash(text: &str) -> SecretHash {
    SecretHash(sha256(&[text.as_bytes()]))
}

/// The last six characters of an opaque secret: the first four bytes of the SHA-256 of what stands before them.
fn checksum(text: &str) -> String {
    let digest = sha256(&[text.as_bytes()]);
    BASE64URL_NOPAD.encode(digest.first_chunk::<4>().map_or(&[], |bytes| bytes.as_slice()))
}

/// Gives `text` its checksum.
fn with_checksum(text: String) -> SecretString {
    let text = zeroize::Zeroizing::new(text);
    SecretString::from(format!("{}{}", *text, checksum(&text)))
}

/// Whether `text` is `prefix`, 32 bytes and the checksum of both.
fn is_whole(text: &str, prefix: &str) -> bool {
    let Some((body, sum)) = text.split_at_checked(prefix.len() + TEXT_LENGTH) else { return false };
    body.strip_prefix(prefix).and_then(bytes_of).is_some() && sum == checksum(body)
}

macro_rules! opaque {
    ($(#[$doc:meta])* $name:ident, $prefix:literal, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $name(SecretString);

        impl $name {
            /// A new one.
            pub fn generate(rng: &dyn Rng) -> Self {
                Self(with_checksum(format!(concat!($prefix, "{}"), random_text(rng))))
            }

            /// Reads one; only the canonical spelling is accepted.
            pub fn parse(text: &str) -> Result<Self, SecretError> {
                is_whole(text, $prefix)
                    .then(|| Self(SecretString::from(text)))
                    .ok_or(SecretError($what))
            }

            /// What the store keeps of it.
            pub fn hash(&self) -> SecretHash {
                hash(self.0.expose_secret())
            }

            /// The text itself, to be handed to its owner once.
            pub fn expose(&self) -> &SecretString {
                &self.0
            }
        }
    };
}

opaque!(
    /// A browser session's cookie value, `wrs_…`.
    SessionSecret, "wrs_", "a session's secret");
opaque!(
    /// An API token, `wrt_…`.
    ApiSecret, "wrt_", "an API token");

opaque!(
    /// A program's refresh token, `wrf_…`.
    RefreshSecret, "wrf_", "a refresh token");
opaque!(
    /// A code by which a program of others comes by a grant, `wrc_…`.
    CodeSecret, "wrc_", "a code");
opaque!(
    /// The secret of a program of others, `wro_…`.
    ClientSecret, "wro_", "a client's secret");
opaque!(
    /// A single-use link's secret, `wrp_…`.
    PassSecret, "wrp_", "a single-use link");

impl SessionSecret {
    /// What this session's forms carry: HMAC-SHA256 under the session's secret, so that it needs no
    /// place in the store and tells nothing about the cookie.
    pub fn csrf_token(&self) -> String {
        let key = aws_lc_rs::hmac::Key::new(
            aws_lc_rs::hmac::HMAC_SHA256,
            self.0.expose_secret().as_bytes(),
        );
        BASE64URL_NOPAD.encode(aws_lc_rs::hmac::sign(&key, b"wardroom csrf v1").as_ref())
    }
}

/// A join token: `wrj_<id>.<secret>.<fingerprint of the authority>`.
#[derive(Clone, Debug)]
pub struct JoinSecret {
    id: JoinTokenId,
    text: SecretString,
    fingerprint: [u8; 32],
}

impl JoinSecret {
    /// A new one that carries the authority's fingerprint.
    pub fn generate(id: JoinTokenId, fingerprint: [u8; 32], rng: &dyn Rng) -> Self {
        let text = format!(
            "wrj_{}.{}.{}",
            id.uuid().simple(),
            random_text(rng),
            BASE64URL_NOPAD.encode(&fingerprint)
        );
        Self { id, text: SecretString::from(text), fingerprint }
    }

    /// Reads one.
    pub fn parse(text: &str) -> Result<Self, SecretError> {
        let error = SecretError("a join token");
        let mut parts = text.strip_prefix("wrj_").ok_or(error)?.split('.');
        let (Some(id), Some(secret), Some(fingerprint), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(error);
        };
        let canonical =
            id.len() == 32 && id.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if !canonical {
            return Err(error);
        }
        let id = JoinTokenId::from_uuid(Uuid::try_parse(id).map_err(|_| error)?);
        bytes_of(secret).ok_or(error)?;
        let fingerprint = bytes_of(fingerprint).ok_or(error)?;
        Ok(Self { id, text: SecretString::from(text), fingerprint })
    }

    /// The token's id.
    pub fn id(&self) -> JoinTokenId {
        self.id
    }

    /// SHA-256 of the authority's certificate.
    pub fn fingerprint(&self) -> [u8; 32] {
        self.fingerprint
    }

    /// What the store keeps of it.
    pub fn hash(&self) -> SecretHash {
        hash(self.text.expose_secret())
    }

    /// The text itself, to be handed over once.
    pub fn expose(&self) -> &SecretString {
        &self.text
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::ambient::SystemRng;
    use proptest::prelude::*;
    use wardroom_core::Timestamp;

    #[test]
    fn secrets_round_trip_and_show_in_no_debug_text() {
        let secret = ApiSecret::generate(&SystemRng);
        let text = secret.expose().expose_secret().to_owned();
        assert_eq!(ApiSecret::parse(&text).unwrap().hash(), secret.hash());
        assert!(SessionSecret::parse(&text).is_err(), "a token is not a cookie");
        assert!(!format!("{secret:?}").contains(&text[4..]));
        let mut mistyped = text.clone();
        let other = if mistyped.ends_with('A') { "B" } else { "A" };
        mistyped.replace_range(text.len() - 1.., other);
        assert!(ApiSecret::parse(&mistyped).is_err(), "the checksum is wrong");
        assert!(ApiSecret::parse(&text[..47]).is_err(), "there is no checksum");
        let join = JoinSecret::generate(
            JoinTokenId::new(Timestamp::default(), &SystemRng),
            [7; 32],
            &SystemRng,
        );
        let text = join.expose().expose_secret().to_owned();
        let parsed = JoinSecret::parse(&text).unwrap();
        assert_eq!(
            (parsed.id(), parsed.fingerprint(), parsed.hash()),
            (join.id(), [7; 32], join.hash())
        );
        assert!(JoinSecret::parse(&format!("{text}.x")).is_err());
    }

    #[test]
    fn csrf_tokens_belong_to_one_session() {
        let (a, b) = (SessionSecret::generate(&SystemRng), SessionSecret::generate(&SystemRng));
        assert_eq!(a.csrf_token(), a.csrf_token());
        assert_ne!(a.csrf_token(), b.csrf_token());
    }

    proptest! {
        #[test]
        fn no_text_breaks_a_parser(text in ".{0,160}") {
            let _ = ApiSecret::parse(&text);
            let _ = SessionSecret::parse(&text);
            let _ = JoinSecret::parse(&format!("wrj_{text}"));
        }
    }
}
