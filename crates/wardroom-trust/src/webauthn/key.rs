//! A passkey's public key: read from COSE (RFC 9053), kept as JSON, checked by aws-lc.

use super::{
    Base64Url, WebauthnError,
    reader::{Item, Reader},
};
use aws_lc_rs::signature as sig;
use serde::{Deserialize, Serialize};

/// COSE's algorithm numbers: ES256, EdDSA and RS256, which together every authenticator knows one of.
pub(super) const ALGORITHMS: [i64; 3] = [-7, -8, -257];

/// A public key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "algorithm", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum PublicKey {
    /// ECDSA on P-256 with SHA-256.
    Es256 {
        /// The uncompressed point.
        point: Base64Url,
    },
    /// Ed25519.
    Ed25519 {
        /// The point.
        point: Base64Url,
    },
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256 {
        /// The modulus.
        n: Base64Url,
        /// The exponent.
        e: Base64Url,
    },
}

/// The parameters of a key; labels -1 to -3 mean something else for each kind of key.
#[derive(Default)]
struct Parts<'a> {
    kind: Option<i64>,
    algorithm: Option<i64>,
    curve: Option<i64>,
    first: Option<&'a [u8]>,
    second: Option<&'a [u8]>,
    third: Option<&'a [u8]>,
}

impl PublicKey {
    /// Reads a key, and that it is one: a point on its curve, a modulus of a permitted size.
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, WebauthnError> {
        let mut parts = Parts::default();
        for _ in 0..reader.map()? {
            let Item::Int(label) = reader.item()? else {
                return Err(WebauthnError::Form("a key's label"));
            };
            let twice = match (label, reader.item()?) {
                (1, Item::Int(value)) => parts.kind.replace(value).is_some(),
                (3, Item::Int(value)) => parts.algorithm.replace(value).is_some(),
                (-1, Item::Int(value)) => parts.curve.replace(value).is_some(),
                (-1, Item::Bytes(value)) => parts.first.replace(value).is_some(),
                (-2, Item::Bytes(value)) => parts.second.replace(value).is_some(),
                (-3, Item::Bytes(value)) => parts.third.replace(value).is_some(),
                _ => false,
            };
            if twice {
                return Err(WebauthnError::Form("a key's label stands twice"));
            }
        }
        let key = Self::of(&parts).ok_or(WebauthnError::Key)?;
        key.sound()?;
        Ok(key)
    }

    fn of(parts: &Parts<'_>) -> Option<Self> {
        let owned = |bytes: &[u8]| Base64Url(bytes.to_vec());
        match (parts.kind?, parts.algorithm?, parts.curve) {
            (2, -7, Some(1)) => {
                let (x, y) = (parts.second?, parts.third?);
                let sized = x.len() == 32 && y.len() == 32;
                sized.then(|| Self::Es256 { point: Base64Url([&[4], x, y].concat()) })
            }
            (1, -8, Some(6)) => {
                let x = parts.second.filter(|x| x.len() == 32)?;
                Some(Self::Ed25519 { point: owned(x) })
            }
            (3, -257, None) => {
                Some(Self::Rs256 { n: owned(parts.first?), e: owned(parts.second?) })
            }
            _ => None,
        }
    }

    fn sound(&self) -> Result<(), WebauthnError> {
        let parsed = match self {
            Self::Es256 { point } => {
                sig::ParsedPublicKey::new(&sig::ECDSA_P256_SHA256_ASN1, &point.0).map(drop)
            }
            Self::Ed25519 { point } => sig::ParsedPublicKey::new(&sig::ED25519, &point.0).map(drop),
            Self::Rs256 { n, e } => sig::RsaPublicKeyComponents { n: &n.0, e: &e.0 }
                .to_parsed_public_key(&sig::RSA_PKCS1_2048_8192_SHA256)
                .map(drop),
        };
        parsed.map_err(|_| WebauthnError::Key)
    }

    /// Checks a signature.
    pub(super) fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), WebauthnError> {
        let checked = match self {
            Self::Es256 { point } => {
                sig::UnparsedPublicKey::new(&sig::ECDSA_P256_SHA256_ASN1, &point.0)
                    .verify(message, signature)
            }
            Self::Ed25519 { point } => {
                sig::UnparsedPublicKey::new(&sig::ED25519, &point.0).verify(message, signature)
            }
            Self::Rs256 { n, e } => sig::RsaPublicKeyComponents { n: &n.0, e: &e.0 }.verify(
                &sig::RSA_PKCS1_2048_8192_SHA256,
                message,
                signature,
            ),
        };
        checked.map_err(|_| WebauthnError::Signature)
    }
}
