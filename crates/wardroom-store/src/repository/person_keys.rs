//! People's keys, apart from everything else.

macro_rules! person_keys {
    ($store:ty, $db:ty, table = $table:literal) => {
        mod person_keys {
            use super::*;
            use crate::{
                error::of,
                repository::{statement as run, unsigned},
            };
            use uuid::Uuid;
            use wardroom_core::{
                PersonId, Timestamp,
                person::PersonKey,
                store::{PersonKeys, StoreResult},
            };

            fn key(row: &<$db as sqlx::Database>::Row) -> StoreResult<PersonKey> {
                Ok(PersonKey {
                    person: PersonId::from_uuid(row.try_get::<Uuid, _>("person").map_err(of)?),
                    generation: unsigned("key generation", row.try_get("generation").map_err(of)?)?,
                    wrapped: row.try_get("wrapped").map_err(of)?,
                    created_at: Timestamp::from_micros(row.try_get("created_at").map_err(of)?),
                })
            }

            async fn add(connection: &mut <$db as sqlx::Database>::Connection, key: &PersonKey) -> StoreResult<()> {
                run!(connection,
                    concat!("INSERT INTO ", $table, " (person, generation, wrapped, created_at) VALUES ($1, $2, $3, $4)"),
                    key.person.uuid(), i64::from(key.generation), key.wrapped.clone(), key.created_at.as_micros());
                Ok(())
            }

            #[async_trait::async_trait]
            impl PersonKeys for $store {
                async fn add_person_keys(&self, keys: &[PersonKey]) -> StoreResult<()> {
                    let mut transaction = self.keys().begin().await.map_err(of)?;
                    for key in keys {
                        add(&mut transaction, key).await?;
                    }
                    transaction.commit().await.map_err(of)
                }

                async fn renew_person_keys(&self, keys: &[PersonKey]) -> StoreResult<()> {
                    let mut transaction = self.keys().begin().await.map_err(of)?;
                    for key in keys {
                        // SECURITY: it holds the person's rows, so that nobody who is erased in between has a key
                        // again.
                        let held = run!(transaction, concat!("UPDATE ", $table, " SET wrapped = wrapped WHERE person = $1"), key.person.uuid());
                        if held > 0 {
                            add(&mut transaction, key).await?;
                        }
                    }
                    transaction.commit().await.map_err(of)
                }

                async fn list_person_keys(&self, person: PersonId) -> StoreResult<Vec<PersonKey>> {
                    let sql = concat!("SELECT * FROM ", $table, " WHERE person = $1 ORDER BY generation");
                    let rows = sqlx::query(sql).bind(person.uuid()).fetch_all(self.keys()).await;
                    rows.map_err(of)?.iter().map(key).collect()
                }

                async fn walk_person_keys(
                    &self,
                    after: Option<(PersonId, u32)>,
                    limit: u32,
                ) -> StoreResult<Vec<PersonKey>> {
                    let (person, generation) = after.map_or((Uuid::nil(), 0), |(id, generation)| (id.uuid(), generation));
                    let sql = concat!("SELECT * FROM ", $table, " WHERE person > $1 OR (person = $1 AND generation > $2) ORDER BY person, generation LIMIT $3");
                    let rows = sqlx::query(sql)
                        .bind(person)
                        .bind(i64::from(generation))
                        .bind(i64::from(limit))
                        .fetch_all(self.keys())
                        .await;
                    rows.map_err(of)?.iter().map(key).collect()
                }

                async fn list_wrapped_otherwise(&self, key_id: u32, limit: u32) -> StoreResult<Vec<PersonKey>> {
                    let sql = concat!("SELECT * FROM ", $table, " WHERE substr(wrapped, 2, 4) <> $1 ORDER BY person, generation LIMIT $2");
                    let rows = sqlx::query(sql).bind(key_id.to_be_bytes().to_vec()).bind(i64::from(limit)).fetch_all(self.keys()).await;
                    rows.map_err(of)?.iter().map(key).collect()
                }

                async fn count_wrapped_otherwise(&self, key_id: u32) -> StoreResult<u64> {
                    let sql = concat!("SELECT COUNT(*) FROM ", $table, " WHERE substr(wrapped, 2, 4) <> $1");
                    let count: i64 = sqlx::query_scalar(sql).bind(key_id.to_be_bytes().to_vec()).fetch_one(self.keys()).await.map_err(of)?;
                    Ok(u64::try_from(count).unwrap_or(0))
                }

                async fn rewrap_person_key(&self, key: &PersonKey) -> StoreResult<()> {
                    let mut connection = self.keys().acquire().await.map_err(of)?;
                    run!(connection,
                        concat!("UPDATE ", $table, " SET wrapped = $3 WHERE person = $1 AND generation = $2"),
                        key.person.uuid(), i64::from(key.generation), key.wrapped.clone());
                    Ok(())
                }

                async fn list_people_before(&self, generation: u32, limit: u32) -> StoreResult<Vec<PersonId>> {
                    let sql = concat!("SELECT person FROM ", $table, " GROUP BY person HAVING MAX(generation) < $1 ORDER BY person LIMIT $2");
                    let people: Vec<Uuid> = sqlx::query_scalar(sql).bind(i64::from(generation)).bind(i64::from(limit)).fetch_all(self.keys()).await.map_err(of)?;
                    Ok(people.into_iter().map(PersonId::from_uuid).collect())
                }

                async fn count_people_before(&self, generation: u32) -> StoreResult<u64> {
                    let sql = concat!("SELECT COUNT(*) FROM (SELECT person FROM ", $table, " GROUP BY person HAVING MAX(generation) < $1) AS older");
                    let count: i64 = sqlx::query_scalar(sql).bind(i64::from(generation)).fetch_one(self.keys()).await.map_err(of)?;
                    Ok(u64::try_from(count).unwrap_or(0))
                }

                async fn destroy_person_keys(&self, person: PersonId) -> StoreResult<()> {
                    let mut transaction = self.keys().begin().await.map_err(of)?;
                    // Waits for whoever adds a generation, which the statement behind it then finds.
                    run!(transaction, concat!("UPDATE ", $table, " SET wrapped = wrapped WHERE person = $1"), person.uuid());
                    run!(transaction, concat!("DELETE FROM ", $table, " WHERE person = $1"), person.uuid());
                    transaction.commit().await.map_err(of)
                }
            }
        }
    };
}
pub(crate) use person_keys;
