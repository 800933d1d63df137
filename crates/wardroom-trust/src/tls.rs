//! TLS as every connection has it: aws-lc, TLS 1.3, a certificate that can be exchanged while serving.

use crate::authority::{AuthorityError, ServerIdentity};
use arc_swap::ArcSwap;
use rustls::{
    ClientConfig, RootCertStore, ServerConfig, SupportedProtocolVersion,
    crypto::{CryptoProvider, aws_lc_rs},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
    version::{TLS12, TLS13},
};
use rustls_pki_types::{CertificateDer, pem::PemObject as _};
use std::sync::Arc;

static ONLY_13: [&SupportedProtocolVersion; 1] = [&TLS13];
static FROM_12: [&SupportedProtocolVersion; 2] = [&TLS13, &TLS12];

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

fn unusable(what: &str, error: impl ToString) -> AuthorityError {
    AuthorityError::Read { what: what.to_owned(), reason: error.to_string() }
}

/// The certificate that a server shows; can be exchanged while it serves.
#[derive(Debug)]
pub struct ServerCertificate(ArcSwap<CertifiedKey>);

impl ServerCertificate {
    /// Starts with this one.
    pub fn new(identity: ServerIdentity) -> Result<Arc<Self>, AuthorityError> {
        Ok(Arc::new(Self(ArcSwap::from_pointee(certified(identity)?))))
    }

    /// Shows this one to every connection from now on.
    pub fn replace(&self, identity: ServerIdentity) -> Result<(), AuthorityError> {
        self.0.store(Arc::new(certified(identity)?));
        Ok(())
    }
}

impl ResolvesServerCert for ServerCertificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load_full())
    }
}

/// A chain with its key, which must belong together.
fn certified(identity: ServerIdentity) -> Result<CertifiedKey, AuthorityError> {
    CertifiedKey::from_der(identity.chain, identity.key, &provider())
        .map_err(|error| unusable("the server's certificate", error))
}

/// A server's TLS: 1.3 only, or 1.2 as well where it is asked for.
pub fn server_config(
    certificate: Arc<ServerCertificate>,
    tls12: bool,
) -> Result<ServerConfig, AuthorityError> {
    let versions: &[&SupportedProtocolVersion] = if tls12 { &FROM_12 } else { &ONLY_13 };
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(versions)
        .map_err(|error| unusable("the TLS versions", error))?
        .with_no_client_auth()
        .with_cert_resolver(certificate);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    // SECURITY: early data could be replayed.
    config.max_early_data_size = 0;
    Ok(config)
}

/// A client's TLS 1.3 that trusts these authorities (PEM) and nothing else.
pub fn client_config(authorities_pem: &[u8]) -> Result<ClientConfig, AuthorityError> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(authorities_pem) {
        let certificate =
            certificate.map_err(|error| unusable("the authority's certificate", error))?;
        roots.add(certificate).map_err(|error| unusable("the authority's certificate", error))?;
    }
    if roots.is_empty() {
        return Err(unusable("the authority's certificate", "there is none in the file"));
    }
    Ok(ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&ONLY_13)
        .map_err(|error| unusable("the TLS versions", error))?
        .with_root_certificates(roots)
        .with_no_client_auth())
}
