//! The ways to the outside: e-mail, a webhook, an error tracker, and what may be asked at all.

use super::Config;
use anyhow::{Context as _, bail};
use secrecy::SecretString;
use std::fs;
use wardroom_server::{Delivery, MailRules, Outbound, Reach, Tracker, Webhook};
use wardroom_trust::webhook::WebhookSecret;

impl Config {
    /// What asks the outside.
    pub(crate) fn outbound(&self) -> anyhow::Result<Outbound> {
        let authorities =
            match self.path("outbound_ca_file") {
                Some(file) => Some(fs::read(&file).with_context(|| {
                    format!("outbound_ca_file {} can't be read", file.display())
                })?),
                None => None,
            };
        let reach = Reach::new(self.networks("outbound_allow")?);
        Outbound::new(reach, authorities.as_deref()).context("outbound_ca_file")
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

    /// The secret in a file that a setting names.
    fn secret(&self, setting: &str) -> anyhow::Result<Option<SecretString>> {
        let Some(file) = self.path(setting) else { return Ok(None) };
        let text = fs::read_to_string(&file)
            .with_context(|| format!("{setting} {} can't be read", file.display()))?;
        Ok(Some(SecretString::from(text.trim())))
    }
}
