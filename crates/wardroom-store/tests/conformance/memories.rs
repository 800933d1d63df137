use super::{
    commit,
    sample::{Sample, at},
};
use wardroom_core::{
    MemoryId, UserId,
    change::{Change, Write},
    identity::{User, UserState},
    memory::{MEMORIES_MAX, Memory, MemoryWrite},
    page::PageRequest,
    person::BlindIndex,
    store::StoreError,
};
use wardroom_store::testing::{TestStore, postgres, sqlite};

on_both!(
    what_is_remembered_is_one_persons_and_replaced_by_its_key,
    there_is_so_much_room,
    who_writes_at_once_does_not_pass_the_room
);

fn memory(s: &Sample, user: UserId, agent: &str, key: u8) -> Memory {
    let mut index = [key; 32];
    index[..16].copy_from_slice(user.uuid().as_bytes());
    index[16] = agent.as_bytes()[0];
    Memory {
        id: MemoryId::new(at(i64::from(key)), s),
        user,
        agent: agent.into(),
        namespace: "notes".into(),
        index: BlindIndex(index),
        sealed: vec![1, key],
        size_bytes: 10,
        written_at: at(i64::from(key)),
        expires_at: at(100),
    }
}

fn put(memory: &Memory, bytes_max: u32) -> Write {
    Write::Memory(MemoryWrite::Put { memory: memory.clone(), bytes_max })
}

async fn what_is_remembered_is_one_persons_and_replaced_by_its_key(test: TestStore) {
    let (store, s) = (test.store, Sample::default());
    let (ann, bob) = (s.user("ann"), s.user("bob"));
    let users = Change::default().write(Write::AddUser(ann.clone()));
    store.commit(users.write(Write::AddUser(bob.clone()))).await.unwrap();
    let (one, two) = (memory(&s, ann.id, "guide", 1), memory(&s, ann.id, "guide", 2));
    let (other, theirs) = (memory(&s, ann.id, "pilot", 3), memory(&s, bob.id, "guide", 4));
    for memory in [&one, &two, &other, &theirs] {
        commit(&store, put(memory, 100)).await.unwrap();
    }
    let list = async |agent, seconds| {
        let all = PageRequest::new(None, 200);
        store.list_memories(ann.id, agent, at(seconds), all).await.unwrap().items
    };
    assert_eq!(list(Some("guide"), 9).await, [two.clone(), one.clone()]);
    assert_eq!(list(None, 9).await.len(), 3);
    assert_eq!(store.lookup_memory(one.id).await.unwrap(), Some(one.clone()));
    let first = PageRequest::new(None, 2);
    let page = store.list_memories(ann.id, None, at(9), first).await.unwrap();
    assert_eq!((page.items.len(), page.next), (2, Some(two.id)));
    let rest = PageRequest::new(page.next, 2);
    let rest = store.list_memories(ann.id, None, at(9), rest).await.unwrap();
    assert_eq!((rest.items, rest.next), (vec![one.clone()], None));
    // Under the same key it is another text in its place.
    let id = MemoryId::new(at(50), &s);
    let again = Memory { id, sealed: vec![7], written_at: at(50), ..one.clone() };
    commit(&store, put(&again, 100)).await.unwrap();
    assert_eq!(list(Some("guide"), 60).await, [again.clone(), two.clone()]);
    let by_index =
        async |seconds| store.lookup_memory_by_index(one.index, at(seconds)).await.unwrap();
    assert_eq!((by_index(60).await, by_index(100).await), (Some(again.clone()), None));
    assert!(list(None, 100).await.is_empty(), "its time is over");
    commit(&store, Write::Memory(MemoryWrite::Remove(again.id))).await.unwrap();
    for gone in [again.id, one.id] {
        let gone = commit(&store, Write::Memory(MemoryWrite::Remove(gone))).await;
        assert!(matches!(gone, Err(StoreError::Conflict("the memory"))));
    }
    let all = || MemoryWrite::RemoveAll { user: ann.id, agent: "guide".into() };
    commit(&store, put(&one, 100)).await.unwrap();
    let by_index = || Write::Memory(MemoryWrite::RemoveByIndex(one.index));
    commit(&store, by_index()).await.unwrap();
    let gone = commit(&store, by_index()).await;
    assert!(matches!(gone, Err(StoreError::Conflict("the memory"))));
    commit(&store, put(&one, 100)).await.unwrap();
    commit(&store, Write::Memory(all())).await.unwrap();
    let none = commit(&store, Write::Memory(all())).await;
    assert!(matches!(none, Err(StoreError::Conflict("the memory"))));
    assert_eq!(list(None, 9).await, [other]);
    commit(&store, Write::Memory(MemoryWrite::RemoveOf(ann.id))).await.unwrap();
    commit(&store, Write::Memory(MemoryWrite::RemoveOf(ann.id))).await.unwrap();
    assert!(list(None, 9).await.is_empty());
    assert_eq!(store.lookup_memory(theirs.id).await.unwrap(), Some(theirs.clone()));
    commit(&store, Write::RemoveExpired(at(100))).await.unwrap();
    assert_eq!(store.lookup_memory(theirs.id).await.unwrap(), None);
    // Of who was erased nothing is kept any more.
    let erased = User { version: bob.version + 1, state: UserState::Erased, ..bob.clone() };
    commit(&store, Write::UpdateUser(erased)).await.unwrap();
    let late = commit(&store, put(&theirs, 100)).await;
    assert!(matches!(late, Err(StoreError::Conflict("the account"))), "{late:?}");
}

async fn who_writes_at_once_does_not_pass_the_room(test: TestStore) {
    let (store, s) = (test.store, Sample::default());
    let ann = s.user("ann");
    commit(&store, Write::AddUser(ann.clone())).await.unwrap();
    let many = (1..=8).map(|key| {
        let (store, put) = (store.clone(), put(&memory(&s, ann.id, "guide", key), 20));
        tokio::spawn(async move { commit(&store, put).await })
    });
    let mut kept = 0;
    for one in many.collect::<Vec<_>>() {
        kept += usize::from(one.await.unwrap().is_ok());
    }
    assert_eq!(kept, 2);
}

async fn there_is_so_much_room(test: TestStore) {
    let (store, s) = (test.store, Sample::default());
    let ann = s.user("ann");
    commit(&store, Write::AddUser(ann.clone())).await.unwrap();
    let full = |outcome| matches!(outcome, Err(StoreError::Conflict("room for a memory")));
    let one = memory(&s, ann.id, "guide", 1);
    commit(&store, put(&one, 20)).await.unwrap();
    commit(&store, put(&memory(&s, ann.id, "guide", 2), 20)).await.unwrap();
    assert!(full(commit(&store, put(&memory(&s, ann.id, "guide", 3), 20)).await));
    commit(&store, put(&memory(&s, ann.id, "pilot", 3), 20)).await.unwrap();
    // What stands under the key makes room for what comes in its place, and so does what is forgotten.
    commit(&store, put(&one, 20)).await.unwrap();
    assert!(full(commit(&store, put(&Memory { size_bytes: 11, ..one.clone() }, 20)).await));
    let late =
        Memory { written_at: at(100), expires_at: at(200), ..memory(&s, ann.id, "guide", 3) };
    commit(&store, put(&late, 10)).await.unwrap();
    let mut change = Change::default();
    for n in 0..MEMORIES_MAX {
        let mut memory = memory(&s, ann.id, "many", 0);
        memory.index.0[24..].copy_from_slice(&n.to_be_bytes());
        change = change.write(put(&memory, u32::MAX));
    }
    store.commit(change).await.unwrap();
    assert!(full(commit(&store, put(&memory(&s, ann.id, "many", 9), u32::MAX)).await));
}
