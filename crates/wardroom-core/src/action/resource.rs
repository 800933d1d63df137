//! What policy sees of the thing that an action is done to.

use super::ResourceKind;

/// What policy sees of the thing that an action is done to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// Its kind.
    pub kind: ResourceKind,
    /// Its id or name; `wardroom` for the installation.
    pub id: String,
    /// The user to whom it belongs.
    pub owner: Option<crate::UserId>,
    /// The node that it is on.
    pub node: Option<crate::NodeId>,
    /// The labels of the node that it is or is on.
    pub labels: crate::node::Labels,
    /// The customer that it is or belongs to.
    pub customer: Option<crate::CustomerId>,
    /// The accounts that look after that customer.
    pub operators: Vec<crate::UserId>,
    /// Who works on it.
    pub assignee: Option<crate::UserId>,
    /// Whether it can be ordered.
    pub published: bool,
    /// The customers that it is for; `None` for all.
    pub audience: Option<Vec<crate::CustomerId>>,
    /// The name of the tool server or of the models' provider that it is of.
    pub server: Option<String>,
    /// What its server says that a tool does.
    pub hints: crate::tool::Hints,
    /// What an approval is about: an action, and what it is done to.
    pub about: Option<(super::Action, String)>,
    /// The account under whose rights what it is about is done, where that is not its owner.
    pub author: Option<crate::UserId>,
}

impl Resource {
    /// The installation as a whole.
    pub fn system() -> Self {
        Self::new(ResourceKind::System, "wardroom")
    }

    /// A resource without owner, node or labels.
    pub fn new(kind: ResourceKind, id: impl Into<String>) -> Self {
        Self {
            kind,
            id: id.into(),
            owner: None,
            node: None,
            labels: Default::default(),
            customer: None,
            operators: vec![],
            assignee: None,
            published: false,
            audience: None,
            server: None,
            hints: Default::default(),
            about: None,
            author: None,
        }
    }

    /// Something of `kind` that is `who`'s own in every way that policy knows: its owner, its customer, those who
    /// look after it. For showing and hiding controls and for explanations.
    pub fn own(kind: ResourceKind, who: &crate::Principal) -> Self {
        if kind == ResourceKind::System {
            return Self::system();
        }
        Self {
            owner: who.user(),
            customer: who.customer(),
            operators: who.user().into_iter().collect(),
            assignee: who.user(),
            published: true,
            ..Self::new(kind, "any")
        }
    }

    /// Something of `kind` that is nobody's of those who are known.
    pub fn anothers(kind: ResourceKind) -> Self {
        let nobody = crate::UserId::from_uuid(uuid::Uuid::nil());
        Self { owner: Some(nobody), ..Self::new(kind, "any") }
    }

    /// The account `id`, which belongs to itself.
    pub fn user(id: crate::UserId) -> Self {
        Self { owner: Some(id), ..Self::new(ResourceKind::User, id.to_string()) }
    }

    /// The node `node`.
    pub fn node(node: &crate::node::Node) -> Self {
        Self {
            node: Some(node.id),
            labels: node.labels.clone(),
            ..Self::new(ResourceKind::Node, node.id.to_string())
        }
    }

    /// The command `name` of `node`.
    pub fn command(node: &crate::node::Node, name: &str) -> Self {
        Self {
            node: Some(node.id),
            labels: node.labels.clone(),
            ..Self::new(ResourceKind::Command, name)
        }
    }

    /// The customer `id`, looked after by `operators`.
    pub fn customer(id: crate::CustomerId, operators: &[crate::UserId]) -> Self {
        Self {
            customer: Some(id),
            operators: operators.to_vec(),
            ..Self::new(ResourceKind::Customer, id.to_string())
        }
    }

    /// The secret of this name.
    pub fn secret(name: &str) -> Self {
        Self::new(ResourceKind::Secret, name)
    }

    /// The agent of this name.
    pub fn agent(name: &str) -> Self {
        Self::new(ResourceKind::Agent, name)
    }

    /// The model `name` of the provider called `provider`.
    pub fn model(provider: &str, name: &str) -> Self {
        let id = format!("{provider}/{name}");
        Self { server: Some(provider.to_owned()), ..Self::new(ResourceKind::Model, id) }
    }

    /// The question `call`.
    pub fn model_call(call: &crate::model::ModelCall) -> Self {
        Self {
            owner: Some(call.user),
            customer: call.customer,
            server: Some(call.provider.clone()),
            ..Self::new(ResourceKind::ModelCall, call.id.to_string())
        }
    }

    /// The tool server of this name.
    pub fn tool_server(name: &str) -> Self {
        Self { server: Some(name.to_owned()), ..Self::new(ResourceKind::ToolServer, name) }
    }

    /// The tool `name` of the server called `server`.
    pub fn tool(server: &str, name: &str, hints: crate::tool::Hints) -> Self {
        let id = format!("{server}/{name}");
        Self { server: Some(server.to_owned()), hints, ..Self::new(ResourceKind::Tool, id) }
    }

    /// The call `call`.
    pub fn tool_call(call: &crate::tool::call::ToolCall) -> Self {
        Self {
            owner: Some(call.user),
            server: Some(call.server_name.clone()),
            ..Self::new(ResourceKind::ToolCall, call.id.to_string())
        }
    }

    /// The approval `approval`, by what it is about.
    pub fn approval(approval: &crate::approval::Approval) -> Self {
        Self {
            owner: Some(approval.user),
            about: Some((approval.action, approval.target.clone())),
            author: approval.author,
            ..Self::new(ResourceKind::Approval, approval.id.to_string())
        }
    }

    /// The service `service`.
    pub fn service(service: &crate::desk::service::Service) -> Self {
        Self {
            published: service.state == crate::desk::service::ServiceState::Published,
            audience: service.audience.clone(),
            ..Self::new(ResourceKind::Service, service.id.to_string())
        }
    }

    /// The request `request`.
    pub fn request(request: &crate::desk::request::ServiceRequest) -> Self {
        Self {
            owner: Some(request.requested_by),
            customer: Some(request.customer),
            operators: request.operators.clone(),
            assignee: request.assignee,
            ..Self::new(ResourceKind::Request, request.id.to_string())
        }
    }

    /// The run `run`.
    pub fn run(run: &crate::run::Run) -> Self {
        Self {
            owner: Some(run.submitted_by),
            node: run.node,
            customer: run.customer,
            ..Self::new(ResourceKind::Run, run.id.to_string())
        }
    }
}
