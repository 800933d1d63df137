//! A request as Cedar sees it.

use super::circumstances::{Circumstances, context};
use cedar_policy::{
    Entities, Entity, EntityId, EntityTypeName, EntityUid, Request, RestrictedExpression, Schema,
};
use std::{
    collections::{HashMap, HashSet},
    sync::LazyLock,
};
use wardroom_core::{
    Action, Principal, UserId,
    action::{Resource, ResourceKind},
    node::Labels,
};

/// A request, what is known of its parts, and by which names policies can speak of who asks.
pub(super) struct Asked {
    pub(super) request: Request,
    pub(super) entities: Entities,
    pub(super) principals: Vec<EntityUid>,
}

/// The request and what is known of its parts; `None` when policy has nothing to say to it.
pub(super) fn ask(
    schema: &Schema,
    principal: &Principal,
    action: Action,
    resource: &Resource,
    circumstances: &Circumstances<'_>,
) -> Option<Asked> {
    let Principal::User { id, name, role, groups, customer, .. } = principal else { return None };
    let user = uid("User", &id.to_string())?;
    let mut parents = vec![uid("Role", role.as_str())?];
    for group in groups {
        parents.push(uid("Group", group)?);
    }
    let target = uid(entity_type(resource.kind), &resource.id)?;
    let mut of_user =
        HashMap::from([("name".to_owned(), RestrictedExpression::new_string(name.clone()))]);
    let mut all = vec![];
    if let Some(customer) = customer {
        let own = uid("Customer", &customer.to_string())?;
        // What looks after it is known where it is the resource itself.
        if resource.customer != Some(*customer) {
            all.push(customer_entity(&own, &[])?);
        }
        of_user.insert("customer".to_owned(), RestrictedExpression::new_entity_uid(own));
    }
    all.push(Entity::new(user.clone(), of_user, parents.iter().cloned().collect()).ok()?);
    all.extend(parents.iter().cloned().map(Entity::with_uid));
    let attributes = attributes(resource, &user, &id.to_string(), &mut all)?;
    if resource.kind != ResourceKind::Customer {
        let mut within = HashSet::new();
        let group = match resource.kind {
            ResourceKind::Tool => Some("ToolServer"),
            ResourceKind::Model => Some("ModelProvider"),
            _ => None,
        };
        if let (Some(group), Some(name)) = (group, &resource.server) {
            let server = uid(group, name)?;
            all.push(Entity::with_uid(server.clone()));
            within.insert(server);
        }
        all.push(Entity::new(target.clone(), attributes, within).ok()?);
    }
    let context = context(action, circumstances, &mut all)?;
    let entities = Entities::from_entities(all, None).ok()?;
    let named = uid("Action", action.as_str())?;
    // What is not known yet has no type to check.
    let checked = circumstances.arguments.map(|_| schema);
    let request = Request::new(user.clone(), named, target, context, checked).ok()?;
    parents.push(user);
    Some(Asked { request, entities, principals: parents })
}

fn entity_type(kind: ResourceKind) -> &'static str {
    match kind {
        // The one who asks is a User as well, with other attributes than the account that is asked about.
        ResourceKind::User => "Account",
        kind => kind.as_str(),
    }
}

/// Reading a name costs more than a decision, and there are only these.
static TYPES: LazyLock<HashMap<&'static str, EntityTypeName>> = LazyLock::new(|| {
    let kinds = ResourceKind::ALL.into_iter().map(entity_type);
    let named = |kind: &'static str| Some((kind, format!("Wardroom::{kind}").parse().ok()?));
    let others =
        ["User", "Role", "Group", "Action", "ModelProvider", "Texts", "Numbers", "Flags", "Lists"];
    kinds.chain(others).filter_map(named).collect()
});

pub(super) fn uid(kind: &str, id: &str) -> Option<EntityUid> {
    let name = TYPES.get(kind)?.clone();
    Some(EntityUid::from_type_name_and_id(name, EntityId::new(id)))
}

fn attributes(
    resource: &Resource,
    user: &EntityUid,
    user_id: &str,
    all: &mut Vec<Entity>,
) -> Option<HashMap<String, RestrictedExpression>> {
    let mut attributes = HashMap::new();
    match resource.kind {
        ResourceKind::Node => {
            attributes.insert("labels".to_owned(), labels(&resource.labels));
        }
        ResourceKind::Command => {
            attributes.insert("labels".to_owned(), labels(&resource.labels));
            if let Some(node) = resource.node {
                let node = uid("Node", &node.to_string())?;
                let of_node = HashMap::from([("labels".to_owned(), labels(&resource.labels))]);
                all.push(Entity::new(node.clone(), of_node, HashSet::new()).ok()?);
                attributes.insert("node".to_owned(), RestrictedExpression::new_entity_uid(node));
            }
        }
        ResourceKind::Run
        | ResourceKind::User
        | ResourceKind::Request
        | ResourceKind::ToolCall
        | ResourceKind::ModelCall
        | ResourceKind::Approval => {
            let users = [("owner", resource.owner), ("assignee", resource.assignee)];
            for (name, id) in users {
                let Some(id) = id.map(|id| id.to_string()) else { continue };
                let one = if id == user_id { user.clone() } else { uid("User", &id)? };
                attributes.insert(name.to_owned(), RestrictedExpression::new_entity_uid(one));
            }
        }
        ResourceKind::Service => {
            attributes
                .insert("published".to_owned(), RestrictedExpression::new_bool(resource.published));
            if let Some(audience) = &resource.audience {
                let customers = audience.iter().filter_map(|id| uid("Customer", &id.to_string()));
                let customers = customers.map(RestrictedExpression::new_entity_uid);
                attributes.insert("audience".to_owned(), RestrictedExpression::new_set(customers));
            }
        }
        ResourceKind::Customer
        | ResourceKind::System
        | ResourceKind::Tool
        | ResourceKind::JoinToken
        | ResourceKind::ToolServer
        | ResourceKind::Agent
        | ResourceKind::Model
        | ResourceKind::Secret => {}
    }
    attributes.extend(of_gateway(resource)?);
    if resource.kind == ResourceKind::Request {
        attributes.insert("operators".to_owned(), users(&resource.operators));
    }
    if let Some(customer) = resource.customer {
        let customer = uid("Customer", &customer.to_string())?;
        all.push(customer_entity(&customer, &resource.operators)?);
        if resource.kind != ResourceKind::Customer {
            attributes
                .insert("customer".to_owned(), RestrictedExpression::new_entity_uid(customer));
        }
    } else if resource.kind == ResourceKind::Customer {
        all.push(customer_entity(&uid("Customer", &resource.id)?, &resource.operators)?);
    }
    Some(attributes)
}

fn customer_entity(customer: &EntityUid, operators: &[UserId]) -> Option<Entity> {
    let attributes = HashMap::from([("operators".to_owned(), users(operators))]);
    Entity::new(customer.clone(), attributes, HashSet::new()).ok()
}

fn users(ids: &[UserId]) -> RestrictedExpression {
    let ids = ids.iter().filter_map(|id| uid("User", &id.to_string()));
    RestrictedExpression::new_set(ids.map(RestrictedExpression::new_entity_uid))
}

fn labels(labels: &Labels) -> RestrictedExpression {
    RestrictedExpression::new_set(
        labels
            .iter()
            .map(|(key, value)| RestrictedExpression::new_string(format!("{key}={value}"))),
    )
}

/// What policy sees of tools, models, calls and approvals beside whose they are.
fn of_gateway(resource: &Resource) -> Option<HashMap<String, RestrictedExpression>> {
    let mut attributes = HashMap::new();
    let mut add = |name: &str, value| attributes.insert(name.to_owned(), value);
    let text = |text: &str| RestrictedExpression::new_string(text.to_owned());
    if matches!(resource.kind, ResourceKind::Tool | ResourceKind::Model) {
        add("name", text(resource.id.split_once('/').map_or("", |(_, name)| name)));
    }
    if matches!(resource.kind, ResourceKind::Model | ResourceKind::ModelCall) {
        let provider = uid("ModelProvider", resource.server.as_deref().unwrap_or("any"))?;
        add("provider", RestrictedExpression::new_entity_uid(provider));
    }
    if resource.kind == ResourceKind::Tool {
        let hints = resource.hints;
        for (name, hint) in [
            ("read_only", hints.read_only),
            ("destructive", hints.destructive),
            ("idempotent", hints.idempotent),
            ("open_world", hints.open_world),
        ] {
            add(name, RestrictedExpression::new_bool(hint));
        }
    }
    if matches!(resource.kind, ResourceKind::Tool | ResourceKind::ToolCall) {
        let server = uid("ToolServer", resource.server.as_deref().unwrap_or("any"))?;
        add("server", RestrictedExpression::new_entity_uid(server));
    }
    if resource.kind == ResourceKind::Approval {
        let about = resource.about.as_ref();
        add("action", text(about.map_or("any", |(action, _)| action.as_str())));
        add("target", text(about.map_or("any", |(_, target)| target)));
        if let Some(author) = resource.author {
            let author = uid("User", &author.to_string())?;
            add("author", RestrictedExpression::new_entity_uid(author));
        }
    }
    Some(attributes)
}
