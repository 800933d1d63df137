//! What runs are given and what they print, at rest: a customer's under the customer's key, so that it goes with the
//! customer; what others are given under the key ring.

use crate::{Engine, EngineError};
use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use wardroom_core::{
    CustomerId, Rng,
    command::Parameters,
    run::{OutputChunk, Run},
    store::Extent,
};
use wardroom_trust::vault::SEALED_BYTES_MORE;
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
    /// Which of these are named secrets, and whose names: a repetition asks again who may use them.
    #[serde(default)]
    pub named: BTreeMap<String, String>,
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
        Self { salt: HEXLOWER.encode(&salt), shown, secret, named: BTreeMap::new() }
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
        self.values_left(run).await?.ok_or(EngineError::Erased)
    }

    /// The same; none where the customer was erased, and of an agent's run.
    pub async fn values_left(&self, run: &Run) -> Result<Option<Values>, EngineError> {
        let sealed = &run.parameters_sealed;
        // What an agent was asked is in its journal.
        if run.work.is_some() {
            return Ok(None);
        }
        let plain = match run.customer {
            Some(_) if sealed.is_empty() => return Ok(None),
            Some(customer) => match self.customer_cipher(customer).await? {
                Some(cipher) => cipher.open(SEAL_PARAMETERS, sealed),
                None => return Ok(None),
            },
            None => self.sealer.open(SEAL_PARAMETERS, sealed),
        };
        serde_json::from_slice(&plain.map_err(EngineError::seal)?).map_err(EngineError::seal)
    }

    /// Seals values for a run.
    pub(crate) async fn seal_parameters(
        &self,
        customer: Option<CustomerId>,
        values: &Values,
    ) -> Result<Vec<u8>, EngineError> {
        let plain = Zeroizing::new(serde_json::to_vec(values).map_err(EngineError::seal)?);
        let sealed = match customer {
            Some(customer) => {
                let cipher = self.customer_cipher(customer).await?;
                let cipher = cipher.ok_or(EngineError::Erased)?;
                cipher.seal(SEAL_PARAMETERS, &plain, &*self.rng)
            }
            None => self.sealer.seal(SEAL_PARAMETERS, &plain, &*self.rng),
        };
        sealed.map_err(EngineError::seal)
    }

    /// How much is stored of what an attempt printed, without what sealing adds.
    pub(crate) async fn output_extent(&self, run: &Run, fence: i64) -> Result<Extent, EngineError> {
        let stored = self.store.output_extent(run.id, fence).await?;
        let more = u64::from(stored.chunks) * SEALED_BYTES_MORE as u64;
        let more = if run.customer.is_some() { more } else { 0 };
        Ok(Extent { bytes: stored.bytes.saturating_sub(more), ..stored })
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
