use super::{
    commit,
    sample::{Sample, at},
};
use wardroom_core::{
    AgentId, UserId,
    agent::{Agent, AgentWrite, VERSIONS_MAX},
    change::Write,
    store::StoreError,
};
use wardroom_store::testing::{TestStore, postgres, sqlite};

on_both!(agents_are_defined_otherwise_and_forgotten, only_the_newest_versions_are_kept);

fn agent(s: &Sample, name: &str, author: UserId) -> Agent {
    let definition = serde_json::json!({
        "name": name,
        "description": "Looks out",
        "model": {"provider": "scripted", "name": "lookout", "temperature": 0.5},
        "instructions": "Look out",
        "variables": {"where": {"type": "string", "default": "ahead"}},
    });
    Agent {
        id: AgentId::new(at(0), s),
        number: 1,
        definition: serde_json::from_value(definition).unwrap(),
        text: format!("name: {name}"),
        digest: "00".to_owned(),
        note: "first".to_owned(),
        author,
        created_at: at(1),
    }
}

fn later(agent: &Agent) -> Agent {
    let number = agent.number + 1;
    Agent { number, text: format!("# {number}"), created_at: at(number), ..agent.clone() }
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
    assert_eq!(store.list_agents().await.unwrap(), [keel.clone(), mast.clone()]);
    let second = later(&mast);
    write(AgentWrite::Update(second.clone().into())).await.unwrap();
    let stale = write(AgentWrite::Update(second.clone().into())).await;
    assert!(matches!(stale, Err(StoreError::Conflict(_))), "{stale:?}");
    assert_eq!(store.lookup_agent("mast").await.unwrap(), Some(second.clone()));
    assert_eq!(store.lookup_agent_version("mast", 1).await.unwrap(), Some(mast.clone()));
    assert_eq!(store.lookup_agent_version("mast", 3).await.unwrap(), None);
    let versions = store.list_agent_versions("mast").await.unwrap();
    assert_eq!(versions, [second.clone(), mast.clone()]);
    assert_eq!(store.list_agents().await.unwrap(), [keel, second]);
    let stale = write(AgentWrite::Remove { id: mast.id, number: 1 }).await;
    assert!(matches!(stale, Err(StoreError::Conflict(_))), "{stale:?}");
    write(AgentWrite::Remove { id: mast.id, number: 2 }).await.unwrap();
    assert_eq!(store.lookup_agent("mast").await.unwrap(), None);
    assert_eq!(store.list_agent_versions("mast").await.unwrap(), []);
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
    let kept = store.list_agent_versions("mast").await.unwrap();
    assert_eq!(kept.len(), VERSIONS_MAX as usize);
    assert_eq!(kept[0], newest);
}
