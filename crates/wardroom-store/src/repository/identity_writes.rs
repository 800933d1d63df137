//! Writes to accounts and what proves them.

macro_rules! identity_writes {
    ($db:ty) => {
        mod identity_writes {
            use super::*;
            use crate::repository::{guarded, json, statement as run};
            use wardroom_core::{
                UserId,
                block::BLOCK_MEMORY,
                watch::WATCH_MEMORY,
                change::Write,
                identity::{ApiToken, Factor, Pass, Session, User},
                principal::Credential,
                store::StoreResult,
            };

            type Connection = <$db as sqlx::Database>::Connection;

            /// Applies a write to accounts; `None` when it is another one.
            pub(super) async fn apply(c: &mut Connection, write: &Write) -> Option<StoreResult<()>> {
                Some(match write {
                    Write::AddUser(user) => add_user(c, user).await,
                    Write::UpdateUser(user) => update_user(c, user).await,
                    Write::KeepPassword { user, hash, at, kept } => keep_password(c, *user, hash, at.as_micros(), *kept).await,
                    Write::ForgetPasswordsOf(user) => forget_passwords(c, *user).await,
                    Write::RequireAnotherAdmin(user) => require_another_admin(c, *user).await,
                    Write::AddApiToken(token) => add_api_token(c, token).await,
                    Write::AddPass(pass) => add_pass(c, pass).await,
                    Write::AddFactor(factor) => add_factor(c, factor).await,
                    _ => return apply_to_session(c, write).await.transpose(),
                })
            }

            async fn apply_to_session(c: &mut Connection, write: &Write) -> StoreResult<Option<()>> {
                match write {
                    Write::AddSession(s) => add_session(c, s).await?,
                    Write::AddOutside { subject, user, at } => {
                        run!(c, "INSERT INTO outside (subject, user_id, created_at) VALUES ($1, $2, $3)", subject.0.to_vec(), user.uuid(), at.as_micros());
                    }
                    Write::RemoveOutsideOf(user) => {
                        run!(c, "DELETE FROM outside WHERE user_id = $1", user.uuid());
                    }
                    Write::RemoveSessionsOutside(sid) => {
                        run!(c, "DELETE FROM sessions WHERE outside = $1", sid.0.to_vec());
                    }
                    Write::RemoveSession(id) => guarded("the session", run!(c, "DELETE FROM sessions WHERE id = $1", id.uuid()))?,
                    Write::RemoveSessionsOf { user, but } => {
                        run!(c, "DELETE FROM sessions WHERE user_id = $1 AND id <> $2", user.uuid(), but.map_or(uuid::Uuid::nil(), |id| id.uuid()));
                    }
                    Write::TouchSession { id, at, idle_until } => {
                        run!(c, "UPDATE sessions SET seen_at = $2, idle_until = $3 WHERE id = $1", id.uuid(), at.as_micros(), idle_until.as_micros());
                    }
                    Write::RotateSession { id, from, to, at, idle_until } => {
                        guarded("the session", run!(c, "UPDATE sessions SET secret_hash = $3, seen_at = $4, idle_until = $5 WHERE id = $1 AND secret_hash = $2",
                            id.uuid(), from.0.to_vec(), to.0.to_vec(), at.as_micros(), idle_until.as_micros()))?;
                        run!(c, "INSERT INTO spent_secrets (secret_hash, session_id) VALUES ($1, $2)", from.0.to_vec(), id.uuid());
                    }
                    Write::ProveSession { id, at, second_factor } => guarded("the session",
                        run!(c, "UPDATE sessions SET proved_at = $2, second_factor = $3 WHERE id = $1", id.uuid(), at.as_micros(), *second_factor))?,
                    // An update that changes nothing: it holds the row until the change is durable.
                    Write::RequireCredential(Credential::Session(id)) => guarded("the session",
                        run!(c, "UPDATE sessions SET id = id WHERE id = $1", id.uuid()))?,
                    // It was proved with the request itself.
                    Write::RequireCredential(Credential::Outside(_)) => {}
                    Write::RequireCredential(Credential::Run(id)) => guarded("the run",
                        run!(c, "UPDATE runs SET id = id WHERE id = $1 AND finished_at IS NULL", id.uuid()))?,
                    Write::RequireCredential(Credential::ApiToken(id)) => guarded("the token",
                        run!(c, "UPDATE api_tokens SET id = id WHERE id = $1", id.uuid()))?,
                    _ => return apply_to_proofs(c, write).await,
                }
                Ok(Some(()))
            }

            async fn apply_to_proofs(c: &mut Connection, write: &Write) -> StoreResult<Option<()>> {
                match write {
                    Write::RemoveExpired(now) => {
                        for sql in [
                            "DELETE FROM sessions WHERE expires_at <= $1",
                            "DELETE FROM sessions WHERE idle_until <= $1",
                            "DELETE FROM api_tokens WHERE expires_at <= $1",
                            "DELETE FROM passes WHERE expires_at <= $1",
                            "DELETE FROM oauth_codes WHERE expires_at <= $1",
                            "DELETE FROM memories WHERE expires_at <= $1",
                        ] {
                            run!(c, sql, now.as_micros());
                        }
                        for sql in [
                            "DELETE FROM messages WHERE dead AND created_at <= $1",
                            "DELETE FROM alerts WHERE acknowledged_at <= $1",
                            "DELETE FROM faults WHERE resolved_at <= $1",
                        ] {
                            run!(c, sql, now.minus(WATCH_MEMORY).as_micros());
                        }
                        run!(c, "DELETE FROM blocks WHERE until_at <= $1", now.minus(BLOCK_MEMORY).as_micros());
                    }
                    Write::AddPolicy(p) => {
                        run!(c, "INSERT INTO policies (number, body, note, author, created_at) VALUES ($1, $2, $3, $4, $5)",
                            p.number, p.text.clone(), p.note.clone(), p.author.clone(), p.created_at.as_micros());
                    }
                    Write::PutBlock(b) => {
                        run!(c, "INSERT INTO blocks (network, reason, times, created_at, until_at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (network) DO UPDATE SET reason = $2, times = $3, created_at = $4, until_at = $5",
                            b.network.clone(), b.reason.clone(), i64::from(b.times), b.created_at.as_micros(), b.until.as_micros());
                    }
                    Write::RemoveBlock(network) => guarded("the block", run!(c, "DELETE FROM blocks WHERE network = $1", network.clone()))?,
                    Write::RemoveApiToken(id) => guarded("the token", run!(c, "DELETE FROM api_tokens WHERE id = $1", id.uuid()))?,
                    Write::RemoveApiTokensOf(user) => {
                        run!(c, "DELETE FROM api_tokens WHERE user_id = $1", user.uuid());
                    }
                    Write::TouchApiToken { id, at } => {
                        run!(c, "UPDATE api_tokens SET used_at = $2 WHERE id = $1", id.uuid(), at.as_micros());
                    }
                    Write::UsePass { id, at } => guarded("the link",
                        run!(c, "DELETE FROM passes WHERE id = $1 AND expires_at > $2", id.uuid(), at.as_micros()))?,
                    Write::RemovePassesOf(user) => {
                        run!(c, "DELETE FROM passes WHERE user_id = $1", user.uuid());
                    }
                    Write::UseFactor { id, counter, at, sealed } => guarded("the second factor",
                        run!(c, "UPDATE factors SET counter = $2, used_at = $3, confirmed = $4, sealed = COALESCE($5, sealed) WHERE id = $1 AND (counter < $2 OR (counter = 0 AND $2 = 0))",
                            id.uuid(), *counter, at.as_micros(), true, sealed.clone()))?,
                    Write::RemoveFactor(id) => guarded("the second factor", run!(c, "DELETE FROM factors WHERE id = $1", id.uuid()))?,
                    Write::RemoveFactorsOf { user, kind } => {
                        match kind {
                            Some(kind) => run!(c, "DELETE FROM factors WHERE user_id = $1 AND kind = $2", user.uuid(), kind.as_str()),
                            None => run!(c, "DELETE FROM factors WHERE user_id = $1", user.uuid()),
                        };
                    }
                    _ => return Ok(None),
                }
                Ok(Some(()))
            }

            async fn add_user(c: &mut Connection, u: &User) -> StoreResult<()> {
                run!(c, "INSERT INTO users (id, version, profile, name_index, email_index, role, state, password_hash, password_temporary, password_changed_at, created_at, second_factor, user_groups, customer_id) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
                    u.id.uuid(), u.version, u.profile.clone(), u.name_index.0.to_vec(), u.email_index.map(|index| index.0.to_vec()), u.role.as_str(), u.state.as_str(),
                    u.password_hash.clone(), u.password_temporary, u.password_changed_at.as_micros(), u.created_at.as_micros(), u.second_factor, json(&u.groups)?, u.customer.map(|id| id.uuid()));
                Ok(())
            }

            async fn update_user(c: &mut Connection, u: &User) -> StoreResult<()> {
                guarded("the account", run!(c, "UPDATE users SET version = $2, profile = $3, name_index = $4, email_index = $5, role = $6, state = $7, password_hash = $8, password_temporary = $9, password_changed_at = $10, second_factor = $11, user_groups = $12, customer_id = $13, plain_name = NULL WHERE id = $1 AND version = $2 - 1",
                    u.id.uuid(), u.version, u.profile.clone(), u.name_index.0.to_vec(), u.email_index.map(|index| index.0.to_vec()), u.role.as_str(), u.state.as_str(),
                    u.password_hash.clone(), u.password_temporary, u.password_changed_at.as_micros(), u.second_factor, json(&u.groups)?, u.customer.map(|id| id.uuid())))
            }

            async fn keep_password(c: &mut Connection, user: UserId, hash: &str, at: i64, kept: u32) -> StoreResult<()> {
                run!(c, "INSERT INTO old_passwords (user_id, at, hash) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING", user.uuid(), at, hash.to_owned());
                run!(c, "DELETE FROM old_passwords WHERE user_id = $1 AND at NOT IN (SELECT at FROM old_passwords WHERE user_id = $1 ORDER BY at DESC LIMIT $2)",
                    user.uuid(), i64::from(kept));
                Ok(())
            }

            async fn forget_passwords(c: &mut Connection, user: UserId) -> StoreResult<()> {
                run!(c, "DELETE FROM old_passwords WHERE user_id = $1", user.uuid());
                Ok(())
            }

            /// An update that changes nothing: two administrators can't turn each other away at once.
            async fn require_another_admin(c: &mut Connection, user: UserId) -> StoreResult<()> {
                guarded("another administrator", run!(c, "UPDATE users SET id = id WHERE role = 'admin' AND state = 'active' AND id <> $1", user.uuid()))
            }

            async fn add_session(c: &mut Connection, s: &Session) -> StoreResult<()> {
                run!(c, "INSERT INTO sessions (id, secret_hash, user_id, kind, created_at, expires_at, idle_until, seen_at, proved_at, second_factor, about, outside, client_id, scopes, resource) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
                    s.id.uuid(), s.secret_hash.0.to_vec(), s.user.uuid(), s.kind.as_str(), s.created_at.as_micros(), s.expires_at.as_micros(), s.idle_until.as_micros(),
                    s.seen_at.as_micros(), s.proved_at.as_micros(), s.second_factor, s.about.clone(), s.outside.map(|sid| sid.0.to_vec()),
                    s.grant.as_ref().map(|grant| grant.client.uuid()), s.grant.as_ref().map(|grant| json(&grant.scopes)).transpose()?, s.grant.as_ref().map(|grant| grant.resource.clone()));
                Ok(())
            }

            async fn add_api_token(c: &mut Connection, t: &ApiToken) -> StoreResult<()> {
                run!(c, "INSERT INTO api_tokens (id, secret_hash, user_id, name, scopes, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
                    t.id.uuid(), t.secret_hash.0.to_vec(), t.user.uuid(), t.name.clone(), json(&t.scopes)?, t.created_at.as_micros(), t.expires_at.as_micros());
                Ok(())
            }

            async fn add_pass(c: &mut Connection, p: &Pass) -> StoreResult<()> {
                // Only of the same maker: what somebody asks for by e-mail does not take an administrator's link away.
                run!(c, "DELETE FROM passes WHERE user_id = $1 AND (created_by = 'system') = ($2 = 'system')", p.user.uuid(), p.created_by.clone());
                run!(c, "INSERT INTO passes (id, secret_hash, user_id, purpose, created_by, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
                    p.id.uuid(), p.secret_hash.0.to_vec(), p.user.uuid(), p.purpose.as_str(), p.created_by.clone(), p.created_at.as_micros(), p.expires_at.as_micros());
                Ok(())
            }

            async fn add_factor(c: &mut Connection, f: &Factor) -> StoreResult<()> {
                run!(c, "INSERT INTO factors (id, user_id, kind, sealed, handle, counter, confirmed, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
                    f.id.uuid(), f.user.uuid(), f.kind.as_str(), f.sealed.clone(), f.handle.map(|handle| handle.0.to_vec()), f.counter, f.confirmed, f.created_at.as_micros());
                Ok(())
            }
        }
    };
}
pub(crate) use identity_writes;
