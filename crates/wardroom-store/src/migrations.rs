//! The schema's history. Listed here rather than found by a macro of sqlx: that would compile sqlx and
//! SQLite a second time, for the compiler.

use sqlx::{
    SqlSafeStr as _,
    migrate::{Migration, MigrationType, Migrator},
};

/// The version of the schema that this build works with.
pub const SCHEMA_VERSION: i64 = 2;

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

const SQLITE: Listed = migrations!("sqlite": 1 "0001_foundation", 2 "0002_candidates");
const POSTGRES: Listed = migrations!("postgres": 1 "0001_foundation", 2 "0002_candidates");

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
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

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
