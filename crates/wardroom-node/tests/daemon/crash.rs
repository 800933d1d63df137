//! SIGKILL at many points: never two executions of one lease, never a lost result, `interrupted` only
//! where what happened is unknown.

use crate::{
    fake::{Conn, Fake, PATIENCE, run},
    machine::Machine,
};
use serde_json::json;
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};
use tokio::time::timeout;
use wardroom_wire::link::{EndShape, NodeFrame, OrchestratorFrame, ResultShape};

const ROUNDS: u32 = 24;
const RUNS_A_ROUND: u128 = 5;
const FENCE: i64 = 1;

/// What the orchestrator knows of a run.
#[derive(Default)]
struct Known {
    accepted: bool,
    finished: Option<ResultShape>,
    /// It said that the end is recorded.
    recorded: bool,
}

/// A generator of numbers that spreads the crashes and repeats from run to run.
struct Spread(u64);

impl Spread {
    fn next(&mut self, below: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }
}

fn tag(run: &str) -> String {
    run.to_owned()
}

async fn offer(conn: &mut Conn, run: &str, seconds: &str) {
    conn.offer(run, FENCE, "count", json!({"tag": tag(run), "seconds": seconds})).await;
}

/// As an orchestrator does when a node comes back: what it holds is asked for, the rest offered again.
async fn reconcile(conn: &mut Conn, runs: &BTreeMap<String, Known>) {
    let holding = conn.holding.clone();
    for (run, known) in runs {
        match (holding.get(run), &known.finished) {
            (Some(_), _) => conn.record(run, FENCE, 0, false).await,
            (None, Some(_)) => {}
            (None, None) => {
                assert!(!known.accepted, "{run} was accepted and is neither held nor finished");
                offer(conn, run, "0").await;
            }
        }
    }
    for run in holding.keys() {
        let known = runs.get(run).unwrap_or_else(|| panic!("{run} was never offered"));
        // It may say so again once; it must then be told again.
        if known.recorded {
            conn.record(run, FENCE, 0, true).await;
        }
    }
}

fn take(runs: &mut BTreeMap<String, Known>, frame: NodeFrame) -> Option<(String, u32)> {
    match frame {
        NodeFrame::Accepted { run, fence } => {
            assert_eq!(fence, FENCE);
            runs.get_mut(&run).unwrap().accepted = true;
            None
        }
        NodeFrame::Refused { run, code, message, .. } => {
            panic!("{run} was refused: {code} {message}")
        }
        NodeFrame::Finished { run, chunks, result, .. } => {
            let known = runs.get_mut(&run).unwrap();
            if let Some(before) = &known.finished {
                assert_eq!(before, &result, "{run} ended in two ways");
            }
            known.finished = Some(result);
            Some((run, chunks))
        }
        _ => None,
    }
}

#[tokio::test]
async fn kill_at_any_point_runs_nothing_twice_and_loses_nothing() {
    let fake = Fake::start().await;
    let mut machine = Machine::joined(&fake).await;
    let mut spread = Spread(20_260_101);
    let mut runs: BTreeMap<String, Known> = BTreeMap::new();
    for round in 0..ROUNDS {
        machine.start(&["--runs-max", "256"]);
        let mut conn = fake.link().await;
        reconcile(&mut conn, &runs).await;
        for number in 0..RUNS_A_ROUND {
            let run = run(u128::from(round) * RUNS_A_ROUND + number);
            offer(&mut conn, &run, ["0", "0.01", "0.05", "0.2"][spread.next(4) as usize]).await;
            runs.insert(run, Known::default());
        }
        let until = Instant::now() + Duration::from_millis(spread.next(160));
        while let Ok(Some(frame)) =
            timeout(until.saturating_duration_since(Instant::now()), conn.try_next()).await
        {
            // Some ends are lost on the orchestrator's side and must come again.
            if let Some((run, chunks)) = take(&mut runs, frame)
                && spread.next(3) > 0
            {
                conn.record(&run, FENCE, chunks, true).await;
                runs.get_mut(&run).unwrap().recorded = true;
            }
        }
        machine.kill();
    }
    machine.start(&["--runs-max", "256"]);
    let mut conn = fake.link().await;
    reconcile(&mut conn, &runs).await;
    while runs.values().any(|known| known.finished.is_none()) {
        let frame = conn.try_next().await.unwrap();
        if let Some((run, chunks)) = take(&mut runs, frame) {
            conn.record(&run, FENCE, chunks, true).await;
        }
    }
    let counted = machine.counted();
    let mut ends = BTreeMap::<&str, u32>::new();
    for (run, known) in &runs {
        let times = counted.get(&tag(run)).copied().unwrap_or(0);
        let result = known.finished.as_ref().unwrap();
        match &result.end {
            EndShape::Exited { code: 0 } => assert_eq!(times, 1, "{run}"),
            EndShape::Interrupted => assert!(times <= 1, "{run} was executed {times} times"),
            other => panic!("{run} ended as {other:?}: {:?}", result.message),
        }
        *ends
            .entry(if result.end == EndShape::Interrupted { "interrupted" } else { "exited" })
            .or_default() += 1;
    }
    println!("{ends:?} links {}", fake.book().links);
    // The crashes hit where it matters: some runs were in the middle, some were through.
    assert!(ends.values().all(|count| *count >= 5) && ends.len() == 2, "{ends:?}");
}

#[tokio::test]
async fn a_run_in_progress_at_a_crash_ends_as_interrupted() {
    let fake = Fake::start().await;
    let mut machine = Machine::running(&fake).await;
    let mut conn = fake.link().await;
    conn.offer(&run(1), 2, "count", json!({"tag": "a", "seconds": "3600"})).await;
    conn.until(|frame| matches!(frame, NodeFrame::Started { .. }).then_some(())).await;
    // The program was executed; now it has also got as far as to count itself.
    let counted = async {
        while machine.counted().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, counted).await.unwrap();
    let second = machine.tool(&["run", "--data", &machine.data()]).await;
    assert!(!second.status.success());
    assert!(String::from_utf8_lossy(&second.stderr).contains("another wardroom-node runs with"));
    machine.kill();
    drop(conn);
    machine.start(&[]);
    let mut conn = fake.link().await;
    assert_eq!(conn.holding.get(&run(1)), Some(&2));
    conn.record(&run(1), 2, 0, false).await;
    let followed = conn.follow(&run(1)).await;
    assert_eq!(followed.end(), &EndShape::Interrupted);
    conn.record(&run(1), 2, 0, true).await;
    // The program itself died with the daemon.
    let left = std::fs::read_dir("/proc").unwrap().flatten().any(|entry| {
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(&*machine.path("count").to_string_lossy())
    });
    assert!(!left, "a process of the run outlived its daemon");
    assert_eq!(machine.counted().values().sum::<u32>(), 1);
}

#[tokio::test]
async fn long_output_survives_a_crash_after_the_end() {
    let fake = Fake::start().await;
    let mut machine = Machine::running(&fake).await;
    let mut conn = fake.link().await;
    conn.offer(&run(1), 1, "flood", json!({"bytes": 300_000})).await;
    let first = conn.follow(&run(1)).await;
    machine.kill();
    drop(conn);
    machine.start(&[]);
    let mut conn = fake.link().await;
    conn.record(&run(1), 1, 0, false).await;
    let again = conn.follow(&run(1)).await;
    assert_eq!(again.output, first.output);
    assert_eq!(again.finished, first.finished);
    conn.say(&OrchestratorFrame::Recorded { run: run(1), fence: 1, chunks: 0, finished: true })
        .await;
    conn.offer(&run(2), 1, "no-such", json!({})).await;
    conn.follow(&run(2)).await;
    // What is recorded takes no more room.
    let spooled: usize =
        walk(&machine.path("data")).into_iter().filter(|path| path.contains(&run(1))).count();
    assert_eq!(spooled, 0, "{:?}", walk(&machine.path("data")));
}

fn walk(folder: &std::path::Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        if entry.file_type().unwrap().is_dir() {
            found.extend(walk(&entry.path()));
        }
        found.push(entry.path().display().to_string());
    }
    found
}
