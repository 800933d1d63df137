use super::{
    commit,
    sample::{Sample, at},
};
use wardroom_core::{
    AgentId, UserId,
    agent::{AGENTS_MAX, Agent, AgentVersion, AgentWrite, Outline, VERSIONS_MAX},
    change::Write,
    page::PageRequest,
    store::StoreError,
};
use wardroom_store::testing::{TestStore, postgres, sqlite};

on_both!(
    agents_are_defined_otherwise_and_forgotten,
    only_the_newest_versions_are_kept,
    there_is_room_for_so_many_agents,
);

fn agent(s: &Sample, name: &str, author: UserId) -> Agent {
    let definition = serde_json::json!({
        "name": name,
        "description": "Looks out",
        "model": {"provider": "scripted", "name": "lookout", "temperature": 0.5},
        "instructions": "Look out",
        "variables": {"where": {"type": "string", "default": "ahead"}},
    });
    Agent {
        version: AgentVersion {
            agent: AgentId::new(at(0), s),
            number: 1,
            digest: "00".to_owned(),
            note: "first".to_owned(),
            author,
            created_at: at(1),
        },
        definition: serde_json::from_value(definition).unwrap(),
        text: format!("name: {name}"),
    }
}

fn later(agent: &Agent) -> Agent {
    let number = agent.version.number + 1;
    let version = AgentVersion { number, created_at: at(number), ..agent.version.clone() };
    Agent { version, text: format!("# {number}"), ..agent.clone() }
}

fn outlined(agent: &Agent) -> (AgentVersion, Outline) {
    (agent.version.clone(), agent.definition.outline())
}

async fn agents_are_defined_otherwise_and_forgotten(test: TestStore) {
    let (store, s) = (test.store, Sample::default());
    let ann = s.user("ann");
    commit(&store, Write::AddUser(ann.clone())).await.unwrap();
    let write = async |write: AgentWrite| commit(&store, Write::Agent(write)).await;
    let (mast, keel) = (agent(&s, "mast", ann.id), agent(&s, "keel", ann.id));
    for one in [&mast, &keel] {
        write(AgentWrite::Add(one.clone().into())).await.unwrap();
    }
    let again = write(AgentWrite::Add(agent(&s, "mast", ann.id).into())).await;
    assert!(matches!(again, Err(StoreError::Duplicate(_))), "{again:?}");
    let list = async |after: Option<&str>, limit| {
        store.list_agents(PageRequest::new(after.map(str::to_owned), limit)).await.unwrap()
    };
    assert_eq!(list(None, 9).await.items, [outlined(&keel), outlined(&mast)]);
    let first = list(None, 1).await;
    assert_eq!((first.items, first.next.as_deref()), (vec![outlined(&keel)], Some("keel")));
    assert_eq!(list(Some("keel"), 1).await.items, [outlined(&mast)]);
    let second = later(&mast);
    write(AgentWrite::Update(second.clone().into())).await.unwrap();
    let stale = write(AgentWrite::Update(second.clone().into())).await;
    assert!(matches!(stale, Err(StoreError::Conflict(_))), "{stale:?}");
    assert_eq!(store.lookup_agent("mast").await.unwrap(), Some(second.clone()));
    assert_eq!(store.lookup_agent_version("mast", 1).await.unwrap(), Some(mast.clone()));
    assert_eq!(store.lookup_agent_version("mast", 3).await.unwrap(), None);
    let versions = async |after, limit| {
        store.list_agent_versions("mast", PageRequest::new(after, limit)).await.unwrap().items
    };
    assert_eq!(versions(None, 9).await, [second.version.clone(), mast.version.clone()]);
    assert_eq!(versions(Some(2), 9).await, [mast.version.clone()]);
    assert_eq!(list(None, 9).await.items, [outlined(&keel), outlined(&second)]);
    let id = mast.version.agent;
    let stale = write(AgentWrite::Remove { id, number: 1 }).await;
    assert!(matches!(stale, Err(StoreError::Conflict(_))), "{stale:?}");
    write(AgentWrite::Remove { id, number: 2 }).await.unwrap();
    assert_eq!(store.lookup_agent("mast").await.unwrap(), None);
    assert_eq!(versions(None, 9).await, []);
    write(AgentWrite::Add(agent(&s, "mast", ann.id).into())).await.unwrap();
}

async fn only_the_newest_versions_are_kept(test: TestStore) {
    let (store, s) = (test.store, Sample::default());
    let ann = s.user("ann");
    commit(&store, Write::AddUser(ann.clone())).await.unwrap();
    let mut newest = agent(&s, "mast", ann.id);
    commit(&store, Write::Agent(AgentWrite::Add(newest.clone().into()))).await.unwrap();
    for _ in 0..=VERSIONS_MAX {
        newest = later(&newest);
        let update = AgentWrite::Update(newest.clone().into());
        commit(&store, Write::Agent(update)).await.unwrap();
    }
    let all = PageRequest::new(None, 200);
    let kept = store.list_agent_versions("mast", all).await.unwrap();
    assert_eq!((kept.items.len(), kept.next), (VERSIONS_MAX as usize, None));
    assert_eq!(kept.items[0], newest.version);
}

async fn there_is_room_for_so_many_agents(test: TestStore) {
    let (store, s) = (test.store, Sample::default());
    let ann = s.user("ann");
    commit(&store, Write::AddUser(ann.clone())).await.unwrap();
    for n in 0..AGENTS_MAX {
        let one = agent(&s, &format!("a{n}"), ann.id);
        commit(&store, Write::Agent(AgentWrite::Add(one.into()))).await.unwrap();
    }
    let beyond = AgentWrite::Add(agent(&s, "beyond", ann.id).into());
    let refused = commit(&store, Write::Agent(beyond)).await;
    assert!(matches!(refused, Err(StoreError::Conflict("room for an agent"))), "{refused:?}");
}
