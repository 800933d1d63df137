//! Accounts: made, found, changed, turned away and erased.

use super::world::World;
use std::time::Duration;
use wardroom_core::{
    Principal, Role,
    change::{Change, Write},
    identity::{Session, SessionAbout, SessionKind, User, UserState},
    page::PageRequest,
    person::Profile,
    store::AuditFilter,
};
use wardroom_engine::{EngineError, people::UserChange};
use wardroom_trust::vault::ERASED;

const HOUR: Duration = Duration::from_secs(3600);

fn ada() -> Profile {
    Profile {
        name: "ada".into(),
        display_name: "Ada Lovelace".into(),
        email: "Ada@Example.org".into(),
    }
}

async fn invited(world: &World, profile: Profile, role: Role) -> User {
    let by = Principal::System;
    world.engine.invite(profile, (role, None), HOUR, &by, world.audit()).await.unwrap().user
}

/// Everything that the store keeps in the clear about accounts and in the audit log.
async fn clear_texts(world: &World, user: &User) -> String {
    world.store.sequence_audit().await.unwrap();
    let records =
        world.store.list_audit(&AuditFilter::default(), PageRequest::new(None, 200)).await;
    let bodies: Vec<String> = records.unwrap().items.into_iter().map(|entry| entry.body).collect();
    format!("{:?} {}", user.profile, bodies.join("\n"))
}

#[tokio::test]
async fn who_somebody_is_is_sealed_and_found_again() {
    let world = World::new().await;
    let user = invited(&world, ada(), Role::Manager).await;
    assert_eq!(user.state, UserState::Invited);
    assert_eq!(world.engine.profile(&user).await.unwrap().display_name, "Ada Lovelace");
    for login in ["ada", "ada@example.org", "ADA@EXAMPLE.ORG"] {
        let found = world.engine.user_by_login(login).await.unwrap();
        assert_eq!(found.as_ref(), Some(&user), "{login}");
    }
    for nobody in ["Ada", "ad", "", "bob@example.org"] {
        assert_eq!(world.engine.user_by_login(nobody).await.unwrap(), None, "{nobody}");
    }
    let kept = clear_texts(&world, &user).await;
    assert!(!kept.contains("Lovelace") && !kept.to_lowercase().contains("example.org"), "{kept}");
    let same = Profile { email: "other@example.org".into(), ..ada() };
    let twice =
        world.engine.invite(same, (Role::Manager, None), HOUR, &Principal::System, world.audit());
    assert!(matches!(twice.await, Err(EngineError::Field { field: "name", .. })));
}

#[tokio::test]
async fn a_change_is_recorded_sealed_and_takes_sessions_with_the_role() {
    let world = World::new().await;
    let user = invited(&world, ada(), Role::Manager).await;
    let session = open(&world, &user).await;
    let wanted = UserChange { email: Some("new@example.org".into()), ..UserChange::default() };
    let audit = world.audit();
    let changed = world.engine.change_user(&user, wanted, audit).await.unwrap();
    let stale = UserChange { display_name: Some("A".into()), ..UserChange::default() };
    let refused = world.engine.change_user(&user, stale, world.audit()).await;
    assert!(matches!(refused, Err(EngineError::Conflict)), "another version was read");
    assert!(world.store.lookup_session_by_id(session.id).await.unwrap().is_some());
    assert!(!clear_texts(&world, &changed).await.contains("new@example.org"));
    let records =
        world.store.list_audit(&AuditFilter::default(), PageRequest::first()).await.unwrap();
    let record: wardroom_core::audit::AuditRecord =
        serde_json::from_str(&records.items[0].body).unwrap();
    let sealed = &record.detail["email"];
    assert_eq!(world.engine.vault().open_text("email", sealed).await.unwrap(), "new@example.org");
    let role = UserChange { role: Some(Role::Operator), ..UserChange::default() };
    world.engine.change_user(&changed, role, world.audit()).await.unwrap();
    assert!(world.store.lookup_session_by_id(session.id).await.unwrap().is_none());
}

async fn open(world: &World, user: &User) -> Session {
    let (now, expires_at, idle_until) = world.engine.session_times(12 * HOUR, HOUR);
    let mut hash = [0; 32];
    world.engine.rng().fill(&mut hash);
    let session = Session {
        id: wardroom_core::SessionId::new(now, world.engine.rng()),
        secret_hash: wardroom_core::identity::SecretHash(hash),
        user: user.id,
        kind: SessionKind::Client,
        created_at: now,
        expires_at,
        idle_until,
        seen_at: now,
        proved_at: now,
        second_factor: false,
        outside: None,
        grant: None,
        about: vec![],
    };
    let about = SessionAbout { address: "192.0.2.7".into(), user_agent: "test".into() };
    world.engine.open_session(user, session.clone(), &about, 2, world.audit()).await.unwrap();
    session
}

#[tokio::test]
async fn an_account_has_so_many_sessions_and_the_oldest_goes_first() {
    let world = World::new().await;
    let user = invited(&world, ada(), Role::Operator).await;
    let sessions =
        [open(&world, &user).await, open(&world, &user).await, open(&world, &user).await];
    let mut there = Vec::new();
    for session in &sessions {
        there.push(world.store.lookup_session_by_id(session.id).await.unwrap().is_some());
    }
    assert_eq!(there, [false, true, true]);
    let kept = world.store.list_sessions(user.id, world.engine.now()).await.unwrap();
    assert_eq!(world.engine.session_about(&kept[0]).await.unwrap().address, "192.0.2.7");
    assert!(!clear_texts(&world, &user).await.contains("192.0.2.7"));
}

#[tokio::test]
async fn erasure_leaves_an_id_and_a_log_that_verifies() {
    let world = World::new().await;
    let user = invited(&world, ada(), Role::Manager).await;
    let wanted = UserChange { display_name: Some("Countess".into()), ..UserChange::default() };
    let user = world.engine.change_user(&user, wanted, world.audit()).await.unwrap();
    let copy = world.store.lookup_user(user.id).await.unwrap().unwrap();
    world.engine.erase_user(&user, world.audit()).await.unwrap();
    assert!(matches!(world.engine.user(user.id).await, Err(EngineError::NotFound(_))));
    assert_eq!(world.engine.user_by_name("ada").await.unwrap(), None);
    // What an old copy of the database holds can't be read either.
    assert_eq!(world.engine.profile(&copy).await.unwrap().name, ERASED);
    assert!(world.store.list_person_keys(user.id.into()).await.unwrap().is_empty());
    let verified = world.engine.verify_audit().await.unwrap();
    assert!(verified.is_ok(), "{verified:?}");
    // The name is free again.
    invited(&world, ada(), Role::Manager).await;
}

#[tokio::test]
async fn an_erasure_that_a_crash_cut_short_is_finished_at_the_next_start() {
    let world = World::new().await;
    let user = invited(&world, ada(), Role::Manager).await;
    let marked = User { version: 2, state: UserState::Erased, profile: vec![], ..user.clone() };
    world.write(Write::UpdateUser(marked)).await;
    assert_eq!(world.store.list_person_keys(user.id.into()).await.unwrap().len(), 1);
    let stop = tokio_util::sync::CancellationToken::new();
    let again = tokio::spawn(world.another().work(stop.clone()));
    while !world.store.list_person_keys(user.id.into()).await.unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    stop.cancel();
    again.await.unwrap();
}

#[tokio::test]
async fn the_last_administrator_can_be_neither_turned_away_nor_erased_nor_demoted() {
    let world = World::new().await;
    let admin = invited(&world, ada(), Role::Admin).await;
    let admin = User { version: 2, state: UserState::Active, ..admin };
    world.write(Write::UpdateUser(admin.clone())).await;
    let demoted = UserChange { role: Some(Role::Operator), ..UserChange::default() };
    let engine = &world.engine;
    let refusals = [
        engine.enable_user(&admin, false, world.audit()).await.map(drop),
        engine.erase_user(&admin, world.audit()).await,
        engine.change_user(&admin, demoted, world.audit()).await.map(drop),
    ];
    for refusal in refusals {
        assert!(matches!(refusal, Err(EngineError::LastAdministrator)), "{refusal:?}");
    }
    let profile = Profile { name: "bob".into(), ..Profile::default() };
    let other = invited(&world, profile, Role::Admin).await;
    world.write(Write::UpdateUser(User { version: 2, state: UserState::Active, ..other })).await;
    let away = engine.enable_user(&admin, false, world.audit()).await.unwrap();
    assert_eq!(away.state, UserState::Disabled);
    let back = engine.enable_user(&away, true, world.audit()).await.unwrap();
    assert_eq!(back.state, UserState::Invited, "without a password it waits for one");
    let change = Change::recorded(world.audit().personal(back.id, "name", "x"));
    engine.commit(change).await.unwrap();
}
