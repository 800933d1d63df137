//! What every store must do with accounts and what proves them: on SQLite and on a real PostgreSQL.
use super::{
    commit,
    sample::{Sample, at},
};
use wardroom_core::{
    Role,
    block::Block,
    change::{Change, Write},
    identity::{FactorKind, SecretHash, User, UserState},
    page::PageRequest,
    policy::StoredPolicy,
    store::{StoreError, UserFilter},
};
use wardroom_store::testing::{TestStore, postgres, sqlite};

on_both!(
    accounts_and_what_proves_them,
    accounts_are_listed_newest_first_without_the_erased,
    the_last_administrator_is_guarded,
    sessions_are_used_and_handed_on,
    people_of_an_issuer_outside_come_and_go,
    old_passwords_are_kept_up_to_a_bound,
    links_are_good_once_and_the_newest_only,
    second_factors_count_on,
    blocks_are_kept_for_a_day_longer,
    policies_are_numbered_and_the_newest_is_in_force,
);

async fn people_of_an_issuer_outside_come_and_go(test: TestStore) {
    let (store, s) = (test.store, Sample::default());
    let (ann, bob) = (s.user("ann"), s.user("bob"));
    for user in [&ann, &bob] {
        commit(&store, Write::AddUser(user.clone())).await.unwrap();
    }
    let subject = Sample::index("issuer ann");
    let link = |user| Write::AddOutside { subject, user, at: at(1) };
    commit(&store, link(ann.id)).await.unwrap();
    assert!(matches!(commit(&store, link(bob.id)).await, Err(StoreError::Duplicate(_))));
    assert_eq!(store.lookup_user_outside(subject).await.unwrap().map(|user| user.id), Some(ann.id));
    assert_eq!(store.lookup_user_outside(Sample::index("issuer bob")).await.unwrap(), None);
    assert!(store.is_outside(ann.id).await.unwrap());
    assert!(!store.is_outside(bob.id).await.unwrap());
    let there = Sample::index("session there");
    let mut sessions = [s.session(ann.id), s.session(ann.id), s.session(bob.id)];
    sessions[0].outside = Some(there);
    for session in &sessions {
        commit(&store, Write::AddSession(session.clone())).await.unwrap();
    }
    let found = store.lookup_session_by_id(sessions[0].id).await.unwrap();
    assert_eq!(found.unwrap().0.outside, Some(there));
    commit(&store, Write::RemoveSessionsOutside(there)).await.unwrap();
    assert_eq!(store.lookup_session_by_id(sessions[0].id).await.unwrap(), None);
    for other in &sessions[1..] {
        assert!(store.lookup_session_by_id(other.id).await.unwrap().is_some());
    }
    commit(&store, Write::RemoveOutsideOf(ann.id)).await.unwrap();
    assert_eq!(store.lookup_user_outside(subject).await.unwrap(), None);
}

async fn accounts_and_what_proves_them(test: TestStore) {
    let (store, s) = (test.store, Sample::default());
    let mut user = s.user("ann");
    commit(&store, Write::AddUser(user.clone())).await.unwrap();
    assert!(matches!(
        commit(&store, Write::AddUser(User { email_index: None, ..s.user("ann") })).await,
        Err(StoreError::Duplicate("account name"))
    ));
    assert_eq!(store.lookup_user(user.id).await.unwrap().as_ref(), Some(&user));
    assert_eq!(
        store.lookup_user_by_name(Sample::index("ann")).await.unwrap().as_ref(),
        Some(&user)
    );
    assert_eq!(store.lookup_user_by_name(Sample::index("Ann")).await.unwrap(), None);
    user.version = 2;
    user.state = UserState::Disabled;
    user.second_factor = true;
    user.password_temporary = true;
    commit(&store, Write::UpdateUser(user.clone())).await.unwrap();
    assert!(matches!(
        commit(&store, Write::UpdateUser(user.clone())).await,
        Err(StoreError::Conflict(_))
    ));
    assert_eq!(store.lookup_user(user.id).await.unwrap().as_ref(), Some(&user));
    let email = Sample::index("ann@example.org");
    assert_eq!(store.lookup_user_by_email(email).await.unwrap().as_ref(), Some(&user));
    let other = User { email_index: Some(email), ..s.user("bob") };
    assert!(matches!(
        commit(&store, Write::AddUser(other)).await,
        Err(StoreError::Duplicate("e-mail address"))
    ));
    let page = store.list_users(&UserFilter::default(), PageRequest::new(None, 1)).await.unwrap();
    assert_eq!((page.items.len(), page.next), (1, None));

    let (session, token) = (s.session(user.id), s.api_token(user.id));
    commit(&store, Write::AddSession(session.clone())).await.unwrap();
    commit(&store, Write::AddApiToken(token.clone())).await.unwrap();
    assert_eq!(
        store.lookup_session(session.secret_hash).await.unwrap(),
        Some((session.clone(), user.clone()))
    );
    assert_eq!(
        store.lookup_api_token(token.secret_hash).await.unwrap(),
        Some((token.clone(), user.clone()))
    );
    assert_eq!(store.lookup_session(SecretHash([9; 32])).await.unwrap(), None);
    assert_eq!(
        store.list_api_tokens(user.id, PageRequest::first()).await.unwrap().items,
        [token.clone()]
    );
    commit(&store, Write::RemoveExpired(at(0))).await.unwrap();
    assert!(
        store.lookup_session(session.secret_hash).await.unwrap().is_some(),
        "nothing has expired yet"
    );
    commit(&store, Write::RemoveApiToken(token.id)).await.unwrap();
    assert!(matches!(
        commit(&store, Write::RemoveApiToken(token.id)).await,
        Err(StoreError::Conflict(_))
    ));
    commit(&store, Write::RemoveExpired(session.idle_until)).await.unwrap();
    assert_eq!(store.lookup_session(session.secret_hash).await.unwrap(), None);
    let (session, token) = (s.session(user.id), s.api_token(user.id));
    commit(&store, Write::AddSession(session.clone())).await.unwrap();
    commit(&store, Write::AddApiToken(token.clone())).await.unwrap();
    commit(&store, Write::RemoveSessionsOf { user: user.id, but: None }).await.unwrap();
    commit(&store, Write::RemoveApiTokensOf(user.id)).await.unwrap();
    assert_eq!(store.lookup_api_token(token.secret_hash).await.unwrap(), None);
    let key = s.sealed_key("a");
    commit(&store, Write::AddSealedKey(key.clone())).await.unwrap();
    assert!(matches!(
        commit(&store, Write::AddSealedKey(key.clone())).await,
        Err(StoreError::Duplicate(_))
    ));
    assert_eq!(store.lookup_sealed_key("a").await.unwrap(), Some(key.clone()));
    assert_eq!(store.list_sealed_keys().await.unwrap(), [key]);
    commit(&store, Write::RemoveSealedKey("a".into())).await.unwrap();
    assert_eq!(store.list_sealed_keys().await.unwrap(), []);
    let gone = commit(&store, Write::RemoveSealedKey("a".into())).await;
    assert!(matches!(gone, Err(StoreError::Conflict(_))), "{gone:?}");
}

async fn accounts_are_listed_newest_first_without_the_erased(test: TestStore) {
    let (store, s) = (test.store, Sample::default());
    let users: Vec<User> = ["a", "b", "c"].map(|name| s.user(name)).into();
    for user in &users {
        commit(&store, Write::AddUser(user.clone())).await.unwrap();
    }
    let erased =
        User { version: 2, state: UserState::Erased, email_index: None, ..users[1].clone() };
    commit(&store, Write::UpdateUser(erased.clone())).await.unwrap();
    let all = UserFilter::default();
    let first = store.list_users(&all, PageRequest::new(None, 1)).await.unwrap();
    assert_eq!((first.items[0].id, first.next), (users[2].id, Some(users[2].id)));
    let second = store.list_users(&all, PageRequest::new(first.next, 1)).await.unwrap();
    assert_eq!((second.items[0].id, second.next), (users[0].id, None));
    let gone = UserFilter { state: Some(UserState::Erased), ..all.clone() };
    assert_eq!(store.list_users(&gone, PageRequest::first()).await.unwrap().items, [erased]);
    let managers = UserFilter { role: Some(Role::Manager), ..all };
    assert!(store.list_users(&managers, PageRequest::first()).await.unwrap().items.is_empty());
    assert!(store.list_unsealed_users(10).await.unwrap().is_empty());
}

async fn the_last_administrator_is_guarded(test: TestStore) {
    let (store, s) = (test.store, Sample::default());
    let admin = |name: &str| User { role: Role::Admin, ..s.user(name) };
    let (one, two) = (admin("one"), admin("two"));
    commit(&store, Write::AddUser(one.clone())).await.unwrap();
    commit(&store, Write::AddUser(User { state: UserState::Invited, ..two.clone() }))
        .await
        .unwrap();
    let last = commit(&store, Write::RequireAnotherAdmin(one.id)).await;
    assert!(matches!(last, Err(StoreError::Conflict("another administrator"))), "{last:?}");
    commit(&store, Write::UpdateUser(User { version: 2, ..two.clone() })).await.unwrap();
    commit(&store, Write::RequireAnotherAdmin(one.id)).await.unwrap();
    // Both turn the other away in the same moment: one of them is too late.
    let away = |user: &User, version| {
        let gone = User { version, state: UserState::Disabled, ..user.clone() };
        Change::default().write(Write::RequireAnotherAdmin(user.id)).write(Write::UpdateUser(gone))
    };
    let both = tokio::join!(store.commit(away(&one, 2)), store.commit(away(&two, 3)));
    assert!(both.0.is_ok() != both.1.is_ok(), "{both:?}");
}

async fn sessions_are_used_and_handed_on(test: TestStore) {
    let (store, s) = (test.store, Sample::default());
    let user = s.user("ann");
    commit(&store, Write::AddUser(user.clone())).await.unwrap();
    let (old, session) = (s.session(user.id), s.session(user.id));
    for session in [&old, &session] {
        commit(&store, Write::AddSession(session.clone())).await.unwrap();
    }
    let ids = |sessions: Vec<wardroom_core::identity::Session>| {
        sessions.into_iter().map(|session| session.id).collect::<Vec<_>>()
    };
    assert_eq!(ids(store.list_sessions(user.id, at(0)).await.unwrap()), [session.id, old.id]);
    assert!(store.list_sessions(user.id, at(1800)).await.unwrap().is_empty(), "idle for too long");
    let touch = Write::TouchSession { id: session.id, at: at(60), idle_until: at(1860) };
    commit(&store, touch).await.unwrap();
    assert_eq!(ids(store.list_sessions(user.id, at(1800)).await.unwrap()), [session.id]);
    let prove = Write::ProveSession { id: session.id, at: at(61), second_factor: true };
    commit(&store, prove).await.unwrap();
    let next = SecretHash([7; 32]);
    let rotate = |from| Write::RotateSession {
        id: session.id,
        from,
        to: next,
        at: at(62),
        idle_until: at(1862),
    };
    commit(&store, rotate(session.secret_hash)).await.unwrap();
    let again = commit(&store, rotate(session.secret_hash)).await;
    assert!(matches!(again, Err(StoreError::Conflict(_))), "good once: {again:?}");
    assert_eq!(store.lookup_session(session.secret_hash).await.unwrap(), None);
    let (found, _) = store.lookup_session(next).await.unwrap().unwrap();
    assert_eq!((found.proved_at, found.second_factor, found.seen_at), (at(61), true, at(62)));
    let (spent, _) = store.lookup_spent(session.secret_hash).await.unwrap().unwrap();
    assert_eq!(spent.id, session.id);
    assert_eq!(store.lookup_session_by_id(session.id).await.unwrap().unwrap().1, user);
    commit(&store, Write::RemoveSessionsOf { user: user.id, but: Some(session.id) }).await.unwrap();
    assert_eq!(ids(store.list_sessions(user.id, at(0)).await.unwrap()), [session.id]);
    commit(&store, Write::RemoveSession(session.id)).await.unwrap();
    assert_eq!(store.lookup_spent(session.secret_hash).await.unwrap(), None, "gone with it");
    let token = s.api_token(user.id);
    commit(&store, Write::AddApiToken(token.clone())).await.unwrap();
    commit(&store, Write::TouchApiToken { id: token.id, at: at(9) }).await.unwrap();
    let (found, _) = store.lookup_api_token_by_id(token.id).await.unwrap().unwrap();
    assert_eq!((found.used_at, found.scopes), (Some(at(9)), token.scopes));
}

async fn old_passwords_are_kept_up_to_a_bound(test: TestStore) {
    let (store, s) = (test.store, Sample::default());
    let user = s.user("ann");
    commit(&store, Write::AddUser(user.clone())).await.unwrap();
    for number in 0..4 {
        let hash = format!("hash {number}");
        let keep = Write::KeepPassword { user: user.id, hash, at: at(number), kept: 2 };
        commit(&store, keep).await.unwrap();
    }
    assert_eq!(store.list_passwords(user.id).await.unwrap(), ["hash 3", "hash 2"]);
    commit(&store, Write::ForgetPasswordsOf(user.id)).await.unwrap();
    assert!(store.list_passwords(user.id).await.unwrap().is_empty());
}

async fn links_are_good_once_and_the_newest_only(test: TestStore) {
    let (store, s) = (test.store, Sample::default());
    let user = s.user("ann");
    commit(&store, Write::AddUser(user.clone())).await.unwrap();
    let (old, pass) = (s.pass(user.id), s.pass(user.id));
    commit(&store, Write::AddPass(old.clone())).await.unwrap();
    commit(&store, Write::AddPass(pass.clone())).await.unwrap();
    assert_eq!(store.lookup_pass(old.secret_hash).await.unwrap(), None);
    let found = store.lookup_pass(pass.secret_hash).await.unwrap();
    assert_eq!(found, Some((pass.clone(), user.clone())));
    let late = commit(&store, Write::UsePass { id: pass.id, at: at(3600) }).await;
    assert!(matches!(late, Err(StoreError::Conflict(_))));
    commit(&store, Write::UsePass { id: pass.id, at: at(1) }).await.unwrap();
    let again = commit(&store, Write::UsePass { id: pass.id, at: at(1) }).await;
    assert!(matches!(again, Err(StoreError::Conflict(_))));
    commit(&store, Write::AddPass(s.pass(user.id))).await.unwrap();
    commit(&store, Write::RemovePassesOf(user.id)).await.unwrap();
}

async fn second_factors_count_on(test: TestStore) {
    let (store, s) = (test.store, Sample::default());
    let user = s.user("ann");
    commit(&store, Write::AddUser(user.clone())).await.unwrap();
    let totp = s.factor(user.id, FactorKind::Totp);
    let (key, code) =
        (s.factor(user.id, FactorKind::Passkey), s.factor(user.id, FactorKind::Recovery));
    for factor in [&totp, &key, &code] {
        commit(&store, Write::AddFactor(factor.clone())).await.unwrap();
    }
    let taken = wardroom_core::identity::Factor {
        handle: key.handle,
        ..s.factor(user.id, FactorKind::Passkey)
    };
    assert!(matches!(
        commit(&store, Write::AddFactor(taken)).await,
        Err(StoreError::Duplicate("second factor"))
    ));
    assert_eq!(
        store.list_factors(user.id).await.unwrap(),
        [totp.clone(), key.clone(), code.clone()]
    );
    assert_eq!(store.lookup_factor(key.handle.unwrap()).await.unwrap(), Some(key.clone()));
    let using = |id, counter| Write::UseFactor { id, counter, at: at(5), sealed: None };
    commit(&store, using(totp.id, 7)).await.unwrap();
    for old in [7, 6] {
        let again = commit(&store, using(totp.id, old)).await;
        assert!(matches!(again, Err(StoreError::Conflict(_))), "{old}");
    }
    // A key that does not count says 0 each time.
    commit(&store, using(key.id, 0)).await.unwrap();
    commit(&store, using(key.id, 0)).await.unwrap();
    let used = store.list_factors(user.id).await.unwrap();
    assert_eq!((used[0].counter, used[0].confirmed, used[0].used_at), (7, true, Some(at(5))));
    let kind = Some(FactorKind::Recovery);
    commit(&store, Write::RemoveFactorsOf { user: user.id, kind }).await.unwrap();
    commit(&store, Write::RemoveFactor(key.id)).await.unwrap();
    assert!(matches!(
        commit(&store, Write::RemoveFactor(key.id)).await,
        Err(StoreError::Conflict(_))
    ));
    assert_eq!(store.list_factors(user.id).await.unwrap().len(), 1);
}

async fn blocks_are_kept_for_a_day_longer(test: TestStore) {
    let store = test.store;
    let block = |network: &str, times| Block {
        network: network.into(),
        reason: "test".into(),
        times,
        created_at: at(i64::from(times)),
        until: at(900),
    };
    for block in [block("192.0.2.1", 1), block("192.0.2.2", 1), block("192.0.2.1", 2)] {
        commit(&store, Write::PutBlock(block)).await.unwrap();
    }
    let day = 24 * 3600;
    let all = [block("192.0.2.1", 2), block("192.0.2.2", 1)];
    assert_eq!(store.list_blocks(at(900 + day - 1), 10).await.unwrap(), all);
    assert_eq!(store.list_blocks(at(0), 1).await.unwrap().len(), 1);
    assert!(store.list_blocks(at(900 + day), 10).await.unwrap().is_empty());
    commit(&store, Write::RemoveBlock("192.0.2.2".into())).await.unwrap();
    let again = commit(&store, Write::RemoveBlock("192.0.2.2".into())).await;
    assert!(matches!(again, Err(StoreError::Conflict(_))));
    commit(&store, Write::RemoveExpired(at(900 + day))).await.unwrap();
    assert!(store.list_blocks(at(0), 10).await.unwrap().is_empty());
}

async fn policies_are_numbered_and_the_newest_is_in_force(test: TestStore) {
    let store = test.store;
    assert_eq!(store.last_policy().await.unwrap(), None);
    let policy = |number| StoredPolicy {
        number,
        text: format!("// {number}"),
        note: "n".into(),
        author: "a".into(),
        created_at: at(number),
    };
    for number in 1..=3 {
        commit(&store, Write::AddPolicy(policy(number))).await.unwrap();
    }
    let late = commit(&store, Write::AddPolicy(policy(3))).await;
    assert!(matches!(late, Err(StoreError::Duplicate("policy number"))), "{late:?}");
    assert_eq!(store.last_policy().await.unwrap(), Some(policy(3)));
    let first = store.list_policies(PageRequest::new(None, 2)).await.unwrap();
    assert_eq!((first.items, first.next), (vec![policy(3), policy(2)], Some(2)));
    let second = store.list_policies(PageRequest::new(Some(2), 2)).await.unwrap();
    assert_eq!((second.items, second.next), (vec![policy(1)], None));
}
