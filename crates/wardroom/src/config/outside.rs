//! The ways to the outside: e-mail, a webhook, an error tracker, and what may be asked at all.

use super::Config;
use anyhow::{Context as _, bail};
use secrecy::SecretString;
use std::{collections::BTreeMap, fs};
use wardroom_core::Role;
use wardroom_server::{
    ClientDocuments, Delivery, MailRules, OidcRules, Outbound, Reach, Tracker, Webhook,
};
use wardroom_trust::webhook::WebhookSecret;

impl Config {
    /// What asks the outside.
    pub(crate) fn outbound(&self) -> anyhow::Result<Outbound> {
        self.outbound_to(Reach::new(self.networks("outbound_allow")?))
    }

    /// What asks what is public, and where else it may reach.
    pub(super) fn outbound_to(&self, reach: Reach) -> anyhow::Result<Outbound> {
        let authorities =
            match self.path("outbound_ca_file") {
                Some(file) => Some(fs::read(&file).with_context(|| {
                    format!("outbound_ca_file {} can't be read", file.display())
                })?),
                None => None,
            };
        Outbound::new(reach, authorities.as_deref()).context("outbound_ca_file")
    }

    /// Whose documents about themselves are believed.
    pub(crate) fn client_documents(&self) -> anyhow::Result<ClientDocuments> {
        let documents = ClientDocuments::new(self.list("oauth_client_documents"));
        let documents = documents.context("oauth_client_documents")?;
        if !documents.places().is_empty() {
            let outbound = self.outbound()?;
            let mut places = documents.places().iter();
            places
                .try_for_each(|place| outbound.check(place).map(drop))
                .context("oauth_client_documents")?;
        }
        Ok(documents)
    }

    /// The ways to the outside.
    pub(crate) fn delivery(&self) -> anyhow::Result<Delivery> {
        Ok(Delivery { mail: self.mail()?, webhook: self.webhook()?, tracker: self.tracker()? })
    }

    fn mail(&self) -> anyhow::Result<Option<MailRules>> {
        let to = self.list("alert_mail_to");
        let (url, from) = match (self.text("smtp_url"), self.text("mail_from")) {
            (Some(url), Some(from)) => (url, from),
            (Some(_), None) => bail!("smtp_url is set, but not mail_from: who is e-mail from?"),
            (None, _) if !to.is_empty() => {
                bail!("alert_mail_to is set, but not smtp_url: how is e-mail sent?")
            }
            (None, _) => return Ok(None),
        };
        let password = self.secret("smtp_password_file")?;
        let rules = MailRules::new(url, password, from, to);
        Ok(Some(rules.map_err(|why| anyhow::anyhow!("smtp_url: {why}"))?))
    }

    fn webhook(&self) -> anyhow::Result<Option<Webhook>> {
        let Some(url) = self.text("webhook_url") else { return Ok(None) };
        let secret = self.secret("webhook_secret_file")?;
        let secret = secret.context("webhook_url is set, but not webhook_secret_file: a message that is not signed could be anybody's")?;
        let secret = WebhookSecret::parse(secrecy::ExposeSecret::expose_secret(&secret))
            .context("webhook_secret_file")?;
        let url = url.to_owned();
        self.outbound()?.check(&url).context("webhook_url")?;
        Ok(Some(Webhook { url, secret }))
    }

    fn tracker(&self) -> anyhow::Result<Option<Tracker>> {
        let Some(dsn) = self.secret("tracker_dsn_file")? else { return Ok(None) };
        let tracker = Tracker::new(secrecy::ExposeSecret::expose_secret(&dsn));
        Ok(Some(tracker.map_err(|why| anyhow::anyhow!("tracker_dsn_file: {why}"))?))
    }

    /// How people sign in through a provider outside.
    pub(crate) fn oidc(&self) -> anyhow::Result<Option<OidcRules>> {
        let Some(issuer) = self.text("oidc_issuer") else { return Ok(None) };
        let text = |name: &str| self.text(name).map(str::to_owned);
        let client_id = text("oidc_client_id")
            .context("oidc_issuer is set, but not oidc_client_id: what are we called there?")?;
        let mut roles = BTreeMap::new();
        for pair in self.list("oidc_roles") {
            let sound = pair.rsplit_once('=').and_then(|(value, role)| {
                role.parse::<Role>().ok().map(|role| (value.to_owned(), role))
            });
            let (value, role) = sound.with_context(|| {
                format!("oidc_roles: {pair:?} is no VALUE=ROLE; roles are admin, manager, operator and customer")
            })?;
            roles.insert(value, role);
        }
        let default_role = match self.text("oidc_default_role") {
            Some(role) => Some(role.parse().context("oidc_default_role")?),
            None => None,
        };
        let role_claim = text("oidc_role_claim");
        if default_role.is_none() && (role_claim.is_none() || roles.is_empty()) {
            bail!(
                "oidc_issuer is set, but nobody would get a role: set oidc_role_claim and oidc_roles, or oidc_default_role"
            );
        }
        Ok(Some(OidcRules {
            issuer: issuer.to_owned(),
            client_id,
            client_secret: self.secret("oidc_client_secret_file")?,
            label: text("oidc_label").unwrap_or_default(),
            scope: text("oidc_scope").unwrap_or_default(),
            role_claim,
            roles,
            default_role,
            session_audience: text("oidc_session_audience"),
            session_parties: self.list("oidc_session_parties"),
        }))
    }

    /// The secret in a file that a setting names.
    pub(super) fn secret(&self, setting: &str) -> anyhow::Result<Option<SecretString>> {
        let Some(file) = self.path(setting) else { return Ok(None) };
        let text = fs::read_to_string(&file)
            .with_context(|| format!("{setting} {} can't be read", file.display()))?;
        Ok(Some(SecretString::from(text.trim())))
    }
}
