//! What the audit log gives reason to look at, and whom it is told to.

use super::world::World;
use std::time::Duration;
use wardroom_core::{
    AlertId, Principal, Role,
    audit::{AuditDraft, AuditOutcome},
    change::Change,
    identity::{Session, SessionAbout, SessionKind, User},
    page::PageRequest,
    person::Profile,
    watch::{
        alert::{Alert, BURST_FROM, Rule},
        fault::Fault,
        message::{Channel, Message},
    },
};
use wardroom_engine::EngineError;

const HOUR: Duration = Duration::from_secs(3600);

impl World {
    async fn happened(&self, name: &str, target: &str) {
        let audit = AuditDraft::event(
            name,
            &Principal::System,
            &wardroom_core::Origin::INTERNAL,
            self.engine.now(),
        );
        let audit = audit.on(target).outcome(AuditOutcome::Refused, "because");
        self.engine.commit(Change::recorded(audit)).await.unwrap();
    }

    /// The open alerts, once they are as wanted.
    async fn alerts(&self, wanted: impl Fn(&[Alert]) -> bool) -> Vec<Alert> {
        let look = async || {
            let page = PageRequest::new(None, 100);
            let found = self.store.list_alerts(true, page).await.unwrap().items;
            wanted(&found).then_some(found)
        };
        self.found("alerts", look).await
    }

    async fn messages(&self) -> Vec<Message> {
        self.store.list_due_messages(self.engine.now(), 100).await.unwrap()
    }
}

#[tokio::test]
async fn what_happens_again_is_one_alert_until_somebody_looked() {
    let world = World::new().await;
    let admin = world.add_user("bea").await;
    world.happened("address.blocked", "192.0.2.7").await;
    let first = world.alerts(|alerts| alerts.len() == 1).await.remove(0);
    assert_eq!((first.rule, first.subject.as_str()), (Rule::Block, "192.0.2.7"));
    for _ in 0..2 {
        world.happened("address.blocked", "192.0.2.7").await;
    }
    let again = world.alerts(|alerts| alerts[0].count == 3).await;
    assert_eq!((again.len(), again[0].id), (1, first.id));
    let sent = world.messages().await;
    assert_eq!(sent.len(), 1, "it is told once");
    let letter = world.engine.letter(&sent[0]).await.unwrap().unwrap();
    assert_eq!(letter.data["rule"], "block");
    assert!(letter.text.contains("192.0.2.7"), "{}", letter.text);

    world.engine.acknowledge(first.id, admin, world.audit()).await.unwrap();
    let twice = world.engine.acknowledge(first.id, admin, world.audit()).await;
    assert!(matches!(twice, Err(EngineError::Conflict)));
    let nothing = AlertId::new(world.engine.now(), world.engine.rng());
    let unknown = world.engine.acknowledge(nothing, admin, world.audit()).await;
    assert!(matches!(unknown, Err(EngineError::NotFound(_))));
    world.happened("address.blocked", "192.0.2.7").await;
    let anew = world.alerts(|alerts| alerts.len() == 1).await.remove(0);
    assert!(anew.id != first.id && anew.count == 1);
    assert_eq!(world.messages().await.len(), 2);
}

#[tokio::test]
async fn two_orchestrators_tell_of_a_thing_once() {
    let world = World::new().await;
    let other = world.another();
    let stop = tokio_util::sync::CancellationToken::new();
    let working = tokio::spawn(other.work(stop.clone()));
    for number in 0..30 {
        world.happened("address.blocked", &format!("192.0.2.{number}")).await;
    }
    let alerts = world.alerts(|alerts| alerts.len() >= 30).await;
    let (size, _) = world.store.audit_head().await.unwrap();
    let look = async || {
        let read = world.store.cursor("alerts").await.unwrap();
        (read >= size).then_some(())
    };
    world.found("the end of the log", look).await;
    assert!(alerts.iter().all(|alert| alert.count == 1), "{alerts:?}");
    assert!(world.messages().await.len() <= 40, "each tells of so many within an hour");
    stop.cancel();
    working.await.unwrap();
}

#[tokio::test]
async fn many_failed_proofs_are_a_burst_and_a_few_are_not() {
    let world = World::new().await;
    for _ in 1..BURST_FROM {
        world.happened("auth.sign_in", "ann").await;
    }
    world.happened("address.blocked", "192.0.2.7").await;
    let before = world.alerts(|alerts| !alerts.is_empty()).await;
    assert_eq!(before.len(), 1, "{before:?}");
    world.happened("auth.sign_in", "ann").await;
    let after = world.alerts(|alerts| alerts.len() == 2).await;
    assert_eq!(after[0].rule, Rule::SignInFailures);
}

async fn sign_in(world: &World, user: &User, address: &str) {
    let (now, expires_at, idle_until) = world.engine.session_times(12 * HOUR, HOUR);
    let mut hash = [0; 32];
    world.engine.rng().fill(&mut hash);
    let session = Session {
        id: wardroom_core::SessionId::new(now, world.engine.rng()),
        secret_hash: wardroom_core::identity::SecretHash(hash),
        user: user.id,
        kind: SessionKind::Browser,
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
    let about = SessionAbout { address: address.into(), user_agent: "Firefox".into() };
    let audit = AuditDraft::event(
        "auth.sign_in",
        &Principal::System,
        &wardroom_core::Origin::INTERNAL,
        now,
    );
    world.engine.open_session(user, session, &about, 5, audit.on(user.id)).await.unwrap();
}

#[tokio::test]
async fn a_sign_in_from_elsewhere_is_told_to_its_owner_and_nobody_reads_it_once_they_are_erased() {
    let world = World::new().await;
    world.add_user("bea").await;
    let profile = Profile {
        name: "eve".into(),
        display_name: String::new(),
        email: "eve@example.org".into(),
    };
    let role = (Role::Operator, None);
    let invited = world.engine.invite(profile, role, HOUR, &Principal::System, world.audit());
    let user = invited.await.unwrap().user;
    sign_in(&world, &user, "192.0.2.1").await;
    sign_in(&world, &user, "192.0.2.1").await;
    assert!(world.messages().await.is_empty(), "the first place is where they are at home");
    sign_in(&world, &user, "198.51.100.9").await;
    let alert = world.alerts(|alerts| !alerts.is_empty()).await.remove(0);
    assert_eq!((alert.rule, alert.subject), (Rule::NewNetwork, user.id.to_string()));
    assert!(!alert.detail.contains("198.51.100.9"), "addresses of people stay sealed");
    let sent = world.messages().await;
    let mail = sent.iter().find(|message| message.channel == Channel::Mail).unwrap();
    assert_eq!(mail.recipient, Some(user.id));
    let letter = world.engine.letter(mail).await.unwrap().unwrap();
    assert!(letter.text.contains("198.51.100.9"));
    world.engine.erase_user(&user, world.audit()).await.unwrap();
    assert_eq!(world.engine.letter(mail).await.unwrap(), None);
}

#[tokio::test]
async fn a_secret_that_nobody_renewed_is_told_of_once() {
    let world = World::new().await;
    let bea = world.add_user("bea").await;
    let audit = || world.audit();
    world.engine.add_secret("mast", "", Some(2), "one", bea, audit()).await.unwrap();
    world.engine.add_secret("keel", "", None, "one", bea, audit()).await.unwrap();
    world.clock.advance(49 * HOUR);
    let of_secrets = |alerts: &[Alert]| -> Vec<Alert> {
        alerts.iter().filter(|alert| alert.rule == Rule::Expiring).cloned().collect()
    };
    let alerts = world.alerts(|alerts| of_secrets(alerts).len() == 1).await;
    let first = of_secrets(&alerts).remove(0);
    assert_eq!(first.subject, "secret mast");
    world.engine.acknowledge(first.id, bea, audit()).await.unwrap();
    // Secrets are looked at by name: the sweep that tells of the yard's has passed over the mast's.
    world.engine.add_secret("yard", "", Some(1), "one", bea, audit()).await.unwrap();
    world.clock.advance(25 * HOUR);
    let alerts = world.alerts(|alerts| !of_secrets(alerts).is_empty()).await;
    let told: Vec<String> = of_secrets(&alerts).into_iter().map(|alert| alert.subject).collect();
    assert_eq!(told, ["secret yard"]);
    let secret = world.store.lookup_secret("mast").await.unwrap().unwrap();
    world.engine.renew_secret(&secret, "two", bea, audit()).await.unwrap();
    world.clock.advance(49 * HOUR);
    let of_mast = |alert: &Alert| alert.subject == "secret mast";
    world.alerts(|alerts| of_secrets(alerts).iter().any(of_mast)).await;
}

#[tokio::test]
async fn a_message_is_tried_by_one_with_growing_pauses_and_then_given_up() {
    let world = World::new().await;
    assert_eq!(world.engine.try_outlets(world.audit()).await.unwrap(), 1);
    for attempt in 0..10 {
        let message = world.messages().await.remove(0);
        assert_eq!(message.attempts, attempt);
        assert!(world.engine.take_message(&message).await.unwrap());
        assert!(!world.engine.take_message(&message).await.unwrap(), "another has it");
        assert!(world.messages().await.is_empty(), "it waits");
        let outcome = Err("nobody there".to_owned());
        world.engine.message_tried(&message, outcome).await.unwrap();
        world.clock.advance(2 * HOUR);
    }
    assert!(world.messages().await.is_empty());
    assert_eq!(world.store.count_messages().await.unwrap(), (0, 1));
}

#[tokio::test]
async fn a_fault_is_told_when_it_is_new_and_when_it_comes_back() {
    let world = World::new().await;
    let fault = Fault {
        fingerprint: "0123456789abcdef".into(),
        place: "store".into(),
        message: "the disk is full".into(),
        count: 3,
        first_at: world.engine.now(),
        last_at: world.engine.now(),
        request: None,
        run: None,
        resolved_at: None,
    };
    for _ in 0..2 {
        world.engine.count_faults(vec![fault.clone()]).await.unwrap();
    }
    let of_tracker = |messages: Vec<Message>| {
        messages.iter().filter(|message| message.channel == Channel::Tracker).count()
    };
    assert_eq!(of_tracker(world.messages().await), 1);
    world.engine.resolve_fault(&fault.fingerprint, world.audit()).await.unwrap();
    let twice = world.engine.resolve_fault(&fault.fingerprint, world.audit()).await;
    assert!(matches!(twice, Err(EngineError::NotFound(_))));
    world.engine.count_faults(vec![fault.clone()]).await.unwrap();
    assert_eq!(of_tracker(world.messages().await), 2);
    let open = world.store.list_faults(true, 10).await.unwrap();
    assert_eq!((open.len(), open[0].count), (1, 9));
}

#[tokio::test]
async fn a_flood_of_one_kind_is_on_the_page_and_not_in_every_mailbox() {
    let world = World::new().await;
    for number in 0..30 {
        world.happened("address.blocked", &format!("192.0.2.{number}")).await;
    }
    world.alerts(|alerts| alerts.len() == 30).await;
    let sent = world.messages().await;
    assert_eq!(sent.len(), 20);
    let last = world.engine.letter(&sent[19]).await.unwrap().unwrap();
    assert!(last.text.contains("further ones are on the security page only"), "{}", last.text);
    world.happened("policy.update", "policy").await;
    let audit = AuditDraft::event(
        "policy.update",
        &Principal::System,
        &wardroom_core::Origin::INTERNAL,
        world.engine.now(),
    );
    world.engine.commit(Change::recorded(audit.on("policy"))).await.unwrap();
    world.alerts(|alerts| alerts.len() == 31).await;
    assert_eq!(world.messages().await.len(), 21, "another kind is told of");
}

#[tokio::test]
async fn a_changed_address_is_told_to_the_one_before_and_its_links_end() {
    let world = World::new().await;
    let profile = Profile {
        name: "eve".into(),
        display_name: String::new(),
        email: "eve@example.org".into(),
    };
    let by = Principal::System;
    let invited = world.engine.invite(profile, (Role::Operator, None), HOUR, &by, world.audit());
    let user = invited.await.unwrap().user;
    let active = User {
        version: user.version + 1,
        state: wardroom_core::identity::UserState::Active,
        ..user.clone()
    };
    world.write(wardroom_core::change::Write::UpdateUser(active.clone())).await;
    let url = |secret: &wardroom_trust::secret::PassSecret| format!("{:?}", secret.hash());
    world.engine.mail_pass(&active, HOUR, url, world.audit()).await.unwrap();
    let hash = world.messages().await.len();
    assert_eq!(hash, 1);
    let wanted = wardroom_engine::people::UserChange {
        email: Some("new@example.org".into()),
        ..Default::default()
    };
    world.engine.change_user(&active, wanted, world.audit()).await.unwrap();
    let told = world.messages().await.pop().unwrap();
    let letter = world.engine.letter(&told).await.unwrap().unwrap();
    assert_eq!(letter.to.as_deref(), Some("eve@example.org"));
}
