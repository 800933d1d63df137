//! What every page of a signed-in person carries.

use std::collections::{BTreeMap, BTreeSet};
use wardroom_core::Timestamp;

/// What every page of a signed-in person carries.
#[derive(Debug, Clone)]
pub(crate) struct Shell {
    /// The account's name.
    pub(crate) name: String,
    /// Its role.
    pub(crate) role: String,
    /// Actions that it may do to something, for showing and hiding controls.
    pub(crate) may: BTreeSet<&'static str>,
    /// What its forms must carry.
    pub(crate) csrf: String,
    /// The part of the dashboard that the page belongs to, as its path begins.
    pub(crate) section: &'static str,
    /// The page that stands for this one where it answers a form: reloading must not send that form again.
    pub(crate) page: Option<String>,
    /// Where the assets are.
    pub(crate) assets: &'static str,
    /// The time on the page.
    pub(crate) now: Timestamp,
    /// What ids are called.
    pub(crate) names: BTreeMap<String, String>,
}

/// An entry of the navigation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    /// Where it leads.
    pub(crate) path: &'static str,
    /// What it is called.
    pub(crate) label: &'static str,
    /// Its icon.
    pub(crate) icon: &'static str,
    /// Without this action there is nothing to see.
    action: &'static str,
}

const ENTRIES: [Entry; 18] = [
    Entry { path: "/", label: "Overview", icon: "overview", action: "overview.read" },
    Entry { path: "/requests", label: "Requests", icon: "requests", action: "request.list" },
    Entry { path: "/services", label: "Services", icon: "services", action: "service.list" },
    Entry { path: "/customers", label: "Customers", icon: "customers", action: "customer.list" },
    Entry { path: "/nodes", label: "Nodes", icon: "nodes", action: "node.list" },
    Entry { path: "/runs", label: "Runs", icon: "runs", action: "run.list" },
    Entry { path: "/agents", label: "Agents", icon: "agents", action: "agent.list" },
    Entry { path: "/threads", label: "Chat", icon: "chat", action: "thread.list" },
    Entry { path: "/models", label: "Models", icon: "models", action: "model.list" },
    Entry { path: "/gateway", label: "Tools", icon: "tools", action: "tool_server.list" },
    Entry { path: "/approvals", label: "Approvals", icon: "approvals", action: "approval.list" },
    Entry { path: "/users", label: "People", icon: "people", action: "user.list" },
    Entry { path: "/audit", label: "Audit", icon: "audit", action: "audit.read" },
    Entry { path: "/security", label: "Security", icon: "security", action: "security.read" },
    Entry { path: "/faults", label: "Faults", icon: "warn", action: "fault.read" },
    Entry { path: "/policy", label: "Policy", icon: "policy", action: "policy.read" },
    Entry { path: "/join-tokens", label: "Join tokens", icon: "join", action: "join_token.list" },
    Entry { path: "/account", label: "Account", icon: "account", action: "user.read" },
];

impl Shell {
    /// Whether the account may do `action` to something.
    pub(crate) fn may(&self, action: &str) -> bool {
        self.may.contains(action)
    }

    /// The navigation, without what the account may not see.
    pub(crate) fn entries(&self) -> Vec<Entry> {
        ENTRIES.into_iter().filter(|entry| self.may(entry.action)).collect()
    }

    /// What `id` is called; the id, shortened, where that is not known.
    pub(crate) fn called(&self, id: &str) -> String {
        self.names.get(id).cloned().unwrap_or_else(|| super::format::short(id))
    }

    /// The first letter of the account's name.
    pub(crate) fn initial(&self) -> String {
        self.name.chars().next().map(|letter| letter.to_uppercase().to_string()).unwrap_or_default()
    }
}
