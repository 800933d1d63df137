//! What a tool server is shown, with the secrets as they are now. What a caller brought is never passed on.

use super::{Failure, Upstream};
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use std::collections::BTreeMap;
use wardroom_core::{
    UserId,
    tool::{
        hosted::{HostedServer, SECRETS_BYTES_MAX, Variables},
        server::Shown,
    },
};
use wardroom_trust::seal::purpose_of_secret;

impl Upstream {
    /// In headers; and whose that is, where each caller shows what is their own.
    pub(super) async fn headers(
        &self,
        person: Option<UserId>,
    ) -> Result<(HeaderMap, String), Failure> {
        let mut headers = HeaderMap::new();
        let mut whose = String::new();
        let (name, text) = match &self.server.shown {
            Shown::Nothing | Shown::Environment { .. } => return Ok((headers, whose)),
            Shown::Bearer { secret } => {
                (Ok(AUTHORIZATION), format!("Bearer {}", self.secret(secret).await?))
            }
            Shown::Header { name, secret } => {
                (HeaderName::try_from(name.as_str()), self.secret(secret).await?)
            }
            Shown::Client { .. } | Shown::Account { .. } => {
                let (token, own) = self.token(person).await?;
                whose = own;
                (Ok(AUTHORIZATION), format!("Bearer {token}"))
            }
        };
        let unfit = || {
            Failure::Internal(format!(
                "what {} is shown ({}) does not fit in a header",
                self.server.name,
                self.server.shown.secrets().join(", ")
            ))
        };
        let mut value = HeaderValue::from_str(&text).map_err(|_| unfit())?;
        value.set_sensitive(true);
        headers.insert(name.map_err(|_| unfit())?, value);
        Ok((headers, whose))
    }

    /// In the environment of a process, as far as its entry wants it there.
    pub(super) async fn environment(&self, entry: &HostedServer) -> Result<Variables, Failure> {
        let mut environment = BTreeMap::new();
        if let Shown::Environment { secrets } = &self.server.shown {
            if let Some(name) = secrets.keys().find(|name| !entry.secrets.contains(*name)) {
                return Err(Failure::Elsewhere(format!(
                    "its entry on the node does not name {name:?} in `secrets` any more"
                )));
            }
            for (variable, secret) in secrets {
                environment.insert(variable.clone(), self.secret(secret).await?);
            }
        }
        if environment.values().map(String::len).sum::<usize>() > SECRETS_BYTES_MAX {
            let why = format!("its secrets are longer than {SECRETS_BYTES_MAX} bytes together");
            return Err(Failure::Internal(why));
        }
        Ok(Variables(environment))
    }

    pub(super) async fn secret(&self, name: &str) -> Result<String, Failure> {
        let version = self.parts.store.lookup_secret_version(name).await;
        let version = version.map_err(|error| Failure::Internal(error.to_string()))?;
        let version = version.ok_or_else(|| Failure::NoSecret(name.to_owned()))?;
        let purpose = purpose_of_secret(&version.name, version.number);
        let plain = self.parts.sealer.open(&purpose, &version.sealed);
        let plain = plain.map_err(|error| Failure::Internal(error.to_string()))?;
        Ok(String::from_utf8_lossy(&plain).into_owned())
    }
}
