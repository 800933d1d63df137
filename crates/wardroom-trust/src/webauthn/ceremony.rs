//! The two ceremonies: making a passkey, and showing one.

use super::{
    Base64Url, WebauthnError,
    key::{ALGORITHMS, PublicKey},
    reader::{Item, Reader},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::time::Duration;
use wardroom_core::{Rng, Timestamp, digest::sha256};

/// How long a person has for a ceremony.
const CEREMONY_TTL: Duration = Duration::from_secs(300);
/// The longest credential id (Level 3 §4), in bytes.
const CREDENTIAL_BYTES_MAX: u64 = 1023;
const TRANSPORTS_MAX: usize = 8;

/// Who asks: this installation, under its name.
#[derive(Debug, Clone)]
pub struct RelyingParty {
    /// The host name, without port; passkeys belong to it.
    pub id: String,
    /// What people see.
    pub name: String,
    /// The origins of its pages, with port.
    pub origins: Vec<String>,
}

/// What is remembered while somebody makes a passkey.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Registration {
    challenge: Base64Url,
    /// The account, as bytes that say nothing about it.
    pub user: Base64Url,
    begun_at: Timestamp,
}

/// What is remembered while somebody shows a passkey.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Authentication {
    challenge: Base64Url,
    /// The account that is to be proved; whoever the passkey names where absent.
    pub user: Option<Base64Url>,
    begun_at: Timestamp,
}

/// A passkey as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Passkey {
    /// The credential's id.
    pub id: Base64Url,
    /// The account.
    pub user: Base64Url,
    key: PublicKey,
    backup_eligible: bool,
    transports: Vec<String>,
}

/// What a browser gives back: `PublicKeyCredential.toJSON()`.
#[derive(Debug, Clone, Deserialize)]
pub struct Answer {
    #[serde(rename = "rawId")]
    raw_id: Base64Url,
    #[serde(rename = "type")]
    kind: String,
    response: Response,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Response {
    #[serde(rename = "clientDataJSON")]
    client_data: Base64Url,
    #[serde(default)]
    attestation_object: Option<Base64Url>,
    #[serde(default)]
    transports: Option<Vec<String>>,
    #[serde(default)]
    authenticator_data: Option<Base64Url>,
    #[serde(default)]
    signature: Option<Base64Url>,
    #[serde(default)]
    user_handle: Option<Base64Url>,
}

impl Answer {
    /// The credential by which the passkey is looked up.
    pub fn credential(&self) -> &[u8] {
        &self.raw_id.0
    }
}

/// What came of showing a passkey.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shown {
    /// How often the key has signed, or 0 where it does not count.
    pub counter: u32,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ClientData {
    #[serde(rename = "type")]
    kind: String,
    challenge: Base64Url,
    origin: String,
    #[serde(default)]
    cross_origin: Option<bool>,
    #[serde(default)]
    top_origin: Option<String>,
}

struct AuthenticatorData<'a> {
    counter: u32,
    backup_eligible: bool,
    attested: Option<(&'a [u8], PublicKey)>,
}

impl RelyingParty {
    /// Asks for a new passkey of `user`, who is shown as `name`; `existing` ones are left out.
    pub fn begin_registration(
        &self,
        user: &[u8],
        name: &str,
        existing: &[Passkey],
        now: Timestamp,
        rng: &dyn Rng,
    ) -> (Value, Registration) {
        let state = Registration {
            challenge: challenge(rng),
            user: Base64Url(user.to_vec()),
            begun_at: now,
        };
        let options = json!({
            "rp": { "id": self.id, "name": self.name },
            "user": { "id": state.user, "name": name, "displayName": name },
            "challenge": state.challenge,
            "pubKeyCredParams": ALGORITHMS.map(|alg| json!({ "type": "public-key", "alg": alg })),
            "timeout": CEREMONY_TTL.as_millis() as u64,
            "excludeCredentials": existing.iter().map(descriptor).collect::<Vec<_>>(),
            "authenticatorSelection": {
                "residentKey": "required", "requireResidentKey": true, "userVerification": "required",
            },
            "attestation": "none",
        });
        (options, state)
    }

    /// The passkey that was made.
    pub fn finish_registration(
        &self,
        state: &Registration,
        answer: &Answer,
        now: Timestamp,
    ) -> Result<(Passkey, u32), WebauthnError> {
        let response = &answer.response;
        self.client_data(answer, "webauthn.create", &state.challenge, (state.begun_at, now))?;
        let object =
            response.attestation_object.as_ref().ok_or(WebauthnError::Form("no attestation"))?;
        let data = self.authenticator_data(attested_data(&object.0)?)?;
        let (id, key) = data.attested.ok_or(WebauthnError::Form("no credential"))?;
        if id != answer.raw_id.0 {
            return Err(WebauthnError::Form("two credentials"));
        }
        let mut transports = response.transports.clone().unwrap_or_default();
        transports.retain(|text| {
            (1..=16).contains(&text.len())
                && text.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')
        });
        transports.truncate(TRANSPORTS_MAX);
        let passkey = Passkey {
            id: Base64Url(id.to_vec()),
            user: state.user.clone(),
            key,
            backup_eligible: data.backup_eligible,
            transports,
        };
        Ok((passkey, data.counter))
    }

    /// Asks for one of `keys` of `user`; without an account, for whichever passkey somebody has here.
    pub fn begin_authentication(
        &self,
        user: Option<(&[u8], &[Passkey])>,
        now: Timestamp,
        rng: &dyn Rng,
    ) -> (Value, Authentication) {
        let state = Authentication {
            challenge: challenge(rng),
            user: user.map(|(user, _)| Base64Url(user.to_vec())),
            begun_at: now,
        };
        let mut options = json!({
            "challenge": state.challenge, "rpId": self.id,
            "timeout": CEREMONY_TTL.as_millis() as u64, "userVerification": "required",
        });
        if let (Some((_, keys)), Some(map)) = (user, options.as_object_mut()) {
            map.insert("allowCredentials".to_owned(), keys.iter().map(descriptor).collect());
        }
        (options, state)
    }

    /// Checks that `passkey`, found by [`Answer::credential`], was shown; `counted` is its counter so far.
    pub fn finish_authentication(
        &self,
        state: &Authentication,
        answer: &Answer,
        (passkey, counted): (&Passkey, u32),
        now: Timestamp,
    ) -> Result<Shown, WebauthnError> {
        let response = &answer.response;
        let handle = response.user_handle.as_ref();
        let own = match &state.user {
            Some(user) => *user == passkey.user && handle.is_none_or(|handle| handle == user),
            None => handle == Some(&passkey.user),
        };
        if !own || answer.raw_id != passkey.id {
            return Err(WebauthnError::Unknown);
        }
        self.client_data(answer, "webauthn.get", &state.challenge, (state.begun_at, now))?;
        let (Some(data), Some(signature)) = (&response.authenticator_data, &response.signature)
        else {
            return Err(WebauthnError::Form("no signature"));
        };
        let parsed = self.authenticator_data(&data.0)?;
        if parsed.backup_eligible != passkey.backup_eligible {
            return Err(WebauthnError::Form("the key changed its nature"));
        }
        let message = [&data.0[..], &sha256(&[&response.client_data.0])].concat();
        passkey.key.verify(&message, &signature.0)?;
        // Last, so that only a true signature can accuse somebody of a copy.
        if (parsed.counter, counted) != (0, 0) && parsed.counter <= counted {
            return Err(WebauthnError::Counter);
        }
        Ok(Shown { counter: parsed.counter })
    }

    /// Level 3 §7.1 steps 5 to 11 and §7.2 steps 10 to 14.
    fn client_data(
        &self,
        answer: &Answer,
        kind: &str,
        challenge: &Base64Url,
        (begun_at, now): (Timestamp, Timestamp),
    ) -> Result<(), WebauthnError> {
        if answer.kind != "public-key" {
            return Err(WebauthnError::Form("not a public key"));
        }
        let data: ClientData = serde_json::from_slice(&answer.response.client_data.0)
            .map_err(|_| WebauthnError::Form("client data"))?;
        let late = now < begun_at || now.since(begun_at) > CEREMONY_TTL;
        if late || data.kind != kind || data.challenge != *challenge {
            return Err(WebauthnError::Challenge);
        }
        // SECURITY: within no frame of another site either.
        let framed = data.cross_origin == Some(true) || data.top_origin.is_some();
        if framed || !self.origins.contains(&data.origin) {
            return Err(WebauthnError::Site);
        }
        Ok(())
    }

    /// Level 3 §6.1.
    fn authenticator_data<'a>(
        &self,
        bytes: &'a [u8],
    ) -> Result<AuthenticatorData<'a>, WebauthnError> {
        let mut reader = Reader(bytes);
        if reader.take(32)? != sha256(&[self.id.as_bytes()]) {
            return Err(WebauthnError::Site);
        }
        let flags = reader.number(1)?;
        let flag = |bit: u64| flags & bit != 0;
        let counter = u32::try_from(reader.number(4)?).unwrap_or(u32::MAX);
        if !flag(0x01) || !flag(0x04) {
            return Err(WebauthnError::UserNotVerified);
        }
        let backup_eligible = flag(0x08);
        if flag(0x10) && !backup_eligible {
            return Err(WebauthnError::Form("backed up, but not eligible for it"));
        }
        let mut attested = None;
        if flag(0x40) {
            // The authenticator's model, which without attestation says nothing.
            reader.take(16)?;
            let length = reader.number(2)?;
            if length == 0 || length > CREDENTIAL_BYTES_MAX {
                return Err(WebauthnError::Form("a credential's length"));
            }
            let id = reader.take(length as usize)?;
            attested = Some((id, PublicKey::read(&mut reader)?));
        }
        if flag(0x80) {
            reader.item()?;
        }
        reader.end()?;
        Ok(AuthenticatorData { counter, backup_eligible, attested })
    }
}

/// The authenticator data within an attestation object (Level 3 §6.5).
fn attested_data(bytes: &[u8]) -> Result<&[u8], WebauthnError> {
    let mut reader = Reader(bytes);
    let mut found = None;
    for _ in 0..reader.map()? {
        let Item::Text(name) = reader.item()? else {
            return Err(WebauthnError::Form("an attestation's key"));
        };
        if let ("authData", Item::Bytes(data)) = (name, reader.item()?)
            && found.replace(data).is_some()
        {
            return Err(WebauthnError::Form("authenticator data stands twice"));
        }
    }
    reader.end()?;
    found.ok_or(WebauthnError::Form("no authenticator data"))
}

fn descriptor(key: &Passkey) -> Value {
    json!({ "type": "public-key", "id": key.id, "transports": key.transports })
}

fn challenge(rng: &dyn Rng) -> Base64Url {
    let mut bytes = vec![0; 32];
    rng.fill(&mut bytes);
    Base64Url(bytes)
}
