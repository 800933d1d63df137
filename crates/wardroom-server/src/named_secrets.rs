//! Named secrets on their way into runs: who may use them, and where they may go.

use crate::{App, error::ApiError};
use std::collections::BTreeMap;
use wardroom_core::{action::Resource, node::Node};
use wardroom_engine::runs::Asked;

/// Whether a parameter of `command` is nobody's to see on any of the nodes. SECURITY: a value that somebody may use and
/// not read must not come to where it is shown.
pub(crate) fn is_secret(asked: &Asked, command: &str, parameter: &str) -> bool {
    let on_node = |node: &Node| {
        let command = node.catalogue.command(command);
        let parameters = command.map(|command| command.parameters.as_slice()).unwrap_or_default();
        parameters.iter().any(|one| one.name == parameter && one.secret)
    };
    asked.nodes().iter().all(on_node)
}

/// Refuses secrets that are not there or that `may` says no to, and parameters of `command` that somebody sees on any
/// of the nodes. `wanted` has secrets by the parameters that they are for, and stands in the field `within`.
pub(crate) async fn check(
    app: &App,
    (asked, command): (&Asked, &str),
    (within, wanted): (&str, &BTreeMap<String, String>),
    may: impl Fn(&Resource) -> bool,
) -> Result<(), ApiError> {
    for (parameter, name) in wanted {
        let refused = |why: &str| ApiError::field(&format!("{within}.{parameter}"), why);
        if !is_secret(asked, command, parameter) {
            return Err(refused("is no secret parameter of the command"));
        }
        let found = app.engine.store().lookup_secret(name).await?;
        if found.is_none() || !may(&Resource::secret(name)) {
            return Err(refused("there is no such secret, or none that you may use"));
        }
    }
    Ok(())
}
