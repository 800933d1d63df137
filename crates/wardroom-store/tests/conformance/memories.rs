use super::{
    commit,
    sample::{Sample, at},
};
use wardroom_core::{
    MemoryId, UserId,
    change::{Change, Write},
    memory::{MEMORIES_MAX, Memory, MemoryWrite},
    person::BlindIndex,
    store::StoreError,
};
use wardroom_store::testing::{TestStore, postgres, sqlite};

on_both!(what_is_remembered_is_one_persons_and_replaced_by_its_key, there_is_so_much_room);

fn memory(s: &Sample, user: UserId, agent: &str, key: u8) -> Memory {
    let mut index = [key; 32];
    index[..16].copy_from_slice(user.uuid().as_bytes());
    index[16] = agent.as_bytes()[0];
    Memory {
        id: MemoryId::new(at(0), s),
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
    let list =
        async |agent, seconds| store.list_memories(ann.id, agent, at(seconds)).await.unwrap();
    assert_eq!(list(Some("guide"), 9).await, [two.clone(), one.clone()]);
    assert_eq!(list(None, 9).await.len(), 3);
    assert_eq!(store.lookup_memory(one.id).await.unwrap(), Some(one.clone()));
    // Under the same key it is another text of the same memory.
    let again = Memory { sealed: vec![7], written_at: at(50), ..memory(&s, ann.id, "guide", 1) };
    commit(&store, put(&again, 100)).await.unwrap();
    let found = list(Some("guide"), 60).await;
    assert_eq!(found[0], Memory { id: one.id, ..again });
    assert_eq!(found.len(), 2);
    assert!(list(None, 100).await.is_empty(), "its time is over");
    commit(&store, Write::Memory(MemoryWrite::Remove(one.id))).await.unwrap();
    let gone = commit(&store, Write::Memory(MemoryWrite::Remove(one.id))).await;
    assert!(matches!(gone, Err(StoreError::Conflict("the memory"))));
    let all = MemoryWrite::RemoveAll { user: ann.id, agent: "guide".into() };
    commit(&store, Write::Memory(all)).await.unwrap();
    assert_eq!(list(None, 9).await, [other]);
    assert_eq!(store.list_memories(bob.id, None, at(9)).await.unwrap(), [theirs.clone()]);
    commit(&store, Write::RemoveExpired(at(100))).await.unwrap();
    assert_eq!(store.lookup_memory(theirs.id).await.unwrap(), None);
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
