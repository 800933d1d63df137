//! Finding somebody among very many customers whose names are sealed.

use crate::{
    figure::{Figure, Target},
    latency::at,
    world::World,
};
use anyhow::{Context as _, ensure};
use serde_json::Value;
use std::{
    fmt::Write as _,
    time::{Duration, Instant},
};

/// Customers.
const CUSTOMERS: usize = 100_000;
/// Rows of one import.
const ROWS: usize = 5_000;
/// Searches that are measured.
const SEARCHES: usize = 200;
/// How long the index may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// Measures it.
pub(crate) async fn search() -> anyhow::Result<Vec<Figure>> {
    let mut world = World::new().await?;
    let begun = Instant::now();
    for part in 0..CUSTOMERS / ROWS {
        let mut table = String::from("name,email,phone\n");
        for row in part * ROWS..(part + 1) * ROWS {
            writeln!(
                table,
                "Harbour {row} & Sons,desk{row}@customer{}.example,+4930{row:07}",
                row % 977
            )?;
        }
        world.import(table).await?;
    }
    let imported = begun.elapsed();
    let before = world.resident()?.now;
    world.stop()?;
    let started = Instant::now();
    world.start().await?;
    let indexed = loop {
        match find(&world, "harbour").await {
            Ok(_) => break started.elapsed(),
            Err(error) => {
                ensure!(started.elapsed() < PATIENCE, "the index was not built: {error:#}")
            }
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let mut took = vec![];
    for number in 0..SEARCHES {
        // Rare ones are found far back, so that nearly everything is looked through.
        let row = number * 499;
        let begun = Instant::now();
        let found = find(&world, &format!("{row} desk{row}@")).await?;
        took.push(begun.elapsed().as_secs_f64() * 1000.0);
        ensure!(found >= 1, "customer {row} was not found");
    }
    took.sort_by(f64::total_cmp);
    let note = format!(
        "{SEARCHES} searches over HTTPS, one after the other, each found; p50 {:.1} ms; imported in {:.0} s; the orchestrator's memory with the index {:.0} MiB",
        at(&took, 0.5),
        imported.as_secs_f64(),
        before as f64 / (1024.0 * 1024.0)
    );
    Ok(vec![
        Figure::new(
            "search among 100,000 customers, p99",
            Target::AtMost(100.0),
            at(&took, 0.99),
            "ms",
        )
        .note(note),
        Figure::new(
            "index of 100,000 customers built after a start",
            Target::AtMost(30.0),
            indexed.as_secs_f64(),
            "s",
        ),
    ])
}

async fn find(world: &World, text: &str) -> anyhow::Result<usize> {
    let coded: String = text.replace(' ', "+").replace('@', "%40");
    let list: Value = world.get(&format!("/api/v1/customers?text={coded}&limit=20")).await?;
    Ok(list.get("items").and_then(Value::as_array).context("a list")?.len())
}
