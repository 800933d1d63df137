//! What a client carries from an answer that asks for something to its next try (MCP 2026-07-28, «Multi Round-Trip
//! Requests»): sealed, for one caller, one request, and a while.

use super::{Gateway, client::Client};
use crate::rpc::{Object, RpcError};
use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use wardroom_core::{Timestamp, ToolCallId, digest::sha256};

/// What it is sealed for.
const PURPOSE: &str = "mcp.request_state";
/// How long it is good.
pub(super) const GOOD_FOR: Duration = Duration::from_secs(600);
/// The longest, in characters.
const CHARS_MAX: usize = 64 * 1024;

/// A call, and how often it went on. What a client carries is good once.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CallRound {
    pub(super) id: uuid::Uuid,
    pub(super) round: u32,
}

/// What is carried.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Carried {
    /// The call that goes on.
    pub(super) call: Option<CallRound>,
    /// What the tool server wants to have back.
    pub(super) inner: Option<String>,
    /// The request to a server that waits for answers.
    pub(super) parked: Option<String>,
    /// Whether the call waits for a person's consent, and has not begun.
    #[serde(default)]
    pub(super) consent: bool,
    /// Whether the call waits for its caller to connect an account, and has not begun.
    #[serde(default)]
    pub(super) account: bool,
}

/// What is sealed.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RequestState {
    /// For whom.
    user: uuid::Uuid,
    /// By which program.
    client: Option<uuid::Uuid>,
    /// For which request: its digest.
    digest: [u8; 32],
    /// Until when, in microseconds.
    until: i64,
    carried: Carried,
}

/// Tells a request from all others: the method, the server, and what it says beside answers.
pub(super) fn digest(client: &Client, method: &str, params: &Object) -> [u8; 32] {
    let mut own = params.clone();
    for member in ["_meta", "inputResponses", "requestState"] {
        own.remove(member);
    }
    let scope = client.scope.as_deref().unwrap_or("*");
    sha256(&[method.as_bytes(), b"\0", scope.as_bytes(), b"\0", own.raw().get().as_bytes()])
}

impl CallRound {
    /// A call that just began.
    pub(super) fn first(id: ToolCallId) -> Self {
        Self { id: id.uuid(), round: 0 }
    }

    /// The same the next time.
    pub(super) fn next(self) -> Self {
        Self { round: self.round + 1, ..self }
    }

    pub(super) fn call(self) -> ToolCallId {
        ToolCallId::from_uuid(self.id)
    }
}

impl Gateway {
    /// What a request carries, if it carries something. SECURITY: what was not sealed here, for this caller and this
    /// request, is refused as a whole.
    pub(super) fn open_state(
        &self,
        client: &Client,
        params: &Object,
        digest: [u8; 32],
    ) -> Result<Option<Carried>, RpcError> {
        let refused = || RpcError::invalid_params("`requestState` is not one that is good here");
        if !params.has("requestState") {
            return Ok(None);
        }
        let text = params.text("requestState").filter(|text| text.len() <= CHARS_MAX);
        let sealed = text.and_then(|text| BASE64URL_NOPAD.decode(text.as_bytes()).ok());
        let plain =
            self.sealer.open(PURPOSE, &sealed.ok_or_else(refused)?).map_err(|_| refused())?;
        let state: RequestState = serde_json::from_slice(&plain).map_err(|_| refused())?;
        let good = state.user == client.caller.user().uuid()
            && state.client == client.caller.client().map(|client| client.uuid())
            && state.digest == digest
            && self.clock.now() < Timestamp::from_micros(state.until);
        if good { Ok(Some(state.carried)) } else { Err(refused()) }
    }

    /// Seals what a request shall carry when it comes again.
    pub(super) fn seal_state(
        &self,
        client: &Client,
        digest: [u8; 32],
        carried: Carried,
    ) -> Result<String, RpcError> {
        let until = self.clock.now().plus(GOOD_FOR).as_micros();
        let (user, client) = (client.caller.user().uuid(), client.caller.client());
        let client = client.map(|client| client.uuid());
        let state = RequestState { user, client, digest, until, carried };
        let plain = serde_json::to_vec(&state).map_err(|_| RpcError::internal())?;
        let sealed = self.sealer.seal(PURPOSE, &plain, &*self.rng);
        Ok(BASE64URL_NOPAD.encode(&sealed.map_err(|_| RpcError::internal())?))
    }
}
