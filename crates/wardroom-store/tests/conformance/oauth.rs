use super::{
    commit,
    sample::{Sample, at},
};
use wardroom_core::{
    OauthClientId,
    change::{Change, Write},
    oauth::{Grant, OauthClient, OauthCode},
    store::StoreError,
};
use wardroom_store::testing::{TestStore, postgres, sqlite};

on_both!(programs_of_others_with_their_grants_and_codes, programs_are_kept_as_their_documents_say,);

async fn programs_of_others_with_their_grants_and_codes(test: TestStore) {
    let (store, s) = (test.store, Sample::default());
    let (ann, robot) = (s.user("ann"), s.user("robot"));
    for user in [&ann, &robot] {
        commit(&store, Write::AddUser(user.clone())).await.unwrap();
    }
    let client = |name: &str| OauthClient {
        id: OauthClientId::new(at(0), &s),
        document: None,
        name: name.to_owned(),
        secret_hash: Some(s.secret()),
        redirect_uris: vec!["https://chart.example/cb".into(), "com.example:/cb".into()],
        scopes: vec!["run.list".into(), "run.read".into()],
        acts_as: Some(robot.id),
        created_by: ann.id,
        created_at: at(3),
    };
    let (kept, open) =
        (client("b"), OauthClient { secret_hash: None, acts_as: None, ..client("a") });
    for client in [&kept, &open] {
        commit(&store, Write::AddOauthClient(client.clone())).await.unwrap();
    }
    assert_eq!(store.list_oauth_clients().await.unwrap(), [open.clone(), kept.clone()]);
    let renew = |id| Write::RenewOauthClient { id, secret_hash: s.secret() };
    commit(&store, renew(kept.id)).await.unwrap();
    let renewed = store.lookup_oauth_client(kept.id).await.unwrap().unwrap();
    assert_ne!(renewed.secret_hash, kept.secret_hash);
    let none = commit(&store, renew(open.id)).await;
    assert!(matches!(none, Err(StoreError::Conflict(_))), "one that keeps no secret gets none");

    let grant = Grant {
        client: kept.id,
        scopes: vec!["run.list".into()],
        resource: "https://wardroom.example/api".into(),
    };
    let browser = s.session(ann.id);
    commit(&store, Write::AddSession(browser.clone())).await.unwrap();
    let code = || OauthCode {
        secret_hash: s.secret(),
        user: ann.id,
        session: browser.id,
        grant: grant.clone(),
        redirect_uri: "https://chart.example/cb".into(),
        challenge: "c".into(),
        expires_at: at(60),
    };
    let (first, late, left) = (code(), code(), code());
    for code in [&first, &late, &left] {
        commit(&store, Write::AddOauthCode(code.clone())).await.unwrap();
    }
    let found = store.lookup_oauth_code(first.secret_hash).await.unwrap();
    assert_eq!(found, Some(first.clone()));

    let granted =
        wardroom_core::identity::Session { grant: Some(grant.clone()), ..s.session(ann.id) };
    let redeem = |code: &OauthCode, second| Change {
        writes: vec![
            Write::AddSession(granted.clone()),
            Write::RedeemOauthCode { code: code.secret_hash, session: granted.id, at: at(second) },
        ],
        ..Change::default()
    };
    let ended = store.commit(redeem(&late, 60)).await;
    assert!(matches!(ended, Err(StoreError::Conflict(_))), "{ended:?}");
    assert_eq!(store.lookup_session_by_id(granted.id).await.unwrap(), None, "not by half");
    store.commit(redeem(&first, 59)).await.unwrap();
    let (session, _) = store.lookup_session_by_id(granted.id).await.unwrap().unwrap();
    assert_eq!(session, granted);
    assert_eq!(store.lookup_oauth_code(first.secret_hash).await.unwrap(), None);
    let spent = store.lookup_spent(first.secret_hash).await.unwrap();
    assert_eq!(spent.map(|(session, _)| session.id), Some(granted.id), "known as used");
    let again = store.commit(redeem(&first, 59)).await;
    assert!(again.is_err());

    commit(&store, Write::RemoveExpired(at(59))).await.unwrap();
    assert!(store.lookup_oauth_code(late.secret_hash).await.unwrap().is_some());
    commit(&store, Write::RemoveSession(browser.id)).await.unwrap();
    let gone = store.lookup_oauth_code(left.secret_hash).await.unwrap();
    assert_eq!(gone, None, "a code ends with the browser's session");
    commit(&store, Write::RemoveOauthClient(kept.id)).await.unwrap();
    assert_eq!(store.lookup_session_by_id(granted.id).await.unwrap(), None);
    let twice = commit(&store, Write::RemoveOauthClient(kept.id)).await;
    assert!(matches!(twice, Err(StoreError::Conflict(_))));
    assert_eq!(store.list_oauth_clients().await.unwrap(), [open]);
}

async fn programs_are_kept_as_their_documents_say(test: TestStore) {
    let (store, s) = (test.store, Sample::default());
    let ann = s.user("ann");
    commit(&store, Write::AddUser(ann.clone())).await.unwrap();
    let address = "https://editor.example/client.json";
    let first = OauthClient {
        id: OauthClientId::new(at(0), &s),
        document: Some(address.to_owned()),
        name: "Editor".to_owned(),
        secret_hash: None,
        redirect_uris: vec!["http://127.0.0.1/cb".into()],
        scopes: vec!["tool.call".into()],
        acts_as: None,
        created_by: ann.id,
        created_at: at(3),
    };
    commit(&store, Write::PutDocumentClient(first.clone())).await.unwrap();
    assert_eq!(store.lookup_oauth_client_by_document(address).await.unwrap(), Some(first.clone()));
    assert_eq!(
        store.lookup_oauth_client_by_document("https://editor.example/").await.unwrap(),
        None
    );
    let moved = vec!["https://editor.example/cb".into()];
    let later = OauthClient { redirect_uris: moved, name: "Editor 2".to_owned(), ..first.clone() };
    commit(&store, Write::PutDocumentClient(later.clone())).await.unwrap();
    assert_eq!(store.list_oauth_clients().await.unwrap(), [later.clone()]);
    // Somebody else was first: the same document is no second program, and no other takes its place.
    let second = OauthClient { id: OauthClientId::new(at(1), &s), ..first.clone() };
    let twice = commit(&store, Write::PutDocumentClient(second)).await;
    assert!(matches!(twice, Err(StoreError::Duplicate(_))), "{twice:?}");
    let other = Some("https://editor.example/other.json".to_owned());
    let swapped =
        commit(&store, Write::PutDocumentClient(OauthClient { document: other, ..first })).await;
    assert!(matches!(swapped, Err(StoreError::Duplicate(_))), "{swapped:?}");
    assert_eq!(store.lookup_oauth_client_by_document(address).await.unwrap(), Some(later));
}
