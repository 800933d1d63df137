//! Sound values of every kind.

use std::time::Duration;
use wardroom_core::{
    ApiTokenId, AttachmentId, CustomerId, FactorId, JoinTokenId, LinkId, NodeId, Origin, PassId,
    PersonId, Principal, Rng, Role, RunId, ServiceId, ServiceRequestId, SessionId, Timestamp,
    UserId,
    audit::{AuditCheckpoint, AuditDraft},
    command::{CommandLimits, CommandSpec},
    desk::{
        customer::{Customer, CustomerState},
        request::{Attachment, Priority, RequestState, ServiceRequest},
        service::{Fulfilment, OrderLimits, Service, ServiceState},
    },
    identity::{
        ApiToken, Factor, FactorKind, JoinToken, Pass, PassPurpose, SealedKey, SecretHash, Session,
        SessionKind, User, UserState,
    },
    node::{Catalogue, Labels, Node},
    person::{BlindIndex, PersonKey},
    run::{OutputChunk, Run, Target},
    tool::hosted::{HostedServer, Instances},
};

/// Seconds behind the beginning of 2026.
pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros((1_767_225_600 + seconds) * 1_000_000)
}

/// Makes values; no two are alike.
#[derive(Default)]
pub struct Sample {
    made: std::sync::atomic::AtomicU64,
}

impl Rng for Sample {
    fn fill(&self, bytes: &mut [u8]) {
        // Counting up keeps the ids that are made in one millisecond in their order.
        let number = self.made.fetch_add(1, std::sync::atomic::Ordering::Relaxed).to_be_bytes();
        let tail = bytes.len() - 8;
        bytes[..tail].fill(0x11);
        bytes[tail..].copy_from_slice(&number);
    }
}

impl Sample {
    pub fn secret(&self) -> SecretHash {
        let mut bytes = [0; 32];
        self.fill(&mut bytes);
        SecretHash(bytes)
    }

    pub fn link(&self) -> LinkId {
        LinkId::new(at(0), self)
    }

    pub fn user(&self, name: &str) -> User {
        User {
            id: UserId::new(at(0), self),
            version: 1,
            profile: vec![2, 0, 255],
            name_index: Self::index(name),
            email_index: Some(Self::index(&format!("{name}@example.org"))),
            role: Role::Operator,
            groups: vec!["north".into(), "south".into()],
            customer: None,
            state: UserState::Active,
            password_hash: "$argon2id$".into(),
            password_temporary: false,
            password_changed_at: at(0),
            second_factor: false,
            created_at: at(0),
        }
    }

    pub fn index(text: &str) -> BlindIndex {
        let mut bytes = [0; 32];
        bytes[..text.len()].copy_from_slice(text.as_bytes());
        BlindIndex(bytes)
    }

    pub fn session(&self, user: UserId) -> Session {
        Session {
            id: SessionId::new(at(0), self),
            secret_hash: self.secret(),
            user,
            kind: SessionKind::Client,
            created_at: at(0),
            expires_at: at(3600),
            idle_until: at(1800),
            seen_at: at(0),
            proved_at: at(0),
            second_factor: false,
            outside: None,
            grant: None,
            about: vec![2, 9],
        }
    }

    pub fn api_token(&self, user: UserId) -> ApiToken {
        ApiToken {
            id: ApiTokenId::new(at(0), self),
            secret_hash: self.secret(),
            user,
            name: "t".into(),
            scopes: vec!["run.read".into()],
            created_at: at(0),
            expires_at: at(7200),
            used_at: None,
        }
    }

    pub fn pass(&self, user: UserId) -> Pass {
        Pass {
            id: PassId::new(at(0), self),
            secret_hash: self.secret(),
            user,
            purpose: PassPurpose::Invite,
            created_by: "system".into(),
            created_at: at(0),
            expires_at: at(3600),
        }
    }

    pub fn factor(&self, user: UserId, kind: FactorKind) -> Factor {
        Factor {
            id: FactorId::new(at(0), self),
            user,
            kind,
            sealed: vec![2, 1],
            handle: (kind != FactorKind::Totp).then(|| self.secret()),
            counter: 0,
            confirmed: false,
            created_at: at(0),
            used_at: None,
        }
    }

    pub fn person_key(&self, person: PersonId, generation: u32) -> PersonKey {
        PersonKey { person, generation, wrapped: vec![1, 0, 255], created_at: at(0) }
    }

    pub fn join_token(&self) -> JoinToken {
        JoinToken {
            id: JoinTokenId::new(at(0), self),
            secret_hash: self.secret(),
            labels: Labels::new(),
            created_by: "system".into(),
            created_at: at(0),
            expires_at: at(900),
            revoked_at: None,
            used_at: None,
            used_by: None,
        }
    }

    pub fn sealed_key(&self, name: &str) -> SealedKey {
        SealedKey { name: name.into(), sealed: vec![0, 255, 1], created_at: at(0) }
    }

    pub fn node(&self, name: &str) -> Node {
        Node {
            id: NodeId::new(at(0), self),
            version: 1,
            name: name.into(),
            public_key: self.secret().0,
            labels: Labels::new(),
            disabled: false,
            enrolled_at: at(0),
            seen_at: None,
            connected: false,
            report: None,
            catalogue: Catalogue::default(),
        }
    }

    pub fn command(&self, name: &str) -> CommandSpec {
        let limits = CommandLimits {
            wall_ms_max: 1,
            cpu_seconds_max: 1,
            memory_bytes_max: 1,
            processes_max: 1,
            open_files_max: 1,
            file_bytes_max: 1,
            output_bytes_max: 1,
        };
        CommandSpec {
            name: name.into(),
            description: "d".into(),
            digest: "x".into(),
            idempotent: true,
            parameters: vec![],
            limits,
            network: false,
            requires: Default::default(),
            builtin: false,
        }
    }

    pub fn hosted(&self, name: &str) -> HostedServer {
        HostedServer {
            name: name.into(),
            description: "d".into(),
            digest: "x".into(),
            instances: Instances::PerSession,
            instances_max: 2,
            secrets: ["API_KEY".to_owned()].into(),
            limits: self.command(name).limits,
            network: false,
            requires: Default::default(),
        }
    }

    pub fn run(&self, user: UserId, node: NodeId) -> Run {
        Run {
            command_digest: "d".into(),
            parameters_sealed: vec![1, 0, 2],
            parameters_digest: "p".into(),
            request_digest: "r".into(),
            ..Run::queued(RunId::new(at(0), self), user, "echo", Target::Node { node }, at(0))
        }
    }

    pub fn customer(&self, name: &str) -> Customer {
        Customer {
            id: CustomerId::new(at(0), self),
            version: 1,
            profile: vec![2, 7],
            email_index: Some(Self::index(name)),
            operators: vec![],
            state: CustomerState::Active,
            created_at: at(0),
        }
    }

    pub fn service(&self, name: &str, author: UserId) -> Service {
        Service {
            id: ServiceId::new(at(0), self),
            version: 1,
            name: name.into(),
            title: "A title".into(),
            description: "d".into(),
            state: ServiceState::Draft,
            audience: None,
            form: serde_json::json!({"properties": {"a": {"type": "string"}}}),
            fulfilment: Fulfilment::Manual,
            limits: OrderLimits::default(),
            author,
            created_at: at(0),
            updated_at: at(0),
        }
    }

    pub fn request(&self, customer: &Customer, service: &Service, by: UserId) -> ServiceRequest {
        ServiceRequest {
            id: ServiceRequestId::new(at(0), self),
            version: 1,
            customer: customer.id,
            operators: customer.operators.clone(),
            service: service.id,
            requested_by: by,
            sealed: vec![2, 8],
            state: RequestState::Pending,
            priority: Priority::High,
            assignee: None,
            due_at: Some(at(900)),
            scheduled_for: None,
            automatic: false,
            attention: false,
            idempotency_key: None,
            created_at: at(0),
            updated_at: at(0),
            closed_at: None,
        }
    }

    pub fn attachment(&self, request: &ServiceRequest, size_bytes: u64) -> Attachment {
        Attachment {
            id: AttachmentId::new(at(0), self),
            request: request.id,
            customer: request.customer,
            sealed_name: vec![2, 6],
            media_type: "text/plain".into(),
            size_bytes,
            uploaded_by: request.requested_by,
            created_at: at(0),
        }
    }

    pub fn chunks(&self, count: u32) -> Vec<OutputChunk> {
        (0..count)
            .map(|seq| OutputChunk {
                fence: 1,
                seq,
                stderr: seq % 2 == 1,
                bytes: vec![0, 255, seq as u8],
            })
            .collect()
    }

    pub fn audit(&self, action: &str) -> AuditDraft {
        AuditDraft::event(action, &Principal::System, &Origin::INTERNAL, at(1))
    }

    pub fn checkpoint(&self, size: u64) -> AuditCheckpoint {
        AuditCheckpoint {
            size,
            root: [7; 32],
            at: at(0).plus(Duration::from_secs(size)),
            note: format!("note {size}"),
        }
    }
}
