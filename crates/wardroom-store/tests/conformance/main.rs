//! What every store must do: each check runs on SQLite and on a real PostgreSQL.
#![allow(
    clippy::too_many_lines,
    clippy::cloned_ref_to_slice_refs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

/// Runs checks on SQLite and on a real PostgreSQL.
macro_rules! on_both {
    ($($check:ident),+ $(,)?) => {
        mod sqlite_store {
            use super::*;
            $(#[tokio::test] async fn $check() { super::$check(sqlite().await).await; })+
        }
        mod postgres_store {
            use super::*;
            $(#[tokio::test] async fn $check() { super::$check(postgres().await).await; })+
        }
    };
}

mod agents;
mod approvals;
mod desk;
mod identities;
mod journal;
mod memories;
mod models;
mod oauth;
mod sample;
mod sealed;
mod threads;
mod tools;
mod watch;

use sample::{Sample, at};
use std::sync::Arc;
use wardroom_core::{
    NodeId, UserId,
    audit::merkle::{Frontier, inclusion_ranges, leaf_hash, verify_inclusion},
    change::{Change, Write},
    node::{Catalogue, NodeReport},
    page::PageRequest,
    run::{self, Candidate, Event, RunState, Target},
    store::{AuditFilter, Extent, RunFilter, Store, StoreError},
};
use wardroom_store::testing::{TestStore, postgres, sqlite};

on_both!(
    join_tokens_are_good_once,
    nodes_and_their_guards,
    runs_and_their_guards,
    queues_and_what_is_due,
    candidates_take_what_is_for_one_of_them,
    what_nobody_can_end_and_what_is_to_stop,
    a_run_is_repeated_once,
    output_is_kept_once_and_in_order,
    a_change_is_whole_or_not_at_all,
    the_audit_log_grows_and_proves,
    many_commit_at_once,
    it_opens_again_with_everything_in_it,
);

/// Commits one write.
async fn commit(store: &Arc<dyn Store>, write: Write) -> Result<(), StoreError> {
    store.commit(Change::default().write(write)).await
}

async fn join_tokens_are_good_once(test: TestStore) {
    let (store, s) = (test.store, Sample::default());
    let node = s.node("n").id;
    let token = s.join_token();
    commit(&store, Write::AddJoinToken(token.clone())).await.unwrap();
    let used = Write::UseJoinToken { id: token.id, by: node, at: at(1) };
    commit(&store, used.clone()).await.unwrap();
    assert!(matches!(commit(&store, used).await, Err(StoreError::Conflict(_))), "a second use");
    assert_eq!(store.lookup_join_token(token.id).await.unwrap().unwrap().used_by, Some(node));
    let late = s.join_token();
    commit(&store, Write::AddJoinToken(late.clone())).await.unwrap();
    let expired = Write::UseJoinToken { id: late.id, by: node, at: late.expires_at };
    assert!(matches!(commit(&store, expired).await, Err(StoreError::Conflict(_))), "expired");
    commit(&store, Write::RevokeJoinToken { id: late.id, at: at(1) }).await.unwrap();
    assert!(matches!(
        commit(&store, Write::RevokeJoinToken { id: late.id, at: at(1) }).await,
        Err(StoreError::Conflict(_))
    ));
    let revoked = Write::UseJoinToken { id: late.id, by: node, at: at(2) };
    assert!(matches!(commit(&store, revoked).await, Err(StoreError::Conflict(_))), "revoked");
    let first = store.list_join_tokens(PageRequest::new(None, 1)).await.unwrap();
    assert_eq!(first.items[0].id, late.id, "newest first");
    let second = store.list_join_tokens(PageRequest::new(first.next, 1)).await.unwrap();
    assert_eq!((second.items[0].id, second.next), (token.id, None));
}

async fn nodes_and_their_guards(test: TestStore) {
    let (store, s) = (test.store, Sample::default());
    let mut node = s.node("alpha");
    commit(&store, Write::AddNode(node.clone())).await.unwrap();
    assert!(matches!(
        commit(&store, Write::AddNode(s.node("alpha"))).await,
        Err(StoreError::Duplicate("node name"))
    ));
    node.version = 2;
    node.labels.insert("site".into(), "north".into());
    commit(&store, Write::UpdateNode(node.clone())).await.unwrap();
    assert!(matches!(
        commit(&store, Write::UpdateNode(node.clone())).await,
        Err(StoreError::Conflict("the node"))
    ));
    let id = node.id;
    let report =
        NodeReport { version: "1".into(), alerts: vec!["disk".into()], ..NodeReport::default() };
    let catalogue = Catalogue {
        digest: "d".into(),
        commands: vec![s.command("echo")],
        tool_servers: vec![s.hosted("files")],
    };
    let link = s.link();
    commit(&store, Write::MarkLinked { id, link, at: at(5) }).await.unwrap();
    commit(&store, Write::ReportNode { id, report: report.clone(), at: at(6) }).await.unwrap();
    commit(&store, Write::PublishCatalogue { id, catalogue: catalogue.clone() }).await.unwrap();
    let found = store.lookup_node_by_name("alpha").await.unwrap().unwrap();
    assert_eq!((found.seen_at, found.connected), (Some(at(6)), true));
    assert_eq!(
        (found.report, found.catalogue, found.labels),
        (Some(report), catalogue, node.labels)
    );
    let connected = async || store.lookup_node(id).await.unwrap().unwrap().connected;
    // The end of an older link says nothing about the newer one.
    commit(&store, Write::MarkUnlinked { id, link: s.link(), at: at(7) }).await.unwrap();
    assert!(connected().await);
    commit(&store, Write::MarkUnlinked { id, link, at: at(7) }).await.unwrap();
    assert!(!connected().await);
    commit(&store, Write::MarkLinked { id, link, at: at(8) }).await.unwrap();
    commit(&store, Write::DisconnectAllNodes).await.unwrap();
    assert!(!connected().await);
    commit(&store, Write::AddNode(s.node("beta"))).await.unwrap();
    let page = store.list_nodes(PageRequest::new(None, 1)).await.unwrap();
    assert_eq!(page.next.as_deref(), Some("alpha"));
    assert_eq!(
        store.list_nodes(PageRequest::new(page.next, 1)).await.unwrap().items[0].name,
        "beta"
    );
    commit(&store, Write::RemoveNode(id)).await.unwrap();
    assert!(matches!(commit(&store, Write::RemoveNode(id)).await, Err(StoreError::Conflict(_))));
    assert_eq!(store.lookup_node(id).await.unwrap(), None);
}

async fn runs_and_their_guards(test: TestStore) {
    let (store, s) = (test.store, Sample::default());
    let (user, node) = (s.user("ann"), s.node("n"));
    let mut queued = s.run(user.id, node.id);
    queued.idempotency_key = Some("k".into());
    commit(&store, Write::AddRun(Box::new(queued.clone()))).await.unwrap();
    let mut twice = s.run(user.id, node.id);
    twice.idempotency_key = Some("k".into());
    assert!(matches!(
        commit(&store, Write::AddRun(Box::new(twice))).await,
        Err(StoreError::Duplicate("idempotency key"))
    ));
    assert_eq!(store.lookup_run_by_key(user.id, "k").await.unwrap().as_ref(), Some(&queued));
    let event = Event::Lease { node: node.id, until: at(100) };
    let leased = run::apply(&queued, &event, at(1)).unwrap().run;
    commit(&store, Write::UpdateRun(Box::new(leased.clone()))).await.unwrap();
    assert!(matches!(
        commit(&store, Write::UpdateRun(Box::new(leased.clone()))).await,
        Err(StoreError::Conflict("the run"))
    ));
    assert_eq!(store.lookup_run(queued.id).await.unwrap().as_ref(), Some(&leased));
    assert_eq!(store.list_held(node.id).await.unwrap(), [leased.clone()]);
    let filter =
        RunFilter { state: Some(RunState::Leased), node: Some(node.id), ..RunFilter::default() };
    assert_eq!(store.list_runs(&filter, PageRequest::first()).await.unwrap().items, [leased]);
    for unmatched in [
        RunFilter { command: Some("other".into()), ..RunFilter::default() },
        RunFilter { dead_letter: true, ..RunFilter::default() },
        RunFilter { submitted_by: Some(s.user("bob").id), ..RunFilter::default() },
        RunFilter { parent: Some(queued.id), ..RunFilter::default() },
    ] {
        assert!(store.list_runs(&unmatched, PageRequest::first()).await.unwrap().items.is_empty());
    }
    let hours = store.count_runs_by_hour(at(0)).await.unwrap();
    assert_eq!((hours.len(), hours[0].runs, hours[0].failed), (1, 1, 0));
    assert_eq!(store.count_runs_by_state(at(0)).await.unwrap(), [(RunState::Leased, 1)]);
}

async fn queues_and_what_is_due(test: TestStore) {
    let (store, s) = (test.store, Sample::default());
    let (user, node, other) = (s.user("ann"), s.node("n").id, s.node("m").id);
    let mut low = s.run(user.id, node);
    low.priority = 1;
    let high = s.run(user.id, node);
    let mut any = s.run(user.id, node);
    any.target = Target::OneOf { labels: "a=b".parse().unwrap() };
    let mut later = s.run(user.id, node);
    later.not_before = Some(at(50));
    let elsewhere = s.run(user.id, other);
    for run in [&low, &high, &any, &later, &elsewhere] {
        commit(&store, Write::AddRun(Box::new(run.clone()))).await.unwrap();
    }
    let ids = |runs: Vec<run::Run>| runs.into_iter().map(|run| run.id).collect::<Vec<_>>();
    let candidates = vec![candidate(node, "d")];
    commit(&store, Write::AddCandidates { run: any.id, candidates }).await.unwrap();
    assert_eq!(ids(store.list_queued(node, at(10), 10).await.unwrap()), [high.id, any.id, low.id]);
    assert_eq!(
        ids(store.list_queued(node, at(50), 10).await.unwrap()),
        [high.id, any.id, later.id, low.id]
    );
    assert_eq!(store.list_queued(node, at(10), 1).await.unwrap().len(), 1);

    assert!(store.list_due(at(10), at(10), 10).await.unwrap().is_empty());
    let leased = run::apply(&high, &Event::Lease { node, until: at(20) }, at(1)).unwrap().run;
    commit(&store, Write::UpdateRun(Box::new(leased))).await.unwrap();
    let mut dated = s.run(user.id, other);
    dated.deadline = Some(at(30));
    let mut retrying = s.run(user.id, other);
    retrying.state = RunState::Retrying;
    retrying.not_before = Some(at(40));
    let mut parent = s.run(user.id, node);
    parent.target = Target::AllOf { labels: "a=b".parse().unwrap() };
    parent.state = RunState::Running;
    let mut child = s.run(user.id, node);
    child.parent = Some(parent.id);
    for run in [&dated, &retrying, &parent, &child] {
        commit(&store, Write::AddRun(Box::new(run.clone()))).await.unwrap();
    }
    assert_eq!(ids(store.list_due(at(20), at(20), 10).await.unwrap()), [high.id]);
    assert!(store.list_due(at(20), at(19), 10).await.unwrap().is_empty(), "leases have grace");
    assert_eq!(
        ids(store.list_due(at(40), at(40), 10).await.unwrap()),
        [high.id, dated.id, retrying.id]
    );
    assert_eq!(store.count_children(parent.id).await.unwrap(), [(RunState::Queued, 1)]);
    let ended = run::apply(&child, &Event::Cancel, at(2)).unwrap().run;
    commit(&store, Write::UpdateRun(Box::new(ended))).await.unwrap();
    assert_eq!(
        ids(store.list_due(at(10), at(10), 10).await.unwrap()),
        [parent.id],
        "its children are over"
    );
    let tops = RunFilter { top_level: true, ..RunFilter::default() };
    let mut after = None;
    let mut seen = 0;
    loop {
        let page = store.list_runs(&tops, PageRequest::new(after, 2)).await.unwrap();
        seen += page.items.len();
        match page.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    assert_eq!(seen, 8, "all but the child");
}

fn candidate(node: NodeId, digest: &str) -> Candidate {
    Candidate { node, command_digest: digest.into(), idempotent: true }
}

fn one_of(s: &Sample, user: UserId) -> run::Run {
    let target = Target::OneOf { labels: "a=b".parse().unwrap() };
    run::Run { target, ..s.run(user, s.node("any").id) }
}

async fn candidates_take_what_is_for_one_of_them(test: TestStore) {
    let (store, s) = (test.store, Sample::default());
    let user = s.user("ann").id;
    let nodes = [s.node("a").id, s.node("b").id, s.node("c").id];
    let run = one_of(&s, user);
    let candidates = vec![candidate(nodes[0], "0"), candidate(nodes[1], "1")];
    let change = Change::default()
        .write(Write::AddRun(Box::new(run.clone())))
        .write(Write::AddCandidates { run: run.id, candidates: candidates.clone() });
    store.commit(change).await.unwrap();
    // Only one of many that the others wait for; a node that is no candidate sees none of them.
    for _ in 0..5 {
        let other = one_of(&s, user);
        let change = Change::default().write(Write::AddRun(Box::new(other.clone()))).write(
            Write::AddCandidates { run: other.id, candidates: vec![candidate(nodes[1], "x")] },
        );
        store.commit(change).await.unwrap();
    }
    let queued = async |node| store.list_queued(node, at(1), 3).await.unwrap().len();
    assert_eq!((queued(nodes[0]).await, queued(nodes[1]).await, queued(nodes[2]).await), (1, 3, 0));
    let found = store.lookup_candidate(run.id, nodes[1]).await.unwrap();
    assert_eq!(found.as_ref(), candidates.get(1));
    assert_eq!(store.lookup_candidate(run.id, nodes[2]).await.unwrap(), None);
    assert_eq!(store.list_candidates(run.id).await.unwrap(), nodes[..2]);
    let mut awaited = store.list_awaited_nodes(at(1)).await.unwrap();
    awaited.sort();
    assert_eq!(awaited, nodes[..2]);
    // Held, it waits for nobody; over, it has no candidates any more.
    let event = Event::Lease { node: nodes[0], until: at(9) };
    let leased = run::apply(&run, &event, at(2)).unwrap().run;
    commit(&store, Write::UpdateRun(Box::new(leased.clone()))).await.unwrap();
    assert_eq!(store.list_awaited_nodes(at(1)).await.unwrap(), nodes[1..2]);
    assert_eq!(store.list_candidates(run.id).await.unwrap().len(), 2);
    let over = run::apply(&leased, &Event::LeaseLapsed { fence: 1 }, at(9)).unwrap().run;
    commit(&store, Write::UpdateRun(Box::new(over))).await.unwrap();
    assert!(store.list_candidates(run.id).await.unwrap().is_empty());
}

async fn what_nobody_can_end_and_what_is_to_stop(test: TestStore) {
    let (store, s) = (test.store, Sample::default());
    let user = s.user("ann").id;
    let (there, gone) = (s.node("there"), s.node("gone"));
    for node in [&there, &gone] {
        commit(&store, Write::AddNode(node.clone())).await.unwrap();
    }
    let (kept, lost, held, chosen) =
        (s.run(user, there.id), s.run(user, gone.id), s.run(user, gone.id), one_of(&s, user));
    for run in [&kept, &lost, &held, &chosen] {
        commit(&store, Write::AddRun(Box::new(run.clone()))).await.unwrap();
    }
    let candidates = vec![candidate(gone.id, "d")];
    commit(&store, Write::AddCandidates { run: chosen.id, candidates }).await.unwrap();
    let leased = run::apply(&held, &Event::Lease { node: gone.id, until: at(9) }, at(1)).unwrap();
    commit(&store, Write::UpdateRun(Box::new(leased.run.clone()))).await.unwrap();
    assert!(store.list_orphaned(10).await.unwrap().is_empty());
    commit(&store, Write::RemoveNode(gone.id)).await.unwrap();
    let ids = |runs: Vec<run::Run>| runs.into_iter().map(|run| run.id).collect::<Vec<_>>();
    assert_eq!(ids(store.list_orphaned(10).await.unwrap()), [lost.id, held.id, chosen.id]);
    assert_eq!(ids(store.list_orphaned(1).await.unwrap()), [lost.id]);
    assert!(store.list_stopping(10).await.unwrap().is_empty());
    for run in [&leased.run, &kept] {
        let asked = run::apply(run, &Event::Cancel, at(2)).unwrap().run;
        commit(&store, Write::UpdateRun(Box::new(asked))).await.unwrap();
    }
    // The queued one was over at once.
    assert_eq!(ids(store.list_stopping(10).await.unwrap()), [held.id]);
}

async fn a_run_is_repeated_once(test: TestStore) {
    let (store, s) = (test.store, Sample::default());
    let (user, node) = (s.user("ann").id, s.node("n").id);
    let old = s.run(user, node);
    commit(&store, Write::AddRun(Box::new(old.clone()))).await.unwrap();
    assert_eq!(store.lookup_replay(old.id).await.unwrap(), None);
    let first = run::Run { replay_of: Some(old.id), ..s.run(user, node) };
    let second = run::Run { replay_of: Some(old.id), ..s.run(s.user("bob").id, node) };
    commit(&store, Write::AddRun(Box::new(first.clone()))).await.unwrap();
    assert!(matches!(
        commit(&store, Write::AddRun(Box::new(second))).await,
        Err(StoreError::Duplicate("repetition"))
    ));
    assert_eq!(store.lookup_replay(old.id).await.unwrap(), Some(first));
}

async fn output_is_kept_once_and_in_order(test: TestStore) {
    let (store, s) = (test.store, Sample::default());
    let run = s.run(s.user("ann").id, s.node("n").id).id;
    let chunks = s.chunks(5);
    let write = |chunks: &[run::OutputChunk]| Write::AppendOutput { run, chunks: chunks.to_vec() };
    commit(&store, write(&chunks[..3])).await.unwrap();
    commit(&store, write(&chunks[1..])).await.unwrap();
    assert_eq!(store.list_output(run, (0, 0), 1 << 20).await.unwrap(), chunks);
    assert_eq!(store.list_output(run, (1, 3), 1 << 20).await.unwrap(), chunks[3..]);
    assert_eq!(store.list_output(run, (0, 0), 1).await.unwrap().len(), 1, "at least one");
    let bytes = chunks.iter().map(|chunk| chunk.bytes.len() as u64).sum();
    assert_eq!(store.output_extent(run, 1).await.unwrap(), Extent { chunks: 5, bytes });
    assert_eq!(store.output_extent(run, 2).await.unwrap(), Extent::default());
}

async fn a_change_is_whole_or_not_at_all(test: TestStore) {
    let (store, s) = (test.store, Sample::default());
    let (a, b) = (s.user("a"), s.user("b"));
    commit(&store, Write::AddUser(a.clone())).await.unwrap();
    // The second write fails, so the first must not be there either, nor its record.
    let change = Change::recorded(s.audit("x"))
        .write(Write::AddUser(b.clone()))
        .write(Write::AddUser(s.user("a")));
    assert!(store.commit(change).await.is_err());
    store.sequence_audit().await.unwrap();
    assert_eq!(store.lookup_user(b.id).await.unwrap(), None);
    assert_eq!(store.audit_head().await.unwrap().0, 0);
    // Neighbours in one batch are not taken down by the one that fails.
    let good: Vec<_> = (0..20).map(|at| s.user(&format!("good{at}"))).collect();
    let changes =
        good.iter().map(|user| Change::recorded(s.audit("ok")).write(Write::AddUser(user.clone())));
    let bad = Change::recorded(s.audit("bad"))
        .write(Write::AddUser(s.user("c")))
        .write(Write::AddUser(s.user("a")));
    let all = changes.chain(std::iter::once(bad)).map(|change| store.commit(change));
    let outcomes = futures_util::future::join_all(all).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 20);
    store.sequence_audit().await.unwrap();
    assert_eq!(store.audit_head().await.unwrap().0, 20);
    assert_eq!(store.lookup_user_by_name(Sample::index("c")).await.unwrap(), None);
}

async fn the_audit_log_grows_and_proves(test: TestStore) {
    let (store, s) = (test.store, Sample::default());
    for number in 0..600_u64 {
        let action = if number % 2 == 0 { "auth.sign_in" } else { "run.submit" };
        store
            .commit(Change::recorded(s.audit(action).on(format!("t{}", number % 3))))
            .await
            .unwrap();
    }
    store.sequence_audit().await.unwrap();
    let (size, root) = store.audit_head().await.unwrap();
    let entries = store.read_audit(0..size).await.unwrap();
    let mut frontier = Frontier::default();
    for (at, entry) in entries.iter().enumerate() {
        assert_eq!((entry.index, entry.leaf), (at as u64, leaf_hash(entry.body.as_bytes())));
        frontier.append(entry.leaf);
    }
    assert_eq!((size, root), (600, frontier.root()));
    for index in [0, 255, 256, 511, 512, 599] {
        let mut path = Vec::new();
        for range in inclusion_ranges(index, size).unwrap() {
            path.push(store.audit_subtree(range).await.unwrap());
        }
        assert!(
            verify_inclusion(&entries[index as usize].leaf, index, size, &path, &root),
            "record {index}"
        );
    }
    let filter = AuditFilter {
        action: Some("auth.".into()),
        target: Some("t0".into()),
        ..AuditFilter::default()
    };
    let page = store.list_audit(&filter, PageRequest::new(None, 5)).await.unwrap();
    assert_eq!(
        page.items.iter().map(|entry| entry.index).collect::<Vec<_>>(),
        [594, 588, 582, 576, 570]
    );
    let next = store.list_audit(&filter, PageRequest::new(page.next, 5)).await.unwrap();
    assert_eq!(next.items[0].index, 564);
    let text = AuditFilter { text: Some("100%_".into()), ..AuditFilter::default() };
    assert!(store.list_audit(&text, PageRequest::first()).await.unwrap().items.is_empty());
    let none = AuditFilter { to: Some(at(0)), ..AuditFilter::default() };
    assert!(store.list_audit(&none, PageRequest::first()).await.unwrap().items.is_empty());
    let (small, large) = (s.checkpoint(10), s.checkpoint(600));
    commit(&store, Write::AddCheckpoint(small.clone())).await.unwrap();
    commit(&store, Write::AddCheckpoint(large.clone())).await.unwrap();
    assert!(matches!(
        commit(&store, Write::AddCheckpoint(large.clone())).await,
        Err(StoreError::Duplicate("checkpoint"))
    ));
    assert_eq!(store.lookup_checkpoint(11).await.unwrap(), Some(large.clone()));
    assert_eq!(store.last_checkpoint().await.unwrap(), Some(large.clone()));
    assert_eq!(store.list_checkpoints(1, 10).await.unwrap(), [small, large]);
}

async fn many_commit_at_once(test: TestStore) {
    let store = test.store;
    let tasks: Vec<_> = (0..64)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move {
                let s = Sample::default();
                for _ in 0..8 {
                    store.commit(Change::recorded(s.audit("many"))).await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    store.sequence_audit().await.unwrap();
    let (size, root) = store.audit_head().await.unwrap();
    let mut frontier = Frontier::default();
    for entry in store.read_audit(0..size).await.unwrap() {
        assert_eq!(entry.index, frontier.size(), "no gap, no place given twice");
        frontier.append(entry.leaf);
    }
    assert_eq!((size, root), (512, frontier.root()));
}

async fn it_opens_again_with_everything_in_it(test: TestStore) {
    let s = Sample::default();
    let user = s.user("ann");
    test.store
        .commit(Change::recorded(s.audit("x")).write(Write::AddUser(user.clone())))
        .await
        .unwrap();
    let TestStore { options, .. } = &test;
    let migrated = wardroom_store::migrate(options).await.unwrap();
    assert_eq!(migrated.from, migrated.to, "migrating twice changes nothing");
    let again =
        wardroom_store::open(options, Arc::new(wardroom_store::testing::Deaf)).await.unwrap();
    again.sequence_audit().await.unwrap();
    assert_eq!(again.lookup_user(user.id).await.unwrap(), Some(user));
    assert_eq!(again.audit_head().await.unwrap().0, 1);
    let health = again.health().await.unwrap();
    assert_eq!(health.schema, wardroom_store::SCHEMA_VERSION);
}

#[tokio::test]
async fn two_leaders_never_give_one_place_twice() {
    let test = postgres().await;
    let other =
        wardroom_store::open(&test.options, Arc::new(wardroom_store::testing::Deaf)).await.unwrap();
    let s = Sample::default();
    let records = (0..300).map(|_| test.store.commit(Change::recorded(s.audit("x"))));
    let leaders = async {
        for _ in 0..50 {
            let (a, b) = tokio::join!(test.store.sequence_audit(), other.sequence_audit());
            a.unwrap();
            b.unwrap();
        }
    };
    tokio::join!(futures_util::future::join_all(records), leaders);
    test.store.sequence_audit().await.unwrap();
    let (size, root) = other.audit_head().await.unwrap();
    let mut frontier = Frontier::default();
    for entry in other.read_audit(0..size).await.unwrap() {
        assert_eq!(entry.index, frontier.size());
        frontier.append(entry.leaf);
    }
    assert_eq!((size, root), (300, frontier.root()));
}
