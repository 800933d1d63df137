//! The schema's history. Listed here rather than found by a macro of sqlx: that would compile sqlx and
//! SQLite a second time, for the compiler.

use sqlx::{
    SqlSafeStr as _,
    migrate::{Migration, MigrationType, Migrator},
};

/// The version of the schema that this build works with.
pub const SCHEMA_VERSION: i64 = 19;

/// Number, name and text of each migration, in order, for one engine.
macro_rules! migrations {
    ($engine:literal: $($number:literal $name:literal),+) => {
        &[$((
            $number,
            $name,
            include_str!(concat!("../migrations/", $engine, "/", $name, ".sql")),
        )),+]
    };
}

type Listed = &'static [(i64, &'static str, &'static str)];

const SQLITE: Listed = migrations!("sqlite": 1 "0001_foundation", 2 "0002_candidates", 3 "0003_people", 4 "0004_blocks", 5 "0005_policies", 6 "0006_desk", 7 "0007_watch", 8 "0008_outside", 9 "0009_secrets", 10 "0010_oauth", 11 "0011_tools", 12 "0012_approvals", 13 "0013_tool_accounts", 14 "0014_client_documents", 15 "0015_agents", 16 "0016_models", 17 "0017_journal", 18 "0018_threads", 19 "0019_memories");
const POSTGRES: Listed = migrations!("postgres": 1 "0001_foundation", 2 "0002_candidates", 3 "0003_people", 4 "0004_blocks", 5 "0005_policies", 6 "0006_desk", 7 "0007_watch", 8 "0008_outside", 9 "0009_secrets", 10 "0010_oauth", 11 "0011_tools", 12 "0012_approvals", 13 "0013_tool_accounts", 14 "0014_client_documents", 15 "0015_agents", 16 "0016_models", 17 "0017_journal", 18 "0018_threads", 19 "0019_memories");

/// SQLite's.
pub(crate) fn sqlite() -> Migrator {
    migrator(SQLITE)
}

/// PostgreSQL's.
pub(crate) fn postgres() -> Migrator {
    migrator(POSTGRES)
}

fn migrator(listed: Listed) -> Migrator {
    let migrations = listed.iter().map(|(number, name, text)| {
        Migration::new(
            *number,
            (*name).into(),
            MigrationType::Simple,
            (*text).into_sql_str(),
            false,
        )
    });
    Migrator::with_migrations(migrations.collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;

    /// What the first schema may hold: a repetition on every node with its part, and a second repetition.
    const OLD_RUNS: [(u8, Option<u8>, Option<u8>, &str); 5] = [
        (1, None, None, "node"),
        (2, None, Some(1), "all_of"),
        (3, Some(2), Some(1), "node"),
        (4, None, Some(1), "node"),
        (5, None, None, "one_of"),
    ];

    fn id(number: Option<u8>) -> Option<uuid::Uuid> {
        number.map(|number| uuid::Uuid::from_u128(number.into()))
    }

    const INSERT: &str = "INSERT INTO runs (id, version, submitted_by, command, command_digest, parameters_sealed, \
        parameters_digest, target, target_kind, parent, replay_of, state, fence, attempt, attempts_max, backoff_ms, \
        priority, idempotent, request_digest, queued_at, dead_letter) \
        VALUES ($1, 1, $1, 'c', '', $2, '', '{}', $3, $4, $5, 'queued', 0, 0, 1, 0, 4, $6, '', 0, $6)";

    macro_rules! keeps_old_runs {
        ($connection:expr, $listed:expr) => {{
            let connection = $connection;
            migrator(&$listed[..1]).run(&mut *connection).await.unwrap();
            for (number, parent, replay_of, kind) in OLD_RUNS {
                let insert = sqlx::query(INSERT).bind(id(Some(number))).bind(vec![1_u8]).bind(kind);
                let insert = insert.bind(id(parent)).bind(id(replay_of)).bind(false);
                insert.execute(&mut *connection).await.unwrap();
            }
            migrator($listed).run(&mut *connection).await.unwrap();
            let kept: Vec<uuid::Uuid> =
                sqlx::query_scalar("SELECT id FROM runs WHERE replay_of IS NOT NULL")
                    .fetch_all(&mut *connection)
                    .await
                    .unwrap();
            assert_eq!(kept, [id(Some(2)).unwrap()], "the first repetition is the one");
            let all: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM runs")
                .fetch_one(connection)
                .await
                .unwrap();
            assert_eq!(all, 5);
        }};
    }

    #[tokio::test]
    async fn runs_of_the_first_schema_are_kept() {
        use sqlx::Connection as _;
        let mut connection = sqlx::SqliteConnection::connect("sqlite::memory:").await.unwrap();
        keeps_old_runs!(&mut connection, SQLITE);
        let mut connection = empty_postgres().await;
        keeps_old_runs!(&mut connection, POSTGRES);
    }

    macro_rules! keeps_old_accounts {
        ($connection:expr, $listed:expr) => {{
            let connection = $connection;
            migrator(&$listed[..2]).run(&mut *connection).await.unwrap();
            for (number, name, disabled) in [(1, "ann", false), (2, "bob", true)] {
                let insert = "INSERT INTO users (id, version, name, role, password_hash, disabled, created_at, password_changed_at) VALUES ($1, 1, $2, 'admin', 'h', $3, 0, 0)";
                let insert = sqlx::query(insert).bind(id(Some(number))).bind(name).bind(disabled);
                insert.execute(&mut *connection).await.unwrap();
            }
            migrator($listed).run(&mut *connection).await.unwrap();
            let kept: Vec<(String, String)> =
                sqlx::query_as("SELECT plain_name, state FROM users ORDER BY plain_name")
                    .fetch_all(connection)
                    .await
                    .unwrap();
            let wanted = [("ann", "active"), ("bob", "disabled")];
            assert_eq!(kept, wanted.map(|(name, state)| (name.to_owned(), state.to_owned())));
        }};
    }

    #[tokio::test]
    async fn accounts_of_the_second_schema_wait_to_be_sealed() {
        use sqlx::Connection as _;
        let mut connection = sqlx::SqliteConnection::connect("sqlite::memory:").await.unwrap();
        keeps_old_accounts!(&mut connection, SQLITE);
        let mut connection = empty_postgres().await;
        keeps_old_accounts!(&mut connection, POSTGRES);
    }

    /// A PostgreSQL database without a schema.
    async fn empty_postgres() -> sqlx::PgConnection {
        use sqlx::Connection as _;
        let test = crate::testing::postgres().await;
        let mut connection = sqlx::PgConnection::connect(&test.options.url).await.unwrap();
        for sql in ["DROP SCHEMA public CASCADE", "CREATE SCHEMA public"] {
            sqlx::query(sql).execute(&mut connection).await.unwrap();
        }
        connection
    }

    #[test]
    fn every_file_is_listed_under_its_number_and_the_last_is_the_schema() {
        for (engine, listed) in [("sqlite", SQLITE), ("postgres", POSTGRES)] {
            let folder = format!("{}/migrations/{engine}", env!("CARGO_MANIFEST_DIR"));
            let mut files: Vec<String> = std::fs::read_dir(folder)
                .unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect();
            files.sort();
            let names: Vec<String> =
                listed.iter().map(|(_, name, _)| format!("{name}.sql")).collect();
            assert_eq!(files, names, "{engine}");
            for (number, name, _) in listed {
                assert!(name.starts_with(&format!("{number:04}_")), "{name} is number {number}");
            }
            assert_eq!(listed.last().unwrap().0, SCHEMA_VERSION, "{engine}");
        }
    }
}
