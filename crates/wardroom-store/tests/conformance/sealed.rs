use super::{
    commit,
    sample::{Sample, at},
};
use wardroom_core::{
    PersonId,
    change::Write,
    identity::{Session, User},
    person::PersonKey,
    run::Run,
    sealed::{Personal, Sealed},
    secret::{NamedSecret, SecretVersion},
    store::StoreError,
};
use wardroom_store::testing::{TestStore, postgres, sqlite};

on_both!(
    what_another_key_sealed_is_found_and_replaced,
    what_older_keys_of_people_sealed_is_found_and_replaced,
    a_secret_has_versions_of_which_the_last_is_used,
    keys_of_people_come_and_go_by_themselves,
);

async fn what_another_key_sealed_is_found_and_replaced(test: TestStore) {
    use wardroom_core::identity::SealedKey;
    let store = test.store;
    let sealed = |key: u8, rest: u8| vec![1, 0, 0, 0, key, rest];
    for (name, key) in [("a", 1), ("b", 2)] {
        let key = SealedKey { name: name.into(), sealed: sealed(key, 9), created_at: at(0) };
        commit(&store, Write::AddSealedKey(key)).await.unwrap();
    }
    let person = |number: u128| PersonId::from_uuid(uuid::Uuid::from_u128(number));
    let key = |number, key| PersonKey {
        person: person(number),
        generation: 1,
        wrapped: sealed(key, 8),
        created_at: at(0),
    };
    store.add_person_keys(&[key(1, 1), key(2, 2)]).await.unwrap();
    assert_eq!(store.count_sealed_otherwise(2).await.unwrap(), 1);
    assert_eq!(store.count_wrapped_otherwise(2).await.unwrap(), 1);
    let found = store.list_sealed_otherwise(2, 10).await.unwrap();
    assert_eq!(found, [(Sealed::Key("a".into()), sealed(1, 9))]);
    let reseal = |from, to| Write::Reseal { what: Sealed::Key("a".into()), from, to };
    commit(&store, reseal(sealed(1, 7), sealed(2, 7))).await.unwrap();
    assert_eq!(store.count_sealed_otherwise(2).await.unwrap(), 1, "it was another value");
    commit(&store, reseal(sealed(1, 9), sealed(2, 9))).await.unwrap();
    assert!(store.list_sealed_otherwise(2, 10).await.unwrap().is_empty());
    let wrapped = store.list_wrapped_otherwise(2, 10).await.unwrap();
    assert_eq!(wrapped.iter().map(|key| key.person).collect::<Vec<_>>(), [person(1)]);
    store
        .rewrap_person_key(&PersonKey { wrapped: sealed(2, 8), ..wrapped[0].clone() })
        .await
        .unwrap();
    assert_eq!(store.count_wrapped_otherwise(2).await.unwrap(), 0);
}

async fn what_older_keys_of_people_sealed_is_found_and_replaced(test: TestStore) {
    let (store, s) = (test.store, Sample::default());
    let sealed = |generation: u32| {
        let head = [&[2_u8][..], &[7; 16], &generation.to_be_bytes()].concat();
        [&head[..], &[9; 12]].concat()
    };
    let ann = User { profile: sealed(1), ..s.user("ann") };
    let bob = User { profile: sealed(256), ..s.user("bob") };
    for user in [&ann, &bob] {
        commit(&store, Write::AddUser(user.clone())).await.unwrap();
    }
    let session = Session { about: sealed(2), ..s.session(ann.id) };
    commit(&store, Write::AddSession(session.clone())).await.unwrap();
    assert_eq!(store.list_personal_before(1, 9).await.unwrap(), []);
    assert_eq!(store.count_personal_before(3).await.unwrap(), 2);
    assert_eq!(store.count_personal_before(257).await.unwrap(), 3, "numbers, not bytes");
    let found = store.list_personal_before(3, 9).await.unwrap();
    let wanted = [(Personal::User(ann.id), sealed(1)), (Personal::Session(session.id), sealed(2))];
    assert_eq!(found, wanted);
    let reseal = |from: u32, to: Vec<u8>| Write::ResealPersonal {
        what: Personal::User(ann.id),
        from: sealed(from),
        to,
    };
    commit(&store, reseal(2, sealed(3))).await.unwrap();
    assert_eq!(
        store.lookup_user(ann.id).await.unwrap().unwrap().profile,
        sealed(1),
        "not that one"
    );
    commit(&store, reseal(1, sealed(3))).await.unwrap();
    let now = store.lookup_user(ann.id).await.unwrap().unwrap();
    assert_eq!((now.profile, now.version), (sealed(3), ann.version), "its version stays");
    commit(&store, reseal(3, vec![])).await.unwrap();
    assert_eq!(store.count_personal_before(9).await.unwrap(), 1, "what is empty is not sealed");
    let (node, harbour) = (s.node("n"), s.customer("harbour"));
    commit(&store, Write::AddNode(node.clone())).await.unwrap();
    commit(&store, Write::AddCustomer(harbour.clone())).await.unwrap();
    let run = Run { parameters_sealed: sealed(2), ..s.run(ann.id, node.id) };
    let run = Run { customer: Some(harbour.id), ..run };
    commit(&store, Write::AddRun(Box::new(run.clone()))).await.unwrap();
    assert_eq!(store.count_sealed_otherwise(9).await.unwrap(), 0, "it is the customer's");
    let what = Personal::Run(run.id);
    assert!(store.list_personal_before(3, 9).await.unwrap().contains(&(what, sealed(2))));
    let reseal_run = Write::ResealPersonal { what, from: sealed(2), to: sealed(9) };
    commit(&store, reseal_run).await.unwrap();
    assert_eq!(store.lookup_run(run.id).await.unwrap().unwrap().parameters_sealed, sealed(9));
}

async fn a_secret_has_versions_of_which_the_last_is_used(test: TestStore) {
    let (store, s) = (test.store, Sample::default());
    let ann = s.user("ann");
    commit(&store, Write::AddUser(ann.clone())).await.unwrap();
    let secret = |current| NamedSecret {
        name: "mast".to_owned(),
        about: "of the ship".to_owned(),
        rotate_days: Some(90),
        current,
        reminded: 0,
        created_at: at(1),
        renewed_at: at(current),
    };
    let version = |number: i64| SecretVersion {
        name: "mast".to_owned(),
        number,
        sealed: vec![1, 0, 0, 0, u8::try_from(number).unwrap(), 7],
        created_by: ann.id,
        created_at: at(number),
    };
    let orphan = commit(&store, Write::AddSecretVersion(version(1))).await;
    assert!(orphan.is_err(), "a version of nothing");
    commit(&store, Write::AddSecret(secret(1))).await.unwrap();
    commit(&store, Write::AddSecretVersion(version(1))).await.unwrap();
    let again = commit(&store, Write::AddSecret(secret(1))).await;
    assert!(matches!(again, Err(StoreError::Duplicate("secret"))), "{again:?}");
    for number in 2..=7 {
        let skipped = commit(&store, Write::RenewSecret(secret(number + 1))).await;
        assert!(matches!(skipped, Err(StoreError::Conflict(_))), "of two renewals one wins");
        commit(&store, Write::RenewSecret(secret(number))).await.unwrap();
        commit(&store, Write::AddSecretVersion(version(number))).await.unwrap();
    }
    assert_eq!(store.list_secrets().await.unwrap(), [secret(7)]);
    let reminded = |version| Write::RemindOfSecret { name: "mast".into(), version };
    commit(&store, reminded(7)).await.unwrap();
    assert_eq!(store.list_secrets().await.unwrap()[0].reminded, 7);
    commit(&store, reminded(0)).await.unwrap();
    assert_eq!(store.lookup_secret("mast").await.unwrap(), Some(secret(7)));
    assert_eq!(store.lookup_secret_version("mast").await.unwrap(), Some(version(7)));
    assert_eq!(store.count_sealed_otherwise(7).await.unwrap(), 4, "five are kept");
    let found = store.list_sealed_otherwise(7, 10).await.unwrap();
    let first = (Sealed::Secret("mast".into(), 3), version(3).sealed);
    assert_eq!(found.first(), Some(&first));
    let (what, from) = first;
    let to = vec![1, 0, 0, 0, 7, 8];
    commit(&store, Write::Reseal { what, from, to }).await.unwrap();
    assert_eq!(store.count_sealed_otherwise(7).await.unwrap(), 3);
    commit(&store, Write::RemoveSecret("mast".into())).await.unwrap();
    assert_eq!(store.lookup_secret_version("mast").await.unwrap(), None);
    assert_eq!(store.count_sealed_otherwise(7).await.unwrap(), 0);
    let gone = commit(&store, Write::RemoveSecret("mast".into())).await;
    assert!(matches!(gone, Err(StoreError::Conflict(_))));
}

async fn keys_of_people_come_and_go_by_themselves(test: TestStore) {
    let (store, s) = (test.store, Sample::default());
    let (ann, bob) = (PersonId::new(at(1), &s), PersonId::new(at(2), &s));
    let keys = [s.person_key(ann, 1), s.person_key(ann, 2), s.person_key(bob, 1)];
    for key in &keys {
        store.add_person_keys(std::slice::from_ref(key)).await.unwrap();
    }
    assert!(store.add_person_keys(&keys[..1]).await.is_err(), "a key is never replaced");
    assert_eq!(store.list_person_keys(ann).await.unwrap(), keys[..2]);
    let first = store.walk_person_keys(None, 2).await.unwrap();
    assert_eq!(first, keys[..2]);
    assert_eq!(store.walk_person_keys(Some((ann, 2)), 2).await.unwrap(), keys[2..]);
    let rewrapped = PersonKey { wrapped: vec![9; 80], ..keys[0].clone() };
    store.rewrap_person_key(&rewrapped).await.unwrap();
    assert_eq!(store.list_person_keys(ann).await.unwrap()[0], rewrapped);
    assert_eq!(store.list_people_before(2, 9).await.unwrap(), [bob]);
    assert_eq!(store.list_people_before(1, 9).await.unwrap(), []);
    assert_eq!(store.count_people_before(3).await.unwrap(), 2);
    assert_eq!(store.list_people_before(3, 1).await.unwrap().len(), 1);
    let next = s.person_key(bob, 2);
    store.renew_person_keys(std::slice::from_ref(&next)).await.unwrap();
    let both = [keys[2].clone(), next];
    assert_eq!(store.list_person_keys(bob).await.unwrap(), both);
    store.destroy_person_keys(ann).await.unwrap();
    store.renew_person_keys(&[s.person_key(ann, 3)]).await.unwrap();
    store.rewrap_person_key(&rewrapped).await.unwrap();
    assert!(store.list_person_keys(ann).await.unwrap().is_empty(), "what was destroyed stays so");
    assert_eq!(store.list_person_keys(bob).await.unwrap(), both);
}
