use super::{
    commit,
    journal::{entry, of_agent},
    sample::{Sample, at},
};
use std::sync::Arc;
use wardroom_core::{
    ThreadId, UserId,
    change::{Change, Write},
    page::PageRequest,
    run::{self, Event, Run},
    steps::JournalWrite,
    store::{Store, StoreError},
    thread::{THREADS_MAX, Thread, ThreadWrite, Turn},
};
use wardroom_store::testing::{TestStore, postgres, sqlite};

on_both!(
    a_thread_has_one_turn_under_way,
    threads_are_listed_by_when_they_were_used,
    what_was_said_goes_with_the_last_thread_that_has_it,
    a_person_has_so_many_threads,
    a_thread_is_not_removed_from_under_a_turn,
);

fn thread(s: &Sample, user: UserId, agent: &str, seconds: i64) -> Thread {
    Thread {
        id: ThreadId::new(at(0), s),
        user,
        agent: agent.into(),
        title: vec![1, 2, 3],
        created_at: at(seconds),
        updated_at: at(seconds),
    }
}

fn write(write: ThreadWrite) -> Write {
    Write::Thread(write)
}

/// A turn with a run of its own.
async fn say(
    store: &Arc<dyn Store>,
    s: &Sample,
    thread: &Thread,
    seq: u32,
) -> Result<Run, StoreError> {
    let run = of_agent(s, thread.user);
    let turn = Turn { seq, run: run.id };
    let append = JournalWrite::Append { run: run.id, fence: 0, entries: vec![entry(s, 0)] };
    let change = Change::default()
        .write(Write::AddRun(Box::new(run.clone())))
        .write(Write::Journal(append))
        .write(write(ThreadWrite::Turn { thread: thread.id, turn, at: at(50 + i64::from(seq)) }));
    store.commit(change).await.map(|()| run)
}

async fn over(store: &Arc<dyn Store>, run: &Run) {
    let next = run::apply(run, &Event::Cancel, at(60)).unwrap().run;
    commit(store, Write::UpdateRun(Box::new(next))).await.unwrap();
}

async fn begun(store: &Arc<dyn Store>, s: &Sample) -> Thread {
    let user = s.user("ann");
    let thread = thread(s, user.id, "guide", 1);
    let change = Change::default().write(Write::AddUser(user));
    store.commit(change.write(write(ThreadWrite::Begin(thread.clone())))).await.unwrap();
    thread
}

fn conflicts<T>(outcome: &Result<T, StoreError>) -> bool {
    matches!(outcome, Err(StoreError::Conflict("the thread")))
}

async fn a_thread_has_one_turn_under_way(test: TestStore) {
    let (store, s) = (test.store, Sample::default());
    let thread = begun(&store, &s).await;
    assert!(conflicts(&say(&store, &s, &thread, 1).await), "it is not the next");
    let first = say(&store, &s, &thread, 0).await.unwrap();
    for seq in [0, 1] {
        let refused = say(&store, &s, &thread, seq).await;
        assert!(conflicts(&refused), "one is under way");
    }
    let remove = commit(&store, write(ThreadWrite::Remove(thread.id))).await;
    assert!(conflicts(&remove));
    assert_eq!(store.list_journal(first.id, 0, 9).await.unwrap().items.len(), 1);
    over(&store, &first).await;
    assert!(conflicts(&say(&store, &s, &thread, 0).await), "there is one");
    let second = say(&store, &s, &thread, 1).await.unwrap();
    let turns = store.list_turns(thread.id, PageRequest::new(None, 1)).await.unwrap();
    assert_eq!((turns.items, turns.next), (vec![Turn { seq: 1, run: second.id }], Some(1)));
    let turns = store.list_turns(thread.id, PageRequest::new(Some(1), 9)).await.unwrap();
    assert_eq!((turns.items, turns.next), (vec![Turn { seq: 0, run: first.id }], None));
    let found = store.lookup_thread(thread.id).await.unwrap().unwrap();
    assert_eq!(found, Thread { updated_at: at(51), ..thread.clone() });
    let retitle = ThreadWrite::Retitle { thread: thread.id, title: vec![9] };
    commit(&store, write(retitle)).await.unwrap();
    assert_eq!(store.lookup_thread(thread.id).await.unwrap().unwrap().title, [9]);
    let other = ThreadId::new(at(0), &s);
    assert_eq!(store.lookup_thread(other).await.unwrap(), None);
    let retitle = ThreadWrite::Retitle { thread: other, title: vec![9] };
    assert!(conflicts(&commit(&store, write(retitle)).await));
    assert!(conflicts(&commit(&store, write(ThreadWrite::Remove(other))).await));
}

async fn threads_are_listed_by_when_they_were_used(test: TestStore) {
    let (store, s) = (test.store, Sample::default());
    let (ann, bob) = (s.user("ann"), s.user("bob"));
    let threads = [
        thread(&s, ann.id, "guide", 5),
        thread(&s, ann.id, "pilot", 7),
        thread(&s, ann.id, "guide", 7),
        thread(&s, bob.id, "guide", 9),
    ];
    let mut change =
        Change::default().write(Write::AddUser(ann.clone())).write(Write::AddUser(bob));
    for thread in &threads {
        change = change.write(write(ThreadWrite::Begin(thread.clone())));
    }
    store.commit(change).await.unwrap();
    let mut all = vec![];
    let mut page = PageRequest::new(None, 1);
    loop {
        let found = store.list_threads(ann.id, None, page).await.unwrap();
        all.extend(found.items);
        match found.next {
            Some(next) => page.after = Some(next),
            None => break,
        }
    }
    let mut expected = threads[..3].to_vec();
    expected.sort_by_key(|thread| std::cmp::Reverse((thread.updated_at, thread.id)));
    assert_eq!(all, expected, "her own only, the last used first");
    let guide = store.list_threads(ann.id, Some("guide"), PageRequest::new(None, 9)).await.unwrap();
    assert_eq!(guide.items.len(), 2);
}

async fn what_was_said_goes_with_the_last_thread_that_has_it(test: TestStore) {
    let (store, s) = (test.store, Sample::default());
    let first = begun(&store, &s).await;
    let (a, b) = {
        let a = say(&store, &s, &first, 0).await.unwrap();
        over(&store, &a).await;
        let b = say(&store, &s, &first, 1).await.unwrap();
        over(&store, &b).await;
        (a, b)
    };
    // Another agent worked for the second turn.
    let helper = Run { parent: Some(b.id), ..of_agent(&s, first.user) };
    let append = JournalWrite::Append { run: helper.id, fence: 0, entries: vec![entry(&s, 0)] };
    let change = Change::default().write(Write::AddRun(Box::new(helper.clone())));
    store.commit(change.write(Write::Journal(append))).await.unwrap();
    let stranger = s.user("bob");
    let theirs = thread(&s, stranger.id, "guide", 1);
    let second = thread(&s, first.user, "guide", 2);
    let copy = |thread: &Thread| ThreadWrite::Copy { thread: thread.id, from: first.id, before: 1 };
    let change = Change::default()
        .write(Write::AddUser(stranger))
        .write(write(ThreadWrite::Begin(theirs.clone())))
        .write(write(copy(&theirs)))
        .write(write(ThreadWrite::Begin(second.clone())))
        .write(write(copy(&second)));
    store.commit(change).await.unwrap();
    let turns = async |thread: &Thread| {
        let page = PageRequest::new(None, 9);
        store.list_turns(thread.id, page).await.unwrap().items
    };
    assert_eq!(turns(&second).await, [Turn { seq: 0, run: a.id }]);
    assert_eq!(turns(&theirs).await, [], "nobody has another one's turns");
    let left = async |run: &Run| store.list_journal(run.id, 0, 9).await.unwrap().items.len();
    commit(&store, write(ThreadWrite::Remove(first.id))).await.unwrap();
    assert_eq!((left(&a).await, left(&b).await, left(&helper).await), (1, 0, 0));
    commit(&store, write(ThreadWrite::Remove(second.id))).await.unwrap();
    assert_eq!(left(&a).await, 0);
    assert!(store.lookup_run(a.id).await.unwrap().is_some(), "that it ran stays known");
}

async fn a_person_has_so_many_threads(test: TestStore) {
    let (store, s) = (test.store, Sample::default());
    let user = s.user("ann");
    let mut change = Change::default().write(Write::AddUser(user.clone()));
    for n in 0..THREADS_MAX {
        change = change.write(write(ThreadWrite::Begin(thread(&s, user.id, "guide", n))));
    }
    store.commit(change).await.unwrap();
    let more = commit(&store, write(ThreadWrite::Begin(thread(&s, user.id, "guide", 1)))).await;
    assert!(matches!(more, Err(StoreError::Conflict("room for a thread"))), "{more:?}");
}

/// Whoever is faster: a turn that begins has its thread, and what is removed has no turn.
async fn a_thread_is_not_removed_from_under_a_turn(test: TestStore) {
    let (store, s) = (test.store, Sample::default());
    let user = s.user("ann");
    commit(&store, Write::AddUser(user.clone())).await.unwrap();
    for _ in 0..20 {
        let (from, other) = (thread(&s, user.id, "guide", 1), thread(&s, user.id, "guide", 2));
        commit(&store, write(ThreadWrite::Begin(from.clone()))).await.unwrap();
        let first = say(&store, &s, &from, 0).await.unwrap();
        over(&store, &first).await;
        let copy = ThreadWrite::Copy { thread: other.id, from: from.id, before: 1 };
        let branch =
            Change::default().write(write(ThreadWrite::Begin(other.clone()))).write(write(copy));
        let remove = Change::default().write(write(ThreadWrite::Remove(from.id)));
        let (said, branched, removed) =
            tokio::join!(say(&store, &s, &from, 1), store.commit(branch), store.commit(remove));
        assert!(said.is_err() || removed.is_err(), "{said:?} {removed:?}");
        if branched.is_ok() {
            let left = store.list_journal(first.id, 0, 9).await.unwrap().items.len();
            assert_eq!(left, 1, "what the other one has is there");
        }
        if let Ok(run) = said {
            over(&store, &run).await;
        }
    }
}
