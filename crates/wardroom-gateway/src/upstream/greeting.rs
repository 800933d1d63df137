//! What a tool server speaks, and how that is found out.

use super::{Ask, Failure, Listening, Upstream, endpoint::Endpoint, modern};
use crate::{
    era::{self, Era, LEGACY, MODERN},
    rpc::{Object, codes},
};
use std::{sync::PoisonError, time::Duration};

/// How long a server may take to say what it speaks.
pub(super) const GREETING_TIME: Duration = Duration::from_secs(15);

impl Upstream {
    /// What it speaks: asked once, and anew when it does not understand any more.
    pub(super) async fn era(
        &self,
        endpoint: &Endpoint,
        listening: &Listening,
    ) -> Result<Era, Failure> {
        if let Some(era) = *self.era.lock().unwrap_or_else(PoisonError::into_inner) {
            return Ok(era);
        }
        let era = self.find_era(endpoint, listening).await?;
        self.suppose(Some(era));
        Ok(era)
    }

    async fn find_era(&self, endpoint: &Endpoint, listening: &Listening) -> Result<Era, Failure> {
        match self.discover(endpoint, listening).await {
            Ok(_) => Ok(Era::Modern),
            Err(Failure::Rpc(error)) if error.code == codes::UNSUPPORTED_VERSION => Ok(Era::Legacy),
            Err(failure) => {
                // A server of an earlier revision refuses in its own way; one that is not there does not answer
                // to an opening either. A process may have ended over a request that it does not know: the next one
                // hears an opening first.
                if let Endpoint::Pipe(pipe) = endpoint
                    && pipe.is_ending()
                {
                    self.suppose(Some(Era::Legacy));
                    return Err(failure);
                }
                let session =
                    self.session(endpoint, (String::new(), &Object::default()), listening).await;
                match (session, failure) {
                    (Ok(_), _) => Ok(Era::Legacy),
                    (Err(_), failure @ (Failure::Denied(_) | Failure::TooLong(_))) => Err(failure),
                    (Err(failure), _) => Err(failure),
                }
            }
        }
    }

    pub(super) fn suppose(&self, era: Option<Era>) {
        *self.era.lock().unwrap_or_else(PoisonError::into_inner) = era;
    }

    pub(super) async fn discover(
        &self,
        endpoint: &Endpoint,
        listening: &Listening,
    ) -> Result<Object, Failure> {
        let greeting = async || {
            let ask = Ask { method: "server/discover".to_owned(), ..Ask::default() };
            let id = self.id();
            let asking = modern::ask(endpoint, &id, &ask, listening);
            let said = tokio::time::timeout(GREETING_TIME, asking).await;
            said.unwrap_or(Err(Failure::TimedOut(GREETING_TIME)))
        };
        let said = match greeting().await {
            // One that names it among what it speaks after all is asked once more.
            Err(Failure::Rpc(error)) if era::takes_after_all(&error, MODERN) => greeting().await?,
            said => said?,
        };
        let versions: Vec<String> = said.get("supportedVersions").unwrap_or_default();
        if versions.iter().any(|version| version == MODERN) {
            return Ok(said);
        }
        let known = |version: &String| LEGACY.contains(&version.as_str());
        if versions.iter().any(known) {
            return Err(Failure::Rpc(era::unsupported(MODERN)));
        }
        Err(Failure::Unreachable("it names no version of the protocol that is known".to_owned()))
    }

    /// A server that does not know the revision any more was exchanged for an older one.
    pub(super) fn doubt(&self, outcome: Result<Object, Failure>) -> Result<Object, Failure> {
        if let Err(Failure::Rpc(error)) = &outcome
            && error.code == codes::UNSUPPORTED_VERSION
        {
            self.suppose(None);
        }
        outcome
    }
}
