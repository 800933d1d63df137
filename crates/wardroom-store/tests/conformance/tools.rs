use super::{
    commit,
    sample::{Sample, at},
};
use wardroom_core::{
    Door, OauthClientId, ToolAccountId, ToolCallId, ToolServerId, UserId,
    change::Write,
    page::PageRequest,
    store::{CallFilter, StoreError},
    tool::{
        account::{ToolAccount, ToolAccountWrite},
        call::{CallEnd, CallOutcome, ToolCall},
        server::{ServerLimits, Shown, ToolServer, Way},
        toolbox::{Definition, SeenTool, ToolState},
        usage::{UsageBy, UsageFilter},
    },
};
use wardroom_store::testing::{TestStore, postgres, sqlite};

on_both!(
    tool_servers_and_their_guards,
    tools_are_seen_accepted_and_changed,
    calls_are_kept_until_they_are_forgotten,
    accounts_are_connected_renewed_and_let_go_of,
    use_is_counted_by_what_calls_have_in_common,
);

fn server(s: &Sample, name: &str, by: UserId) -> ToolServer {
    ToolServer {
        id: ToolServerId::new(at(0), s),
        name: name.to_owned(),
        about: "what it is".to_owned(),
        way: Way::Http {
            url: "https://tools.example/mcp".to_owned(),
            egress: vec!["auth.example".to_owned()],
        },
        shown: Shown::Header { name: "X-Key".into(), secret: "key".into() },
        limits: ServerLimits { call_ms_max: 77, ..ServerLimits::default() },
        enabled: true,
        version: 1,
        created_by: by,
        created_at: at(1),
    }
}

async fn tool_servers_and_their_guards(test: TestStore) {
    let (store, s) = (test.store, Sample::default());
    let ann = s.user("ann");
    commit(&store, Write::AddUser(ann.clone())).await.unwrap();
    let (files, mail) = (server(&s, "files", ann.id), server(&s, "mail", ann.id));
    for one in [&mail, &files] {
        commit(&store, Write::AddToolServer(one.clone().into())).await.unwrap();
    }
    let taken = Write::AddToolServer(server(&s, "mail", ann.id).into());
    assert!(matches!(commit(&store, taken).await, Err(StoreError::Duplicate(_))));
    assert_eq!(store.list_tool_servers().await.unwrap(), [files.clone(), mail.clone()]);
    let off = ToolServer { enabled: false, shown: Shown::Nothing, version: 2, ..mail.clone() };
    commit(&store, Write::UpdateToolServer(off.clone().into())).await.unwrap();
    let stale = commit(&store, Write::UpdateToolServer(off.clone().into())).await;
    assert!(matches!(stale, Err(StoreError::Conflict(_))));
    assert_eq!(store.lookup_tool_server("mail").await.unwrap(), Some(off));
    commit(&store, Write::RemoveToolServer(mail.id)).await.unwrap();
    assert_eq!(store.lookup_tool_server("mail").await.unwrap(), None);
    let gone = commit(&store, Write::RemoveToolServer(mail.id)).await;
    assert!(matches!(gone, Err(StoreError::Conflict(_))));
}

async fn accounts_are_connected_renewed_and_let_go_of(test: TestStore) {
    let (store, s) = (test.store, Sample::default());
    let (ann, bob) = (s.user("ann"), s.user("bob"));
    for user in [&ann, &bob] {
        commit(&store, Write::AddUser(user.clone())).await.unwrap();
    }
    let files = server(&s, "files", ann.id);
    let account = |user: UserId, sealed: u8| ToolAccount {
        id: ToolAccountId::new(at(0), &s),
        server: files.id,
        user,
        issuer: "https://auth.example".to_owned(),
        scopes: vec!["read".to_owned()],
        sealed: vec![sealed],
        version: 1,
        connected_at: at(2),
    };
    let write = async |write: ToolAccountWrite| commit(&store, Write::ToolAccount(write)).await;
    let first = account(ann.id, 1);
    let nowhere = write(ToolAccountWrite::Connect(first.clone().into())).await;
    assert!(matches!(nowhere, Err(StoreError::Conflict(_))));
    commit(&store, Write::AddToolServer(files.clone().into())).await.unwrap();
    write(ToolAccountWrite::Connect(first.clone().into())).await.unwrap();
    let of_bob = account(bob.id, 2);
    write(ToolAccountWrite::Connect(of_bob.clone().into())).await.unwrap();
    assert_eq!(store.list_tool_accounts(ann.id).await.unwrap(), [first.clone()]);
    // One takes the place of another.
    let second = account(ann.id, 3);
    write(ToolAccountWrite::Connect(second.clone().into())).await.unwrap();
    let renewed = |account: &ToolAccount| {
        ToolAccountWrite::Renew(
            ToolAccount { version: 2, sealed: vec![4], scopes: vec![], ..account.clone() }.into(),
        )
    };
    let stale = write(renewed(&first)).await;
    assert!(matches!(stale, Err(StoreError::Conflict(_))));
    write(renewed(&second)).await.unwrap();
    let again = write(renewed(&second)).await;
    assert!(matches!(again, Err(StoreError::Conflict(_))), "renewed once");
    let found = store.lookup_tool_account(files.id, ann.id).await.unwrap().unwrap();
    assert_eq!((found.sealed, found.version, found.id), (vec![4], 2, second.id));
    let stale = write(ToolAccountWrite::Remove { id: second.id, version: 1 }).await;
    assert!(matches!(stale, Err(StoreError::Conflict(_))));
    write(ToolAccountWrite::Remove { id: second.id, version: 2 }).await.unwrap();
    assert_eq!(store.lookup_tool_account(files.id, ann.id).await.unwrap(), None);
    assert_eq!(store.lookup_tool_account(files.id, bob.id).await.unwrap(), Some(of_bob));
    write(ToolAccountWrite::RemoveOf(bob.id)).await.unwrap();
    assert_eq!(store.list_tool_accounts(bob.id).await.unwrap(), []);
    // With its server an account goes too.
    write(ToolAccountWrite::Connect(first.into())).await.unwrap();
    commit(&store, Write::RemoveToolServer(files.id)).await.unwrap();
    assert_eq!(store.list_tool_accounts(ann.id).await.unwrap(), []);
}

fn seen(name: &str, version: u8, warnings: &[&str]) -> SeenTool {
    SeenTool {
        name: name.to_owned(),
        definition: Definition { text: format!("{{\"v\":{version}}}"), digest: [version; 32] },
        warnings: warnings.iter().map(ToString::to_string).collect(),
    }
}

async fn tools_are_seen_accepted_and_changed(test: TestStore) {
    let (store, s) = (test.store, Sample::default());
    let ann = s.user("ann");
    commit(&store, Write::AddUser(ann.clone())).await.unwrap();
    let files = server(&s, "files", ann.id);
    commit(&store, Write::AddToolServer(files.clone().into())).await.unwrap();
    let see =
        |tools: Vec<SeenTool>, second| Write::SeeTools { server: files.id, tools, at: at(second) };
    let accept = |name: &str, digest: u8| Write::AcceptTool {
        server: files.id,
        name: name.to_owned(),
        digest: [digest; 32],
        by: ann.id,
        at: at(9),
    };
    let states = async || -> Vec<(String, ToolState)> {
        let tools = store.list_tools(files.id).await.unwrap();
        tools.iter().map(|tool| (tool.name.clone(), tool.state())).collect()
    };
    let is = |name: &str, state| (name.to_owned(), state);
    commit(&store, see(vec![seen("read", 1, &[]), seen("write", 1, &["odd"])], 1)).await.unwrap();
    assert_eq!(states().await, [is("read", ToolState::New), is("write", ToolState::New)]);
    let other = commit(&store, accept("read", 2)).await;
    assert!(matches!(other, Err(StoreError::Conflict(_))), "it is described otherwise");
    commit(&store, accept("read", 1)).await.unwrap();
    let tools = store.list_tools(files.id).await.unwrap();
    assert_eq!(tools[0].accepted.as_ref().unwrap().by, ann.id);
    assert_eq!(tools[0].accepted.as_ref().unwrap().definition.text, "{\"v\":1}");
    assert_eq!(
        (tools[1].warnings.as_slice(), tools[1].first_seen_at),
        (&["odd".to_owned()][..], at(1))
    );
    commit(&store, see(vec![seen("read", 2, &[])], 2)).await.unwrap();
    assert_eq!(states().await, [is("read", ToolState::Changed)], "what was never accepted is gone");
    // A look that began earlier and ends later says nothing of what was found since.
    commit(&store, see(vec![seen("read", 1, &[])], 1)).await.unwrap();
    assert_eq!(states().await, [is("read", ToolState::Changed)]);
    commit(&store, see(vec![], 3)).await.unwrap();
    assert_eq!(states().await, [is("read", ToolState::Gone)]);
    commit(&store, see(vec![seen("read", 1, &[])], 4)).await.unwrap();
    assert_eq!(states().await, [is("read", ToolState::Accepted)]);
    let unknown =
        Write::SeeTools { server: ToolServerId::new(at(0), &s), tools: vec![], at: at(5) };
    assert!(matches!(commit(&store, unknown).await, Err(StoreError::Conflict(_))));
    commit(&store, Write::RemoveToolServer(files.id)).await.unwrap();
    assert!(store.list_tools(files.id).await.unwrap().is_empty());
}

async fn calls_are_kept_until_they_are_forgotten(test: TestStore) {
    let (store, s) = (test.store, Sample::default());
    let (ann, ben) = (s.user("ann"), s.user("ben"));
    for user in [&ann, &ben] {
        commit(&store, Write::AddUser(user.clone())).await.unwrap();
    }
    let server = ToolServerId::new(at(0), &s);
    let call = |user: UserId, tool: &str, second| ToolCall {
        id: ToolCallId::new(at(second), &s),
        server,
        server_name: "files".to_owned(),
        tool: tool.to_owned(),
        user,
        client: Some(OauthClientId::new(at(0), &s)),
        door: Door::Mcp,
        arguments: vec![1, 0, 255],
        arguments_digest: [7; 32],
        arguments_bytes: 12,
        policy: "p@1".to_owned(),
        begun_at: at(second),
        end: None,
    };
    let (first, second, third) =
        (call(ann.id, "read", 1), call(ben.id, "read", 2), call(ben.id, "write", 3));
    for one in [&first, &second, &third] {
        commit(&store, Write::AddToolCall(one.clone().into())).await.unwrap();
    }
    let end = CallEnd {
        outcome: CallOutcome::ToolError,
        at: at(4),
        result_digest: Some([9; 32]),
        result_bytes: 5,
        problem: Some("no".to_owned()),
    };
    commit(&store, Write::EndToolCalls(vec![(first.id, end.clone())])).await.unwrap();
    let later = CallEnd { outcome: CallOutcome::Interrupted, ..end.clone() };
    commit(&store, Write::EndToolCalls(vec![(first.id, later)])).await.unwrap();
    let ended = ToolCall { end: Some(end), ..first.clone() };
    assert_eq!(
        store.lookup_tool_call(first.id).await.unwrap(),
        Some(ended.clone()),
        "an end stays"
    );
    let list = async |filter: CallFilter| {
        let page = PageRequest::new(None, 10);
        store.list_tool_calls(&filter, page).await.unwrap().items
    };
    assert_eq!(list(CallFilter::default()).await, [third.clone(), second.clone(), ended.clone()]);
    let read = CallFilter {
        tool: Some("read".into()),
        user: Some(ben.id),
        server: Some(server),
        outcome: None,
    };
    assert_eq!(list(read).await, [second.clone()]);
    let failed = CallFilter { outcome: Some(CallOutcome::ToolError), ..CallFilter::default() };
    assert_eq!(list(failed).await, [ended]);
    let page = PageRequest::new(None, 2);
    let found = store.list_tool_calls(&CallFilter::default(), page).await.unwrap();
    assert_eq!(found.next, Some(second.id));
    assert_eq!(store.list_open_tool_calls(at(3), 10).await.unwrap(), [second.clone()]);
    commit(&store, Write::RemoveToolCalls(at(3))).await.unwrap();
    assert_eq!(list(CallFilter::default()).await, [third]);
}

async fn use_is_counted_by_what_calls_have_in_common(test: TestStore) {
    let (store, s) = (test.store, Sample::default());
    let (ann, ben) = (s.user("ann"), s.user("ben"));
    for user in [&ann, &ben] {
        commit(&store, Write::AddUser(user.clone())).await.unwrap();
    }
    let program = OauthClientId::new(at(0), &s);
    let server = ToolServerId::new(at(0), &s);
    // One hundred that took 1 to 100 ms, one that failed, one that has no end, one from before.
    let mut calls = vec![];
    for n in 0..103_i64 {
        let begun_at = if n == 102 { at(1) } else { at(100) };
        let took = std::time::Duration::from_millis(if n < 100 { n as u64 + 1 } else { 5 });
        let end = CallEnd {
            outcome: if n == 100 { CallOutcome::Failed } else { CallOutcome::Succeeded },
            at: begun_at.plus(took),
            result_digest: None,
            result_bytes: 3,
            problem: None,
        };
        calls.push(ToolCall {
            id: ToolCallId::new(begun_at, &s),
            server,
            server_name: "files".to_owned(),
            tool: if n < 100 { "read" } else { "write" }.to_owned(),
            user: if n < 100 { ann.id } else { ben.id },
            client: (n < 50).then_some(program),
            door: if n == 101 { Door::McpTcp } else { Door::Mcp },
            arguments: vec![],
            arguments_digest: [7; 32],
            arguments_bytes: 2,
            policy: "p@1".to_owned(),
            begun_at,
            end: (n != 101).then_some(end),
        });
    }
    // All at once, as where many callers are: the store may put them together.
    let mut ends = vec![];
    let beginning = calls.into_iter().map(|mut call| {
        ends.extend(call.end.take().map(|end| (call.id, end)));
        commit(&store, Write::AddToolCall(call.into()))
    });
    for begun in futures_util::future::join_all(beginning).await {
        begun.unwrap();
    }
    commit(&store, Write::EndToolCalls(ends)).await.unwrap();
    let used =
        async |by, user| store.tool_usage(UsageFilter { by, since: at(50), user }).await.unwrap();
    let by_tool = used(UsageBy::Tool, None).await;
    let read = &by_tool[0];
    assert_eq!(
        (read.server.as_deref(), read.tool.as_deref(), read.user),
        (Some("files"), Some("read"), None)
    );
    assert_eq!((read.calls, read.running, read.errors, read.bytes), (100, 0, 0, 500));
    assert_eq!((read.p50, read.p99, read.micros), (Some(50_000), Some(99_000), 5_050_000));
    let write = &by_tool[1];
    assert_eq!((write.calls, write.running, write.errors), (2, 1, 1));
    assert_eq!((write.p50, write.p99), (Some(5_000), Some(5_000)));
    assert_eq!(by_tool.len(), 2);
    let by_user = used(UsageBy::User, None).await;
    assert_eq!(
        by_user.iter().map(|used| used.user).collect::<Vec<_>>(),
        [Some(ann.id), Some(ben.id)]
    );
    let own = used(UsageBy::Tool, Some(ben.id)).await;
    assert_eq!(own.iter().map(|used| used.calls).collect::<Vec<_>>(), [2]);
    let by_client = used(UsageBy::Client, Some(ann.id)).await;
    let mut clients: Vec<_> = by_client.iter().map(|used| (used.client, used.calls)).collect();
    clients.sort();
    assert_eq!(clients, [(None, 50), (Some(program), 50)]);
    let flows = used(UsageBy::Flow, Some(ben.id)).await;
    let doors: Vec<_> = flows.iter().map(|used| used.door.unwrap()).collect();
    assert_eq!(doors, [Door::Mcp, Door::McpTcp]);
}
