//! Who is let in through the provider, and as what.

use secrecy::SecretString;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use wardroom_core::Role;

/// How people sign in through a provider outside.
#[derive(Debug, Clone)]
pub struct OidcRules {
    /// The issuer, as it names itself.
    pub issuer: String,
    /// What we are called there.
    pub client_id: String,
    /// What proves that it is us; none where PKCE alone does.
    pub client_secret: Option<SecretString>,
    /// What it is called on the sign-in page.
    pub label: String,
    /// What is asked for.
    pub scope: String,
    /// The claim that says what somebody may do, with dots between the steps into it.
    pub role_claim: Option<String>,
    /// Which value of it makes which role.
    pub roles: BTreeMap<String, Role>,
    /// The role of somebody with none of these values; without one they are not let in.
    pub default_role: Option<Role>,
    /// The audience of session tokens that are taken with requests.
    pub session_audience: Option<String>,
    /// The parties that such tokens may have been made for.
    pub session_parties: Vec<String>,
}

impl OidcRules {
    /// What somebody with these claims may do: the most of what their values make them.
    pub(crate) fn role(&self, claims: &Map<String, Value>) -> Option<Role> {
        let said = self.role_claim.as_deref().and_then(|path| claim(claims, path));
        let values: Vec<&str> = match said {
            Some(Value::String(text)) => text.split_whitespace().collect(),
            Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).collect(),
            _ => vec![],
        };
        let rank = |role: &Role| Role::ALL.iter().position(|other| other == role);
        let made = values.into_iter().filter_map(|value| self.roles.get(value).copied());
        made.min_by_key(rank).or(self.default_role)
    }
}

/// A claim by its path: `groups`, or `realm_access.roles`. A name with dots in it is taken as it stands first.
fn claim<'a>(claims: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    if let Some(value) = claims.get(path) {
        return Some(value);
    }
    let (first, rest) = path.split_once('.')?;
    claim(claims.get(first)?.as_object()?, rest)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use serde_json::json;

    #[test]
    fn the_strongest_role_counts_and_nobody_gets_one_by_chance() {
        let rules = |claim: &str, default_role| OidcRules {
            issuer: String::new(),
            client_id: String::new(),
            client_secret: None,
            label: String::new(),
            scope: String::new(),
            role_claim: Some(claim.to_owned()),
            roles: [("ops".to_owned(), Role::Operator), ("leads".to_owned(), Role::Manager)].into(),
            default_role,
            session_audience: None,
            session_parties: vec![],
        };
        let role = |rules: &OidcRules, claims: Value| rules.role(claims.as_object().unwrap());
        let groups = rules("groups", None);
        assert_eq!(role(&groups, json!({"groups": ["ops", "leads", "x"]})), Some(Role::Manager));
        assert_eq!(role(&groups, json!({"groups": "ops"})), Some(Role::Operator));
        for nothing in
            [json!({}), json!({"groups": ["Ops"]}), json!({"groups": 7}), json!({"groups": []})]
        {
            assert_eq!(role(&groups, nothing), None);
        }
        let deep = rules("realm_access.roles", Some(Role::Customer));
        assert_eq!(role(&deep, json!({"realm_access": {"roles": ["leads"]}})), Some(Role::Manager));
        assert_eq!(role(&deep, json!({"realm_access": "leads"})), Some(Role::Customer));
        let named = rules("https://example.org/roles", None);
        assert_eq!(
            role(&named, json!({"https://example.org/roles": ["ops"]})),
            Some(Role::Operator)
        );
    }
}
