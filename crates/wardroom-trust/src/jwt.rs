//! Signed tokens: JWTs (RFC 7519) with EdDSA (RFC 8037), for one audience each.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Serialize, de::DeserializeOwned};
use wardroom_core::{Rng, digest::sha256};

/// The issuer of all of them.
pub const ISSUER: &str = "wardroom";

/// Why a token can't be made or is not acceptable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JwtError {
    /// It is not one of ours, or was altered.
    #[error("the token is not valid")]
    Token,
    /// The key can't be used.
    #[error("the signing key is not usable")]
    Key,
}

/// A key that signs tokens and knows them again.
pub struct JwtKey {
    encoding: EncodingKey,
    decoding: DecodingKey,
    kid: String,
}

impl std::fmt::Debug for JwtKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JwtKey").field("kid", &self.kid).finish_non_exhaustive()
    }
}

impl JwtKey {
    /// From the Ed25519 private key's 32-byte seed.
    pub fn new(seed: &[u8; 32]) -> Result<Self, JwtError> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| JwtError::Key)?;
        let pkcs8 = pair.to_pkcs8v1().map_err(|_| JwtError::Key)?;
        let public = pair.public_key().as_ref().to_vec();
        let kid = HEXLOWER.encode(sha256(&[&public]).get(..8).unwrap_or_default());
        Ok(Self {
            encoding: EncodingKey::from_ed_der(pkcs8.as_ref()),
            decoding: DecodingKey::from_ed_der(&public),
            kid,
        })
    }

    /// The key's name, which its tokens carry.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// A token that says `claims`.
    pub fn sign<C: Serialize>(&self, claims: &C) -> Result<String, JwtError> {
        let header = Header { kid: Some(self.kid.clone()), ..Header::new(Algorithm::EdDSA) };
        jsonwebtoken::encode(&header, claims, &self.encoding).map_err(|_| JwtError::Key)
    }

    /// What a token for one of `audiences` says. Its times are not looked at: the caller does, by its own clock.
    pub fn open<C: DeserializeOwned + Clone>(
        &self,
        token: &str,
        audiences: &[&str],
    ) -> Result<C, JwtError> {
        let header = jsonwebtoken::decode_header(token).map_err(|_| JwtError::Token)?;
        if header.kid.as_deref() != Some(self.kid.as_str()) {
            return Err(JwtError::Token);
        }
        // SECURITY: one algorithm, known audiences, one issuer; the token has no say in any of them.
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_audience(audiences);
        validation.set_issuer(&[ISSUER]);
        validation.set_required_spec_claims(&["exp", "nbf", "aud", "iss", "sub"]);
        validation.validate_exp = false;
        validation.validate_nbf = false;
        let decoded = jsonwebtoken::decode::<C>(token, &self.decoding, &validation)
            .map_err(|_| JwtError::Token)?;
        Ok(decoded.claims)
    }
}

/// What makes a token unlike all others.
pub(crate) fn token_id(rng: &dyn Rng) -> String {
    let mut id = [0_u8; 16];
    rng.fill(&mut id);
    BASE64URL_NOPAD.encode(&id)
}
