//! Named secrets: kept sealed, used by name, renewed in versions, never read again.

use crate::{Engine, EngineError};
use std::collections::BTreeMap;
use wardroom_core::{
    UserId,
    audit::AuditDraft,
    change::{Change, Write},
    command::{ParameterValue, Parameters},
    secret::{NamedSecret, SECRETS_MAX, SecretVersion, check_value},
    store::StoreError,
    watch::alert::{Rule, Sighting},
};
use wardroom_trust::seal::purpose_of_secret;
use zeroize::Zeroizing;

impl Engine {
    /// Makes a secret with its first version.
    pub async fn add_secret(
        &self,
        name: &str,
        about: &str,
        rotate_days: Option<u32>,
        value: &str,
        by: UserId,
        audit: AuditDraft,
    ) -> Result<NamedSecret, EngineError> {
        let now = self.now();
        let secret = NamedSecret {
            name: name.trim().to_owned(),
            about: about.trim().to_owned(),
            rotate_days,
            current: 1,
            reminded: 0,
            created_at: now,
            renewed_at: now,
        };
        secret.check()?;
        if self.store.list_secrets().await?.len() >= SECRETS_MAX {
            return Err(EngineError::LimitReached(format!(
                "there are {SECRETS_MAX} secrets already: forget one first"
            )));
        }
        let version = self.secret_version(&secret.name, 1, value, by)?;
        let audit = audit.on(&secret.name).detail("version", 1);
        let change = Change::recorded(audit)
            .write(Write::AddSecret(secret.clone()))
            .write(Write::AddSecretVersion(version));
        match self.commit(change).await {
            Err(StoreError::Duplicate(_)) => {
                Err(EngineError::Field { field: "name", reason: "is taken".to_owned() })
            }
            other => {
                self.known.renew();
                other.map(|()| secret).map_err(Into::into)
            }
        }
    }

    /// Renews a secret: from now on this value is used.
    pub async fn renew_secret(
        &self,
        secret: &NamedSecret,
        value: &str,
        by: UserId,
        audit: AuditDraft,
    ) -> Result<NamedSecret, EngineError> {
        let number = secret.current + 1;
        let version = self.secret_version(&secret.name, number, value, by)?;
        let renewed = NamedSecret { current: number, renewed_at: self.now(), ..secret.clone() };
        let audit = audit.on(&secret.name).detail("version", number);
        let change = Change::recorded(audit)
            .write(Write::RenewSecret(renewed.clone()))
            .write(Write::AddSecretVersion(version));
        match self.commit(change).await {
            Err(StoreError::Conflict(_) | StoreError::Duplicate(_)) => Err(EngineError::Conflict),
            other => {
                self.known.renew();
                other.map(|()| renewed).map_err(Into::into)
            }
        }
    }

    /// Forgets a secret with all its versions.
    pub async fn remove_secret(&self, name: &str, audit: AuditDraft) -> Result<(), EngineError> {
        let change = Change::recorded(audit.on(name)).write(Write::RemoveSecret(name.to_owned()));
        match self.commit(change).await {
            Err(StoreError::Conflict(_)) => Err(EngineError::NotFound("secret")),
            other => Ok(other?),
        }
    }

    fn secret_version(
        &self,
        name: &str,
        number: i64,
        value: &str,
        by: UserId,
    ) -> Result<SecretVersion, EngineError> {
        check_value(value)?;
        let purpose = purpose_of_secret(name, number);
        let sealed = self.sealer.seal(&purpose, value.as_bytes(), &*self.rng);
        Ok(SecretVersion {
            name: name.to_owned(),
            number,
            sealed: sealed.map_err(EngineError::seal)?,
            created_by: by,
            created_at: self.now(),
        })
    }

    /// The values of secrets, by the parameters that they are for. Whoever asks has been allowed to use them.
    pub async fn secret_values(
        &self,
        wanted: &BTreeMap<String, String>,
    ) -> Result<Parameters, EngineError> {
        let mut values = Parameters::new();
        for (parameter, name) in wanted {
            let text = self.secret_value(name).await?.to_string();
            values.insert(parameter.clone(), ParameterValue::Text(text));
        }
        Ok(values)
    }

    /// The value of a secret. SECURITY: whoever asks has been allowed to use it, or looks for it to keep it back.
    pub(crate) async fn secret_value(&self, name: &str) -> Result<Zeroizing<String>, EngineError> {
        let found = self.store.lookup_secret_version(name).await?;
        let version = found.ok_or(EngineError::NotFound("secret"))?;
        let purpose = purpose_of_secret(&version.name, version.number);
        let plain = self.sealer.open(&purpose, &version.sealed).map_err(EngineError::seal)?;
        Ok(Zeroizing::new(String::from_utf8_lossy(&plain).into_owned()))
    }

    /// Gives an alert about secrets that somebody should renew.
    pub(crate) async fn remind_of_secrets(&self) -> Result<(), EngineError> {
        let now = self.now();
        for secret in self.store.list_secrets().await? {
            // Once for each version, also after somebody looked.
            if !secret.is_due(now) || secret.reminded == secret.current {
                continue;
            }
            let days = secret.rotate_days.unwrap_or_default();
            let detail =
                format!("it was renewed at {}, to be renewed every {days} days", secret.renewed_at);
            let subject = format!("secret {}", secret.name);
            self.raise(Sighting { rule: Rule::Expiring, subject, detail, at: now }).await?;
            let reminded = Write::RemindOfSecret { name: secret.name, version: secret.current };
            self.commit(Change::default().write(reminded)).await?;
        }
        Ok(())
    }
}
