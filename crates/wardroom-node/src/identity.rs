//! Who this node is: its key, its enrolment, and how it proves itself.

use anyhow::{Context as _, bail, ensure};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use data_encoding::BASE64URL_NOPAD;
use rustls::{
    ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, aws_lc_rs::default_provider},
    version::TLS13,
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject as _};
use serde::{Deserialize, Serialize};
use std::{
    fs,
    io::Write as _,
    os::unix::fs::{
        DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
    },
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use wardroom_core::digest::sha256;
use wardroom_wire::{
    error::Problem,
    link::{
        CHALLENGE_CONTEXT, CHALLENGE_PATH, ChallengeRequest, ChallengeResponse, ENROL_CONTEXT,
        ENROL_PATH, EnrolRequest, EnrolResponse, TOKEN_PATH, TokenRequest, TokenResponse,
    },
};

/// How long one request may take.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(20);
/// The longest answer, in bytes.
const ANSWER_BYTES_MAX: usize = 256 * 1024;

/// What the node keeps about its enrolment.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Enrolment {
    /// The node's id.
    pub node: String,
    /// Where the orchestrator is.
    pub server: String,
    /// The node's name.
    pub name: String,
    /// The allow-list.
    pub commands: PathBuf,
}

/// A node's identity.
pub struct Identity {
    /// Its enrolment.
    pub enrolment: Enrolment,
    key: Ed25519KeyPair,
    tls: Arc<ClientConfig>,
    client: reqwest::Client,
}

impl Identity {
    /// Reads the identity in `folder`.
    pub fn load(folder: &Path) -> anyhow::Result<Self> {
        owned(folder)?;
        let enrolment = enrolment(folder)?;
        let path = folder.join("key.pk8");
        let mode = fs::metadata(&path).context("the node's key is missing")?.mode();
        owned(&path)?;
        ensure!(
            mode & 0o077 == 0,
            "the node's key {0} may be read by others: run chmod 600 {0} and enrol the node anew",
            path.display()
        );
        let key = Ed25519KeyPair::from_pkcs8(&fs::read(&path)?)
            .map_err(|_| anyhow::anyhow!("the node's key is damaged"))?;
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(folder.join("authority.pem"))
            .context("the authority's certificate is missing")?
        {
            roots.add(certificate?)?;
        }
        let tls = client_config(|builder| Ok(builder.with_root_certificates(roots)))?;
        let client = http(tls.clone())?;
        Ok(Self { enrolment, key, tls: Arc::new(tls), client })
    }

    /// TLS that trusts the authority alone.
    pub fn tls(&self) -> Arc<ClientConfig> {
        self.tls.clone()
    }

    /// A fresh access token, by signing a challenge; and for how long it is good.
    pub async fn access_token(&self) -> anyhow::Result<(String, Duration)> {
        let node = self.enrolment.node.clone();
        let asked = ChallengeRequest { node: node.clone() };
        let given: ChallengeResponse =
            post(&self.client, &self.enrolment.server, CHALLENGE_PATH, &asked).await?;
        let message = format!("{CHALLENGE_CONTEXT}{}", given.challenge);
        let signature = BASE64URL_NOPAD.encode(self.key.sign(message.as_bytes()).as_ref());
        let proof = TokenRequest { node, challenge: given.challenge, signature };
        let token: TokenResponse =
            post(&self.client, &self.enrolment.server, TOKEN_PATH, &proof).await?;
        Ok((token.token, Duration::from_secs(token.expires_in)))
    }
}

/// What `folder` says about the enrolment.
pub fn enrolment(folder: &Path) -> anyhow::Result<Enrolment> {
    let text = fs::read_to_string(folder.join("node.json")).with_context(|| {
        format!("this node is not enrolled in {}: run wardroom-node join", folder.display())
    })?;
    serde_json::from_str(&text).context("node.json is damaged; join again with a new folder")
}

type Builder = rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>;
type Verified = rustls::ConfigBuilder<ClientConfig, rustls::client::WantsClientCert>;

fn client_config(
    verify: impl FnOnce(Builder) -> anyhow::Result<Verified>,
) -> anyhow::Result<ClientConfig> {
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(&[&TLS13])?;
    Ok(verify(builder)?.with_no_client_auth())
}

fn http(tls: ClientConfig) -> anyhow::Result<reqwest::Client> {
    Ok(reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .https_only(true)
        .redirect(reqwest::redirect::Policy::none())
        .timeout(REQUEST_TIMEOUT)
        .pool_max_idle_per_host(0)
        .no_proxy()
        .build()?)
}

async fn post<T: serde::de::DeserializeOwned>(
    client: &reqwest::Client,
    server: &str,
    path: &str,
    body: &impl Serialize,
) -> anyhow::Result<T> {
    let url = format!("{}{path}", server.trim_end_matches('/'));
    let mut answer = client
        .post(&url)
        .json(body)
        .send()
        .await
        .with_context(|| format!("{server} can't be reached"))?;
    let status = answer.status();
    let mut bytes = Vec::new();
    while let Some(piece) = answer.chunk().await? {
        bytes.extend_from_slice(&piece);
        ensure!(bytes.len() <= ANSWER_BYTES_MAX, "{server} answered with too much");
    }
    if status.is_success() {
        return serde_json::from_slice(&bytes)
            .with_context(|| format!("{server} answered something that is not Wardroom's"));
    }
    match serde_json::from_slice::<Problem>(&bytes) {
        Ok(problem) => bail!(
            "{}: {} ({}, request {})",
            problem.title,
            problem.detail.unwrap_or_default(),
            problem.code,
            problem.request_id
        ),
        Err(_) => bail!("{server} answered {status}"),
    }
}

/// Enrols this machine with a join token.
pub async fn join(
    server: &str,
    token: &str,
    folder: &Path,
    commands: &Path,
    name: &str,
) -> anyhow::Result<Enrolment> {
    for name in ["node.json", "key.pk8", "authority.pem"] {
        // Also what a broken-off enrolment left: it must not be found out after the token is spent.
        ensure!(
            !folder.join(name).exists(),
            "{} holds an enrolment already ({name}): use another --data folder",
            folder.display()
        );
    }
    let (id, fingerprint) = read_token(token)
        .context("that is not a join token: it begins with wrj_ and has three parts")?;
    if !folder.exists() {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .with_context(|| format!("{} can't be made", folder.display()))?;
    }
    owned(folder)?;
    // A folder that was there may be open to others.
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700))
        .with_context(|| format!("{} can't be closed to other users", folder.display()))?;
    crate::allowlist::read(commands)?;
    let pkcs8 = Ed25519KeyPair::generate_pkcs8(&aws_lc_rs::rand::SystemRandom::new())
        .map_err(|_| anyhow::anyhow!("a key can't be made"))?;
    let key = Ed25519KeyPair::from_pkcs8(pkcs8.as_ref())
        .map_err(|_| anyhow::anyhow!("a key can't be made"))?;
    let public_key = BASE64URL_NOPAD.encode(key.public_key().as_ref());
    let message = format!("{ENROL_CONTEXT}join_{id}\n{public_key}");
    let signature = BASE64URL_NOPAD.encode(key.sign(message.as_bytes()).as_ref());
    let request =
        EnrolRequest { token: token.to_owned(), name: name.to_owned(), public_key, signature };
    let verifier = Arc::new(Pinned { fingerprint, provider: Arc::new(default_provider()) });
    let tls = client_config(|builder| {
        Ok(builder.dangerous().with_custom_certificate_verifier(verifier))
    })?;
    let answer: EnrolResponse = post(&http(tls)?, server, ENROL_PATH, &request).await?;
    let authority = CertificateDer::from_pem_slice(answer.authority.as_bytes())
        .context("the authority's certificate can't be read")?;
    ensure!(sha256(&[&authority]) == fingerprint, "the answer's authority is not the join token's");
    let enrolment = Enrolment {
        node: answer.node,
        server: server.to_owned(),
        name: name.to_owned(),
        commands: std::path::absolute(commands)?,
    };
    write_private(&folder.join("key.pk8"), pkcs8.as_ref())?;
    write_private(&folder.join("authority.pem"), answer.authority.as_bytes())?;
    // Last: only a whole enrolment counts.
    write_private(&folder.join("node.json"), serde_json::to_string_pretty(&enrolment)?.as_bytes())?;
    Ok(enrolment)
}

/// SECURITY: whoever owns the folder can put another key and another authority into it.
fn owned(path: &Path) -> anyhow::Result<()> {
    let found = fs::symlink_metadata(path).with_context(|| format!("{}", path.display()))?;
    let own = rustix::process::geteuid().as_raw();
    ensure!(
        !found.is_symlink() && found.uid() == own,
        "{} does not belong to the user that runs the node: use a folder of its own",
        path.display()
    );
    Ok(())
}

fn write_private(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let written = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()));
    written.with_context(|| format!("{} can't be written", path.display()))
}

/// The id and the authority's fingerprint in a join token: `wrj_<id>.<secret>.<fingerprint>`.
fn read_token(token: &str) -> Option<(String, [u8; 32])> {
    let mut parts = token.strip_prefix("wrj_")?.split('.');
    let (id, secret, fingerprint) = (parts.next()?, parts.next()?, parts.next()?);
    let sound = id.len() == 32
        && id.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        && BASE64URL_NOPAD.decode(secret.as_bytes()).is_ok_and(|secret| secret.len() == 32)
        && parts.next().is_none();
    let fingerprint = BASE64URL_NOPAD.decode(fingerprint.as_bytes()).ok()?.try_into().ok()?;
    sound.then(|| (id.to_owned(), fingerprint))
}

/// Trusts exactly the authority whose fingerprint the join token carries.
#[derive(Debug)]
struct Pinned {
    fingerprint: [u8; 32],
    provider: Arc<CryptoProvider>,
}

impl Pinned {
    fn refuse(why: &str) -> rustls::Error {
        rustls::Error::General(why.to_owned())
    }
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let authority = chain
            .iter()
            .find(|certificate| sha256(&[certificate]) == self.fingerprint)
            .ok_or_else(|| {
                Self::refuse("the server does not show the authority that the join token names")
            })?;
        let mut roots = RootCertStore::empty();
        roots.add(authority.clone().into_owned())?;
        // SECURITY: from here on everything is checked as ever, with that authority as the only root.
        let verifier =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), self.provider.clone())
                .build()
                .map_err(|error| Self::refuse(&error.to_string()))?;
        verifier.verify_server_cert(end, chain, name, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(Self::refuse("nodes speak TLS 1.3 only"))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(
            message,
            certificate,
            signed,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_text_breaks_the_join_token(text in ".{0,200}") {
            let _ = read_token(&text);
            let token = format!("wrj_{text}");
            prop_assert!(read_token(&token).is_none() || text.len() == 120);
        }

        #[test]
        fn a_join_token_is_read_in_its_one_spelling(id in "[0-9a-f]{32}", secret in any::<[u8; 32]>(), print in any::<[u8; 32]>()) {
            let token = format!("wrj_{id}.{}.{}", BASE64URL_NOPAD.encode(&secret), BASE64URL_NOPAD.encode(&print));
            let upper = format!("wrj_{}.{}", id.to_uppercase(), token.split_once('.').map_or("", |(_, rest)| rest));
            prop_assert_eq!(read_token(&upper).is_none(), upper != token);
            prop_assert_eq!(read_token(&token), Some((id, print)));
        }
    }
}
