//! What runs are given and what they print, at rest: a customer's under the customer's key, so that it goes with the
//! customer; what others are given under the key ring.

use crate::{Engine, EngineError};
use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use wardroom_core::{
    CustomerId, Rng,
    command::Parameters,
    run::{OutputChunk, Run},
};
use zeroize::Zeroizing;

/// What a sealed run's values are bound to.
pub(crate) const SEAL_PARAMETERS: &str = "run.parameters";
/// The same of what it printed.
const SEAL_OUTPUT: &str = "run.output";

/// A run's values.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Values {
    /// Random, hexadecimal: what digests of the values are mixed with. Empty where a run is older than it.
    #[serde(default)]
    pub salt: String,
    /// Those that whoever may read the run may see.
    pub shown: Parameters,
    /// Those that nobody sees after submission.
    pub secret: Parameters,
}

impl Values {
    /// Parts values by whether their parameter is secret.
    pub(crate) fn part(
        values: Parameters,
        is_secret: impl Fn(&str) -> bool,
        rng: &dyn Rng,
    ) -> Self {
        let mut salt = [0; 16];
        rng.fill(&mut salt);
        let (secret, shown) = values.into_iter().partition(|(name, _)| is_secret(name));
        Self { salt: HEXLOWER.encode(&salt), shown, secret }
    }

    /// All of them, for the node.
    pub(crate) fn all(&self) -> Parameters {
        self.shown
            .iter()
            .chain(&self.secret)
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect()
    }
}

impl Engine {
    /// The values of a run, as its submitter gave them; the node fills in its own defaults.
    pub async fn open_parameters(&self, run: &Run) -> Result<Values, EngineError> {
        let sealed = &run.parameters_sealed;
        let plain = match run.customer {
            Some(customer) => {
                let cipher = self.vault.cipher(customer.into()).await?;
                cipher.open(SEAL_PARAMETERS, sealed).map_err(EngineError::seal)?
            }
            None => self.sealer.open(SEAL_PARAMETERS, sealed).map_err(EngineError::seal)?,
        };
        serde_json::from_slice(&plain).map_err(EngineError::seal)
    }

    /// The same to be looked at; none where the customer was erased.
    pub async fn values_left(&self, run: &Run) -> Result<Option<Values>, EngineError> {
        let Some(customer) = run.customer else { return self.open_parameters(run).await.map(Some) };
        if run.parameters_sealed.is_empty() || self.customer_cipher(customer).await?.is_none() {
            return Ok(None);
        }
        self.open_parameters(run).await.map(Some)
    }

    /// Seals values for a run.
    pub(crate) async fn seal_parameters(
        &self,
        customer: Option<CustomerId>,
        values: &Values,
    ) -> Result<Vec<u8>, EngineError> {
        let plain = Zeroizing::new(serde_json::to_vec(values).map_err(EngineError::seal)?);
        match customer {
            Some(customer) => {
                let cipher = self.vault.cipher(customer.into()).await?;
                cipher.seal(SEAL_PARAMETERS, &plain, &*self.rng).map_err(EngineError::seal)
            }
            None => {
                self.sealer.seal(SEAL_PARAMETERS, &plain, &*self.rng).map_err(EngineError::seal)
            }
        }
    }

    /// Seals what a run printed, where it is a customer's. Of one that was erased nothing is kept but that there was
    /// something.
    pub(crate) async fn seal_output(
        &self,
        run: &Run,
        mut chunks: Vec<OutputChunk>,
    ) -> Result<Vec<OutputChunk>, EngineError> {
        let Some(customer) = run.customer else { return Ok(chunks) };
        let cipher = self.customer_cipher(customer).await?;
        for chunk in &mut chunks {
            chunk.bytes = match &cipher {
                Some(cipher) => {
                    cipher.seal(SEAL_OUTPUT, &chunk.bytes, &*self.rng).map_err(EngineError::seal)?
                }
                None => vec![],
            };
        }
        Ok(chunks)
    }

    /// What a run printed, as it was, out of what is stored of it.
    pub async fn open_output(
        &self,
        run: &Run,
        mut chunks: Vec<OutputChunk>,
    ) -> Result<Vec<OutputChunk>, EngineError> {
        let Some(customer) = run.customer else { return Ok(chunks) };
        let cipher = self.customer_cipher(customer).await?;
        for chunk in &mut chunks {
            chunk.bytes = match &cipher {
                Some(cipher) if !chunk.bytes.is_empty() => {
                    cipher.open(SEAL_OUTPUT, &chunk.bytes).map_err(EngineError::seal)?.to_vec()
                }
                _ => vec![],
            };
        }
        Ok(chunks)
    }
}
