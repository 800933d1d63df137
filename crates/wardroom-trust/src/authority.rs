//! The installation's own certificate authority (X.509, RFC 5280) and what it issues.

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, SanType, date_time_ymd,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, pem::PemObject as _};
use std::{net::IpAddr, path::Path, time::Duration};
use wardroom_core::{Timestamp, digest::sha256};
use zeroize::Zeroizing;

/// How long a server certificate is good for.
pub const SERVER_TTL: Duration = Duration::from_secs(90 * 86_400);
/// How long the authority is good for.
const AUTHORITY_TTL: Duration = Duration::from_secs(3650 * 86_400);

/// Why a certificate can't be made or read.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// It can't be made.
    #[error("a certificate can't be made: {0}")]
    Make(#[from] rcgen::Error),
    /// It can't be read.
    #[error("{what} can't be read: {reason}")]
    Read {
        /// What.
        what: String,
        /// Why.
        reason: String,
    },
}

/// The authority: its certificate and its key.
pub struct Authority {
    certificate: CertificateDer<'static>,
    key: KeyPair,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Authority")
    }
}

/// A server's certificate chain and key.
#[derive(Debug)]
pub struct ServerIdentity {
    /// The server's certificate first.
    pub chain: Vec<CertificateDer<'static>>,
    /// Its key.
    pub key: PrivateKeyDer<'static>,
}

impl Authority {
    /// A new authority, good from a day before `now`.
    pub fn generate(name: &str, now: Timestamp) -> Result<Self, AuthorityError> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        params.distinguished_name = named(name);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        validity(&mut params, now, AUTHORITY_TTL);
        let certificate = params.self_signed(&key)?.der().clone();
        Ok(Self { certificate, key })
    }

    /// Takes up an authority that was stored.
    pub fn load(certificate: Vec<u8>, key_pkcs8: &[u8]) -> Result<Self, AuthorityError> {
        let key = KeyPair::try_from(key_pkcs8)?;
        Ok(Self { certificate: CertificateDer::from(certificate), key })
    }

    /// The key as PKCS#8, to be sealed.
    pub fn key_pkcs8(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(self.key.serialize_der())
    }

    /// The certificate, DER.
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// The certificate, PEM.
    pub fn certificate_pem(&self) -> String {
        let text = data_encoding::BASE64.encode(&self.certificate);
        let mut pem = String::from("-----BEGIN CERTIFICATE-----\n");
        for line in text.as_bytes().chunks(64) {
            pem.push_str(&String::from_utf8_lossy(line));
            pem.push('\n');
        }
        pem.push_str("-----END CERTIFICATE-----\n");
        pem
    }

    /// SHA-256 of the certificate, which join tokens carry.
    pub fn fingerprint(&self) -> [u8; 32] {
        sha256(&[&self.certificate])
    }

    /// A certificate for a server with these names and addresses, good from a day before `now`.
    pub fn issue(
        &self,
        names: &[String],
        now: Timestamp,
    ) -> Result<ServerIdentity, AuthorityError> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        params.distinguished_name = named("Wardroom orchestrator");
        params.subject_alt_names = names
            .iter()
            .map(|name| match name.parse::<IpAddr>() {
                Ok(address) => Ok(SanType::IpAddress(address)),
                Err(_) => Ok(SanType::DnsName(name.as_str().try_into()?)),
            })
            .collect::<Result<_, rcgen::Error>>()?;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        validity(&mut params, now, SERVER_TTL);
        let issuer = Issuer::from_ca_cert_der(&self.certificate, &self.key)?;
        let certificate = params.signed_by(&key, &issuer)?;
        Ok(ServerIdentity {
            // Nodes that know only the fingerprint find the authority's certificate in the chain.
            chain: vec![certificate.der().clone(), self.certificate.clone()],
            key: PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
        })
    }
}

fn named(name: &str) -> DistinguishedName {
    let mut named = DistinguishedName::new();
    named.push(DnType::CommonName, name);
    named
}

/// From a day before `now`, so that a clock that is a little behind still trusts it.
fn validity(params: &mut CertificateParams, now: Timestamp, ttl: Duration) {
    let epoch = date_time_ymd(1970, 1, 1);
    let at = |seconds: i64| epoch + Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
    params.not_before = at(now.as_seconds() - 86_400);
    params.not_after = at(now.plus(ttl).as_seconds());
}

/// When the first certificate of a PEM file ends (RFC 5280 §4.1.2.5).
pub fn file_ends_at(chain: &Path) -> Result<Timestamp, AuthorityError> {
    let unreadable =
        |reason: String| AuthorityError::Read { what: chain.display().to_string(), reason };
    let first = CertificateDer::from_pem_file(chain).map_err(|e| unreadable(e.to_string()))?;
    let (_, parsed) =
        x509_parser::parse_x509_certificate(&first).map_err(|e| unreadable(e.to_string()))?;
    let seconds = parsed.validity().not_after.timestamp();
    Ok(Timestamp::from_micros(seconds.saturating_mul(1_000_000)))
}

/// Reads an operator's own certificate chain and key from PEM files.
pub fn read_identity(chain: &Path, key: &Path) -> Result<ServerIdentity, AuthorityError> {
    let unreadable = |path: &Path, reason: String| AuthorityError::Read {
        what: path.display().to_string(),
        reason,
    };
    let certificates = CertificateDer::pem_file_iter(chain)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| unreadable(chain, error.to_string()))?;
    if certificates.is_empty() {
        return Err(unreadable(chain, "it holds no certificate".to_owned()));
    }
    let key_der =
        PrivateKeyDer::from_pem_file(key).map_err(|error| unreadable(key, error.to_string()))?;
    Ok(ServerIdentity { chain: certificates, key: key_der })
}
