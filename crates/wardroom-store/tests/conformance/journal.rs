use super::{
    approvals::{approval, ask},
    commit,
    sample::{Sample, at},
};
use std::{sync::Arc, time::Duration};
use wardroom_core::{
    Door, OrchestratorId, StepId, UserId,
    approval::{Approval, ApprovalWrite, Verdict},
    change::{Change, Write},
    run::{self, AgentWork, Authority, End, Event, Outcome, Run, RunState, Target, WAIT_MAX},
    steps::{JournalWrite, KeptEntry},
    store::{Store, StoreError},
};
use wardroom_store::testing::{TestStore, postgres, sqlite};

on_both!(
    a_journal_has_one_writer_and_no_gap_that_it_did_not_leave,
    runs_are_taken_held_and_looked_for,
    a_run_is_found_by_what_it_waits_for,
    what_waits_for_long_is_found,
);

pub(super) fn of_agent(s: &Sample, user: UserId) -> Run {
    let authority = Authority {
        door: Door::Api,
        scopes: Some(vec!["agent.run".into()]),
        token: None,
        client: None,
        grant: None,
    };
    Run {
        command: "guide".into(),
        work: Some(AgentWork { version: 3, authority, depth: 1, within: None, thread: None }),
        target: Target::Here {},
        parameters_sealed: vec![],
        deadline: Some(at(100)),
        ..s.run(user, s.node("n").id)
    }
}

pub(super) fn entry(s: &Sample, seq: u32) -> KeptEntry {
    KeptEntry { id: StepId::new(at(1), s), seq, at: at(1), sealed: vec![2, 7, seq as u8] }
}

fn append(run: &Run, fence: i64, entries: &[&KeptEntry]) -> Write {
    let entries = entries.iter().map(|entry| (*entry).clone()).collect();
    Write::Journal(JournalWrite::Append { run: run.id, fence, entries })
}

/// Applies an event and keeps what comes of it.
async fn happen(store: &Arc<dyn Store>, run: &Run, event: Event, seconds: i64) -> Run {
    let next = run::apply(run, &event, at(seconds)).unwrap().run;
    commit(store, Write::UpdateRun(Box::new(next.clone()))).await.unwrap();
    assert_eq!(store.lookup_run(run.id).await.unwrap().unwrap(), next);
    next
}

async fn added(store: &Arc<dyn Store>, s: &Sample, priority: u8) -> Run {
    let user = s.user(&format!("ann{priority}"));
    let run = Run { priority, ..of_agent(s, user.id) };
    let change = Change::default().write(Write::AddUser(user));
    store.commit(change.write(Write::AddRun(Box::new(run.clone())))).await.unwrap();
    run
}

fn take(holder: OrchestratorId, until: i64) -> Event {
    Event::Take { holder, until: at(until) }
}

async fn a_journal_has_one_writer_and_no_gap_that_it_did_not_leave(test: TestStore) {
    let (store, s) = (test.store, Sample::default());
    let user = s.user("ann");
    let run = of_agent(&s, user.id);
    let (first, second, third) = (entry(&s, 0), entry(&s, 1), entry(&s, 2));
    let begun = Change::default()
        .write(Write::AddUser(user))
        .write(Write::AddRun(Box::new(run.clone())))
        .write(append(&run, 0, &[&first]));
    store.commit(begun).await.unwrap();
    let holder = OrchestratorId::new(at(0), &s);
    let run = happen(&store, &run, take(holder, 30), 1).await;
    let conflict = async |write: Write| {
        matches!(commit(&store, write).await, Err(StoreError::Conflict("the run")))
    };
    assert!(conflict(append(&run, 0, &[&second])).await, "of the fence before");
    assert!(conflict(append(&run, 1, &[&entry(&s, 0)])).await, "it is there already");
    assert!(conflict(append(&run, 1, &[&second, &entry(&s, 0)])).await);
    commit(&store, append(&run, 1, &[&second, &third])).await.unwrap();
    let all = store.list_journal(run.id, 0, 9).await.unwrap();
    assert_eq!((all.items, all.next), (vec![first, second.clone(), third], None));
    let one = store.list_journal(run.id, 1, 1).await.unwrap();
    assert_eq!((one.items, one.next), (vec![second], Some(2)));
    // However long they are, only so much is read at a time.
    let long = |seq| KeptEntry { sealed: vec![7; 5 * 1024 * 1024], ..entry(&s, seq) };
    commit(&store, append(&run, 1, &[&long(3), &long(4)])).await.unwrap();
    let page = store.list_journal(run.id, 3, 9).await.unwrap();
    assert_eq!((page.items.len(), page.next), (1, Some(4)));
    let outcome = Outcome::without_process(End::Answered, "");
    let over = Event::Ended { fence: 1, started_at: None, outcome };
    let run = happen(&store, &run, over, 2).await;
    assert!(conflict(append(&run, 1, &[&entry(&s, 5)])).await, "it is over");
}

async fn runs_are_taken_held_and_looked_for(test: TestStore) {
    let (store, s) = (test.store, Sample::default());
    let (low, high) = (added(&store, &s, 1).await, added(&store, &s, 8).await);
    let queued = store.list_queued_here(9).await.unwrap();
    assert_eq!(queued, [high.clone(), low.clone()]);
    assert_eq!(store.list_queued_here(1).await.unwrap().len(), 1);
    assert!(store.list_queued(s.node("n").id, at(1), 9).await.unwrap().is_empty());
    let (mine, other) = (OrchestratorId::new(at(0), &s), OrchestratorId::new(at(0), &s));
    let low = happen(&store, &low, take(mine, 30), 1).await;
    happen(&store, &high, take(other, 30), 1).await;
    assert!(store.list_orphaned(9).await.unwrap().is_empty(), "no node is needed");
    let held = store.list_held_here(mine, 9).await.unwrap();
    assert_eq!(held.iter().map(|run| run.id).collect::<Vec<_>>(), [high.id]);
    commit(&store, Write::Journal(JournalWrite::Hold { holder: mine, until: at(60) }))
        .await
        .unwrap();
    let due = store.list_due(at(31), at(31), 9).await.unwrap();
    assert_eq!(due.iter().map(|run| run.id).collect::<Vec<_>>(), [high.id]);
    let waits = Event::Paused { fence: 1, state: RunState::AwaitingInput };
    let low = store.lookup_run(low.id).await.unwrap().unwrap();
    assert_eq!(low.lease_until, Some(at(60)));
    let low = happen(&store, &low, waits, 40).await;
    let due = async |now| {
        let due = store.list_due(now, at(0), 9).await.unwrap();
        due.iter().any(|run| run.id == low.id)
    };
    assert!(!due(at(200)).await, "a person takes their time");
    assert!(due(at(40).plus(WAIT_MAX)).await, "but not for ever");
    assert!(!due(at(39).plus(WAIT_MAX)).await);
    happen(&store, &low, Event::Woken, 50).await;
    assert!(due(at(110).plus(Duration::from_secs(1))).await, "its own time goes on");
}

async fn a_run_is_found_by_what_it_waits_for(test: TestStore) {
    let (store, s) = (test.store, Sample::default());
    let (run, child) = (added(&store, &s, 1).await, added(&store, &s, 2).await);
    let approval = Approval { expires_at: at(500), ..approval(&s, run.submitted_by, 1, 1) };
    let awaited = vec![approval.id.uuid(), child.id.uuid()];
    let change = Change::default()
        .write(ask(&approval))
        .write(Write::Journal(JournalWrite::Await { run: run.id, awaited }));
    store.commit(change).await.unwrap();
    let run = happen(&store, &run, take(OrchestratorId::new(at(0), &s), 30), 1).await;
    assert_eq!(store.list_wakeable(at(500), 9).await.unwrap(), [], "it does not wait yet");
    let paused = Event::Paused { fence: 1, state: RunState::AwaitingApproval };
    let run = happen(&store, &run, paused, 2).await;
    assert_eq!(store.list_awaiting(approval.id.uuid()).await.unwrap(), [run.id]);
    assert_eq!(store.list_awaiting(run.id.uuid()).await.unwrap(), []);
    let wakeable = async |now| store.list_wakeable(at(now), 9).await.unwrap();
    assert_eq!(wakeable(100).await, []);
    assert_eq!(wakeable(500).await, [run.id], "nobody decided in time");
    happen(&store, &child, Event::Cancel, 3).await;
    assert_eq!(wakeable(100).await, [run.id]);
    commit(&store, Write::Journal(JournalWrite::Unawait(run.id))).await.unwrap();
    assert_eq!(wakeable(500).await, []);
    let again = vec![approval.id.uuid()];
    commit(&store, Write::Journal(JournalWrite::Await { run: run.id, awaited: again }))
        .await
        .unwrap();
    let by = run.submitted_by;
    let verdict = Verdict { approved: false, by, at: at(3), reason: vec![], receipt: "r".into() };
    let decide = ApprovalWrite::Decide { id: approval.id, verdict };
    commit(&store, Write::Approval(decide)).await.unwrap();
    assert_eq!(wakeable(100).await, [run.id]);
    let part = Run { parent: Some(run.id), ..of_agent(&s, run.submitted_by) };
    commit(&store, Write::AddRun(Box::new(part.clone()))).await.unwrap();
    assert!(store.list_unwanted(9).await.unwrap().is_empty());
    happen(&store, &run, Event::Cancel, 4).await;
    assert_eq!(store.list_awaiting(approval.id.uuid()).await.unwrap(), [], "it waits no more");
    let unwanted = store.list_unwanted(9).await.unwrap();
    assert_eq!(unwanted.iter().map(|run| run.id).collect::<Vec<_>>(), [part.id], "nor its parts");
}

async fn what_waits_for_long_is_found(test: TestStore) {
    let (store, s) = (test.store, Sample::default());
    let user = s.user("ann");
    commit(&store, Write::AddUser(user.clone())).await.unwrap();
    let queued = Run { queued_at: at(10), ..of_agent(&s, user.id) };
    let asked = Run { queued_at: at(1), ..of_agent(&s, user.id) };
    for run in [&queued, &asked] {
        commit(&store, Write::AddRun(Box::new(run.clone()))).await.unwrap();
    }
    let mine = OrchestratorId::new(at(0), &s);
    let asked = happen(&store, &asked, take(mine, 30), 2).await;
    let waits = Event::Paused { fence: 1, state: RunState::AwaitingInput };
    let asked = happen(&store, &asked, waits, 20).await;
    let found = async |queued: (i64, i64), waits: (i64, i64)| {
        let span = |(from, to)| (at(from), at(to));
        let found = store.list_waiting_since(span(queued), span(waits), 9).await.unwrap();
        found.into_iter().map(|run| run.id).collect::<Vec<_>>()
    };
    assert_eq!(found((9, 10), (0, 0)).await, [queued.id]);
    assert_eq!(found((0, 9), (19, 20)).await, [asked.id]);
    assert_eq!(found((0, 30), (0, 30)).await.len(), 2);
    assert!(found((10, 30), (20, 30)).await.is_empty(), "each once");
    assert!(found((0, 9), (0, 19)).await.is_empty(), "not long enough");
}
