//! Callers who have to connect their account at a tool server first: they are sent to where they can.

use super::{
    Gateway,
    client::{Client, Speaks},
    consent::Called,
    request_state::Carried,
};
use crate::{
    rpc::{Object, RpcError, codes},
    upstream::Failure,
};

/// The name of the one question.
const QUESTION: &str = "account";

impl Gateway {
    /// What a caller is told who has to connect their account first; nothing where nothing is missing.
    pub(super) async fn account_first(
        &self,
        client: &Client,
        called: &Called<'_>,
    ) -> Result<Option<Object>, RpcError> {
        let (known, _) = called.about;
        let failure = match known.upstream.require_account(client.caller.user()).await {
            Ok(()) => return Ok(None),
            Err(failure) => failure,
        };
        let Failure::NoAccount { why, page } = &failure else { return Err(failure.into()) };
        let answers = called.params.object("inputResponses").unwrap_or_default();
        let answer = answers.object(QUESTION).and_then(|answer| answer.text("action"));
        let gone = matches!(answer.as_deref(), Some("decline" | "cancel"));
        if !self.can_be_sent(client) || gone {
            return Err(failure.into());
        }
        let question = Object::default()
            .with("mode", "url")
            .with("elicitationId", known.upstream.server.id.to_string())
            .with("url", page)
            .with("message", format!("{}: {why}", known.name()));
        match &client.speaks {
            Speaks::Legacy(_) => {
                let data = Object::default().with("elicitations", [question]);
                Err(RpcError::new(codes::URL_ELICITATION_REQUIRED, failure.to_string()).with(&data))
            }
            Speaks::Modern(_) => {
                let state = Carried { account: true, ..Carried::default() };
                let asked =
                    Object::default().with("method", "elicitation/create").with("params", question);
                Ok(Some(
                    Object::default()
                        .with("resultType", "input_required")
                        .with("requestState", self.seal_state(client, called.digest, state)?)
                        .with("inputRequests", Object::default().with(QUESTION, asked)),
                ))
            }
        }
    }
}
