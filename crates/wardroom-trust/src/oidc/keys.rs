//! An issuer's keys (RFC 7517), and signatures by them (RFC 7515).

use super::{OidcError, demand};
use jsonwebtoken::{
    Algorithm, DecodingKey, TokenData, Validation, decode, decode_header,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyOperations, PublicKeyUse},
};
use serde::{Deserialize, de::DeserializeOwned};
use std::collections::HashMap;

/// SECURITY: asymmetric ones only. With HMAC, whoever knows a public key or the client's secret could sign.
const ALGORITHMS: [Algorithm; 9] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];
/// The longest token that is looked at, in bytes.
const TOKEN_BYTES_MAX: usize = 16 * 1024;
/// Keys that are tried for a token that names none.
const TRIED_MAX: usize = 8;

/// An issuer's keys, by their id.
#[derive(Debug, Default)]
pub struct KeySet(HashMap<String, Vec<Jwk>>);

#[derive(Deserialize)]
struct Document {
    keys: Vec<serde_json::Value>,
}

impl KeySet {
    /// Reads a key set. A key of a kind that nobody knows does not take the others with it.
    pub fn parse(json: &[u8]) -> Result<Self, OidcError> {
        let document: Document =
            serde_json::from_slice(json).map_err(|error| OidcError::Form(error.to_string()))?;
        let mut keys: HashMap<String, Vec<Jwk>> = HashMap::new();
        for value in document.keys {
            if let Ok(jwk) = serde_json::from_value::<Jwk>(value)
                && verifies(&jwk)
            {
                keys.entry(jwk.common.key_id.clone().unwrap_or_default()).or_default().push(jwk);
            }
        }
        Ok(Self(keys))
    }

    /// Verifies the signature of a token, its issuer and, where one is wanted, its audience. Its times are not
    /// looked at.
    pub(super) fn open<T: DeserializeOwned>(
        &self,
        token: &str,
        issuer: &str,
        audience: Option<&str>,
    ) -> Result<TokenData<T>, OidcError> {
        demand(token.len() <= TOKEN_BYTES_MAX, "the token is too long")?;
        let form = |error: jsonwebtoken::errors::Error| OidcError::Form(error.to_string());
        let header = decode_header(token).map_err(form)?;
        demand(ALGORITHMS.contains(&header.alg), "its algorithm is not taken")?;
        // RFC 7515 §4.1.11: what must be understood and is not makes it invalid.
        demand(header.crit.is_none(), "it has a critical header that is not understood")?;
        demand(header.enc.is_none() && header.zip.is_none(), "it is not a plain signed token")?;
        let mut validation = Validation::new(header.alg);
        validation.set_issuer(&[issuer]);
        match audience {
            Some(audience) => validation.set_audience(&[audience]),
            None => validation.validate_aud = false,
        }
        let wanted: &[&str] = if audience.is_some() { &["iss", "aud"] } else { &["iss"] };
        validation.set_required_spec_claims(wanted);
        validation.validate_exp = false;
        validation.validate_nbf = false;
        let fitting: Vec<&Jwk> = match &header.kid {
            Some(kid) => self.0.get(kid).into_iter().flatten().collect(),
            // OIDC Core §10.1 wants an id where there are several keys; not every issuer obliges.
            None => self.0.values().flatten().take(TRIED_MAX).collect(),
        };
        let mut refused = OidcError::UnknownKey;
        for jwk in fitting.into_iter().filter(|jwk| fits(jwk, header.alg)) {
            let key = DecodingKey::from_jwk(jwk).map_err(form)?;
            match decode::<T>(token, &key, &validation) {
                Ok(data) => return Ok(data),
                Err(error) => refused = OidcError::Form(error.to_string()),
            }
        }
        Err(refused)
    }
}

/// Whether a key is for verifying signatures.
fn verifies(jwk: &Jwk) -> bool {
    use AlgorithmParameters as P;
    let signs = !matches!(
        jwk.common.public_key_use,
        Some(PublicKeyUse::Encryption | PublicKeyUse::Other(_))
    );
    let operations = jwk.common.key_operations.as_ref();
    let verifies = operations.is_none_or(|all| all.contains(&KeyOperations::Verify));
    signs
        && verifies
        && matches!(jwk.algorithm, P::RSA(_) | P::EllipticCurve(_) | P::OctetKeyPair(_))
}

/// Whether a key goes with an algorithm. SECURITY: a key is used for nothing but what it is for.
fn fits(jwk: &Jwk, algorithm: Algorithm) -> bool {
    use Algorithm as A;
    use AlgorithmParameters as P;
    if let Some(stated) = jwk.common.key_algorithm
        && Algorithm::try_from(stated).ok() != Some(algorithm)
    {
        return false;
    }
    match (&jwk.algorithm, algorithm) {
        (P::RSA(_), A::RS256 | A::RS384 | A::RS512 | A::PS256 | A::PS384 | A::PS512) => true,
        (P::EllipticCurve(key), A::ES256) => key.curve == EllipticCurve::P256,
        (P::EllipticCurve(key), A::ES384) => key.curve == EllipticCurve::P384,
        (P::OctetKeyPair(key), A::EdDSA) => key.curve == EllipticCurve::Ed25519,
        _ => false,
    }
}
