//! What every store must do with alerts, faults and messages: on SQLite and on a real PostgreSQL.
use super::{
    commit,
    sample::{Sample, at},
};
use wardroom_core::{
    AlertId, MessageId,
    change::Write,
    page::PageRequest,
    store::StoreError,
    watch::{
        alert::{Alert, Rule},
        fault::Fault,
        message::{Channel, Message},
    },
};
use wardroom_store::testing::{TestStore, postgres, sqlite};

on_both!(
    a_reader_of_the_log_goes_on_from_where_it_was,
    one_alert_of_a_kind_is_open,
    messages_are_tried_by_one_and_given_up,
    faults_are_counted_and_open_again,
);

async fn a_reader_of_the_log_goes_on_from_where_it_was(test: TestStore) {
    let store = test.store;
    assert_eq!(store.cursor("alerts").await.unwrap(), 0);
    let to = |from, to| Write::MoveCursor { name: "alerts", from, to };
    commit(&store, to(0, 7)).await.unwrap();
    assert!(matches!(commit(&store, to(0, 9)).await, Err(StoreError::Conflict(_))));
    commit(&store, to(7, 9)).await.unwrap();
    assert_eq!(store.cursor("alerts").await.unwrap(), 9);
    assert_eq!(store.cursor("other").await.unwrap(), 0);
}

async fn one_alert_of_a_kind_is_open(test: TestStore) {
    let (store, s) = (test.store, Sample::default());
    let user = s.user("ann");
    commit(&store, Write::AddUser(user.clone())).await.unwrap();
    let alert = |subject: &str| Alert {
        id: AlertId::new(at(0), &s),
        rule: Rule::Block,
        subject: subject.to_owned(),
        detail: "too many".to_owned(),
        count: 1,
        first_at: at(1),
        last_at: at(1),
        acknowledged: None,
    };
    let (first, other) = (alert("192.0.2.7"), alert("192.0.2.8"));
    for one in [&first, &other] {
        commit(&store, Write::AddAlert(one.clone())).await.unwrap();
    }
    assert!(matches!(
        commit(&store, Write::AddAlert(alert("192.0.2.7"))).await,
        Err(StoreError::Duplicate(_))
    ));
    let again = Write::RepeatAlert { id: first.id, times: 2, at: at(5), detail: "again".into() };
    commit(&store, again.clone()).await.unwrap();
    let found = store.lookup_open_alert("block", "192.0.2.7").await.unwrap().unwrap();
    assert_eq!((found.count, found.last_at, found.detail.as_str()), (3, at(5), "again"));
    let seen = Write::AcknowledgeAlert { id: first.id, by: user.id, at: at(9) };
    commit(&store, seen.clone()).await.unwrap();
    for late in [seen, again] {
        assert!(matches!(commit(&store, late).await, Err(StoreError::Conflict(_))));
    }
    let found = store.lookup_alert(first.id).await.unwrap().unwrap();
    assert_eq!(found.acknowledged, Some((user.id, at(9))));
    assert_eq!(store.lookup_open_alert("block", "192.0.2.7").await.unwrap(), None);
    commit(&store, Write::AddAlert(alert("192.0.2.7"))).await.unwrap();
    assert_eq!(store.count_open_alerts().await.unwrap(), 2);
    let all = store.list_alerts(false, PageRequest::new(None, 2)).await.unwrap();
    assert_eq!(all.items.len(), 2);
    let rest = store.list_alerts(false, PageRequest::new(all.next, 2)).await.unwrap();
    assert_eq!(rest.items.iter().map(|alert| alert.id).collect::<Vec<_>>(), [first.id]);
    assert_eq!(store.list_alerts(true, PageRequest::new(None, 9)).await.unwrap().items.len(), 2);
}

async fn messages_are_tried_by_one_and_given_up(test: TestStore) {
    let (store, s) = (test.store, Sample::default());
    let message = Message {
        id: MessageId::new(at(0), &s),
        channel: Channel::Webhook,
        recipient: None,
        sealed: vec![1, 0, 255],
        attempts: 0,
        due_at: at(5),
        created_at: at(1),
        problem: None,
        dead: false,
    };
    let user = s.user("ann");
    commit(&store, Write::AddUser(user.clone())).await.unwrap();
    let own = Message {
        id: MessageId::new(at(0), &s),
        recipient: Some(user.id),
        channel: Channel::Mail,
        ..message.clone()
    };
    for one in [&message, &own] {
        commit(&store, Write::AddMessage(one.clone())).await.unwrap();
    }
    assert!(store.list_due_messages(at(4), 10).await.unwrap().is_empty());
    assert_eq!(store.list_due_messages(at(5), 10).await.unwrap(), [message.clone(), own.clone()]);
    let tried = Write::TryMessage { id: message.id, attempts: 0, due_at: at(60) };
    commit(&store, tried.clone()).await.unwrap();
    assert!(matches!(commit(&store, tried).await, Err(StoreError::Conflict(_))), "only one tries");
    let failed = |dead| Write::FailMessage {
        id: message.id,
        attempts: 1,
        problem: "nobody there".into(),
        due_at: at(30),
        dead,
    };
    commit(&store, failed(false)).await.unwrap();
    let due = store.list_due_messages(at(60), 10).await.unwrap();
    assert_eq!(due.iter().map(|message| message.id).collect::<Vec<_>>(), [own.id, message.id]);
    assert_eq!((due[1].attempts, due[1].problem.as_deref()), (1, Some("nobody there")));
    let late = Write::RemoveMessage { id: message.id, attempts: 0 };
    assert!(matches!(commit(&store, late).await, Err(StoreError::Conflict(_))), "an old try");
    commit(&store, failed(true)).await.unwrap();
    commit(&store, Write::RemoveMessage { id: own.id, attempts: 0 }).await.unwrap();
    assert!(store.list_due_messages(at(999), 10).await.unwrap().is_empty());
    assert_eq!(store.count_messages().await.unwrap(), (0, 1));
}

async fn faults_are_counted_and_open_again(test: TestStore) {
    let store = test.store;
    let fault = |seconds, request: Option<&str>| Fault {
        fingerprint: "00ff".to_owned(),
        place: "store".to_owned(),
        message: format!("at {seconds}"),
        count: 2,
        first_at: at(seconds),
        last_at: at(seconds),
        request: request.map(str::to_owned),
        run: None,
        resolved_at: None,
    };
    commit(&store, Write::CountFault(fault(1, Some("req_1")))).await.unwrap();
    commit(&store, Write::CountFault(fault(5, None))).await.unwrap();
    let found = store.lookup_fault("00ff").await.unwrap().unwrap();
    assert_eq!((found.count, found.first_at, found.last_at), (4, at(1), at(5)));
    assert_eq!((found.message.as_str(), found.request.as_deref()), ("at 5", Some("req_1")));
    let mended = Write::ResolveFault { fingerprint: "00ff".into(), at: at(9) };
    commit(&store, mended.clone()).await.unwrap();
    assert!(matches!(commit(&store, mended).await, Err(StoreError::Conflict(_))));
    assert!(store.list_faults(true, 10).await.unwrap().is_empty());
    commit(&store, Write::CountFault(fault(20, None))).await.unwrap();
    let open = store.list_faults(true, 10).await.unwrap();
    assert_eq!((open.len(), open[0].count, open[0].resolved_at), (1, 6, None));
}
