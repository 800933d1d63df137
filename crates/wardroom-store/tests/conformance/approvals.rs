use super::{
    commit,
    sample::{Sample, at},
};
use wardroom_core::{
    Action, ApprovalId, Door, OauthClientId, UserId,
    approval::{Approval, ApprovalState, ApprovalWrite, Use, Verdict},
    change::{Change, Write},
    page::PageRequest,
    person::BlindIndex,
    run::{Run, RunState},
    store::{ApprovalFilter, StoreError},
};
use wardroom_store::testing::{TestStore, postgres, sqlite};

on_both!(
    consent_is_given_once_and_used_once,
    what_waits_is_found_by_state_and_time,
    what_an_ended_run_waited_for_is_taken_back
);

pub(super) fn approval(s: &Sample, user: UserId, binding: u8, asked: i64) -> Approval {
    Approval {
        id: ApprovalId::new(at(asked), s),
        action: Action::ToolCall,
        target: "files/write".to_owned(),
        run: None,
        user,
        client: Some(OauthClientId::new(at(0), s)),
        author: None,
        agent_run: Some(wardroom_core::RunId::new(at(0), s)),
        door: Door::McpTcp,
        binding: BlindIndex([binding; 32]),
        arguments: vec![1, 2, 3],
        arguments_digest: "digest".to_owned(),
        policies: vec!["two-keys".to_owned(), "other".to_owned()],
        policy_version: "v1".to_owned(),
        asked_at: at(asked),
        expires_at: at(asked + 100),
        verdict: None,
        used: None,
    }
}

pub(super) fn ask(approval: &Approval) -> Write {
    Write::Approval(ApprovalWrite::Ask(Box::new(approval.clone())))
}

fn verdict(by: UserId, approved: bool, seconds: i64) -> Verdict {
    Verdict { approved, by, at: at(seconds), reason: vec![9], receipt: "signed".to_owned() }
}

async fn consent_is_given_once_and_used_once(test: TestStore) {
    let (store, s) = (test.store, Sample::default());
    let user = s.user("ann");
    commit(&store, Write::AddUser(user.clone())).await.unwrap();
    let asked = approval(&s, user.id, 1, 0);
    commit(&store, ask(&asked)).await.unwrap();
    assert_eq!(store.lookup_approval(asked.id).await.unwrap(), Some(asked.clone()));
    let decide = |approved, seconds| {
        let verdict = verdict(user.id, approved, seconds);
        Write::Approval(ApprovalWrite::Decide { id: asked.id, verdict })
    };
    let by = uuid::Uuid::from_u128(7);
    let spend = |by, seconds| {
        let used = Use { by, at: at(seconds) };
        Write::Approval(ApprovalWrite::Use { id: asked.id, used })
    };
    let conflict = |outcome| matches!(outcome, Err(StoreError::Conflict("the approval")));
    assert!(conflict(commit(&store, spend(by, 1)).await), "nobody approved it");
    assert!(conflict(commit(&store, decide(true, 100)).await), "its time is over");
    commit(&store, decide(true, 5)).await.unwrap();
    assert!(conflict(commit(&store, decide(false, 6)).await), "it was decided");
    let found = store.lookup_open_approval(BlindIndex([1; 32]), at(6)).await.unwrap().unwrap();
    assert_eq!(found.verdict, Some(verdict(user.id, true, 5)));
    assert!(conflict(commit(&store, spend(by, 100)).await), "its time is over");
    let (one, two) = tokio::join!(
        commit(&store, spend(by, 7)),
        commit(&store, spend(uuid::Uuid::from_u128(8), 7))
    );
    assert!(one.is_ok() != two.is_ok(), "one of two uses it up: {one:?} {two:?}");
    let used = store.lookup_approval(asked.id).await.unwrap().unwrap();
    assert_eq!(used.state(at(8)), ApprovalState::Used);
    let by = used.used.unwrap().by;
    assert_eq!(store.lookup_approval_used(by).await.unwrap().map(|found| found.id), Some(asked.id));
    assert_eq!(store.lookup_open_approval(BlindIndex([1; 32]), at(8)).await.unwrap(), None);
    let forget = |seconds| Write::Approval(ApprovalWrite::Forget(at(seconds)));
    commit(&store, forget(50)).await.unwrap();
    assert!(store.lookup_approval(asked.id).await.unwrap().is_some(), "its time was not over");
    commit(&store, forget(101)).await.unwrap();
    assert!(store.lookup_approval(asked.id).await.unwrap().is_none());
}

async fn what_waits_is_found_by_state_and_time(test: TestStore) {
    let (store, s) = (test.store, Sample::default());
    let (ann, bob, node) = (s.user("ann"), s.user("bob"), s.node("n"));
    for write in
        [Write::AddUser(ann.clone()), Write::AddUser(bob.clone()), Write::AddNode(node.clone())]
    {
        commit(&store, write).await.unwrap();
    }
    let mut run = s.run(ann.id, node.id);
    run.state = RunState::AwaitingApproval;
    let of_run = Approval {
        run: Some(run.id),
        client: None,
        action: Action::RunSubmit,
        ..approval(&s, ann.id, 2, 10)
    };
    let mut change = Change::default().write(Write::AddRun(Box::new(run.clone())));
    change.writes.push(ask(&of_run));
    store.commit(change).await.unwrap();
    let (denied, waiting) = (approval(&s, bob.id, 3, 20), approval(&s, bob.id, 4, 30));
    for write in [ask(&denied), ask(&waiting)] {
        commit(&store, write).await.unwrap();
    }
    let verdict = verdict(ann.id, false, 40);
    commit(&store, Write::Approval(ApprovalWrite::Decide { id: denied.id, verdict }))
        .await
        .unwrap();
    let ids = async |state: Option<ApprovalState>, user, seconds| {
        let filter = ApprovalFilter { state, user };
        let page = PageRequest::new(None, 10);
        let found = store.list_approvals(&filter, at(seconds), page).await.unwrap();
        found.items.into_iter().map(|found| found.id).collect::<Vec<_>>()
    };
    assert_eq!(ids(None, None, 50).await, [waiting.id, denied.id, of_run.id]);
    assert_eq!(ids(Some(ApprovalState::Waiting), None, 50).await, [waiting.id, of_run.id]);
    assert_eq!(ids(Some(ApprovalState::Waiting), None, 115).await, [waiting.id]);
    assert_eq!(ids(Some(ApprovalState::Expired), None, 115).await, [of_run.id]);
    assert_eq!(ids(Some(ApprovalState::Denied), Some(bob.id), 50).await, [denied.id]);
    assert_eq!(ids(Some(ApprovalState::Approved), None, 50).await, []);
    assert_eq!(ids(Some(ApprovalState::Used), None, 50).await, []);
    assert_eq!(store.count_waiting_approvals(Some(bob.id), at(50)).await.unwrap(), 1);
    assert_eq!(store.count_waiting_approvals(None, at(50)).await.unwrap(), 2);
    assert_eq!(store.lookup_approval_of(run.id).await.unwrap(), Some(of_run.clone()));
    let overdue = async |seconds| store.list_overdue_approvals(at(seconds), 9).await.unwrap();
    assert_eq!(overdue(109).await, []);
    assert_eq!(overdue(110).await, [of_run]);
    run.state = RunState::Cancelled;
    run.version += 1;
    commit(&store, Write::UpdateRun(Box::new(run))).await.unwrap();
    assert_eq!(overdue(110).await, [], "nothing waits for it any more");
}

async fn what_an_ended_run_waited_for_is_taken_back(test: TestStore) {
    let (store, s) = (test.store, Sample::default());
    let (ann, node) = (s.user("ann"), s.node("n"));
    let (over, open) = (s.run(ann.id, node.id), s.run(ann.id, node.id));
    let over = Run { state: RunState::Cancelled, finished_at: Some(at(5)), ..over };
    let mut change = Change::default().write(Write::AddUser(ann.clone()));
    change = change.write(Write::AddNode(node));
    for run in [&over, &open] {
        change = change.write(Write::AddRun(Box::new(run.clone())));
    }
    store.commit(change).await.unwrap();
    let asks = |run: &Run, binding, asked| Approval {
        agent_run: Some(run.id),
        ..approval(&s, ann.id, binding, asked)
    };
    let commanded = Approval {
        run: Some(over.id),
        client: None,
        agent_run: None,
        ..approval(&s, ann.id, 3, 1)
    };
    let (lost, waits) = (asks(&over, 1, 1), asks(&open, 2, 1));
    for one in [&lost, &waits, &commanded] {
        commit(&store, ask(one)).await.unwrap();
    }
    commit(&store, Write::Approval(ApprovalWrite::WithdrawOfEnded(at(6)))).await.unwrap();
    for (one, state) in [
        (&lost, ApprovalState::Expired),
        (&waits, ApprovalState::Waiting),
        (&commanded, ApprovalState::Expired),
    ] {
        let found = store.lookup_approval(one.id).await.unwrap().unwrap();
        assert_eq!(found.state(at(7)), state);
    }
}
