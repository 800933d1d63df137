//! What every store must do with customers, services and requests: on SQLite and on a real PostgreSQL.
use super::{
    commit,
    sample::{Sample, at},
};
use wardroom_core::{
    NoteId, SavedViewId,
    change::{RequestRoom, Write},
    desk::{
        SavedView,
        customer::{Customer, CustomerState},
        request::{Note, Priority, RequestState, ServiceRequest},
        service::{Fulfilment, Service, ServiceState},
    },
    identity::{User, UserState},
    page::PageRequest,
    run::{Run, RunState},
    store::{RequestFilter, RunFilter, StoreError, UserFilter},
};
use wardroom_store::testing::{TestStore, postgres, sqlite};

on_both!(
    customers_are_unique_by_address_and_guarded_by_version,
    services_are_named_once_and_kept_whole,
    requests_are_filtered_and_bounded,
    requests_follow_their_runs,
    files_keep_within_their_quota,
    views_replace_each_other_by_name,
);

async fn customers_are_unique_by_address_and_guarded_by_version(test: TestStore) {
    let (store, s) = (test.store, Sample::default());
    let user = s.user("ann");
    commit(&store, Write::AddUser(user.clone())).await.unwrap();
    let mut harbour = Customer { operators: vec![user.id], ..s.customer("harbour") };
    let quay = s.customer("quay");
    for customer in [&harbour, &quay] {
        commit(&store, Write::AddCustomer(customer.clone())).await.unwrap();
    }
    let taken = commit(&store, Write::AddCustomer(s.customer("quay"))).await;
    assert!(matches!(taken, Err(StoreError::Duplicate("customer's e-mail address"))), "{taken:?}");
    assert_eq!(store.lookup_customer(harbour.id).await.unwrap().as_ref(), Some(&harbour));
    let index = Sample::index("quay");
    assert_eq!(store.lookup_customer_by_email(index).await.unwrap().as_ref(), Some(&quay));
    harbour.version = 2;
    harbour.operators = vec![];
    harbour.state = CustomerState::Erased;
    harbour.email_index = None;
    commit(&store, Write::UpdateCustomer(harbour.clone())).await.unwrap();
    let again = commit(&store, Write::UpdateCustomer(harbour.clone())).await;
    assert!(matches!(again, Err(StoreError::Conflict(_))));
    let held = commit(&store, Write::HoldCustomer(harbour.id)).await;
    assert!(matches!(held, Err(StoreError::Conflict("the customer"))));
    commit(&store, Write::HoldCustomer(quay.id)).await.unwrap();
    let walked = store.walk_customers(None, 1).await.unwrap();
    assert_eq!(walked, [harbour.clone()]);
    let rest = store.walk_customers(Some(harbour.id), 10).await.unwrap();
    assert_eq!(rest, [quay.clone()]);
    assert_eq!(store.lookup_customers(&[]).await.unwrap(), []);

    let member = User { customer: Some(quay.id), ..s.user("cay") };
    commit(&store, Write::AddUser(member.clone())).await.unwrap();
    let filter = UserFilter { customer: Some(quay.id), ..UserFilter::default() };
    let members = store.list_users(&filter, PageRequest::first()).await.unwrap();
    assert_eq!(members.items, [member.clone()]);
    let there = commit(&store, Write::RequireNoUsersOf(quay.id)).await;
    assert!(matches!(there, Err(StoreError::Conflict("the customer's accounts"))));
    let gone = User { version: 2, state: UserState::Erased, ..member };
    commit(&store, Write::UpdateUser(gone)).await.unwrap();
    commit(&store, Write::RequireNoUsersOf(quay.id)).await.unwrap();
}

async fn services_are_named_once_and_kept_whole(test: TestStore) {
    let (store, s) = (test.store, Sample::default());
    let user = s.user("ann");
    commit(&store, Write::AddUser(user.clone())).await.unwrap();
    let customer = s.customer("harbour");
    commit(&store, Write::AddCustomer(customer.clone())).await.unwrap();
    let mut service = Service {
        audience: Some(vec![customer.id]),
        fulfilment: Fulfilment::Command {
            command: "echo".into(),
            node: None,
            labels: Some("site=here".into()),
            fixed: [("loud".to_owned(), serde_json::json!(true))].into(),
            secrets: [("key".to_owned(), "mast".to_owned())].into(),
            deadline_seconds: Some(9),
        },
        ..s.service("berth", user.id)
    };
    commit(&store, Write::AddService(service.clone())).await.unwrap();
    commit(&store, Write::AddService(s.service("crane", user.id))).await.unwrap();
    let taken = commit(&store, Write::AddService(s.service("berth", user.id))).await;
    assert!(matches!(taken, Err(StoreError::Duplicate("service name"))), "{taken:?}");
    assert_eq!(store.lookup_service(service.id).await.unwrap().as_ref(), Some(&service));
    service.version = 2;
    service.state = ServiceState::Published;
    commit(&store, Write::UpdateService(service.clone())).await.unwrap();
    let again = commit(&store, Write::UpdateService(service.clone())).await;
    assert!(matches!(again, Err(StoreError::Conflict("the service"))));
    assert_eq!(store.lookup_service_by_name("berth").await.unwrap().as_ref(), Some(&service));
    let first = store.list_services(None, PageRequest::new(None, 1)).await.unwrap();
    assert_eq!((first.items, first.next.as_deref()), (vec![service.clone()], Some("berth")));
    let published = store.list_services(Some(ServiceState::Published), PageRequest::first()).await;
    assert_eq!(published.unwrap().items, [service]);
}

/// Two customers, a service, and an account that looks after the first customer.
async fn desk(test: &TestStore, s: &Sample) -> (User, User, Customer, Customer, Service) {
    let (ann, bob) = (s.user("ann"), s.user("bob"));
    for user in [&ann, &bob] {
        commit(&test.store, Write::AddUser(user.clone())).await.unwrap();
    }
    let harbour = Customer { operators: vec![bob.id], ..s.customer("harbour") };
    let quay = s.customer("quay");
    for customer in [&harbour, &quay] {
        commit(&test.store, Write::AddCustomer(customer.clone())).await.unwrap();
    }
    let service = s.service("berth", ann.id);
    commit(&test.store, Write::AddService(service.clone())).await.unwrap();
    (ann, bob, harbour, quay, service)
}

fn add(request: &ServiceRequest, room: Option<RequestRoom>) -> Write {
    Write::AddRequest { request: Box::new(request.clone()), room }
}

async fn requests_are_filtered_and_bounded(test: TestStore) {
    let s = Sample::default();
    let (ann, bob, harbour, quay, service) = desk(&test, &s).await;
    let store = test.store;
    let room = Some(RequestRoom { open_max: 2, recent_max: 3, since: at(-10) });
    let mut first = s.request(&harbour, &service, ann.id);
    first.idempotency_key = Some("k".into());
    let second =
        ServiceRequest { priority: Priority::Low, ..s.request(&harbour, &service, ann.id) };
    let other = ServiceRequest { due_at: None, ..s.request(&quay, &service, ann.id) };
    for request in [&first, &second, &other] {
        commit(&store, add(request, room)).await.unwrap();
    }
    let third = s.request(&harbour, &service, ann.id);
    let full = commit(&store, add(&third, room)).await;
    assert!(matches!(full, Err(StoreError::Conflict("room for open requests"))), "{full:?}");
    let twice =
        ServiceRequest { idempotency_key: Some("k".into()), ..s.request(&quay, &service, ann.id) };
    let twice = commit(&store, add(&twice, None)).await;
    assert!(matches!(twice, Err(StoreError::Duplicate("idempotency key"))), "{twice:?}");
    let found = store.lookup_request_by_key(ann.id, "k").await.unwrap();
    assert_eq!(found.as_ref(), Some(&first));

    let mut done = first.become_state(RequestState::InProgress, None, at(5)).unwrap();
    done.assignee = Some(bob.id);
    commit(&store, Write::UpdateRequest(Box::new(done.clone()))).await.unwrap();
    let stale = commit(&store, Write::UpdateRequest(Box::new(done.clone()))).await;
    assert!(matches!(stale, Err(StoreError::Conflict("the request"))));
    let done = done.become_state(RequestState::Completed, None, at(6)).unwrap();
    commit(&store, Write::UpdateRequest(Box::new(done.clone()))).await.unwrap();
    commit(&store, add(&third, room)).await.unwrap();
    let fourth = s.request(&harbour, &service, ann.id);
    let closed = second.become_state(RequestState::Cancelled, None, at(7)).unwrap();
    commit(&store, Write::UpdateRequest(Box::new(closed))).await.unwrap();
    let full = commit(&store, add(&fourth, room)).await;
    assert!(matches!(full, Err(StoreError::Conflict("room for requests of a day"))), "{full:?}");

    let list = async |filter: RequestFilter| {
        let page = store.list_requests(&filter, PageRequest::first()).await.unwrap();
        page.items.iter().map(|request| request.id).collect::<Vec<_>>()
    };
    let filter = RequestFilter::default;
    assert_eq!(list(filter()).await, [third.id, other.id, second.id, first.id]);
    assert_eq!(list(RequestFilter { open: true, ..filter() }).await, [third.id, other.id]);
    let of = |id| RequestFilter { customers: Some(vec![id]), ..filter() };
    assert_eq!(list(of(quay.id)).await, [other.id]);
    assert_eq!(list(RequestFilter { customers: Some(vec![]), ..filter() }).await, []);
    let low = RequestFilter { priority: Some(Priority::Low), ..filter() };
    assert_eq!(list(low).await, [second.id]);
    let hers = RequestFilter { assignee: Some(bob.id), ..filter() };
    assert_eq!(list(hers).await, [first.id]);
    let nobodys = RequestFilter { unassigned: true, open: true, ..filter() };
    assert_eq!(list(nobodys).await, [third.id, other.id]);
    let due = RequestFilter { due_before: Some(at(901)), open: true, ..filter() };
    assert_eq!(list(due).await, [third.id]);
    let looked_after = RequestFilter { concerning: Some((bob.id, None)), ..filter() };
    assert_eq!(list(looked_after).await, [third.id, second.id, first.id]);
    let own = RequestFilter { concerning: Some((bob.id, Some(quay.id))), ..filter() };
    assert_eq!(list(own).await.len(), 4);
    let state = RequestFilter { state: Some(RequestState::Completed), ..filter() };
    assert_eq!(list(state).await, [first.id]);
    assert_eq!(store.count_requests(&filter()).await.unwrap(), [(RequestState::Pending, 2)]);
    assert_eq!(store.lookup_request(first.id).await.unwrap(), Some(done));

    let note = Note {
        id: NoteId::new(at(8), &s),
        request: first.id,
        author: Some(ann.id),
        internal: true,
        sealed: vec![1, 2],
        created_at: at(8),
    };
    commit(&store, Write::AddNote(note.clone())).await.unwrap();
    assert_eq!(store.list_notes(first.id).await.unwrap(), [note]);
    assert_eq!(store.list_notes(second.id).await.unwrap(), []);
}

async fn requests_follow_their_runs(test: TestStore) {
    let s = Sample::default();
    let (ann, _, harbour, _, service) = desk(&test, &s).await;
    let store = test.store;
    let scheduled = ServiceRequest {
        state: RequestState::Scheduled,
        scheduled_for: Some(at(60)),
        automatic: true,
        ..s.request(&harbour, &service, ann.id)
    };
    commit(&store, add(&scheduled, None)).await.unwrap();
    assert_eq!(store.list_due_requests(at(59), 9).await.unwrap(), []);
    assert_eq!(store.list_due_requests(at(60), 9).await.unwrap(), [scheduled.clone()]);
    let begun = scheduled.become_state(RequestState::InProgress, None, at(60)).unwrap();
    commit(&store, Write::UpdateRequest(Box::new(begun.clone()))).await.unwrap();
    assert_eq!(
        store.list_settled_requests(9).await.unwrap(),
        [],
        "without runs nothing is settled"
    );
    let node = s.node("n");
    commit(&store, Write::AddNode(node.clone())).await.unwrap();
    let run = Run { request: Some(begun.id), customer: Some(harbour.id), ..s.run(ann.id, node.id) };
    commit(&store, Write::AddRun(Box::new(run.clone()))).await.unwrap();
    assert_eq!(store.lookup_run(run.id).await.unwrap().as_ref(), Some(&run));
    assert_eq!(store.list_settled_requests(9).await.unwrap(), [], "it still goes on");
    let ended =
        Run { version: 2, state: RunState::Failed, finished_at: Some(at(61)), ..run.clone() };
    commit(&store, Write::UpdateRun(Box::new(ended))).await.unwrap();
    assert_eq!(store.list_settled_requests(9).await.unwrap(), [begun.clone()]);
    let filter = RunFilter { request: Some(begun.id), ..RunFilter::default() };
    let runs = store.list_runs(&filter, PageRequest::first()).await.unwrap();
    assert_eq!(runs.items.len(), 1);
    let seen = ServiceRequest { attention: true, ..begun.touched(at(62)) };
    commit(&store, Write::UpdateRequest(Box::new(seen))).await.unwrap();
    assert_eq!(store.list_settled_requests(9).await.unwrap(), []);

    let chunks = Write::AppendOutput { run: run.id, chunks: s.chunks(2) };
    commit(&store, chunks).await.unwrap();
    commit(&store, Write::RemoveRunDataOf(harbour.id)).await.unwrap();
    assert_eq!(store.list_output(run.id, (0, 0), 999).await.unwrap(), []);
    let emptied = store.lookup_run(run.id).await.unwrap().unwrap();
    assert!(emptied.parameters_sealed.is_empty());
}

async fn files_keep_within_their_quota(test: TestStore) {
    let s = Sample::default();
    let (ann, _, harbour, _, service) = desk(&test, &s).await;
    let store = test.store;
    let request = s.request(&harbour, &service, ann.id);
    commit(&store, add(&request, None)).await.unwrap();
    let attach =
        |attachment| Write::AddAttachment { attachment, content: vec![9; 3], quota_bytes: 100 };
    let first = s.attachment(&request, 60);
    commit(&store, attach(first.clone())).await.unwrap();
    let over = commit(&store, attach(s.attachment(&request, 41))).await;
    assert!(matches!(over, Err(StoreError::Conflict("room for attachments"))), "{over:?}");
    let second = s.attachment(&request, 40);
    commit(&store, attach(second.clone())).await.unwrap();
    assert_eq!(store.attachment_bytes(harbour.id).await.unwrap(), 100);
    assert_eq!(store.list_attachments(request.id).await.unwrap(), [first.clone(), second.clone()]);
    let found = store.lookup_attachment(second.id).await.unwrap();
    assert_eq!(found, Some((second.clone(), vec![9; 3])));
    commit(&store, Write::RemoveAttachment(second.id)).await.unwrap();
    let again = commit(&store, Write::RemoveAttachment(second.id)).await;
    assert!(matches!(again, Err(StoreError::Conflict("the attachment"))));
    assert_eq!(store.lookup_attachment(second.id).await.unwrap(), None);
    assert_eq!(store.attachment_bytes(harbour.id).await.unwrap(), 60);
}

async fn views_replace_each_other_by_name(test: TestStore) {
    let (store, s) = (test.store, Sample::default());
    let user = s.user("ann");
    commit(&store, Write::AddUser(user.clone())).await.unwrap();
    let view = |name: &str, query: &str| SavedView {
        id: SavedViewId::new(at(0), &s),
        user: user.id,
        list: "requests".into(),
        name: name.into(),
        query: query.into(),
        created_at: at(0),
    };
    let first = view("mine", "assignee=me");
    commit(&store, Write::PutView(first.clone())).await.unwrap();
    commit(&store, Write::PutView(view("mine", "assignee=none"))).await.unwrap();
    let kept = SavedView { query: "assignee=none".into(), ..first };
    assert_eq!(store.list_views(user.id, Some("requests")).await.unwrap(), [kept.clone()]);
    assert_eq!(store.list_views(user.id, Some("customers")).await.unwrap(), []);
    assert_eq!(store.lookup_view(kept.id).await.unwrap().as_ref(), Some(&kept));
    commit(&store, Write::RemoveView(kept.id)).await.unwrap();
    assert_eq!(store.lookup_view(kept.id).await.unwrap(), None);
}
