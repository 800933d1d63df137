//! People's accounts at tool servers.

macro_rules! tool_account_writes {
    ($db:ty) => {
        mod tool_account_writes {
            use super::*;
            use crate::repository::{guarded, json, statement as run};
            use wardroom_core::{
                store::StoreResult,
                tool::account::{ToolAccount, ToolAccountWrite},
            };

            type Connection = <$db as sqlx::Database>::Connection;

            /// Applies a write to accounts at tool servers.
            pub(super) async fn apply(c: &mut Connection, write: &ToolAccountWrite) -> StoreResult<()> {
                match write {
                    ToolAccountWrite::Connect(account) => connect(c, account).await,
                    ToolAccountWrite::Renew(a) => guarded("the account",
                        run!(c, "UPDATE tool_accounts SET scopes = $2, sealed = $3, version = $4 WHERE id = $1 AND version = $4 - 1",
                            a.id.uuid(), json(&a.scopes)?, a.sealed.clone(), a.version)),
                    ToolAccountWrite::Remove { id, version } => guarded("the account",
                        run!(c, "DELETE FROM tool_accounts WHERE id = $1 AND version = $2", id.uuid(), *version)),
                    ToolAccountWrite::RemoveOf(user) => {
                        run!(c, "DELETE FROM tool_accounts WHERE user_id = $1", user.uuid());
                        Ok(())
                    }
                }
            }

            async fn connect(c: &mut Connection, a: &ToolAccount) -> StoreResult<()> {
                // Updates that change nothing: they hold the rows until the change is durable.
                guarded("the account", run!(c, "UPDATE users SET id = id WHERE id = $1 AND state = 'active'", a.user.uuid()))?;
                guarded("the tool server", run!(c, "UPDATE tool_servers SET id = id WHERE id = $1", a.server.uuid()))?;
                run!(c, "DELETE FROM tool_accounts WHERE server = $1 AND user_id = $2", a.server.uuid(), a.user.uuid());
                run!(c, "INSERT INTO tool_accounts (id, server, user_id, issuer, scopes, sealed, version, connected_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
                    a.id.uuid(), a.server.uuid(), a.user.uuid(), a.issuer.clone(), json(&a.scopes)?, a.sealed.clone(), a.version, a.connected_at.as_micros());
                Ok(())
            }
        }
    };
}
pub(crate) use tool_account_writes;
