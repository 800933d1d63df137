//! Submission: typed input in, a durable run out.

use super::name_secrets;
use crate::{Engine, EngineError, Values, link::Link};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};
use wardroom_core::{
    CustomerId, Origin, Principal, RunId, ServiceRequestId, Timestamp, UserId,
    approval::{Approval, ApprovalWrite, Wanted},
    audit::AuditDraft,
    change::{Change, Write},
    command::{Parameters, check_parameters},
    digest::{parameters_digest, sha256_hex},
    hint::Hint,
    node::{Node, Selector},
    run::{self, Candidate, Event, RetryPolicy, Run, RunState, Target},
    store::StoreError,
};

/// The most nodes that one submission reaches.
pub const FANOUT_MAX: usize = 1000;
/// The furthest deadline.
const DEADLINE_MAX: Duration = Duration::from_secs(604_800);

/// Where the submitter wants it.
#[derive(Debug, Clone)]
pub enum Asked {
    /// On this node.
    Node(Box<Node>),
    /// On one of these, which all match the selector.
    OneOf(Selector, Vec<Node>),
    /// On all of these, which all match the selector.
    AllOf(Selector, Vec<Node>),
}

impl Asked {
    /// The nodes.
    pub fn nodes(&self) -> &[Node] {
        match self {
            Self::Node(node) => std::slice::from_ref(node),
            Self::OneOf(_, nodes) | Self::AllOf(_, nodes) => nodes,
        }
    }
}

/// A submission whose principal may run the command on every node it names.
#[derive(Debug, Clone)]
pub struct Submission {
    /// For whom.
    pub user: UserId,
    /// The command's name.
    pub command: String,
    /// Where.
    pub asked: Asked,
    /// The values.
    pub parameters: Parameters,
    /// Must be over within.
    pub deadline: Option<Duration>,
    /// How often to try.
    pub retry: RetryPolicy,
    /// 0 to 9.
    pub priority: u8,
    /// The submitter's own name for this request.
    pub idempotency_key: Option<String>,
    /// The dead run that this one repeats.
    pub replay_of: Option<RunId>,
    /// Values that are nobody's to see, whatever the command says by now.
    pub secret: BTreeSet<String>,
    /// Which of the values are named secrets, and whose names. Whoever submits has been allowed to use them.
    pub named: BTreeMap<String, String>,
    /// The service request that it is for, and whose that is.
    pub request: Option<(ServiceRequestId, CustomerId)>,
    /// What policy wants of a person before it begins.
    pub wanted: Option<Wanted>,
    /// The agent's run that it is a part of.
    pub parent: Option<RunId>,
}

impl Engine {
    /// Takes a run in. When this returns, the run survives a crash and will reach its end. `audit`
    /// is the record of the request, without target.
    pub async fn submit(
        &self,
        submission: Submission,
        audit: AuditDraft,
    ) -> Result<Run, EngineError> {
        check_bounds(&submission)?;
        if let Some(run) = self.earlier(&submission).await? {
            return Ok(run);
        }
        if submission.wanted.is_some() {
            self.check_waiting(submission.user).await?;
        }
        let planned = self.plan(&submission).await?;
        let audit = name_secrets(audit, &submission.named);
        let change = planned.change(audit.on(planned.head.id));
        match self.take_in(planned, change).await {
            // The same request raced itself: both get the one run.
            Err(EngineError::Store(StoreError::Duplicate(_))) => {
                self.earlier(&submission).await?.ok_or(EngineError::Conflict)
            }
            outcome => outcome,
        }
    }

    /// Makes planned runs durable and offers those that were leased at once.
    pub(crate) async fn take_in(
        &self,
        planned: Planned,
        change: Change,
    ) -> Result<Run, EngineError> {
        if let Err(error) = self.commit(change).await {
            planned.leased.iter().for_each(|(link, _)| link.give_slot_back());
            return Err(error.into());
        }
        for (link, run) in planned.leased {
            link.offer(run, &planned.values);
        }
        Ok(planned.head)
    }

    /// The run of an earlier request with the same key.
    async fn earlier(&self, submission: &Submission) -> Result<Option<Run>, EngineError> {
        let Some(key) = &submission.idempotency_key else { return Ok(None) };
        let Some(run) = self.store.lookup_run_by_key(submission.user, key).await? else {
            return Ok(None);
        };
        let values = self.values_left(&run).await?.ok_or(EngineError::IdempotencyMismatch)?;
        let salt = values.salt;
        if run.request_digest != request_digest(&salt, submission) {
            return Err(EngineError::IdempotencyMismatch);
        }
        Ok(Some(run))
    }

    /// Makes the runs of a submission, giving each at once to its node where that has room.
    pub(crate) async fn plan(&self, submission: &Submission) -> Result<Planned, EngineError> {
        let now = self.now();
        let (target, nodes) = match &submission.asked {
            Asked::Node(node) => (Target::Node { node: node.id }, std::slice::from_ref(&**node)),
            Asked::OneOf(labels, nodes) => (Target::OneOf { labels: labels.clone() }, &nodes[..]),
            Asked::AllOf(labels, nodes) => (Target::AllOf { labels: labels.clone() }, &nodes[..]),
        };
        if nodes.len() > FANOUT_MAX {
            return Err(EngineError::TooManyNodes { found: nodes.len(), most: FANOUT_MAX });
        }
        if nodes.is_empty() {
            return Err(EngineError::NoNode(submission.command.clone()));
        }
        // On several nodes one name may stand for several definitions; each is checked against its own.
        // All of them before any is given a slot, which an error would not give back.
        nodes.iter().try_for_each(|node| check_for(node, submission))?;
        let is_secret = |name: &str| {
            let marks = |node: &Node| {
                let command = node.catalogue.command(&submission.command);
                command.is_some_and(|c| c.parameters.iter().any(|p| p.secret && p.name == name))
            };
            submission.secret.contains(name) || nodes.iter().any(marks)
        };
        // SECURITY: what was given and no node's defaults: one node's must not come to the others as if
        // a person had given them.
        let mut values = Values::part(submission.parameters.clone(), is_secret, &*self.rng);
        values.named.clone_from(&submission.named);
        let mut head = self.new_run(submission, &target, &values, now).await?;
        let mut planned = Planned {
            head: head.clone(),
            rows: vec![],
            candidates: vec![],
            leased: vec![],
            hints: vec![],
            values,
            approval: None,
        };
        let waits = submission.wanted.is_some();
        if let Some(wanted) = &submission.wanted {
            planned.approval = Some(self.approval_of(&head, submission, wanted));
        }
        if let Target::AllOf { .. } = target {
            head.state = if waits { head.state } else { RunState::Running };
            head.command_digest = String::new();
            head.idempotent =
                nodes.iter().filter_map(|node| candidate(&head, node)).all(|c| c.idempotent);
            planned.rows.push(head.clone());
            for node in nodes {
                let mut child = head.clone();
                child.id = RunId::new(now, &*self.rng);
                child.parent = Some(head.id);
                child.idempotency_key = None;
                child.replay_of = None;
                child.state = if waits { head.state } else { RunState::Queued };
                child.target = Target::Node { node: node.id };
                self.place(&mut planned, child, std::slice::from_ref(node), now);
            }
            planned.head = head;
        } else {
            if let Target::OneOf { .. } = target {
                planned.candidates =
                    nodes.iter().filter_map(|node| candidate(&head, node)).collect();
            }
            planned.head = self.place(&mut planned, head, nodes, now);
        }
        Ok(planned)
    }

    /// Puts a run into the plan: leased to the first of `nodes` that is linked here and has room,
    /// else queued.
    fn place(&self, planned: &mut Planned, run: Run, nodes: &[Node], now: Timestamp) -> Run {
        let waits = run.state == RunState::AwaitingApproval;
        for node in nodes.iter().filter(|_| !waits) {
            let Some(link) = self.links.get(node.id) else { continue };
            if !link.take_slot() {
                continue;
            }
            let mut candidate = run.clone();
            declare(&mut candidate, node);
            let until = now.plus(run::LEASE);
            match run::apply(&candidate, &Event::Lease { node: node.id, until }, now) {
                Ok(transition) => {
                    let mut leased = transition.run;
                    leased.version = run.version;
                    planned.rows.push(leased.clone());
                    planned.leased.push((link, leased.clone()));
                    return leased;
                }
                Err(_) => link.give_slot_back(),
            }
        }
        let mut queued = run;
        if let (Target::Node { .. }, Some(node)) = (&queued.target, nodes.first()) {
            declare(&mut queued, node);
        }
        if !waits {
            planned.hints.extend(nodes.iter().map(|node| Hint::Queue(node.id)));
        }
        planned.rows.push(queued.clone());
        queued
    }

    async fn new_run(
        &self,
        submission: &Submission,
        target: &Target,
        values: &Values,
        now: Timestamp,
    ) -> Result<Run, EngineError> {
        let customer = submission.request.map(|(_, customer)| customer);
        Ok(Run {
            parameters_sealed: self.seal_parameters(customer, values).await?,
            parameters_digest: parameters_digest(&values.salt, &submission.parameters),
            parent: submission.parent,
            replay_of: submission.replay_of,
            request: submission.request.map(|(request, _)| request),
            customer,
            state: match submission.wanted {
                Some(_) => RunState::AwaitingApproval,
                None => RunState::Queued,
            },
            retry: submission.retry,
            priority: submission.priority,
            idempotency_key: submission.idempotency_key.clone(),
            request_digest: request_digest(&values.salt, submission),
            deadline: submission.deadline.map(|after| now.plus(after)),
            ..Run::queued(
                RunId::new(now, &*self.rng),
                submission.user,
                submission.command.clone(),
                target.clone(),
                now,
            )
        })
    }
}

/// Runs that are about to be committed.
pub(crate) struct Planned {
    head: Run,
    rows: Vec<Run>,
    /// The nodes that may take the head, where it is for one of several.
    candidates: Vec<Candidate>,
    leased: Vec<(Arc<Link>, Run)>,
    hints: Vec<Hint>,
    values: Values,
    /// What the head waits for before anything of it begins.
    approval: Option<Approval>,
}

impl Planned {
    /// The run that was asked for.
    pub(crate) fn id(&self) -> RunId {
        self.head.id
    }

    /// The one change that makes them durable, with the request's record, which has its target, and one per
    /// lease.
    pub(crate) fn change(&self, audit: AuditDraft) -> Change {
        let (at, run) = (audit.record.at, &self.head);
        let audit = audit
            .detail("command", &run.command)
            .detail("parameters_digest", &run.parameters_digest);
        let audit = match run.node {
            Some(node) => audit.detail("node", node),
            None => audit,
        };
        let mut change = Change::recorded(audit.clone());
        change.writes = self.rows.iter().map(|run| Write::AddRun(Box::new(run.clone()))).collect();
        if !self.candidates.is_empty() {
            let candidates = self.candidates.clone();
            change.writes.push(Write::AddCandidates { run: run.id, candidates });
        }
        change.audit.extend(self.leased.iter().map(|(_, run)| lease_record(run, at)));
        change.hints.clone_from(&self.hints);
        change.hints.push(Hint::Run(run.id));
        if let Some(approval) = &self.approval {
            change.audit.push(crate::approvals::record(audit, approval).detail("run", run.id));
            change.hints.push(Hint::Approval(approval.id));
            let ask = ApprovalWrite::Ask(Box::new(approval.clone()));
            change.writes.push(Write::Approval(ask));
        }
        change
    }
}

/// The record of a lease.
pub(crate) fn lease_record(run: &Run, at: Timestamp) -> AuditDraft {
    let draft = AuditDraft::event("run.leased", &Principal::System, &Origin::INTERNAL, at);
    super::describe(draft, run)
}

/// The node as one that may take the run.
fn candidate(run: &Run, node: &Node) -> Option<Candidate> {
    let command = node.catalogue.command(&run.command)?;
    Some(Candidate {
        node: node.id,
        command_digest: command.digest.clone(),
        idempotent: command.idempotent,
    })
}

/// Takes over what the node says of the command.
fn declare(run: &mut Run, node: &Node) {
    if let Some(command) = node.catalogue.command(&run.command) {
        run.command_digest.clone_from(&command.digest);
        run.idempotent = command.idempotent;
    }
}

/// Checks the values against the command as `node` defines it.
fn check_for(node: &Node, submission: &Submission) -> Result<(), EngineError> {
    if node.disabled {
        return Err(EngineError::NodeDisabled);
    }
    let command = node
        .catalogue
        .command(&submission.command)
        .ok_or_else(|| EngineError::UnknownCommand(submission.command.clone()))?;
    check_parameters(command, &submission.parameters).map_err(EngineError::Parameters)?;
    Ok(())
}

fn check_bounds(submission: &Submission) -> Result<(), EngineError> {
    let field = |field, reason: &str| Err(EngineError::Field { field, reason: reason.to_owned() });
    if !(1..=run::ATTEMPTS_MAX).contains(&submission.retry.attempts_max) {
        return field("attempts_max", "must be 1 to 10");
    }
    if Duration::from_millis(submission.retry.backoff_ms) > run::BACKOFF_MAX {
        return field("backoff_ms", "must be at most 3,600,000");
    }
    if submission.priority > run::PRIORITY_MAX {
        return field("priority", "must be 0 to 9");
    }
    if submission.deadline.is_some_and(|after| after.is_zero() || after > DEADLINE_MAX) {
        return field("deadline_seconds", "must be 1 to 604,800");
    }
    submission.idempotency_key.as_deref().map_or(Ok(()), check_key)
}

/// Checks a submitter's own name for a request.
pub(crate) fn check_key(key: &str) -> Result<(), EngineError> {
    let sound = (1..=run::IDEMPOTENCY_KEY_BYTES_MAX).contains(&key.len())
        && key.bytes().all(|b| b.is_ascii_graphic());
    if sound {
        return Ok(());
    }
    let reason = "must be 1 to 128 visible ASCII characters".to_owned();
    Err(EngineError::Field { field: "Idempotency-Key", reason })
}

/// What makes two requests with one key the same request.
fn request_digest(salt: &str, submission: &Submission) -> String {
    let place = match &submission.asked {
        Asked::Node(node) => format!("node {}", node.id),
        Asked::OneOf(labels, _) => format!("one of {labels}"),
        Asked::AllOf(labels, _) => format!("all of {labels}"),
    };
    let text = format!(
        "{}\n{place}\n{}\n{:?}\n{:?}\n{:?}\n{}\n{:?}\n{:?}",
        submission.command,
        parameters_digest(salt, &submission.parameters),
        // SECURITY: a value that is guessed is not the same as a secret that is named.
        submission.named,
        submission.deadline,
        submission.retry,
        submission.priority,
        submission.replay_of,
        submission.request,
    );
    sha256_hex(text.as_bytes())
}
